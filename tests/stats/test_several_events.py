"""Several spells of errors in one record: the first is the onset, the others are told as well."""

from __future__ import annotations

import random

import pytest

from locard.stats import rise

BINS, REQUESTS = 360, 110


def record(spells, seed):
    draw = random.Random(seed)
    bad = [
        sum(
            draw.random() < (0.2 if any(a <= i / BINS < b for a, b in spells) else 0.005)
            for _ in range(REQUESTS)
        )
        for i in range(BINS)
    ]
    return [REQUESTS] * BINS, bad


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_spell_is_an_onset(count, seed):
    spells = [(0.2 + 0.7 * i / count, 0.2 + 0.7 * (i + 0.5) / count) for i in range(count)]
    total, bad = record(spells, seed)
    assert rise.significant(total, bad, 1) is not None
    first = rise.describe(total, bad)
    begins = [first.begin, *(other.begin for other in rise.further(total, bad, first))]
    assert len(begins) == count
    for begin, (start, _) in zip(begins, spells, strict=True):
        assert begin.earliest - 1 <= start * BINS <= begin.latest + 1


@pytest.mark.parametrize("seed", range(3))
def test_many_spells_at_equal_distances_are_periodic(seed):
    total, bad = record([(0.1 + 0.18 * i, 0.16 + 0.18 * i) for i in range(5)], seed)
    assert rise.describe(total, bad).shape == "periodic"
