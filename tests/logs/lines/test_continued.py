"""Lines that go on with the record before them."""

from __future__ import annotations

import random

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


def traces(lines_of_writer, order=7):
    """Two writers' errors with traces, their lines in a random order, each writer's own kept."""
    rng = random.Random(order)
    left = [list(lines) for lines in lines_of_writer]
    while any(left):
        yield rng.choice([lines for lines in left if lines]).pop(0)


def error(prefix, time, name, *, head="{time} ERROR {name} failed"):
    return [
        prefix + head.format(time=f"2026-11-25 10:00:{time:02}", name=name),
        f"{prefix}java.lang.{name}Exception: no",
        f"{prefix}\tat com.acme.{name}.run({name}.java:4)",
        f"{prefix}Caused by: java.io.IOException: {name}",
    ]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("order", range(5))
@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("[pod/pay-a1/web] ", "[pod/pay-b2/web] "),
        ("[pod/pay-a1/web] ", "[pod/pay-a1/job] "),
        ("pay-1  | ", "pay-2  | "),
        ("2026-11-25T10:00:00.1Z stdout F ", "2026-11-25T10:00:00.1Z stderr F "),
    ],
)
def test_traces_of_two_writers_part(engine, order, one, two):
    mixed = traces([error(one, 1, "Card") + error(one, 3, "Cart"), error(two, 2, "Bank")], order)
    rows, _, table = records(list(mixed), engine)
    assert not table.skipped
    assert len(rows) == 3
    for row in rows:
        (name,) = (name for name in ("Card", "Cart", "Bank") if name in row["message"])
        assert row["exception"].splitlines() == [
            f"java.lang.{name}Exception: no",
            f"at com.acme.{name}.run({name}.java:4)",
            f"Caused by: java.io.IOException: {name}",
        ]


@pytest.mark.parametrize("order", range(5))
def test_lines_that_begin_with_their_thread_go_to_it(order):
    head = "{time} ERROR [%s] Pay - {name} failed"
    both = [
        [error("", i, name, head=head % thread)[0], *error(f"[{thread}] ", i, name)[1:]]
        for i, (thread, name) in enumerate([("http-1", "Card"), ("http-2", "Bank")])
    ]
    rows, _, table = records([*traces(both, order), "[http-9] \tat com.acme.Nobody.run(X.java:1)"])
    assert [(s.reason, s.lines) for s in table.skipped] == [(UNKNOWN, 1)]
    for row in rows:
        (name,) = (name for name in ("Card", "Bank") if name in row["message"])
        assert row["exception"].count(name) == 4
        assert row["exception"].splitlines()[-1] == f"Caused by: java.io.IOException: {name}"
