from __future__ import annotations

import random

import pytest
import simulate_counts as simulate

from locard.stats.changes import dispersion, merge_bins, scan


@pytest.mark.parametrize(("mean", "share"), [(20, 0.005), (20, 0.2), (5, 0.1), (0.5, 0.3)])
def test_false_alarms_stay_below_the_p_value(mean, share):
    """400 records without a change: at p <= 0.05 fewer than 0.05 x 400 + 3 sigma alarms."""
    alarms = 0
    for seed in range(400):
        rng = random.Random(seed)
        found = scan(*simulate.bins(rng, 60, mean, lambda _: share))
        alarms += found is not None and found.p_value <= 0.05
    assert alarms <= 20 + 13


def test_finds_a_step():
    rng = random.Random(1)
    total, bad = simulate.bins(rng, 100, 30, lambda i: 0.01 if i < 60 else 0.15)
    found = scan(total, bad)
    assert found.p_value < 1e-6
    assert abs(found.start - 60) <= 2
    assert found.lasts
    assert found.baseline_seen
    assert found.share_in > 5 * found.share_out


def test_finds_a_spike_and_its_end():
    rng = random.Random(2)
    total, bad = simulate.bins(rng, 100, 30, lambda i: 0.3 if 40 <= i < 46 else 0.01)
    found = scan(total, bad)
    assert (found.start, found.end) == (40, 46)
    assert not found.lasts


def test_a_record_that_begins_in_the_middle_of_it_has_no_baseline():
    rng = random.Random(3)
    found = scan(*simulate.bins(rng, 100, 30, lambda i: 0.3 if i < 30 else 0.01))
    assert not found.baseline_seen
    assert abs(found.end - 30) <= 1


def test_a_partial_bin_fakes_nothing():
    # the last bin holds two requests, one of them bad: a rate of 50 %
    total = [50] * 40 + [2]
    bad = [1] * 40 + [1]
    assert scan(total, bad).p_value > 0.5


def test_doubled_traffic_at_a_constant_share_is_no_change():
    rng = random.Random(4)
    total, bad = simulate.bins(rng, 50, 20, lambda _: 0.05)
    more, more_bad = simulate.bins(rng, 50, 40, lambda _: 0.05)
    assert scan(total + more, bad + more_bad).p_value > 0.05


def test_five_errors_after_silence_are_few_but_forty_are_not():
    quiet = [10] * 50
    few = scan(quiet, [0] * 45 + [1] * 5)
    many = scan(quiet, [0] * 42 + [5] * 8)
    assert few.p_value > 0.001
    assert many.p_value < 1e-9


@pytest.mark.parametrize(
    ("total", "bad"), [([], []), ([5], [1]), ([5, 5], [0, 0]), ([5, 5], [5, 5]), ([0, 0], [0, 0])]
)
def test_nothing_to_compare_is_none(total, bad):
    assert scan(total, bad) is None


def test_dispersion_is_one_for_independent_requests_even_across_a_step():
    values = []
    for seed in range(20):
        rng = random.Random(seed)
        total, bad = simulate.bins(rng, 96, 20, lambda i: 0.05 if i < 50 else 0.4)
        values.append(dispersion(total, bad, (50,)))
    assert sorted(values)[10] < 1.6


def test_dispersion_sees_bursts():
    rng = random.Random(5)
    total, bad = simulate.bins(rng, 96, 20, lambda i: 0.02 if (i // 2) % 3 else 0.4)
    assert dispersion(total, bad) > 3


def test_merged_bins_keep_the_sum():
    merged, factor = merge_bins(list(range(101)), 20)
    assert sum(merged) == sum(range(101))
    assert len(merged) <= 20
    assert factor == 6
