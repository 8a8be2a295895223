from __future__ import annotations

import math
import random
from collections import Counter

import pytest
import simulate_counts as simulate
import simulate_noise as noise

from locard.stats.course import describe, of_counts

BINS = 80


def traffic(mean_of, seed, bins=BINS):
    rng = random.Random(seed)
    return of_counts([simulate.poisson(rng, mean_of(i)) for i in range(bins)])


@pytest.mark.parametrize(("mean", "bins"), [(0.3, 800), (4, BINS), (40, BINS)])
def test_steady_traffic_is_flat_however_low(mean, bins):
    shapes = Counter(traffic(lambda _: mean, seed, bins).shape for seed in range(80))
    assert shapes["flat"] >= 78


def test_noise_whose_neighbours_are_alike_is_flat():
    shapes = Counter(
        describe(noise.related(random.Random(seed), BINS, 0.5)).shape for seed in range(60)
    )
    assert shapes["flat"] >= 56


@pytest.mark.parametrize(("low", "high"), [(20, 40), (40, 20), (2, 8)])
def test_a_step_holds_its_onset(low, high):
    held = 0
    for seed in range(40):
        at = random.Random(seed).uniform(25, 60)
        found = traffic(lambda i, at=at: low + (high - low) * min(1, max(0, i + 1 - at)), seed)
        assert found.shape == "step"
        assert (found.after > found.before) == (high > low)
        held += found.earliest <= at <= found.latest
    assert held >= 36  # 95 % promised


def test_a_burst_of_one_bin_is_a_spike_and_dates_it():
    for seed in range(20):
        found = traffic(lambda i: 200 if i == 33 else 20, seed)
        assert found.shape == "spike"
        assert found.earliest <= 33 <= found.latest
        assert found.peak > found.before


def test_a_longer_burst_is_a_spike_too():
    for seed in range(20):
        found = traffic(lambda i: 60 if 30 <= i < 45 else 20, seed)
        assert (found.shape, found.more) == ("spike", ())
        assert found.earliest <= 30 <= found.latest


def test_slow_drift_is_a_ramp_and_no_step():
    shapes = Counter(traffic(lambda i: 20 + i / 2, seed).shape for seed in range(30))
    assert shapes["ramp"] >= 29


def test_a_rhythm_is_one():
    for seed in range(20):
        found = traffic(lambda i: 40 + 30 * math.sin(2 * math.pi * i / 20), seed)
        assert found.shape == "periodic"
        assert found.period == pytest.approx(20, abs=1.5)


def test_gaps_and_too_few_values():
    rng = random.Random(1)
    values = [None if 20 <= i < 30 else v for i, v in enumerate(noise.related(rng, BINS))]
    assert describe(values).shape == "flat"
    assert describe([1.0, 2.0]) is None
    assert describe([None] * 40) is None
    assert of_counts([0] * 40) is None
    assert of_counts([]) is None


def test_a_step_on_a_rhythm_is_found():
    right = 0
    for seed in range(20):
        found = traffic(lambda i: (40 + 25 * math.sin(i * math.pi / 4)) * (1 + (i >= 50)), seed)
        right += found.shape == "step" and found.earliest <= 50 <= found.latest
    assert right >= 17
