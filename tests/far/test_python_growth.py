"""What is called growth: in each interval, until a moment, unevenly, or not."""

from __future__ import annotations

import pytest

from locard.far.python_growth import level_from, trend

TIMES = [0.0, 2.5, 5.0, 7.5, 10.0]


@pytest.mark.parametrize(
    ("counts", "how"),
    [
        ([0, 62, 125, 188, 250], "steady"),
        ([100, 103, 107, 109, 112], "steady"),  # slow: within the noise of its number
        ([0, 40, 130, 170, 250], "steady"),
        ([10, 35, 60, 64, 64], "level"),
        ([10, 64, 64, 64, 64], "level"),
        ([0, 100, 100, 200, 300], "uneven"),
        ([57768, 58833, 63781, 57383, 61721], "uneven"),  # noise
        ([0, 0, 0, 0, 300], "uneven"),
        ([50, 55, 48, 52, 51], ""),
        ([100, 100, 100, 100, 100], ""),
        ([100, 80, 60, 40, 20], ""),
        ([0, 2, 4, 6, 8], ""),  # too few
    ],
)
def test_trend(counts, how):
    assert trend(TIMES, counts) == how


def test_since_when_it_is_level():
    assert level_from(TIMES, [10, 35, 60, 64, 64]) == 2
    assert level_from(TIMES, [10, 35, 50, 64, 64]) == 3
    assert level_from(list(range(50)), [10 * n for n in range(50)]) == 0


def test_two_looks_tell_only_more_or_not():
    assert trend([0.0, 10.0], [0, 100]) == "steady"
    assert trend([0.0, 10.0], [100, 100]) == ""
