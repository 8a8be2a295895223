"""The same incident in every format: the records, the onset, the share of errors and who is hit are right."""

from __future__ import annotations

import os

import planted_formats
import pytest
from planted_formats import ONSET, START, WRITERS
from planted_logs import summarise

from locard.logs.scan import native_engine

# Formats that write more than one record a request.
SEVERAL = {"heroku", "lambda_text", "lambda_json"}
SLOW = {"mysql_slow"}  # it knows no errors: they are slow there
NAMELESS = {"lambda_json"}  # its reports name no part
TIMED = {
    "heroku", "mysql_slow", "alb", "elb", "uwsgi", "lambda_text", "lambda_json", "cloudflare_unixnano",
    "cloudflare_unix", "cloudflare_rfc3339", "envoy_text", "envoy_json", "kong", "tracing_text", "unknown_names", "gelf",
}  # fmt: skip


def planted(name, tmp_path, seed=1):
    rows, events = planted_formats.lines(name, seed)
    path = tmp_path / f"{name}.log"
    path.write_text("\n".join(rows) + "\n")
    os.utime(path, (START + 1300, START + 1300))
    return summarise(str(path)), events


def named(summary):
    return [value for c in summary.correlates[:1] for _, value in c.values]


@pytest.mark.parametrize("name", WRITERS)
def test_the_incident_is_found(name, tmp_path):
    if not native_engine.available():
        pytest.skip("the native module is not built")
    summary, events = planted(name, tmp_path)
    roles = {r.role for r in summary.roles}
    assert not summary.skipped
    assert summary.records == len(events) or name in SEVERAL
    assert "time" in roles
    assert ("duration" in roles) == (name in TIMED | {"elixir"})
    assert summary.onset is not None
    assert summary.onset.earliest <= ONSET + 5
    assert summary.onset.latest >= ONSET - 5
    assert summary.onset.latest - summary.onset.earliest < 60
    if name not in SLOW:
        errors = sum(point.errors for point in summary.series)
        bad = sum(e.bad for e in events)
        assert errors == bad
    part = "1" if name == "lambda_text" else "pay"
    assert name in NAMELESS or any(part in value.lower() for value in named(summary)), (
        summary.correlates[:2]
    )
    assert not any(
        other in value.lower() for other in ("cart", "login", "search") for value in named(summary)
    )
