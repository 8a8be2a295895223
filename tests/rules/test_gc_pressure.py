"""gc-pressure: fires where collections begin to take much of the time, not where they always did."""

from __future__ import annotations

import numpy as np

from locard.rules.gc_pressure import judge
from metric_series import LENGTH, ON, case_of, counter, told

UP = {"job": "pay", "instance": "pay-a:80"}


def collecting(before, after):
    """Seconds of a second in collections, before and after."""
    spent = np.where(np.arange(LENGTH) < ON, before, after) * 15
    spent = spent * np.random.default_rng(1).uniform(0.8, 1.2, LENGTH)
    return told(counter("jvm_gc_pause_seconds_sum", spent, **UP, cause="Allocation Failure"))


def test_fires_where_it_rose_to_much():
    (finding,) = judge(case_of(collecting(0.01, 0.4)))
    assert "40 %" in finding.title
    assert "instance pay-a:80" in finding.title


def test_quiet_where_it_was_as_much_before_or_is_little():
    assert not list(judge(case_of(collecting(0.4, 0.4))))
    assert not list(judge(case_of(collecting(0.001, 0.02))))
