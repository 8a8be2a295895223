"""Logs that do not hold every request: told, and then no rate is claimed."""

from __future__ import annotations

import json
import random

import planted_logs as planted

from rules.builders import logs_screen as screen

INCIDENT = planted.Incident(150, error_rate=0.4, affected={"upstream": "card"})


def summarise(tmp_path, rows):
    path = planted.write(tmp_path / "app.log", [json.dumps(r) for r in rows])
    return planted.summarise(str(path))


def records(seed=3, incident=INCIDENT):
    return [json.loads(line) for line in planted.lines(seed, incident=incident)]


def test_a_whole_log_claims_rates(tmp_path):
    found = summarise(tmp_path, records())
    assert found.coverage.kind == "whole"
    assert any("bad before" in line for line in screen(found))


def test_only_errors_have_an_onset_by_their_number_and_no_rate(tmp_path):
    found = summarise(tmp_path, [r for r in records() if r["level"] == "error"])
    assert found.coverage.kind == "errors-only"
    assert found.changed == ("errors",)
    assert found.onset.earliest - 5 < planted.START + 150 < found.onset.latest + 5
    text = "\n".join(screen(found))
    assert "%" not in text.replace("95 %", "")
    assert any("errors only" in gap for gap in found.gaps)


def test_only_warnings_and_errors_are_noticed(tmp_path):
    rng = random.Random(1)
    rows = [
        {"time": planted.START + i, "level": rng.choice(["warn", "error"]), "msg": f"x {i}"}
        for i in range(200)
    ]
    assert summarise(tmp_path, rows).coverage.kind == "errors-only"


def test_a_sampling_field_is_believed(tmp_path):
    found = summarise(tmp_path, [{**r, "sample_rate": 0.1} for r in records()])
    assert found.coverage.kind == "sampled"
    assert "sample_rate" in found.coverage.why
    assert not any("% bad before" in line for line in screen(found))
    whole = summarise(tmp_path, [{**r, "sample_rate": 1} for r in records()])
    assert whole.coverage.kind == "whole"


def test_a_logger_that_says_it_left_lines_out_is_believed(tmp_path):
    rows = records()
    rows[500:500] = [
        {"time": rows[500]["time"], "level": "warn", "msg": "Suppressed 412 messages from app"}
    ]
    assert summarise(tmp_path, rows).coverage.kind == "rate-limited"


def test_seconds_with_exactly_as_many_lines_are_a_limit(tmp_path):
    kept, seconds = [], {}
    for row in records():
        second = int(row["time"])
        seconds[second] = seconds.get(second, 0) + 1
        if seconds[second] <= 40:  # of about 50
            kept.append(row)
    found = summarise(tmp_path, kept)
    assert found.coverage.kind == "rate-limited"
    assert "exactly 40 lines" in found.coverage.why


def test_lines_of_one_request_count_once(tmp_path):
    rows = records()
    doubled = [{**r, "service": name} for r in rows for name in ("gateway", "payments")]
    one, two = summarise(tmp_path, rows), summarise(tmp_path, doubled)
    assert two.records == 2 * one.records
    assert two.before_total + two.after_total == one.before_total + one.after_total
    assert two.after_bad == one.after_bad


def test_a_request_with_a_failed_attempt_is_one_error_of_where_that_failed(tmp_path):
    rows = records(incident=None)
    failed = [
        {**r, "time": r["time"] - 0.5, "status": 503, "level": "error", "upstream": "tax"}
        for r in rows[8_000::4]
    ]
    retried = sorted([*rows, *failed], key=lambda r: r["time"])
    one, two = summarise(tmp_path, rows), summarise(tmp_path, retried)
    requests, more = [sum(p.total for p in found.series) for found in (one, two)]
    assert requests == more
    assert two.correlates[0].values == (("upstream", "tax"),)


def test_an_even_pace_is_no_limit(tmp_path):
    rows = [
        {
            "time": planted.START + i * 0.05,
            "level": "info",
            "msg": f"served {i} in 3 ms",
            "status": 200,
        }
        for i in range(1800)
    ]
    rows[900:] = [r for row in rows[900:] for r in (row, {**row, "status": 507, "level": "error"})][
        :1200
    ]
    rows.sort(key=lambda r: r["time"])
    assert summarise(tmp_path, rows).coverage.kind == "whole"


def test_an_error_log_beside_an_access_log_does_not_make_both_errors(tmp_path):
    rng = random.Random(7)
    rows = []
    for n in range(4000):
        bad = n > 2000 and rng.random() < 0.3
        rows.append({"time": planted.START + n / 10, "status": 503 if bad else 200, "path": "/x"})
        if bad:
            rows.append({"time": planted.START + n / 10, "level": "error", "msg": "timed out"})
    found = summarise(tmp_path, rows)
    assert found.coverage.kind == "whole"
    alone = summarise(tmp_path, [r for r in rows if "level" in r])
    assert alone.coverage.kind == "errors-only"
