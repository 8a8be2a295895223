"""What may be said of a log, decided from its facts alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from locard.model.log_facts import (
    AffectedValue,
    BlastRadius,
    Coverage,
    Extent,
    Onset,
    Skipped,
    ValueShift,
)
from locard.model.log_latency import risen
from locard.model.log_spread import spread
from locard.model.log_state import judge, steadiness, weight
from rules.builders import correlate, log

GOOD = Extent(requests=1000, errors_by=("status",), statuses=2, levels=2)
CALM = replace(log(changed=()), extent=GOOD, first=0.0, last=1000.0, after_p99_ms=50.0)


def value(name, rate=0.4):
    return AffectedValue(name, 0.01, rate, rate / 2, rate * 1.5, 200)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"partial": True}, "only a part of it was read"),
        ({"skipped": (Skipped("not JSON", 900, "x"),)}, "900 of its 1,000 lines could not be read"),
        ({"extent": replace(GOOD, errors_by=())}, "no field says what an error is"),
        ({"extent": replace(GOOD, errors_by=("level",), levels=1)}, "its level is the same in every line"),
        ({"extent": replace(GOOD, requests=7)}, "it holds 7 requests, too few to tell"),
        ({"extent": replace(GOOD, errors=30)}, "3 % are errors all along"),
        ({"coverage": Coverage("sampled", "sample_rate is 0.1")}, "it does not hold every request"),
        ({"before_total": 0, "after_p99_ms": 8000.0}, "its slowest requests take long"),
    ],
)  # fmt: skip
def test_each_thing_that_is_lacking_weakens_nothing_changed(change, why):
    assert steadiness(CALM) == ()
    assert judge(CALM).kind == "steady"
    found = replace(CALM, **change)
    assert any(text.startswith(why) for text in steadiness(found))
    assert judge(found).kind in {"unchanged", "untold"}


def test_an_empty_log_is_no_steady_one():
    assert judge(replace(CALM, records=0)).kind == "empty"


def test_what_lasts_outweighs_what_is_over_and_a_calm_log():
    onset = Onset(400.0, 402.0, 0.95)
    going = judge(replace(CALM, changed=("errors",), onset=onset))
    assert going.kind == "going-on"
    assert weight(going) > weight(judge(CALM)) > weight(judge(replace(CALM, records=0)))


def test_everyone_needs_two_values_that_are_hit_and_none_that_is_spared():
    hit, one = (value("a"), value("b")), (value("a"),)
    assert (
        spread(replace(CALM, blast_radius=(BlastRadius("path", hit, (), ()),))).kind == "everyone"
    )
    spared = BlastRadius("path", one, (value("b", 0.01),), ())
    assert spread(replace(CALM, blast_radius=(spared,))).kind == "some"
    unknown = BlastRadius("path", one, (), (value("b"),))
    assert spread(replace(CALM, blast_radius=(unknown,))).kind == "untested"
    assert spread(replace(CALM, blast_radius=())).kind == "untested"
    assert spread(log(correlate(upstream="bank"))).kind == "set"


def test_why_nobody_stands_out_is_said_as_it_is():
    few = BlastRadius("path", (), (), (replace(value("a"), requests=9),))
    many = BlastRadius("path", (), (value("a"),), (value("b"),))
    assert "no field was there" in spread(CALM).why
    assert "too few requests" in spread(replace(CALM, blast_radius=(few,))).why
    assert spread(replace(CALM, blast_radius=(few, many))).why == "no value of path stands out"
    mix = ValueShift("path", "b", 0.01, 0.25, Onset(1.0, 2.0, 0.9), 500, 500)
    said = spread(replace(CALM, blast_radius=(many,), shifts=(mix,))).why
    assert "path=b became 25 % of the requests, 1 % before" in said


def test_the_figure_that_rose_is_the_one_that_is_said():
    assert risen(log(p99=(53.0, 83.0))) == ("p99", 53.0, 83.0)
    assert risen(log(p99=(83.0, 53.0))) == ("p50", 20.0, 80.0)
    assert risen(replace(log(p99=(83.0, 53.0)), after_p50_ms=19.0)) is None
