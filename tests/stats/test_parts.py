from __future__ import annotations

import math
import random

import pytest
import simulate_counts as simulate

from locard.stats.changes import merge_bins
from locard.stats.parts import noise, promising, rose, windows

BINS = 192
FEW = 64
GROUPS = 40


def groups(seed, rate=lambda _group, _at: 0.1, requests=10.0):
    """Requests a bin and bad ones a bin of each group: `rate(group, at)` is the mean in bin `at`."""
    rng = random.Random(seed)
    bad = [[simulate.poisson(rng, rate(g, i)) for i in range(BINS)] for g in range(GROUPS)]
    total = [[simulate.poisson(rng, requests) + k for k in counts] for counts in bad]
    return total, bad


def found(total, bad):
    """The groups that rose, as the logs wing asks for them, the plainest first."""
    whole = [sum(column) for column in zip(*total, strict=True)]
    peers = merge_bins(whole, FEW)[0], [merge_bins(counts, FEW)[0] for counts in bad]
    judged = {
        g: evidence
        for g in promising(*peers, 8, 8.0)
        if (evidence := rose(total[g], bad[g], GROUPS, peers[0], peers[1:])) is not None
    }
    return sorted(judged, key=judged.__getitem__, reverse=True)


@pytest.mark.parametrize("bins", [1, 2, 7, 64])
def test_windows_come_near_to_every_stretch(bins):
    tried = windows(bins)
    for start in range(1, bins):
        for end in range(start + 1, bins + 1):
            share = max(
                max(0, min(end, b) - max(start, a)) / (max(end, b) - min(start, a))
                for a, b in tried
            )
            assert share >= 0.5
    assert len(tried) <= 4 * bins


@pytest.mark.parametrize("mean", [0.02, 0.1, 0.5])
def test_groups_of_a_healthy_service_raise_no_alarm(mean):
    alarms = [found(*groups(seed, lambda _g, _i: mean)) for seed in range(60)]
    assert sum(map(bool, alarms)) <= 1  # 0.005 promised


def test_a_few_errors_more_in_one_group_are_seen():
    hits = [
        found(*groups(seed, lambda g, i: 0.7 if g == 7 and i >= 110 else 0.1))[:1] == [7]
        for seed in range(20)
    ]
    assert sum(hits) >= 18


def test_noise_of_independent_requests_is_one():
    for seed in range(20):
        _, bad = groups(seed)
        peers = [merge_bins(counts, FEW)[0] for counts in bad]
        assert noise([100] * FEW, peers, (), 20) < 1.2


def test_groups_that_wander_are_no_alarm():
    def rate(phase, group, at):
        return 0.4 * math.exp(0.8 * math.sin(at / (6 + group % 7) + phase + group))

    alarms = [found(*groups(s, lambda g, i, s=s: rate(s, g, i))) for s in range(30)]
    assert sum(map(bool, alarms)) <= 1


def test_what_was_bad_from_the_start_has_no_rise():
    total, bad = groups(1, lambda g, i: 0.8 if g == 3 and i < 60 else 0.05)
    assert 3 not in found(total, bad)


def test_nothing_bad_is_nothing():
    assert rose([5] * 20, [0] * 20, 1, [5] * 20, ([[0] * 20],)) is None
