from __future__ import annotations

import math
import random

import pytest
import simulate_noise as simulate

from locard.stats.segments import segment, segment_all

SEEDS = range(20)


def noisy(curve, seed=1, count=120, alike=0.0):
    noise = simulate.related(random.Random(seed), count, alike)
    return [curve(i) + v for i, v in enumerate(noise)]


@pytest.mark.parametrize(
    ("count", "alike", "heavy", "most"),
    [(50, 0.0, False, 1), (50, 0.6, False, 6), (120, 0.6, False, 2), (120, 0.6, True, 3)],
)
def test_noise_has_no_change_even_if_neighbours_are_alike(count, alike, heavy, most):
    found = [
        segment(simulate.related(random.Random(seed), count, alike, heavy=heavy)).cuts
        for seed in range(60)
    ]
    assert sum(map(bool, found)) <= most


@pytest.mark.parametrize("alike", [0.0, 0.3])
def test_a_step_is_found_where_it_is(alike):
    right = [segment(noisy(lambda i: 4.0 * (i >= 70), seed, alike=alike)).cuts for seed in SEEDS]
    assert sum(len(c) == 1 and abs(c[0] - 70) <= 2 for c in right) >= 18


def test_two_changes_are_two():
    curve = lambda i: 5.0 * (i >= 40) + 5.0 * (i >= 80)  # noqa: E731 - one curve
    right = [segment(noisy(curve, seed)).cuts for seed in SEEDS]
    assert sum(len(c) == 2 and abs(c[0] - 40) <= 2 and abs(c[1] - 80) <= 2 for c in right) >= 18


def test_slow_drift_is_one_line_and_no_change():
    found = [segment(noisy(lambda i: 0.08 * i, seed)) for seed in SEEDS]
    assert sum(bool(f.cuts) for f in found) <= 1


def test_a_line_that_bends_is_cut_where_it_bends():
    found = [segment(noisy(lambda i: 0.5 * max(0, i - 60), seed)) for seed in SEEDS]
    assert all(f.sloped and len(f.cuts) == 1 and abs(f.cuts[0] - 60) <= 8 for f in found)


@pytest.mark.parametrize("scale", [1e-3, 1e5])
def test_a_plain_bend_in_twenty_values_is_cut(scale):
    """Flat, then a climb: every annotator cuts it; noise of a hundredth of the range."""
    for seed in SEEDS:
        values = noisy(lambda i: 10.0 * max(0, i - 9), seed, count=20)
        (cut,) = segment([scale * v for v in values]).cuts
        assert abs(cut - 9) <= 2


@pytest.mark.parametrize("alike", [0.0, 0.3, 0.6])
def test_fifteen_values_are_not_cut_on_a_weak_gain(alike):
    found = [segment(noisy(lambda i: 0.2 * i, seed, 15, alike)).cuts for seed in range(100)]
    assert sum(map(bool, found)) <= 5
    steps = [segment(noisy(lambda i: 12.0 * (i >= 8), seed, 15, alike)).cuts for seed in SEEDS]
    assert sum(bool(c) for c in steps) >= 18


def test_a_smooth_curve_has_no_change_and_a_corner_has():
    smooth = [segment(noisy(lambda i: 60 * (i / 120) ** 2, seed)).cuts for seed in SEEDS]
    assert not any(smooth)
    corner = [segment(noisy(lambda i: max(0, i - 60), seed)).cuts for seed in SEEDS]
    assert sum(len(c) == 1 and abs(c[0] - 60) <= 2 for c in corner) >= 18


def test_a_rhythm_that_grows_is_not_taken_out_and_a_steady_one_is():
    wave = lambda i: math.sin(2 * math.pi * i / 12)  # noqa: E731 - one curve
    for seed in SEEDS:
        assert segment(noisy(lambda i: 0.05 * i * wave(i), seed, 240)).period is None
        steady = segment(noisy(lambda i: 6 * wave(i), seed, 240))
        assert steady.period == 12
        assert steady.cuts == ()


def test_lone_spikes_are_no_change():
    for seed in SEEDS:
        values = noisy(lambda _: 0.0, seed)
        values[30], values[90] = 25.0, -25.0
        assert segment(values).cuts == ()


def test_a_rhythm_is_taken_out_and_the_step_below_it_found():
    def curve(i, step):
        return 4 * math.sin(2 * math.pi * i / 12) + step * (i >= 70)

    for seed in SEEDS:
        with_step = segment(noisy(lambda i: curve(i, 4.0), seed))
        assert with_step.period == 12
        assert len(with_step.cuts) == 1
        assert abs(with_step.cuts[0] - 70) <= 3
        assert segment(noisy(lambda i: curve(i, 0.0), seed)).cuts == ()


def test_gaps_keep_the_place():
    values = noisy(lambda i: 5.0 * (i >= 70))
    values[10:20] = [None] * 10
    values[75] = math.nan
    (cut,) = segment(values).cuts
    assert abs(cut - 70) <= 2


def test_several_series_give_the_changes_of_each_once():
    one = noisy(lambda i: 5.0 * (i >= 40))
    two = noisy(lambda i: 5.0 * (i >= 41) + 5.0 * (i >= 90), seed=2)
    line = [0.5 * i for i in range(120)]
    first, second = segment_all([one, two, line])
    assert abs(first - 40) <= 2
    assert abs(second - 90) <= 2
    assert segment_all([]) == ()


@pytest.mark.parametrize("values", [[], [1.0] * 50, [None] * 50, [1.0, 2.0], [math.nan] * 9])
def test_nothing_to_tell_is_no_change(values):
    assert segment(values).cuts == ()


def test_scale_and_offset_change_nothing():
    values = noisy(lambda i: 5.0 * (i >= 40))
    assert segment([1e6 + 1e-3 * v for v in values]).cuts == segment(values).cuts
