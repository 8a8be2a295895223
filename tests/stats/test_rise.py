from __future__ import annotations

import random

import pytest
import simulate_counts as simulate

from locard.stats.rise import describe, further, significant

BINS = 150


def counted(share_of, seed, mean=30):
    return simulate.bins(random.Random(seed), BINS, mean, share_of)


@pytest.mark.parametrize(("mean", "share"), [(30, 0.01), (2, 0.1), (0.3, 0.3)])
def test_healthy_counts_raise_no_alarm(mean, share):
    found = [significant(*counted(lambda _: share, seed, mean), 6) for seed in range(100)]
    assert sum(f is not None for f in found) <= 2  # 0.005 promised


def test_a_short_spike_on_a_flat_baseline():
    for seed in range(10):
        total, bad = counted(lambda i: 0.6 if 70 <= i < 72 else 0.01, seed)
        assert significant(total, bad, 6)
        found = describe(total, bad)
        assert (found.shape, found.end) == ("spike", 72)
        assert found.begin.earliest <= 70 <= found.begin.latest


def test_two_spikes_are_not_taken_for_noise():
    for seed in range(10):
        total, bad = counted(lambda i: 0.3 if 30 <= i < 40 or 110 <= i < 125 else 0.01, seed)
        assert significant(total, bad, 6)
        main = describe(total, bad)
        (other,) = further(total, bad, main)
        onsets = sorted([main.begin, other.begin], key=lambda b: b.best)
        assert onsets[0].earliest <= 30 <= onsets[0].latest
        assert onsets[1].earliest <= 110 <= onsets[1].latest


def test_a_step_on_a_step_is_two_onsets():
    held = 0
    for seed in range(20):
        total, bad = counted(lambda i: 0.01 if i < 50 else 0.1 if i < 100 else 0.5, seed)
        main = describe(total, bad)
        others = further(total, bad, main)
        begins = sorted([main.begin, *(o.begin for o in others)], key=lambda b: b.best)
        assert len(begins) == 2
        held += begins[0].earliest <= 50 <= begins[0].latest
        held += begins[1].earliest <= 100 <= begins[1].latest
    assert held >= 36


def test_one_step_or_one_ramp_has_no_second_onset():
    more = 0
    for seed in range(40):
        step = counted(lambda i: 0.3 if i >= 80 else 0.01, seed)
        ramp = counted(lambda i: 0.01 + 0.005 * max(0, i - 60), seed)
        more += bool(further(*step, describe(*step))) + bool(further(*ramp, describe(*ramp)))
    assert more <= 2


def test_what_was_bad_from_the_start_has_no_begin():
    found = describe(*counted(lambda i: 0.3 if i < 60 else 0.01, 1))
    assert found.begin is None
    assert abs(found.end - 60) <= 1
    assert further([], [], found) == []


def test_nothing_bad_is_nothing():
    assert describe([5] * 20, [0] * 20) is None
