"""A change near a known place: its shape, and an interval that holds it."""

from __future__ import annotations

import numpy as np
import pytest

from locard.stats.courses import describe_change

LENGTH = 600
XS = np.arange(LENGTH)


def noisy(values, seed, size=1.0):
    return values + np.random.default_rng(seed).normal(0, size, LENGTH)


@pytest.mark.parametrize("seed", range(6))
def test_a_step(seed):
    found = describe_change(noisy(np.where(XS >= 500, 30.0, 10.0), seed), 502, 16)
    assert found.shape == "step"
    assert found.earliest <= 500 <= found.latest + 1
    assert (found.before, found.after) == (pytest.approx(10, abs=1), pytest.approx(30, abs=1))


@pytest.mark.parametrize("seed", range(6))
def test_a_ramp_to_the_end(seed):
    values = noisy(10 + np.clip(XS - 400, 0, None) * 0.2, seed)
    found = describe_change(values, 520, 48)
    assert found.shape == "ramp"
    assert found.earliest - 6 <= 400 <= found.latest + 6
    assert found.after == pytest.approx(values[-3:].mean(), abs=3)


@pytest.mark.parametrize("width", [1, 4])
def test_what_is_over_is_a_spike(width):
    values = noisy(np.where((XS >= 500) & (500 + width > XS), 90.0, 10.0), 1)
    found = describe_change(values, 500, width)
    assert (found.shape, found.at, found.end) == ("spike", 500, 500 + width)
    assert found.after == pytest.approx(90, abs=3)


def test_bursts_that_come_again_are_periodic():
    values = noisy(np.where((XS >= 400) & ((XS - 400) % 16 < 2), 60.0, 10.0), 1)
    found = describe_change(values, 400, 1)
    assert (found.shape, found.at, found.end) == ("periodic", 400, None)


def test_a_noisy_step_has_a_wider_interval_than_a_clear_one():
    clear = describe_change(noisy(np.where(XS >= 500, 30.0, 10.0), 1, 0.5), 500, 16)
    noise = describe_change(noisy(np.where(XS >= 500, 13.0, 10.0), 1, 2.0), 500, 16)
    assert clear.latest - clear.earliest < noise.latest - noise.earliest


@pytest.mark.parametrize("values", [np.full(LENGTH, np.nan), np.array([1.0, 2.0]), np.zeros(3)])
def test_too_little_has_no_shape(values):
    assert describe_change(values, 1, 4) is None
