"""Counts over time: bins in which no record has what is asked for."""

from __future__ import annotations

import json

import planted_logs as planted


def test_a_stretch_without_durations_is_no_error(tmp_path):
    """As where a service writes no duration with its errors."""
    rows = [json.loads(line) for line in planted.lines(3, incident=None)]
    for row in rows:
        if planted.START + 100 < row["time"] < planted.START + 130:
            row["level"] = "error"
            del row["duration_ms"]
    path = planted.write(tmp_path / "app.log", [json.dumps(row) for row in rows])
    assert "errors" in planted.summarise(str(path)).changed
