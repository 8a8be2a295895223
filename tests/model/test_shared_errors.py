"""The errors that several logs share, and what they say of a rollout."""

from __future__ import annotations

from dataclasses import replace

from locard.model.log_facts import MessageCount, Onset
from locard.model.moments import MARK
from locard.model.shared_errors import sentences
from rules.builders import log
from rules.rollouts import HALF_WAY

REFUSED = MessageCount(
    "ledger #: connection refused", 0, 300, "ledger 10.0.0.7: connection refused"
)
ROLLED = HALF_WAY.versions[-1].since


def one(source, onset, *messages):
    return replace(log(), source=source, onset=onset, messages=messages or (REFUSED,))


def seen(late):
    return Onset(ROLLED + late, ROLLED + late + 3, 0.95)


UNSEEN = Onset(ROLLED, ROLLED, 0.95, baseline_seen=False)


def said(*logs):
    return [MARK.sub("T", s) for s in sentences(logs)]


def test_who_saw_it_begin_and_what_was_rolled_out_later():
    (text,) = said((one("cart", seen(-30)), None), (one("checkout", UNSEEN), HALF_WAY))
    assert text.startswith("cart, checkout say the same: “ledger #: connection refused”.")
    assert "In cart it began between T and T." in text
    assert "checkout was rolled out at T, after that: it was there before." in text


def test_a_rollout_before_it_is_not_cleared():
    (text,) = said((one("cart", seen(30)), None), (one("checkout", UNSEEN), HALF_WAY))
    assert "rolled out" not in text


def test_where_nobody_saw_it_begin():
    (text,) = said((one("cart", UNSEEN), None), (one("checkout", UNSEEN), HALF_WAY))
    assert "In none of them was its beginning seen." in text
    assert "rolled out" not in text


def test_what_one_alone_says_or_few_say_is_not_shared():
    other = MessageCount("disk quota exceeded", 0, 300, "disk quota exceeded")
    few = replace(REFUSED, after=2)
    assert said((one("cart", seen(0)), None), (one("checkout", seen(0), other), None)) == []
    assert said((one("cart", seen(0)), None), (one("checkout", seen(0), few), None)) == []
