"""Bins with plainly more bad requests than is usual, again and again."""

from __future__ import annotations

import random

from locard.stats.bursts import bursts, regular

BINS, REQUESTS = 180, 200


def bins(hot, *, rate=0.01, high=0.1, seed=1, wander=0.0):
    """Requests a bin and the bad ones; those of `hot` bins fail with the rate `high`."""
    draw = random.Random(seed)
    total, bad = [], []
    for at in range(BINS):
        factor = draw.gammavariate(1 / wander, wander) if wander else 1.0
        share = high if at in hot else rate * factor
        total.append(REQUESTS)
        bad.append(sum(draw.random() < share for _ in range(REQUESTS)))
    return total, bad


def test_each_burst_is_found_and_no_calm_bin():
    hot = {20, 21, 70, 71, 96, 97, 150, 151}
    found = bursts(*bins(hot))
    assert len(found) == 4
    covered = {i for a, b in found for i in range(a, b)}
    assert hot <= covered
    assert len(covered) <= 2 * len(hot)


def test_noise_that_wanders_is_none_where_bursts_are_seen():
    hot = {20, 21, 70, 71, 96, 97, 150, 151}
    seen = [bool(bursts(*bins(set(), seed=seed, wander=0.2))) for seed in range(20)]
    assert not any(seen)
    assert bursts(*bins(hot, seed=3, wander=0.2))


def test_one_step_or_two_bursts_do_not_come_again():
    assert not bursts(*bins(set(range(90, 180))))
    assert not bursts(*bins({40, 41, 120, 121}))
    assert bursts(*bins({40, 41, 80, 81, 120, 121}))


def test_regular_distances_need_four_bursts():
    assert regular([(10, 11), (40, 41), (71, 72), (100, 101)])
    assert not regular([(10, 11), (40, 41), (70, 71)])
    assert not regular([(10, 11), (20, 21), (70, 71), (100, 101)])


def test_few_bins_or_none_bad_say_nothing():
    assert bursts([], []) == []
    assert bursts([10] * 5, [9] * 5) == []
    assert bursts([100] * 100, [0] * 100) == []
    assert bursts([0] * 100, [0] * 100) == []
