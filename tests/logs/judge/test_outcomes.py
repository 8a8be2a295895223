"""Fields of the answer explain nothing, fields of who asked do."""

from __future__ import annotations

import json
import random

import planted_logs as planted
import pytest

from locard.logs.judge.outcomes import by_name
from locard.model.log_sentences import everyone
from locard.model.log_spread import spread


@pytest.mark.parametrize(
    "name",
    [
        "bytes", "body_bytes_sent", "response_flags", "http.response.size", "status_text", "upstream_status",
        "upstream_response_time", "duration_total", "response_code_details", "grpc_status", "resp-length",
        "DownstreamContentSize", "OriginStatus", "bytesSent", "target_status_code",
    ],
)  # fmt: skip
def test_fields_of_the_answer_are_known_by_name(name):
    assert by_name(name)


@pytest.mark.parametrize("name", ["tenant", "path", "upstream_cluster", "flag_exact_rates", "region", "attempt", "method", "app_version"])  # fmt: skip
def test_fields_of_who_asked_are_not(name):
    assert not by_name(name)


@pytest.fixture
def summary(tmp_path):
    def run(change, affected=None):
        incident = planted.Incident(150, error_rate=0.5, affected=affected or {})
        rng = random.Random(1)
        rows = [json.loads(x) for x in planted.lines(3, incident=incident)]
        for row in rows:
            change(row, row["status"] == 503, rng)
        path = planted.write(tmp_path / "app.log", [json.dumps(r) for r in rows])
        return planted.summarise(str(path))

    return run


@pytest.mark.parametrize(
    ("field", "why"), [("response_flags", "name"), ("ending", "values"), ("logger", "values")]
)
def test_the_outcome_in_other_words_takes_no_part(summary, field, why):
    def change(row, failed, rng):
        usual = rng.choice(["web.pay", "web.cart"]) if field == "logger" else "-"
        row[field] = "UF" if failed else usual

    found = summary(change, {"upstream": "bank"})
    assert [dict(c.values) for c in found.correlates] == [{"upstream": "bank"}]
    assert field not in {r.field for r in found.blast_radius}
    (outcome,) = found.outcomes
    assert (outcome.field, outcome.value, outcome.good, outcome.why) == (field, "UF", 0, why)
    assert outcome.bad > 100


def test_a_field_that_only_failures_have_explains_nothing(summary):
    """None of its values comes often, so no value tells: that it is there does."""

    def change(row, failed, rng):
        if failed:
            row["dump"] = f"core-{rng.randrange(40)}"

    found = summary(change, {"upstream": "bank"})
    assert [dict(c.values) for c in found.correlates] == [{"upstream": "bank"}]
    assert "dump" not in {r.field for r in found.blast_radius}
    assert found.outcomes == (), "no value of it is one to show"


def test_a_field_that_some_requests_have_may_be_the_answer(summary):
    """Requests with a coupon fail since the onset, and did not before."""

    def change(row, failed, rng):
        if (failed and row["time"] > planted.START + 150) or (not failed and rng.random() < 0.05):
            row["coupon"] = "WINTER"

    found = summary(change)
    assert [dict(c.values) for c in found.correlates] == [{"coupon": "WINTER"}]


def test_a_version_that_always_fails_is_the_answer(summary):
    def change(row, failed, _):
        row["version"] = "7.2" if failed and row["time"] > planted.START + 150 else "7.1"

    found = summary(change)
    assert [dict(c.values) for c in found.correlates] == [{"version": "7.2"}]
    assert found.outcomes == ()


def test_everyone_needs_a_field_that_was_tested(summary):
    found = summary(lambda *_: None)
    assert spread(found).kind == "everyone"
    assert "for every value of" in everyone(found, spread(found))

    def bare(row, *_):
        for name in ("segment", "region", "upstream", "path", "worker"):
            del row[name]

    found = summary(bare)
    assert spread(found).kind == "untested"
    assert (
        everyone(found, spread(found)) == "Errors changed; no field was there to test who is hit."
    )


def test_a_field_that_no_request_has_is_no_outcome(summary):
    """Lines beside the requests have it, as those of a start-up do."""

    def change(row, failed, rng):
        if not failed and rng.random() < 0.02:
            row["boot"] = rng.choice(["early", "late"])
            del row["status"], row["duration_ms"]

    found = summary(change, {"upstream": "bank"})
    assert [dict(c.values) for c in found.correlates] == [{"upstream": "bank"}]
    assert found.outcomes == ()
