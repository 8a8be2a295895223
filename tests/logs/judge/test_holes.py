"""Holes in a journal: as journald makes them, and what looks like one and is none."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import planted_logs as planted
import pytest

from locard.logs.input.log_source import open_source
from locard.logs.judge import first_pass
from locard.logs.scan.loader import load
from locard.model import log_sentences, log_state
from locard.model.log_holes import Drop, RateLimit
from locard.rules import log_lines_lost, log_silence
from rules.builders import case

START = planted.START
LIMIT = RateLimit("journald", "pay.service", 400, 60.0, grows=True, running=True)
ROOM = 400 << 20  # bytes for the journal, by which it lets more through


def entry(at, message, priority=6, unit="pay.service"):
    return {
        "__REALTIME_TIMESTAMP": str(round(at * 1e6)), "PRIORITY": str(priority),
        "MESSAGE": message, "_SYSTEMD_UNIT": unit, "_PID": "7",
    }  # fmt: skip


def kept(entries, limit=LIMIT, room=ROOM):
    """What journald keeps of a unit's lines, by its own arithmetic, and what it says of the rest."""
    doublings = int(math.log2(room))
    burst = limit.burst if doublings <= 20 else limit.burst * (doublings - 16) // 4
    pools, lines, drops = {}, [], []
    for one in entries:
        at, pool = int(one["__REALTIME_TIMESTAMP"]) / 1e6, int(one["PRIORITY"]) // 2
        begin, count, lost = pools.get(pool, (-math.inf, 0, 0))
        if at > begin + limit.interval_s:
            if lost:
                drops.append(Drop("pay.service", at, lost))
            begin, count, lost = at, 0, 0
        if count < burst:
            lines.append(one)
            count += 1
        else:
            lost += 1
        pools[pool] = (begin, count, lost)
    return lines, replace(limit, drops=tuple(drops))


def judged(tmp_path, entries, limit):
    path = planted.write(tmp_path / "journal.json", [json.dumps(e) for e in entries])
    source = open_source(str(path))
    try:
        table = load(source, 60.0, 1)
    finally:
        source.close()
    table.limits = lambda: (limit,)
    try:
        return first_pass.judge("unit/pay.service", table)
    finally:
        table.db.close()


def burst(start=0.0, calm=300, fast=4000, errors=60):
    """Requests at an even pace, then retries as fast as they come, then the errors that matter."""
    at = START + start
    for n in range(calm):
        yield entry(at := at + 0.01, f"INFO request {n} status=200")
    for n in range(fast):
        yield entry(at := at + 0.0005, f"WARN retry {n} of upstream stock")
    for n in range(errors):
        yield entry(at := at + 0.0005, f"ERROR payment {n} failed: upstream stock timed out")


def says(log):
    state = log_state.judge(log)
    words = [log_sentences.sentence(log, s, str) for s in (state, *state.further)]
    return state, " ".join(words)


def test_a_full_stop_in_the_middle_of_a_burst(tmp_path):
    lines, limit = kept(burst())
    assert len(lines) == 1200, "three times its burst, where the disk has room"
    log = judged(tmp_path, lines, limit)
    (hole,) = log.holes
    assert (hole.how, hole.lines, hole.until, hole.kept) == ("exact", None, None, 1200)
    state, words = says(log)
    assert state.kind == "incomplete"
    assert "lacks lines" in words
    assert "while the unit runs on" in words
    assert "3,1" not in words, "no count before journald gave one"
    assert not log.claims_rates
    assert not any(bad in words for bad in ("No onset", "Nothing changed", "silent", "of all"))


def test_what_journald_said_is_counted(tmp_path):
    lines, limit = kept(
        [*burst(), *(entry(START + 100 + n, "INFO request status=200") for n in range(30))]
    )
    assert [d.lines for d in limit.drops] == [3160]
    log = judged(tmp_path, lines, limit)
    (hole,) = log.holes
    assert (hole.how, hole.lines) == ("said", 3160)
    assert hole.until == pytest.approx(START + 60, abs=0.1), "then it was let through again"
    assert hole.since == pytest.approx(START + 3.45, abs=0.1)
    assert "suppressed 3,160 lines" in says(log)[1]


def test_a_burst_below_the_limit_has_no_hole(tmp_path):
    lines, limit = kept(burst(fast=803, errors=0))
    assert len(lines) == 1103
    log = judged(tmp_path, lines, limit)
    assert log.holes == ()
    assert says(log)[0].kind != "incomplete"
    assert judged(tmp_path, *kept(burst(fast=1800))).holes


@pytest.mark.parametrize("room", [1 << 19, 64 << 20, 5 << 30, 2 << 40])
def test_the_limit_grows_with_the_room_on_the_disk(tmp_path, room):
    lines, limit = kept(burst(fast=9000), room=room)
    assert len(lines) < 9300
    (hole,) = judged(tmp_path, lines, limit).holes
    assert hole.kept == len(lines)


def test_lines_that_end_slowly_may_just_have_ended(tmp_path):
    """As many lines as are let through, the last ones seconds apart: nothing stops there."""
    lines, limit = kept(burst(fast=890, errors=0))
    slow = [entry(START + 10 + 4.9 * n, "INFO request status=200") for n in range(10)]
    assert len([*lines, *slow]) == 1200
    assert judged(tmp_path, [*lines, *slow], limit).holes == ()


def test_each_group_of_priorities_is_counted_on_its_own(tmp_path):
    """Errors by priority go on in the hole of the rest."""
    at = START
    rows = [entry(START + n * 0.0005, "retry of upstream stock") for n in range(4000)]
    rows += [entry(START + 5 + n, "card declined", priority=3) for n in range(20)]
    lines, limit = kept(rows)
    assert len(lines) == 1220
    (hole,) = judged(tmp_path, lines, limit).holes
    assert hole.kept == 1200
    assert hole.since == pytest.approx(at + 0.6, abs=0.01)


def test_lines_of_systemd_itself_do_not_count(tmp_path):
    lines, limit = kept(burst())
    started = entry(START - 1, "Started pay.service.", unit="init.scope")
    assert judged(tmp_path, [started, *lines], limit).holes


def test_of_a_small_limit_it_is_only_likely(tmp_path):
    small = replace(LIMIT, burst=40, interval_s=30.0)
    lines, limit = kept(burst(calm=20, fast=500), small)
    (hole,) = judged(tmp_path, lines, limit).holes
    assert hole.how == "likely"
    state, words = says(judged(tmp_path, lines, limit))
    assert "may lack lines" in words
    assert state.why


def test_a_limit_that_is_switched_off_makes_no_hole(tmp_path):
    lines, limit = kept(burst())
    assert judged(tmp_path, lines, RateLimit("journald", "pay.service")).holes == ()
    assert judged(tmp_path, lines, limit).holes


def test_the_finding_and_no_silence(tmp_path):
    lines, limit = kept([*burst(), *burst(start=100)])
    log = judged(tmp_path, lines, limit)
    (hole,) = log.holes
    assert (hole.how, hole.lines, hole.until) == ("said", 3160, None)
    (finding,) = log_lines_lost.judge(case(log))
    assert "lacks lines" in finding.title
    assert "at least 3,160 lines" in finding.title
    assert list(log_silence.judge(case(log))) == []
    assert log.silences == (), "between the two bursts nobody knows that it was silent"


def test_a_flood_of_many_intervals_is_one_hole(tmp_path):
    """In each as many lines as are let through, and journald's word on the rest at its end."""
    rows = [entry(START + n * 0.02, f"retry {n} of upstream stock") for n in range(20_000)]
    lines, limit = kept(rows)
    assert len(limit.drops) == 6
    (hole,) = judged(tmp_path, lines, limit).holes
    assert hole.lines == sum(d.lines for d in limit.drops)
    assert (hole.how, hole.until) == ("said", None)
    far = [*rows[:3000], *[entry(START + 1000 + n * 0.02, "retry") for n in range(3000)]]
    first, second = judged(tmp_path, *kept(far)).holes
    assert first.until is not None
    assert (second.how, second.until) == ("exact", None)


def test_nobody_is_spared_where_lines_are_missing(tmp_path):
    """In zone x half of the requests fail, and then the journal has no line any more."""
    rows = [
        entry(
            START + n * 0.02,
            json.dumps(
                {
                    "status": 503 if n > 400 and n % 4 == 1 else 200,
                    "path": "/pay",
                    "zone": "yx"[n % 2],
                }
            ),
        )
        for n in range(3000)
    ]
    wide = replace(LIMIT, burst=0)
    whole = judged(tmp_path, rows[:1200], wide)
    assert any(r.unaffected for r in whole.blast_radius)
    lines, limit = kept(rows)
    assert lines == rows[:1200]
    log = judged(tmp_path, lines, limit)
    assert log.holes
    assert log.changed == ("errors",)
    assert not any(r.unaffected for r in log.blast_radius)
    assert log_state.judge(log).kind == "going-on"
    assert "incomplete" in {s.kind for s in log_state.judge(log).further}
