"""Lines that say that something broke: which are, which are not, and since when none came before."""

from __future__ import annotations

import functools

import pytest
import state_logs
from state_logs import request


@pytest.fixture
def stands(tmp_path):
    return functools.partial(state_logs.read, tmp_path)


def bursts(left):
    return 20 < left < 26 or 120 < left < 126


@pytest.mark.parametrize("told", [True, False])
def test_what_good_lines_say_too_is_no_alarm(stands, told):
    def make(rng, left):
        bad = bursts(left) and rng.random() < 0.5
        row = request(rng) | ({"status": 503} if bad else {})
        return row | ({"level": "error", "msg": "the pool is used up"} if bad and told else {})

    log, _, _ = stands(make, rate=10)
    assert log.extent.errors > 20
    assert [a.template for a in log.alarms] == ["the pool is used up"] * told


def test_a_line_of_level_info_is_none_though_no_good_line_is_like_it(stands):
    def make(rng, left):
        bad = bursts(left) and rng.random() < 0.5
        return request(rng) | ({"status": 503, "msg": "out of memory"} if bad else {})

    log, _, _ = stands(make, rate=10)
    assert log.extent.errors > 20
    assert log.alarms == ()


def late(since):
    def make(rng, left):
        if left < since and rng.random() < 0.04:
            return {"level": "critical", "msg": "WORKER TIMEOUT"}
        return request(rng)

    return make


def test_nothing_is_new_in_a_log_that_began_just_before(stands):
    _, state, said = stands(late(250.0), seconds=300.0)
    assert state.kind == "alarms"
    assert "hese lines say that something broke" in said
    assert "the log begins" in said
    assert "new" not in said
    assert "no error like it" not in said


def test_new_is_what_never_came_in_a_longer_time_before(stands):
    _, state, said = stands(late(100.0), seconds=300.0)
    assert state.kind == "alarms"
    assert "hese lines are new" in said
    assert "no error like it in the" in said


@pytest.mark.parametrize("failing", [True, False])
def test_the_lines_of_a_failed_request_are_no_more_requests(stands, failing):
    """Where requests fail themselves; else each error line is one of its own."""

    def make(rng, left):
        if left > 300 or rng.random() < 0.5:
            return request(rng)
        line = {"level": "error", "msg": "db: no connection"}
        return [line, line, request(rng, bad=failing)]

    log, _, said = stands(make)
    assert log.extent.beside is not failing
    if failing:
        assert log.after_bad / log.after_total == pytest.approx(0.5, abs=0.08)
        assert "rrors rose from 0 % to" in said
    else:
        assert "db: no connection" in said
