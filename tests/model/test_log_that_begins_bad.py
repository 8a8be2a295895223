"""A log that begins in the middle of what is wrong: told in the order of time, and never as a rise."""

from __future__ import annotations

from dataclasses import replace

from locard.claims.logs import proposed
from locard.logs.judge.beginnings import _why
from locard.model import log_sentences, log_state
from locard.model.log_beginning import Origin
from locard.model.log_facts import AffectedValue, BlastRadius, Onset, RatePoint
from rules.builders import log

FLOOD = RatePoint(1000.0, 10.0, 6000, 5400)
THEN = tuple(RatePoint(1010.0 + 10 * n, 10.0, 100, 50) for n in range(18))


def begun(end=1010.0, then=THEN):
    early = sum(p.total for p in then), sum(p.errors for p in then)
    return replace(
        log(), changed=("errors",), judged=("errors",), shape="unknown", first=1000.0, last=1190.0,
        onset=Onset(1000.0, 1000.0, 0.95, baseline_seen=False), end=end, series=(FLOOD, *then),
        before_total=early[0], before_bad=early[1], after_total=6000, after_bad=5400,
    )  # fmt: skip


def sentence(summary):
    return log_sentences.sentence(summary, log_state.judge(summary), str)


def test_it_became_less_and_is_not_over():
    said = sentence(begun())
    assert said.startswith("Bad from its first line on: 90 % of ")
    assert "until 1010.0, and 50 % since then" in said
    assert "rose" not in said


def test_what_is_over_is_over():
    good = tuple(replace(p, errors=0) for p in THEN)
    assert sentence(begun(then=good)).startswith("It is over")


def radius(*affected, unknown=()):
    return BlastRadius("account", affected=affected, unaffected=(), unknown=unknown)


def value(name, rate, low, high):
    return AffectedValue(name, 0.5, rate, low, high, 30)


def affected(summary):
    return [
        c.subject
        for c in proposed(summary, "e1", 0.0)
        if c.slot == "affected" and c.kind == "values_hit"
    ]


def test_values_that_fail_as_all_do_are_not_listed_as_affected():
    few = (value("z", 0.6, 0.3, 0.9),)
    alike = radius(value("a", 1.0, 0.86, 1.0), value("b", 0.8, 0.6, 0.92), unknown=few)
    assert affected(replace(begun(), blast_radius=(alike,))) == []
    apart = radius(value("a", 0.3, 0.25, 0.35), value("b", 0.8, 0.6, 0.92), unknown=few)
    assert affected(replace(begun(), blast_radius=(apart,))) == ["account"]


def test_a_window_is_no_reason_where_the_log_begins_long_after_it():
    asked = Origin(asked=True, asked_from=500.0, rotates="the newest file alone", starts=(900.0,))
    assert _why(asked, 1000.0)[0] == "may-be-rotated"
    assert _why(replace(asked, asked_from=995.0), 1000.0)[0] == "asked"
    assert _why(replace(asked, asked_from=None), 1000.0)[0] == "asked"
