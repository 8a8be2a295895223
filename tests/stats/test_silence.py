from __future__ import annotations

import random

import pytest
import simulate_counts as simulate

from locard.stats.silence import silence


def counts(seed, mean, bins, quiet=range(0)):
    rng = random.Random(seed)
    drawn = [simulate.poisson(rng, mean) for _ in range(bins)]
    return [0 if i in quiet else n for i, n in enumerate(drawn)]


@pytest.mark.parametrize("mean", [0.05, 0.3, 3, 30])
def test_a_healthy_source_is_not_silent(mean):
    assert sum(silence(counts(seed, mean, 300)) is not None for seed in range(100)) == 0


def test_bursts_with_long_pauses_are_not_silent():
    for seed in range(100):
        rng = random.Random(seed)
        bursty = [simulate.poisson(rng, 20) if rng.random() < 0.1 else 0 for _ in range(300)]
        assert silence(bursty) is None


def test_one_that_stops_is_and_since_when():
    for seed in range(20):
        pause = silence(counts(seed, 5, 300, range(200, 300)))
        assert abs(pause.start - 200) <= 1
        assert pause.end is None
        assert pause.per_bin == pytest.approx(5, abs=1)


def test_a_gap_has_an_end():
    pause = silence(counts(1, 5, 300, range(100, 140)))
    assert (pause.start, pause.end) == (100, 140)


@pytest.mark.parametrize("few", [[], [0] * 50, [1] * 10 + [0] * 90, [0] * 90 + [5] * 10])
def test_too_few_lines_or_a_late_start_are_no_silence(few):
    assert silence(few) is None
