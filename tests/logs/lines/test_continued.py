"""Lines that go on with the record before them."""

from __future__ import annotations

import pytest
from formats_support import records

from locard.logs.lines.continued import UNKNOWN
from locard.logs.scan import native_engine

ENGINES = ["duckdb", *(["native"] if native_engine.available() else [])]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_stands_indented_below_a_record_is_its_message(engine):
    lines = [
        "2026-11-25 10:00:00.123 UTC [412] ERROR:  syntax error",
        "2026-11-25 10:00:00.123 UTC [412] STATEMENT:  SELECT 1",
        "\t  FROM orders",
        "\t WHERE id = 7",
        "2026-11-25 10:00:01.123 UTC [412] LOG:  ready",
    ]
    rows, _, table = records(lines, engine)
    assert [row["message"] for row in rows] == [
        "syntax error", "SELECT 1\nFROM orders\nWHERE id = 7", "ready"
    ]  # fmt: skip
    assert not table.skipped


def test_a_line_that_ends_with_a_colon_goes_on_in_the_next():
    lines = [
        "2026-11-25 10:00:00 ERROR closing connection 7:",
        "missed heartbeats",
        "2026-11-25 10:00:01 INFO x",
    ]
    rows, _, table = records(lines)
    assert rows[0]["message"] == "closing connection 7:\nmissed heartbeats"
    assert not table.skipped


def test_a_head_and_its_line_are_one_record_with_its_trace():
    """As java.util.logging writes: time and class, then level and message, then a stack trace."""
    lines = [
        "Nov 25, 2026 10:00:00 AM com.acme.Pay charge",
        "SEVERE: card declined",
        "java.lang.IllegalStateException: 51",
        "\tat com.acme.Pay.charge(Pay.java:41)",
    ]
    (row,), _, table = records(lines)
    assert (row["logger"], row["level"], row["message"]) == (
        "com.acme.Pay",
        "severe",
        "card declined",
    )
    assert row["exception"].endswith("at com.acme.Pay.charge(Pay.java:41)")
    assert not table.skipped


def test_what_is_neither_indented_nor_announced_is_counted():
    rows, _, table = records(
        ["2026-11-25 10:00:00 INFO x", "who knows", "2026-11-25 10:00:01 INFO y"]
    )
    assert [row["message"] for row in rows] == ["x", "y"]
    assert [(s.reason, s.lines) for s in table.skipped] == [(UNKNOWN, 1)]


def test_an_access_log_takes_no_strange_line_for_a_message():
    line = '10.2.0.7 - - [22/Nov/2025:12:00:01 +0000] "GET / HTTP/1.1" 200 512'
    rows, _, table = records([line, "who knows", line])
    assert all(row.get("message") is None for row in rows)
    assert table.skipped[0].lines == 1


TRACE = [
    "java.sql.SQLException: Connection is not available",
    "\tat com.acme.Pool.get(Pool.java:41)",
]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_blank_line_ends_no_record_that_goes_on_below_it(engine):
    error = "2026-11-25 10:00:00 ERROR servlet threw"
    lines = [error, "", *TRACE, "2026-11-25 10:00:01 WARN slow", "", "  by 3 s"]
    rows, _, _ = records(lines, engine)
    assert [row["message"] for row in rows] == ["servlet threw", "slow\nby 3 s"]
    assert rows[0]["exception"].splitlines()[0] == TRACE[0]
    assert rows[0]["exception"].endswith("Pool.java:41)")


@pytest.mark.parametrize(
    "lines",
    [
        ["2026-11-25 10:00:00 ERROR servlet threw", "", "", "", *TRACE],
        ["2026-11-25 10:00:00 INFO request done", "", *TRACE],
    ],
)
def test_a_trace_far_below_a_record_or_below_a_good_one_is_its_own(lines):
    rows, _, _ = records([*lines, "2026-11-25 10:00:01 INFO y"])
    assert len(rows) == 3
    owners = [row["message"] for row in rows if row["exception"]]
    assert owners == [TRACE[0]]
