from __future__ import annotations

import random

import pytest
import simulate_counts as simulate

from locard.stats.changes import dispersion
from locard.stats.onset import locate

BINS = 120


def planted(seed, low, high, mean, ramp=0.0):
    """A record with its onset anywhere in the middle; `ramp` as a share of the rest."""
    rng = random.Random(seed)
    at = rng.uniform(0.25, 0.75) * BINS

    def share(i):
        part = (i + 0.5 - at) / (ramp * (BINS - at)) if ramp else i + 1 - at
        return low + (high - low) * min(1.0, max(0.0, part))

    return at, *simulate.bins(rng, BINS, mean, share)


@pytest.mark.parametrize(
    ("low", "high", "mean", "ramp", "widest"),
    [
        (0.005, 0.3, 50, 0.0, 4),
        (0.02, 0.2, 10, 0.0, 20),
        (0.005, 0.4, 30, 0.3, 12),
        (0.005, 0.4, 30, 1.0, 24),
    ],
)
def test_the_interval_holds_the_onset_and_is_tight(low, high, mean, ramp, widest):
    held, widths, seeds = 0, [], range(40)
    for seed in seeds:
        at, total, bad = planted(seed, low, high, mean, ramp)
        found = locate(total, bad, dispersion(total, bad))
        held += found.earliest <= at <= found.latest
        widths.append(found.latest - found.earliest)
    assert held >= 36  # 95 % nominal; below 36 of 40 has a chance of 1 in 20 at 95 %
    assert sorted(widths)[len(widths) // 2] <= widest


def test_tells_a_ramp_from_a_step():
    _, total, bad = planted(1, 0.005, 0.4, 30, ramp=0.8)
    assert locate(total, bad).ramp > 0
    _, total, bad = planted(1, 0.005, 0.4, 30)
    assert locate(total, bad).ramp == 0


def test_no_bad_requests_have_no_onset():
    assert locate([5, 5, 5], [0, 0, 0]) is None
    assert locate([5], [1]) is None
