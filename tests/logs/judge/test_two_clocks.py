from __future__ import annotations

import datetime as dt
import json
import random
from pathlib import Path

import pytest
from planted_logs import summarise, write

START = 1763812800


def log(path, offset_s, loggers=2, share=0.3):
    """Two loggers; the second one's clock is off."""
    rng = random.Random(1)
    rows = []
    for i in range(1200):
        second = loggers > 1 and rng.random() < share
        t = START + i / 4 + (offset_s if second else 0)
        rows.append({
            "time": dt.datetime.fromtimestamp(t, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", ""),
            "logger": "b" if second else "a", "status": 200,
        })  # fmt: skip
    return str(write(path / "log", [json.dumps(row) for row in rows]))


@pytest.mark.parametrize(("offset_s", "apart"), [(7200, "2 h"), (-3600, "1 h"), (19800, "330 min")])
def test_two_loggers_that_disagree_are_said(tmp_path, offset_s, apart):
    gaps = summarise(log(tmp_path, offset_s)).gaps
    (clocks,) = [gap for gap in gaps if gap.startswith("two clocks")]
    assert apart in clocks


@pytest.mark.parametrize("offset_s", [0, 0.2, 45])
def test_small_disorder_is_no_second_clock(tmp_path, offset_s):
    assert not [g for g in summarise(log(tmp_path, offset_s)).gaps if "clocks" in g]


def test_a_deploy_gap_is_no_second_clock(tmp_path):
    path = log(tmp_path, 0, loggers=1)
    rows = Path(path).read_text().splitlines()
    late = [row.replace("T12:", "T14:") for row in rows]
    assert not [
        g for g in summarise(str(write(tmp_path / "two", rows + late))).gaps if "clocks" in g
    ]
