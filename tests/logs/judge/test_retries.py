"""Lines a trace id before and after a planted onset."""

from __future__ import annotations

import json

import planted_logs as planted


def summary(tmp_path, *, again):
    rows = []
    incident = planted.Incident(60, error_rate=0.4)
    for line in planted.lines(5, seconds=120, incident=incident):
        record = json.loads(line)
        rows.append(line)
        late = record["time"] - planted.START > 60
        rows += [line] * (again if late and record["status"] == 503 else 0)
    path = planted.write(tmp_path / "service.log", rows)
    return planted.summarise(str(path))


def test_repeated_requests_are_counted(tmp_path):
    seen = summary(tmp_path, again=2).attempts
    assert seen.before_lines == seen.before_traces > 2000
    assert 1.6 < seen.after_lines / seen.after_traces < 2.0
    assert abs(seen.before_s - 60) < 3
    assert abs(seen.after_s - 60) < 3


def test_one_line_each_where_nothing_is_repeated(tmp_path):
    seen = summary(tmp_path, again=0).attempts
    assert seen.after_lines == seen.after_traces


def test_nothing_is_counted_without_a_change_or_a_trace_id(tmp_path):
    path = planted.write(tmp_path / "service.log", planted.lines(5, seconds=60))
    assert planted.summarise(str(path)).attempts is None
    rows = [json.loads(line) for line in planted.lines(5, incident=planted.Incident(60))]
    for row in rows:
        del row["trace_id"]
    path = planted.write(tmp_path / "other.log", [json.dumps(row) for row in rows])
    assert planted.summarise(str(path)).attempts is None
