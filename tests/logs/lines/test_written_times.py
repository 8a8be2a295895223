"""Times that leave something out: what they are read as, and that it is said."""

from __future__ import annotations

import datetime as dt

import pytest
from formats_support import records

from locard.logs.judge import first_pass


def at(*parts):
    return dt.datetime(*parts, tzinfo=dt.UTC).timestamp()


def read(lines, now):
    rows, _, table = records(lines, now=now)
    return [row["role:time"] for row in rows], table.notes


@pytest.mark.parametrize(
    ("lines", "now", "times"),
    [
        # 13 and more is a day, wherever it stands, and then that place is the day's in all lines.
        (("13/02/2026 10:00:00 x", "01/03/2026 10:00:00 x"), at(2026, 3, 1), (at(2026, 2, 13, 10), at(2026, 3, 1, 10))),
        (("02/13/2026 10:00:00 x", "03/01/2026 10:00:00 x"), at(2026, 3, 1), (at(2026, 2, 13, 10), at(2026, 3, 1, 10))),
        (("11/25/2026 1:00:00 PM x",), at(2026, 11, 25, 14), (at(2026, 11, 25, 13),)),
        (("[10.30 16:49:06] x",), at(2026, 11, 1), (at(2026, 10, 30, 16, 49, 6),)),
        (("[30.10 16:49:06] x",), at(2026, 11, 1), (at(2026, 10, 30, 16, 49, 6),)),
    ],
)  # fmt: skip
def test_the_day_is_told_from_the_month(lines, now, times):
    found, notes = read(lines, now)
    assert tuple(found) == times
    assert not any("first" in note for note in notes)


@pytest.mark.parametrize(
    ("now", "time", "order"),
    [
        (at(2026, 3, 4, 12), at(2026, 3, 4, 10), "month first"),
        (at(2026, 4, 3, 12), at(2026, 4, 3, 10), "day first"),
    ],
)
def test_what_nothing_tells_is_read_as_the_nearer_one_and_said(now, time, order):
    found, notes = read(["03/04/2026 10:00:00 started"], now)
    assert found == [time]
    assert any(order in note and "cannot be told" in note for note in notes)


def test_a_year_that_is_not_there_is_said():
    found, notes = read(["12-31 23:59:59 x", "01-02 10:00:00 x"], at(2027, 1, 2, 11))
    assert found == [at(2026, 12, 31, 23, 59, 59), at(2027, 1, 2, 10)]
    assert "times name no year: it is that of the log's last write, 2027-01-02" in notes


def test_a_date_that_is_not_there_is_said_on_the_screen():
    _, _, table = records(["23:59:59 ERROR x", "00:00:01 INFO x"], now=at(2027, 1, 2, 0, 1))
    found = first_pass.judge("x", table)
    assert (found.first, found.last) == (at(2027, 1, 1, 23, 59, 59), at(2027, 1, 2, 0, 0, 1))
    assert any(gap.startswith("times name no date") for gap in found.gaps)


def test_seconds_since_a_start_end_with_the_last_write():
    lines = ["[   10.000000] usb 1-1: new device", "[   70.500000] EXT4-fs error"]
    found, notes = read(lines, at(2026, 11, 25, 12))
    assert found == [at(2026, 11, 25, 11, 58, 59) + 0.5, at(2026, 11, 25, 12)]
    assert any(note.startswith("times are seconds since a start") for note in notes)


def test_a_zone_in_letters_is_said():
    _, notes = read(
        ["2026-11-25 10:00:00.123 CET [412] ERROR:  deadlock detected"], at(2026, 11, 25)
    )
    assert notes == []
