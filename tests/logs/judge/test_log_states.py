"""How a log stands, from its lines to the sentence: each kind with its near miss."""

from __future__ import annotations

import functools
import time

import pytest
import state_logs
from state_logs import iso, request

from locard.model.log_sentences import error_rates
from locard.model.log_state import steadiness


@pytest.fixture
def stands(tmp_path):
    return functools.partial(state_logs.read, tmp_path)


def test_steady_is_said_with_its_level(stands):
    log, state, said = stands(lambda rng, _: request(rng, bad=rng.random() < 0.005))
    assert (state.kind, state.incident, steadiness(log)) == ("steady", False, ())
    assert said.startswith("Nothing changed in this log. 0.")
    assert "requests fail, p99 4" in said


def test_bad_from_its_first_line(stands):
    _, state, said = stands(lambda rng, _: request(rng, bad=rng.random() < 0.4))
    assert (state.kind, state.incident) == ("bad-throughout", True)
    assert said.startswith("Bad from its first line")


def test_a_few_lines_that_end_in_errors_are_not_bad_from_the_first(stands):
    def make(rng, left):
        level = "error" if left < 60 and rng.random() < 0.5 else "info"
        return {"level": level, "msg": "lost the peer" if level == "error" else "booting worker"}

    _, state, said = stands(make, rate=0.25, seconds=120)
    assert state.kind in {"errors-late", "going-on", "alarms"}
    assert state.incident
    assert "first line" not in said


def test_bursts_that_begin_late_are_not_bad_from_the_first_line(stands):
    def make(rng, left):
        return request(rng, bad=left < 380 and int(left) % 20 < 3)

    _, state, said = stands(make)
    assert "first line" not in said
    assert state.incident


def test_without_times_nothing_is_bad_from_its_first_line(stands):
    def make(rng, left):
        bad = left < 200 and rng.random() < 0.5
        return {"level": "error" if bad else "info", "msg": "db lost" if bad else "ok"}

    dated = stands(make)
    assert "error" in dated[2].lower()
    log, state, said = stands(make, write=lambda _: None)
    assert log.first is None
    assert (state.kind, "first line" in said) == ("untold", False)
    assert "no times of its records could be read" in said


def test_records_far_from_all_others_are_told(stands):
    def make(rng, left):
        return request(rng, bad=rng.random() < 0.01)

    def write(at):
        return iso(at) if at > write.first + 2 else iso(at - 9 * 3600)

    write.first = time.time() - 900
    log, _, _ = stands(make, write=write)
    (note,) = (gap for gap in log.gaps if "far from all others" in gap)
    assert " left out, as their times are far from all others (the first and the last: " in note


@pytest.mark.parametrize(("ended", "kind"), [(480.0, "silent"), (20.0, "steady"), (9e6, "steady")])
def test_silent_is_not_steady_and_a_copy_of_the_past_is_not_silent(stands, ended, kind):
    _, state, said = stands(lambda rng, _: request(rng), ended=ended)
    assert state.kind == kind
    if kind == "silent":
        assert "8 min before it was read" in said


def zoneless(at):
    return iso(at).removesuffix("Z")


@pytest.mark.parametrize(
    ("ended", "write", "kind"),
    [(45.0, iso, "silent"), (45.0, zoneless, "silent"), (15.0, zoneless, "steady"),
     (3600.0 + 45.0, zoneless, "steady")],
)  # fmt: skip
def test_a_silence_of_seconds_is_said_without_a_zone_too(stands, ended, write, kind):
    """And as what it rests on: a log of another zone ends a quarter of an hour or more away."""
    _, state, said = stands(lambda rng, _: request(rng), ended=ended, write=write, rate=20)
    assert state.kind == kind or (kind == "steady" and state.kind == "unchanged")
    unsure = kind == "silent" and write is zoneless
    assert ("if its times are of this machine's zone" in said) is unsure


def test_a_service_that_seldom_writes_is_not_silent(stands):
    _, state, _ = stands(lambda rng, _: request(rng), rate=0.1, ended=90)
    assert state.kind == "steady"


def test_a_boot_of_seconds_is_not_silent_after_it(stands):
    _, state, _ = stands(
        lambda _rng, _: {"level": "info", "msg": "ready"}, rate=40, seconds=6, ended=90
    )
    assert state.kind != "silent"


@pytest.mark.parametrize(("rest", "kind"), [(0.4, "volume-fell"), (2.5, "traffic-changed")])
def test_volume_down_to_a_tenth_is_an_incident_and_somewhat_less_is_not(stands, rest, kind):
    _, state, said = stands(
        lambda rng, _: request(rng), rate=lambda left: rest if left < 300 else 5.0
    )
    assert (state.kind, state.incident) == (kind, kind == "volume-fell")
    assert "requests/s" in said


def test_more_traffic_without_harm_is_no_incident(stands):
    _, state, said = stands(
        lambda rng, _: request(rng), rate=lambda left: 10.0 if left < 300 else 4.0
    )
    assert (state.kind, state.incident) == ("traffic-changed", False)
    assert said.startswith("Traffic rose from ")


def test_bursts_are_counted_over_all_of_them(stands):
    """Of the first one alone the counts would be few, and others than those of the messages."""

    def make(rng, left):
        host = rng.choice(["a", "b", "c"])
        bad = left < 900 and left % 150 < 6 and host == "b"
        return request(rng, bad=bad, host=host) | ({"msg": "reset"} if bad else {})

    log, state, said = stands(make, rate=20, seconds=1800)
    assert state.kind == "comes-and-goes"
    (message,) = (m for m in log.messages if m.template == "reset")
    assert log.after_bad == pytest.approx(message.after, abs=20)
    assert log.after_bad > 200
    assert log.after_total > 10_000
    rates = error_rates(log)
    assert rates == (log.before_bad / log.before_total, log.after_bad / log.after_total)
    assert "bad in the first one" in said


@pytest.mark.parametrize("between", [300.0, 4.0])
def test_the_level_before_is_that_between_two_incidents(stands, between):
    """Where enough of it was seen; else all that was before."""

    def make(rng, left):
        bad = left < 150 or (150 + between < left < 250 + between and rng.random() < 0.2)
        return request(rng, bad=bad and rng.random() < 0.6)

    log, state, said = stands(make, rate=10)
    assert state.kind == "going-on"
    if between > 60:
        assert log.before_bad / log.before_total < 0.01
        assert "rose from 0 % to 6" in said


def test_what_is_over_is_told_in_the_past_with_its_end(stands):
    log, state, said = stands(
        lambda rng, left: request(rng, bad=240 < left < 500 and rng.random() < 0.6)
    )
    assert (state.kind, state.over) == ("recovered", True)
    assert said.startswith("It is over: errors rose from 0 % to")
    assert said.endswith("4 min before the log was read.")
    assert abs(log.end - (log.extent.last_line - 240)) < 10


def test_what_goes_on_is_not_over(stands):
    _, state, _ = stands(lambda rng, left: request(rng, bad=left < 300 and rng.random() < 0.6))
    assert (state.kind, state.over) == ("going-on", False)


def test_a_change_too_small_to_matter_is_none(stands):
    log, state, said = stands(lambda rng, left: request(rng, ms=8 if left > 300 else 17))
    assert (state.kind, state.incident, log.changed) == ("slight", False, ())
    assert said.startswith("Nothing changed that matters: p99 latency rose from 1")
    log, state, _ = stands(lambda rng, left: request(rng, ms=8 if left > 300 else 200))
    assert (state.kind, log.changed) == ("going-on", ("latency",))


def test_errors_only_from_the_first_line(stands):
    _, state, said = stands(lambda *_: {"level": "error", "msg": "charge failed"}, seconds=240)
    assert (state.kind, state.incident) == ("errors-from-start", True)
    assert said.startswith("The log holds errors only, ")


def test_a_log_of_warnings_is_no_log_of_errors(stands):
    _, state, said = stands(lambda *_: {"level": "warn", "msg": "slow query"}, seconds=240)
    assert (state.kind, state.incident) == ("untold", False)
    assert "no line of it is below a warning" in said


def test_an_onset_before_the_window_is_found_and_said(stands):
    def make(rng, left):
        return request(rng, bad=left < 1500 and rng.random() < 0.6)

    log, state, said = stands(make, seconds=2400, rate=3, since_s=600)
    assert (state.kind, state.before_window) == ("going-on", True)
    assert "It began before the window that was asked for" in said
    assert log.onset.baseline_seen
    _, state, _ = stands(lambda rng, _: request(rng), seconds=2400, rate=3, since_s=600)
    assert state.kind == "steady"


def test_worker_timeouts_among_access_lines(stands):
    def make(rng, left):
        if 5 < left < 40 and rng.random() < 0.04:
            return {"level": "critical", "msg": f"WORKER TIMEOUT (pid:{rng.randrange(999)})"}
        return request(rng)

    log, state, said = stands(make)
    assert (state.kind, state.incident) == ("alarms", True)
    assert "WORKER TIMEOUT" in said
    assert "%" not in said, "lines of no request are no share of the requests"
    assert log.alarms[0].earlier == 0


def test_critical_lines_that_come_all_the_time_are_no_news(stands):
    def make(rng, _):
        if rng.random() < 0.005:
            return {"level": "critical", "msg": "watchdog: late"}
        return request(rng)

    log, state, _ = stands(make)
    assert log.alarms == ()
    assert state.kind == "steady"


def test_a_level_that_never_varies_says_nothing(stands):
    log, state, said = stands(lambda rng, _: {"level": "info", "msg": f"tick {rng.randrange(9)}"})
    assert state.kind == "untold"
    assert "level is the same in every line" in said
    assert log.changed == ()


def test_levels_in_the_text_count_where_the_field_is_always_the_same(stands):
    def make(rng, left):
        bad = rng.random() < (0.4 if left < 400 else 0.01)
        return {
            "level": "info",
            "msg": f"{'ERROR refused' if bad else 'INFO done'} order {rng.randrange(999)}",
        }

    log, state, said = stands(make)
    assert state.kind == "going-on"
    assert log.extent.errors_by == ("text",)
    assert said.startswith("Errors rose from")


def test_too_few_requests_are_not_steady(stands):
    _, state, said = stands(lambda rng, _: request(rng), rate=0.1, seconds=80)
    assert state.kind == "unchanged"
    assert "too few to tell" in said


@pytest.mark.parametrize("rest", [0.0, 0.3])
def test_a_gap_that_is_over_is_told_with_both_ends(stands, rest):
    """A restart: nothing for a while, then as before. Where something came, it is a fall to that."""

    def make(rng, left):
        out = 200 < left < 230 and rng.random() >= rest
        return [] if out else request(rng)

    log, state, said = stands(make, rate=10)
    assert (state.kind, state.incident) == ("traffic-changed", False)
    if rest:
        (volume,) = (s for s in log.shapes if s.measure == "volume")
        assert volume.peak == pytest.approx(3.0, abs=1.0)
        assert "requests/s since then" in said
    else:
        ends = [log.last - state.since, log.last - state.until]
        assert ends == pytest.approx([230, 200], abs=1)
        assert said.startswith("It is over: no requests came between")
        assert "fell" not in said


def test_what_came_since_a_fall_is_no_zero(stands):
    log, state, said = stands(
        lambda rng, _: request(rng), rate=lambda left: 20 if left > 60 else 0.5
    )
    assert state.kind == "volume-fell"
    came = sum(p.total for p in log.series if p.start >= state.since)
    assert state.after == pytest.approx(came / (log.last - state.since), rel=0.5)
    assert " to 0 " not in said


def test_what_locard_asked_is_left_out(stands):
    def make(rng, left):
        agent = "locard" if left < 200 and rng.random() < 0.5 else "curl/8"
        return request(rng, bad=agent == "locard", user_agent=agent)

    log, state, _ = stands(make)
    assert log.extent.own_requests > 100
    assert (state.incident, log.extent.errors) == (False, 0)


def test_an_error_that_was_never_said_before_is_told_where_it_moves_no_rate(stands):
    def make(rng, left):
        row = request(rng, bad=rng.random() < 0.01)
        row["msg"] = "bank answered 500" if row["status"] == 503 else "served"
        if left < 200 and rng.random() < 0.02:
            row |= {"level": "error", "status": 504, "msg": "identity-check timed out after 0.2 s"}
        return row

    log, state, said = stands(make)
    assert state.incident
    assert state.kind == "alarms" or log.changed
    assert "identity-check timed out" in said or log.changed
    assert all("bank" not in a.template for a in log.alarms)
