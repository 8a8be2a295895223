"""Planted incidents and their near misses; the interval, the set and the silence are checked."""

from __future__ import annotations

import json

import planted_logs as planted
import pytest

from locard.model import codec
from locard.model.errors import SourceUnreadableError
from locard.model.log_facts import LogSummary


@pytest.fixture
def summarise(tmp_path):
    """The first pass over lines."""

    def run(lines, **options):
        path = planted.write(tmp_path / "service.log", lines)
        return planted.summarise(str(path), **options)

    return run


def onset(summary):
    found = summary.onset
    return found.earliest - planted.START, found.latest - planted.START


def found_sets(summary):
    return [dict(c.values) for c in summary.correlates]


def radius(summary, field):
    (found,) = [r for r in summary.blast_radius if r.field == field]
    return {
        side: [v.value for v in getattr(found, side)]
        for side in ("affected", "unaffected", "unknown")
    }


def test_one_slow_upstream_for_one_segment_in_one_region(summarise):
    hit = {"upstream": "bank", "region": "eu-west", "segment": "plus"}
    incident = planted.Incident(130, affected=hit, slower=20)
    summary = summarise(planted.lines(1, seconds=200, incident=incident))
    assert summary.changed == ("latency",)
    assert summary.shape == "step"
    early, late = onset(summary)
    assert early <= 130 <= late
    assert late - early < 6
    assert found_sets(summary) == [hit]
    assert summary.correlates[0].share_of_excess > 0.9
    assert summary.correlates[0].p_value < 1e-6
    assert radius(summary, "upstream") == {
        "affected": ["bank"],
        "unaffected": ["card", "wallet"],
        "unknown": [],
    }
    assert "slower than" in summary.bad_means
    assert summary.trace_ids
    assert summary.after_p99_ms > 3 * summary.before_p99_ms


def test_errors_of_everyone_have_no_correlates(summarise):
    summary = summarise(
        planted.lines(2, seconds=200, incident=planted.Incident(90, error_rate=0.2))
    )
    assert summary.changed == ("errors",)
    early, late = onset(summary)
    assert early <= 90 <= late
    assert summary.correlates == ()
    assert radius(summary, "region")["unaffected"] == []
    # DuckDB masks numbers, the native scanner mines templates.
    templates = {"payment # failed: upstream timeout", "payment <*> failed: upstream timeout"}
    assert summary.messages[0].template in templates


@pytest.mark.parametrize("slower", [1.3, 2, 5])
def test_errors_of_some_are_not_lost_where_everyone_is_slower(summarise, slower):
    hit = {"segment": "plus", "upstream": "card"}
    incident = planted.Incident(100, affected=hit, error_rate=0.6)
    records = [json.loads(x) for x in planted.lines(4, seconds=200, incident=incident)]
    for number, record in enumerate(records):
        if number > len(records) / 2:
            record["duration_ms"] *= slower
    summary = summarise([json.dumps(record) for record in records])
    assert found_sets(summary) == [hit]
    assert "errors" in summary.judged
    early, late = onset(summary)
    assert early <= 100 <= late
    if slower > 2:  # less leaves enough of the set to be seen
        assert (summary.changed, summary.judged) == (("errors", "latency"), ("errors",))
        assert summary.bad_means == summary.error_means


def test_errors_and_latency_of_everyone_are_everyones(summarise):
    incident = planted.Incident(100, error_rate=0.4, slower=5)
    summary = summarise(planted.lines(5, seconds=200, incident=incident))
    assert summary.changed == summary.judged == ("errors", "latency")
    assert summary.correlates == ()
    assert summary.bad_means.startswith(f"{summary.error_means}, or slower than ")


def test_errors_and_latency_together(summarise):
    incident = planted.Incident(100, affected={"region": "ap-south"}, error_rate=0.5, slower=10)
    summary = summarise(planted.lines(3, seconds=200, incident=incident))
    assert summary.changed == ("errors", "latency")
    assert " or slower than" in summary.bad_means
    assert found_sets(summary) == [{"region": "ap-south"}]


def test_two_affected_groups_are_two_correlates(summarise):
    one = planted.lines(
        4,
        seconds=200,
        incident=planted.Incident(100, affected={"upstream": "bank"}, error_rate=0.5),
    )
    two = planted.lines(
        5,
        seconds=200,
        incident=planted.Incident(100, affected={"upstream": "wallet"}, error_rate=0.5),
    )
    summary = summarise(sorted(one + two, key=lambda x: json.loads(x)["time"]))
    assert found_sets(summary) == [{"upstream": "bank"}, {"upstream": "wallet"}]


@pytest.mark.parametrize("seed", range(6, 14))
@pytest.mark.parametrize("wobble", [0.0, 0.1])
def test_a_healthy_log_is_flat(summarise, seed, wobble):
    summary = summarise(planted.lines(seed, seconds=120, rate=40, wobble=wobble))
    assert (summary.changed, summary.onset, summary.shape) == ((), None, "flat")
    assert summary.correlates == summary.blast_radius == ()


def test_a_spike_ends(summarise):
    incident = planted.Incident(80, end_s=110, error_rate=0.3)
    summary = summarise(planted.lines(14, seconds=200, incident=incident))
    assert summary.shape == "spike"
    early, late = onset(summary)
    assert early <= 80 <= late
    assert summary.after_total < 40 * 50


def test_a_ramp_is_one(summarise):
    incident = planted.Incident(60, error_rate=0.5, ramp_s=120)
    summary = summarise(planted.lines(15, seconds=200, incident=incident))
    assert summary.shape == "ramp"
    early, late = onset(summary)
    assert early <= 60 <= late


def test_a_log_that_begins_degraded_claims_no_onset(summarise):
    always = planted.Incident(-10, error_rate=0.3)
    assert summarise(planted.lines(16, seconds=100, incident=always)).onset is None
    until = planted.Incident(-10, end_s=60, error_rate=0.3)
    summary = summarise(planted.lines(17, seconds=150, incident=until))
    assert not summary.onset.baseline_seen
    assert any("no baseline" in g for g in summary.gaps)


def test_slow_requests_at_the_cut_ends_fake_nothing(summarise):
    """Slow from the first to the last second, then cut: neither end is a change."""
    lines = planted.lines(18, seconds=200, rate=30, incident=planted.Incident(-60, slower=100))
    summary = summarise([x for x in lines if 60 < json.loads(x)["time"] - planted.START < 160])
    assert summary.changed == ()


def test_since_keeps_the_window_and_a_baseline(summarise):
    incident = planted.Incident(20, end_s=40, error_rate=0.3)
    lines = planted.lines(19, seconds=200, incident=incident)
    assert summarise(lines).changed == ("errors",)
    assert summarise(lines, since_s=60).changed == ()


def test_endpoints_are_generalised(summarise):
    paths = [
        "/orders/8123/pay", "/orders/77/pay?x=1", "https://shop.example/orders/9/pay#top",
        "GET /orders/12345/pay HTTP/1.1", "/users/0b9fd0a5-2b84-4c37-9c0f-3a4b1d2e5f60",
        "/users/9f86d081884c7d65", "/v1/status", "/cust-90311/cart",
    ]  # fmt: skip
    lines = [json.dumps({"time": 1763812800 + i, "path": p}) for i, p in enumerate(paths * 5)]
    summary = summarise(lines)
    assert {g.value for g in summary.groups if g.field == "path"} == {
        "/orders/{id}/pay",
        "/users/{id}",
        "/v1/status",
        "/{id}/cart",
    }


def test_ids_and_restated_outcomes_are_no_groups(summarise):
    lines = []
    for i, text in enumerate(planted.lines(20, seconds=60)):
        record = json.loads(text)
        record["request_no"] = str(i)
        record["error"] = {"kind": "timeout"} if record["status"] == 503 else None
        record["outcome"] = "bad" if record["status"] == 503 else "good"
        lines.append(json.dumps(record))
    fields = {g.field for g in summarise(lines).groups}
    assert fields == {"path", "region", "segment", "upstream", "worker"}


def test_an_error_line_of_the_same_trace_makes_its_request_bad(summarise):
    lines = []
    for i in range(50):
        at = 1763812800 + i
        lines.append(json.dumps({"time": at, "level": "info", "status": 200, "trace_id": f"t{i}"}))
        if i % 5 == 0:
            lines.append(
                json.dumps({"time": at, "level": "error", "trace_id": f"t{i}", "msg": "x"})
            )
    summary = summarise(lines)
    assert (summary.after_total, summary.after_bad) == (50, 10)


def test_a_log_without_time_says_so(summarise):
    summary = summarise(['{"status": 200}', '{"status": 503}'] * 20)
    assert summary.onset is None
    assert summary.shape == "unknown"
    assert (summary.after_total, summary.after_bad) == (40, 20)
    assert any("no field with times that could be read" in g for g in summary.gaps)


def test_one_wild_clock_does_not_stretch_the_record(summarise):
    lines = planted.lines(21, seconds=100, incident=planted.Incident(60, error_rate=0.3))
    record = json.loads(lines[0])
    for time in (0, 32503680000):
        lines.append(json.dumps({**record, "time": time}))
    summary = summarise(lines)
    assert summary.last - summary.first < 110
    assert summary.changed == ("errors",)


def test_a_gap_in_traffic_is_no_change(summarise):
    lines = planted.lines(22, seconds=200)
    kept = [x for x in lines if not 80 < json.loads(x)["time"] - planted.START < 120]
    assert summarise(kept).changed == ()


def test_low_counts_are_respected(summarise):
    lines = planted.lines(23, seconds=120, rate=0.5, base_errors=0.2)
    assert summarise(lines).changed == ()


def test_the_summary_survives_the_codec(summarise):
    summary = summarise(
        planted.lines(24, seconds=60, incident=planted.Incident(30, error_rate=0.5))
    )
    assert codec.decode(LogSummary, json.loads(json.dumps(codec.encode(summary)))) == summary


@pytest.mark.parametrize("lines", [[""], ["no json at all"], ["[]", "1"], ["{"]])
def test_no_records_is_an_error_with_its_reason(summarise, lines):
    with pytest.raises(SourceUnreadableError, match="no log records"):
        summarise(lines)


def test_an_empty_file(tmp_path):
    path = tmp_path / "empty.log"
    path.touch()
    with pytest.raises(SourceUnreadableError, match="it is empty"):
        planted.summarise(str(path))


@pytest.mark.parametrize("record", ["{}", '{"a":null}', '{"a":[]}', '{"time":"never","level":7}'])
def test_records_that_say_nothing(summarise, record):
    summary = summarise([record] * 30)
    assert summary.records == 30
    assert summary.changed == ()
