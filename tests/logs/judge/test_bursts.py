"""Errors that come in single minutes again and again, and several causes at once, by the whole first pass."""

from __future__ import annotations

import json
import random

import planted_logs as planted
import pytest

USUAL = 0.004
FIELDS = {"upstream": "abcde", "plan": "xyz", "zone": "1234567", "shard": "klmnop"}


@pytest.fixture
def first_pass(tmp_path):
    """The first pass over made requests: `failing(row, second)` is their rate beyond the usual."""

    def run(failing, seconds=1500, rate=14, seed=5, usual_kind=0.0):
        draw = random.Random(seed)
        path = tmp_path / "service.log"
        with path.open("w", encoding="utf-8") as file:
            for i in range(seconds * rate):
                at = i / rate
                row = {name: draw.choice(values) for name, values in FIELDS.items()}
                if usual_kind:
                    row["kind"] = "usual" if draw.random() < usual_kind else draw.choice("rs")
                bad = draw.random() < USUAL + failing(row, at)
                said = {"time": planted.START + at, **row, "status": 503 if bad else 200}
                file.write(json.dumps(said) + "\n")
        return planted.summarise(str(path))

    return run


def sets(log):
    return {frozenset(c.values) for c in log.correlates}


def has(row, **values):
    return all(row[name] == value for name, value in values.items())


def in_minutes(at):
    return int(at // 60) in {5, 8, 11, 17, 20}


def test_bad_minutes_are_contrasted_with_good_ones(first_pass):
    def failing(row, at):
        hit = has(row, upstream="a", plan="x") or has(row, zone="3")
        return 0.5 * in_minutes(at) * hit

    log = first_pass(failing)
    assert sets(log) == {
        frozenset({("upstream", "a"), ("plan", "x")}),
        frozenset({("zone", "3")}),
    }
    assert log.shape == "spike"
    assert 1 + len(log.further_onsets) == 5
    assert log.onset.earliest - planted.START <= 300 <= log.onset.latest - planted.START


def test_what_is_shown_is_counted_since_the_first_burst(first_pass):
    log = first_pass(lambda row, at: 0.5 * in_minutes(at) * has(row, zone="3"))
    (one,) = log.correlates
    (zone,) = (g for g in log.groups if (g.field, g.value) == ("zone", "3"))
    assert one.support == zone.after_bad > 100
    assert one.support < log.after_bad


def test_bursts_of_everyone_have_no_set(first_pass):
    assert sets(first_pass(lambda row, at: 0.08 * in_minutes(at))) == set()


@pytest.mark.parametrize("usual_kind", [0.0, 0.93])
def test_three_causes_at_once(first_pass, usual_kind):
    def failing(row, at):
        if at < 800:
            return 0.0
        return (
            0.4 * has(row, upstream="b", plan="y")
            + 0.08 * has(row, zone="5")
            + 0.07 * has(row, shard="m")
        )

    log = first_pass(failing, usual_kind=usual_kind)
    assert sets(log) == {
        frozenset({("upstream", "b"), ("plan", "y")}),
        frozenset({("zone", "5")}),
        frozenset({("shard", "m")}),
    }
    assert sum(c.share_of_excess for c in log.correlates) == pytest.approx(1, abs=0.15)


def test_two_causes_that_share_a_value(first_pass):
    def failing(row, at):
        hit = has(row, upstream="b", plan="y") or has(row, upstream="b", zone="2")
        return 0.5 * (at > 800) * hit

    assert sets(first_pass(failing)) == {
        frozenset({("upstream", "b"), ("plan", "y")}),
        frozenset({("upstream", "b"), ("zone", "2")}),
    }


def test_errors_of_everyone_have_no_set(first_pass):
    log = first_pass(lambda _, at: 0.04 * (at > 800))
    assert log.changed == ("errors",)
    assert sets(log) == set()
