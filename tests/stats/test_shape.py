from __future__ import annotations

import math
import random

import pytest

from locard.stats.shape import Kind, classify


def noisy(curve, count=60, seed=1):
    rng = random.Random(seed)
    return [curve(i) + rng.gauss(0, 1) for i in range(count)]


def test_flat_noise_is_flat_in_nearly_all_records():
    kinds = [classify(noisy(lambda _: 5.0, seed=s)).kind for s in range(200)]
    assert kinds.count(Kind.FLAT) >= 190


def test_ramp_tells_its_rise():
    shape = classify(noisy(lambda i: 0.2 * i))
    assert shape.kind is Kind.RAMP
    assert shape.change == pytest.approx(0.2 * 59, abs=2)


def test_step_tells_where_and_how_much():
    shape = classify(noisy(lambda i: 5.0 * (i >= 40)))
    assert (shape.kind, shape.at) == (Kind.STEP, 40)
    assert shape.change == pytest.approx(5, abs=0.8)
    assert shape.noise == pytest.approx(1, abs=0.3)


def test_step_down_is_negative():
    assert classify(noisy(lambda i: -5.0 * (i >= 20))).change < -4


def test_rhythm_tells_its_period():
    shape = classify(noisy(lambda i: 3 * math.sin(2 * math.pi * i / 12)))
    assert shape.kind is Kind.PERIODIC
    assert shape.period == pytest.approx(12, abs=0.7)


def test_lone_spike_is_left_out_and_does_not_make_a_shape():
    values = noisy(lambda _: 0.0)
    values[55] = 40.0
    shape = classify(values)
    assert shape.kind is Kind.FLAT
    assert 55 in shape.outliers


def test_spikes_in_loud_noise_hide_no_step():
    """Four spikes of three standard deviations of the noise: none stands out on its own."""
    right = 0
    for seed in range(40):
        values = noisy(lambda i: 3.0 * (i >= 30), seed=seed)
        rng = random.Random(seed)
        for at in rng.sample(range(60), 4):
            values[at] += rng.choice((-5, 5))
        right += classify(values).kind is Kind.STEP
    assert right >= 36


def test_gaps_keep_the_place_of_the_step():
    values = [None if i % 5 == 2 else v for i, v in enumerate(noisy(lambda i: 6.0 * (i >= 30)))]
    shape = classify(values)
    assert (shape.kind, shape.at) == (Kind.STEP, 30)


def test_scale_and_offset_change_nothing():
    values = noisy(lambda i: 5.0 * (i >= 40))
    moved = classify([1e6 + 1e-3 * v for v in values])
    assert (moved.kind, moved.at) == (Kind.STEP, 40)


@pytest.mark.parametrize("values", [[], [1.0] * 7, [None] * 50, [math.nan] * 20])
def test_too_few_values_have_no_shape(values):
    assert classify(values) is None


def test_constant_is_flat_for_certain():
    shape = classify([3.0] * 20)
    assert (shape.kind, shape.probability, shape.noise) == (Kind.FLAT, 1.0, 0.0)


def test_noiseless_step_is_exact():
    shape = classify([0.0] * 20 + [1.0] * 20)
    assert (shape.kind, shape.at, shape.change) == (Kind.STEP, 20, 1.0)
    assert shape.outliers == ()
