"""Explanations out of counts: leaves in, the sets that say it out."""

from __future__ import annotations

from itertools import combinations

import pytest

from locard.stats.contrast import Counts
from locard.stats.contrast_search import explanations, possible_sets

REGIONS, SEGMENTS, PODS = ("eu", "us", "ap"), ("free", "plus"), ("a", "b", "c", "d")
USUAL = 0.01


def cells(rate_after, *, requests=1000, pods=PODS):
    """Counts of all sets over all leaves; `rate_after` gives the rate of bad requests of a leaf."""
    found = {}
    for region in REGIONS:
        for segment in SEGMENTS:
            for pod in pods:
                leaf = {"pod": pod, "region": region, "segment": segment}
                bad = round(requests * rate_after(leaf))
                here = Counts(requests, round(requests * USUAL), requests, bad)
                for size in range(len(leaf) + 1):
                    for values in combinations(sorted(leaf.items()), size):
                        found[values] = found[values] + here if values in found else here
    return found


def named(found):
    return [{frozenset(values) for values in e.sets} for e in found]


def one(**values):
    return {frozenset(values.items())}


@pytest.mark.parametrize(
    "truth",
    [
        {"region": "eu"},
        {"region": "eu", "segment": "plus"},
        {"region": "eu", "segment": "plus", "pod": "a"},
    ],
)
def test_the_smallest_set_that_says_it(truth):
    found = explanations(cells(lambda leaf: 0.3 if truth.items() <= leaf.items() else USUAL))
    assert named(found)[0] == one(**truth)


def test_a_part_that_is_hit_harder_is_not_the_whole_story():
    def rate(leaf):
        if leaf["region"] != "eu":
            return USUAL
        return 0.4 if leaf["pod"] == "a" else 0.05

    assert named(explanations(cells(rate)))[0] == one(region="eu")


def test_a_machine_that_is_a_little_slower_for_all_is_no_reason_to_name_everyone():
    rate = {"a": 0.95, "b": 0.06, "c": 0.06, "d": 0.06}
    found = explanations(cells(lambda leaf: rate[leaf["pod"]]))
    assert named(found)[0] == one(pod="a")


def test_two_values_that_are_affected_alike_are_named_together():
    found = explanations(cells(lambda leaf: 0.3 if leaf["region"] != "ap" else USUAL))
    assert named(found)[0] == one(region="eu") | one(region="us")


def test_everyone_is_no_set():
    found = explanations(cells(lambda _: 0.3))
    assert all(e.worth < 1 for e in found)


def test_of_a_host_and_its_region_the_one_that_fits():
    """Pod a is the only one with requests of eu: the pair of both is named by neither."""

    def only_pod_a(leaf):
        return 0.3 if leaf["region"] == "eu" else USUAL

    found = cells(only_pod_a)
    kept = {v: c for v, c in found.items() if ("region", "eu") not in v or ("pod", "a") in v}
    kept[("region", "eu"),] = kept[("pod", "a"), ("region", "eu")]
    assert named(explanations(kept))[0] == one(region="eu")


def test_a_value_is_exchanged_for_the_narrower_one_that_implies_it():
    """The country's region has the same excess, and other countries that are spared."""
    spared, hit = Counts(1000, 10, 1000, 14), Counts(1000, 10, 1000, 300)
    others = Counts(50_000, 500, 50_000, 500)
    found = {
        (): others + spared + hit,
        (("region", "eu"),): spared + hit,
        (("country", "fr"),): hit,
        (("country", "fr"), ("region", "eu")): hit,
    }
    assert named(explanations(found))[0] == one(country="fr")


def test_no_cells_no_explanation():
    assert explanations({(): Counts(100, 1, 100, 50)}) == []


def test_where_a_search_started_comes_last():
    def rate(leaf):
        if leaf["region"] != "eu":
            return USUAL
        return 0.4 if leaf["pod"] == "a" else 0.05

    settled = [e.settled for e in explanations(cells(rate))]
    assert settled == sorted(settled, reverse=True)
    assert False in settled


def test_sets_are_counted_by_their_size():
    assert [possible_sets(4, size) for size in (1, 2, 3)] == [4, 10, 14]
