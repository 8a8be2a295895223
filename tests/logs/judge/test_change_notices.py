"""Lines that say that something was changed, near a planted onset and elsewhere."""

from __future__ import annotations

import json

import planted_logs as planted
import pytest

INCIDENT = planted.Incident(100, error_rate=0.4)


@pytest.fixture
def changes(tmp_path):
    def run(*said, incident=INCIDENT):
        """`said` are pairs of seconds and text, as lines without a status."""
        rows = planted.lines(4, seconds=200, incident=incident)
        for at, text in said:
            rows.append(json.dumps({"time": planted.START + at, "level": "info", "msg": text}))
        rows.sort(key=lambda row: json.loads(row)["time"])
        path = planted.write(tmp_path / "service.log", rows)
        return planted.summarise(str(path)).changes

    return run


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("configuration reloaded from service.json", "config"),
        ("Reloading config file /etc/app.yaml", "config"),
        ("settings updated: pool_size=1", "config"),
        ("feature flag exact-rates changed to 40 %", "config"),
        ("signal 1 (SIGHUP) received, reconfiguring", "config"),
        ("Handling signal: hup", "config"),
        ("deployed build 812", "deploy"),
        ("rolling update to 7.3.1 began", "deploy"),
        ("Restarting worker 4", "restart"),
        ("Listening at: http://0.0.0.0:8080 (7)", "restart"),
    ],
)
def test_kinds(changes, text, kind):
    (found,) = changes((99.7, text))
    assert (found.kind, found.text, found.near, found.elsewhere) == (kind, text, 1, 0)
    assert found.first - planted.START == pytest.approx(99.7)


def test_the_same_text_with_other_numbers_is_one_and_counted_elsewhere(changes):
    said = [(t, f"configuration reloaded in {t} ms") for t in (20, 60, 98, 99, 150)]
    (found,) = changes(*said)
    assert (found.near, found.elsewhere) == (2, 3)
    assert found.near_s + found.rest_s == pytest.approx(200, abs=1)


def test_none_far_from_the_onset_or_without_one(changes):
    assert changes((40, "configuration reloaded"), (160, "deployed build 3")) == ()
    assert changes((99.7, "configuration reloaded"), incident=None) == ()


def test_none_of_lines_that_say_something_else(changes):
    for text in ("order 7 settled", "cache warmed", "worker stats", "user changed address"):
        assert changes((99.7, text)) == ()


def test_the_configuration_comes_first_and_hostile_text_stays_text(changes):
    first, second = changes(
        (98, "server started"), (99, "config changed'; DROP TABLE ev; --\x1b[2J")
    )
    assert first.kind == "config"
    assert first.text.endswith("\x1b[2J")
    assert second.kind == "restart"
