"""What the others wrote while one fell silent, in planted logs."""

from __future__ import annotations

import json

import planted_logs as planted
import pytest


def records(seconds=200, seed=3):
    return [json.loads(line) for line in planted.lines(seed, seconds=seconds)]


def at(record):
    return record["time"] - planted.START


@pytest.fixture
def silences(tmp_path):
    def run(rows):
        path = planted.write(tmp_path / "service.log", [json.dumps(row) for row in rows])
        return planted.summarise(str(path)).silences

    return run


def test_the_others_go_on_as_before(silences):
    (found,) = silences([r for r in records() if r["worker"] != 3001 or at(r) < 120])
    assert (found.field, found.value, found.until) == ("worker", "3001", None)
    assert found.own_before == pytest.approx(found.others_before / 3, rel=0.15)
    assert found.others_during == pytest.approx(found.others_before, rel=0.15)
    assert found.last_words.startswith(("request done", "payment"))


def test_a_log_that_begins_before_the_first_of_them(silences):
    rows = [r for r in records() if r["worker"] != 3001 or at(r) < 120]
    started = {"time": planted.START - 30, "level": "info", "msg": "started"}
    (found,) = silences([started, *rows])
    assert found.value == "3001"


def test_the_others_take_over(silences):
    rows = records()
    for row in rows:
        if at(row) > 120 and row["worker"] == 3001:
            row["worker"] = 3000
    (found,) = silences(rows)
    both = found.own_before + found.others_before
    assert found.others_during == pytest.approx(both, rel=0.1)


def test_a_silence_that_ended_and_one_longer_than_the_time_before(silences):
    (found,) = silences([r for r in records() if r["worker"] != 3001 or not 60 < at(r) < 110])
    assert found.until - planted.START == pytest.approx(110, abs=2)
    assert found.others_during == pytest.approx(50 * 50 * 3 / 4, rel=0.15)
    (found,) = silences([r for r in records() if r["worker"] != 3001 or at(r) < 60])
    assert found.others_before == pytest.approx(60 * 50 * 3 / 4, rel=0.15)
    assert found.others_during == pytest.approx(found.others_before, rel=0.15)


def test_parts_of_a_program_and_lines_of_no_request_have_their_phases(silences):
    rows = [r for r in records() if r["worker"] != 3001 or at(r) < 120]
    for row in rows:
        row["logger"] = f"payments.{row.pop('worker')}"
    assert silences(rows) == ()
    rows = [r for r in records() if r["worker"] != 3001 or at(r) < 120]
    for row in rows:
        del row["status"], row["duration_ms"]
    assert silences(rows) == ()
