"""Value shifts: answers, levels and durations whose share grew for good, and mixes that only wander."""

from __future__ import annotations

import json
import random

import planted_logs as planted
import pytest

from locard.model.log_spikes import found as spikes
from locard.model.log_state import judge

BEGAN = 600.0


@pytest.fixture
def summarise(tmp_path):
    def run(change, seed=3):
        draw = random.Random(seed)
        lines = []
        for n in range(6000):
            at = n * 0.15
            record = {
                "time": planted.START + at, "level": "info", "status": 200,
                "duration_ms": round(abs(draw.gauss(40, 8)), 1), "path": draw.choice(["/a", "/b"]),
            }  # fmt: skip
            if draw.random() < 0.002:
                record.update(status=500, level="error")
            record.update(change(draw, at) or {})
            lines.append(json.dumps(record))
        path = tmp_path / "service.log"
        path.write_text("\n".join(lines) + "\n")
        return planted.summarise(str(path))

    return run


@pytest.mark.parametrize(
    ("change", "field", "incident"),
    [
        ({"status": 401}, "status", True),
        ({"status": 429}, "status", True),
        ({"level": "warn"}, "level", True),
        ({"path": "/export"}, "path", False),
        ({"duration_ms": 1.5}, "", False),
    ],
)
def test_what_became_frequent_for_good_is_no_steady_log(summarise, change, field, incident):
    summary = summarise(lambda draw, at: change if at > BEGAN and draw.random() < 0.5 else None)
    assert not summary.changed
    shift = summary.shifts[0]
    assert shift.field == field
    assert shift.before < 0.02
    assert shift.after > 0.4
    assert shift.since.earliest - planted.START <= BEGAN <= shift.since.latest - planted.START
    state = judge(summary)
    assert (state.kind, state.incident) == ("mix-changed", incident)


@pytest.mark.parametrize(
    "change",
    [
        lambda _, __: None,
        lambda draw, _: {"status": 404} if draw.random() < 0.2 else None,
        # One burst of other requests, and a mix that swings: neither stays.
        lambda _, at: {"path": "/batch"} if 300 < at < 345 else None,
        lambda draw, at: {"path": "/c"} if draw.random() < 0.3 * (at // 60 % 2) else None,
    ],
)
def test_quiet_on_what_is_as_ever_or_does_not_stay(summarise, change):
    assert summarise(change).shifts == ()


def test_short_bursts_are_told(summarise):
    slow = {"duration_ms": 1500.0}
    summary = summarise(lambda draw, at: slow if at % 200 < 4 and draw.random() < 0.3 else None)
    steady = summarise(lambda _, __: None)
    assert judge(steady).kind == "steady"
    assert spikes(steady) is None
    kinds = {s.kind for s in (judge(summary), *judge(summary).further)}
    assert kinds & {"spikes", "comes-and-goes", "going-on", "recovered"}
    assert "steady" not in kinds
