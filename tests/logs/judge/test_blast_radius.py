"""Blast radius out of counts: affected, confirmed unaffected, unknown."""

from __future__ import annotations

import random

from locard.logs.judge.blast_radius import blast_radius
from locard.model.log_facts import GroupCount
from locard.stats.contrast import Counts

TOTALS = Counts(3000, 15, 3000, 310)


def radius(*counts):
    values = tuple(GroupCount("region", name, *row) for name, *row in counts)
    (found,) = blast_radius(values, TOTALS)
    return found


def names(values):
    return [v.value for v in values]


def test_the_three_answers():
    found = radius(("eu", 1000, 5, 1000, 300), ("us", 1990, 10, 1990, 10), ("ap", 10, 0, 10, 0))
    assert names(found.affected) == ["eu"]
    assert names(found.unaffected) == ["us"]
    assert names(found.unknown) == ["ap"]


def test_both_rates_have_their_interval():
    (hit,) = radius(("eu", 1000, 5, 1000, 300), ("us", 2000, 10, 2000, 10)).affected
    assert hit.before_low < hit.before_rate < hit.before_high < hit.low < hit.after_rate < hit.high
    assert hit.requests == 1000


def test_a_value_that_is_new_has_no_rate_before():
    found = radius(("v2", 0, 0, 1000, 300), ("v1", 3000, 15, 2000, 10))
    (hit,) = found.affected
    assert (hit.before_rate, hit.before_low, hit.before_high) == (None, None, None)
    assert names(found.unaffected) == ["v1"]


def test_what_has_always_failed_as_often_is_unaffected():
    """Its rate is above half of that of the affected, as it was before."""
    found = radius(
        ("eu", 1000, 5, 1000, 100), ("batch", 50_000, 4000, 50_000, 4000), ("us", 900, 4, 900, 5)
    )
    assert names(found.affected) == ["eu"]
    assert names(found.unaffected) == ["batch", "us"]


def test_the_worst_comes_first():
    found = radius(("a", 1000, 5, 1000, 100), ("b", 1000, 5, 1000, 300))
    assert names(found.affected) == ["b", "a"]


def test_a_field_with_one_value_says_nothing():
    assert blast_radius((GroupCount("zone", "z", 10, 0, 10, 9),), TOTALS) == ()


def test_where_no_value_got_worse_all_with_requests_enough_are_spared():
    """The mix became another one: the slow value is more frequent, and as slow as ever."""
    found = radius(("eu", 10, 9, 700, 640), ("us", 2990, 6, 2300, 5), ("ap", 0, 0, 9, 0))
    assert names(found.affected) == []
    assert names(found.unaffected) == ["eu", "us"]
    assert "ap" in names(found.unknown)


def test_values_that_have_only_errors_are_judged_by_their_rise():
    """Their share of errors is always the whole: that it did not rise is no sign that all is well."""
    found = radius(("eu", 20, 20, 300, 300), ("us", 20, 20, 22, 22), ("ap", 2000, 5, 2000, 6))
    assert names(found.affected) == ["eu"]
    assert names(found.unknown) == ["us"]
    assert names(found.unaffected) == ["ap"]


def test_values_that_have_only_errors_do_not_hide_who_is_spared():
    found = radius(("log", 20, 20, 300, 300), ("eu", 1000, 5, 1000, 300), ("ap", 2000, 5, 2000, 6))
    assert names(found.affected) == ["log", "eu"]
    assert names(found.unaffected) == ["ap"]


def test_what_fails_as_the_affected_do_is_not_spared_for_a_few_failures_before():
    """Accounts drawn at random: each fails like all, whatever a handful of requests did before."""
    hit = [(f"a{n}", 20, 8, 40, 36) for n in range(8)]
    found = radius(*hit, ("odd", 6, 5, 27, 26))
    assert len(found.affected) == 8
    assert names(found.unaffected) == []
    assert names(found.unknown) == ["odd"]
    spared = radius(*hit, ("odd", 600, 240, 900, 360))
    assert names(spared.unaffected) == ["odd"]


def test_values_drawn_at_random_are_not_parted_into_hit_and_spared():
    draw = random.Random(11)
    values = []
    for n in range(40):
        total = draw.randint(30, 60)
        values.append((f"c{n}", 30, 0, total, sum(draw.random() < 0.14 for _ in range(total))))
    assert names(radius(*values).unaffected) == []
    # One of them fails always, and now the others are those that do not.
    apart = radius(("bad", 300, 1, 300, 290), *((f"c{n}", 300, 1, 300, 1) for n in range(20)))
    assert names(apart.affected) == ["bad"]
    assert len(apart.unaffected) == 20
