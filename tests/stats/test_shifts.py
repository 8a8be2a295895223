"""A move is told from noise, trend, rhythm, wandering and heavy tails, or it is not."""

from __future__ import annotations

import numpy as np
import pytest

from locard.stats import shifts
from locard.stats.shifts import find_shifts

LENGTH, FIRST, AT = 600, 300, 500


def rows(*every):
    return np.array([np.asarray(e, float) for e in every])


def noise(seed, size=1.0):
    return np.random.default_rng(seed).normal(0, size, LENGTH)


def step(size, at=AT):
    return np.where(np.arange(LENGTH) >= at, size, 0.0)


def found(*every, floor=1e-9):
    return find_shifts(rows(*every), FIRST, np.full(len(every), floor))


def moved(result):
    return (result.score >= 8) & (result.excess >= 1)


@pytest.mark.parametrize("seed", range(8))
def test_a_step_is_found_where_it_is(seed):
    result = found(noise(seed) + step(6.0))
    assert moved(result).all()
    assert abs(int(result.at[0]) - AT) <= 2
    assert result.after[0] - result.before[0] == pytest.approx(6.0, abs=1.5)


QUIET = {
    "noise": lambda r: r.normal(0, 1, LENGTH),
    "trend": lambda r: r.normal(0, 1, LENGTH) + 0.05 * np.arange(LENGTH),
    "rhythm": lambda r: 10 * np.sin(np.arange(LENGTH) / 9) + r.normal(0, 1, LENGTH),
    "heavy tail": lambda r: r.lognormal(0, 0.6, LENGTH),
    "rare bursts": lambda r: (r.random(LENGTH) < 0.05) * 20.0 + r.normal(0, 0.1, LENGTH),
}


@pytest.mark.parametrize("kind", QUIET)
def test_what_moves_anyway_is_not(kind):
    every = [QUIET[kind](np.random.default_rng(seed)) for seed in range(40)]
    assert moved(found(*every)).sum() <= 1
    # The positive control: the same with a step that no baseline shows.
    assert moved(found(*[e + step(60.0) for e in every])).sum() >= 38


def test_one_burst_of_one_sample_is_found():
    burst = np.zeros(LENGTH)
    burst[AT] = 50.0
    result = found(burst, floor=0.1)
    assert (int(result.at[0]), int(result.width[0])) == (AT, 1)
    assert moved(result).all()


def test_of_several_bursts_it_is_the_first():
    burst = np.zeros(LENGTH)
    burst[[420, 450, 480, 510]] = (45.0, 50.0, 44.0, 52.0)
    assert int(found(burst, floor=0.1).at[0]) == 420


def test_without_data_or_baseline_nothing_is_said():
    gone = np.full(LENGTH, np.nan)
    late = np.where(np.arange(LENGTH) < FIRST, np.nan, 5.0)
    assert found(gone, late).score.tolist() == [0.0, 0.0]


def test_a_gap_is_no_change():
    values = noise(3)
    values[480:520] = np.nan
    assert not moved(found(values)).any()
    assert moved(found(values + step(8.0, 530))).all()


def test_many_rows_are_judged_as_each_alone(monkeypatch):
    every = [noise(seed) + (step(6.0) if seed % 3 == 0 else 0) for seed in range(20)]
    whole = found(*every)
    monkeypatch.setattr(shifts, "_MOST_CELLS", 3 * LENGTH)
    parts = found(*every)
    for name in ("at", "score", "excess", "width"):
        assert getattr(whole, name).tolist() == getattr(parts, name).tolist()
    assert moved(whole).sum() == 7
