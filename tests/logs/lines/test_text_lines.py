"""Lines of text among each other and among JSON: what must not depend on blocks or on hostile input."""

from __future__ import annotations

import json
import random
import re

import pytest
from formats_support import load, records

from locard import catalogue
from locard.logs.input import log_source
from locard.logs.lines.line_format import text_formats
from locard.logs.lines.text_lines import UNKNOWN, TextLines
from locard.logs.scan import loader, native_engine
from locard.logs.table.table import MOST_FIELDS

# What their samples say depends on the line after, or on the last line of the log.
ALONE = {"w3c-extended", "erlang", "dotnet", "java-logging", "postgres", "kernel", "jvm-unified",
          "postgres-csv", "mysql-slow"}  # fmt: skip


def everything():
    """The samples of all formats in one stream, each with the fields that it must have."""
    return [s for e in catalogue.entries("format") if e.name not in ALONE for s in e.load().SAMPLES]


@pytest.mark.parametrize("engine", ["duckdb", None])
@pytest.mark.parametrize("size", [1000, 8 << 20])
def test_all_formats_in_one_stream(engine, size, monkeypatch):
    """Each line goes to the format that it goes to when it is alone."""
    monkeypatch.setattr(log_source, "BLOCK_BYTES", size)
    samples = [
        s
        for s in everything()
        if s.has is not None and '"time":"2025-11-22T12:00:02.000Z",' not in s.line
    ]
    samples = [s for s in samples if "goroutine" not in s.line]
    rows, _, table = records([s.line for s in samples], engine)
    assert not table.skipped
    assert len(rows) == len(samples)
    for row, sample in zip(rows, samples, strict=True):
        for name in ("time", "status", "level", "message", "endpoint"):
            value = sample.has.get(name)
            if isinstance(value, float):
                assert row[f"role:{name}"] == pytest.approx(value, abs=1e-5)
            elif value is not None:
                assert row[f"role:{name}"] == value, (name, sample.line)


def test_keys_without_end_are_left_out_and_counted():
    lines = [f"time=2025-11-22T12:00:00Z k{i}=1 msg=x" for i in range(1500)]
    table = load(lines)
    assert table.records == 1500
    assert len(table.columns) <= MOST_FIELDS
    assert table.fields_left_out >= 1500 - MOST_FIELDS


def test_hostile_keys_and_values_are_text():
    line = """time=2025-11-22T12:00:00Z msg="'); DROP TABLE raw; --" x=');-- y="\x1b[2J" """
    (row,) = records([line])[0]
    assert row["msg"] == "'); DROP TABLE raw; --"
    assert row["x"] == "');--"


def test_lines_that_no_format_reads_are_counted_with_the_first():
    table = load(['{"a":1}', "what is this", "and that", '{"a":2}'])
    (skipped,) = table.skipped
    assert (skipped.reason, skipped.lines, skipped.sample) == (UNKNOWN, 2, "what is this")
    assert table.lines == 4


def test_the_memory_cap_holds_for_text(monkeypatch):
    monkeypatch.setattr(log_source, "BLOCK_BYTES", 1 << 14)
    monkeypatch.setattr(loader, "_LOOK_EVERY", 1)
    monkeypatch.setattr(native_engine, "_MOST_VALUES", 1)
    monkeypatch.setattr(loader, "_MEMORY_SHARE", 1e-9)
    table = load([f"2025-11-22 12:00:00,000 - a - ERROR - {i}" for i in range(3000)])
    assert "memory cap" in table.partial
    assert 0 < table.records < 3000


@pytest.mark.parametrize(
    "line",
    [
        "(" * 5000, "[" * 5000, '"' * 5000, "a=" * 5000, "\x00\x01\x02", "2025-13-45 99:99:99 ERROR x",
        "Feb 30 12:00:00 host app: x", "<999>1 - - - - - - x", '{"log":"' + "\\u0000" * 20 + '","stream":"stdout"}',
        '{"resourceLogs":7}', '{"resourceLogs":[{"scopeLogs":null}]}', '{"MESSAGE":[1,2],"__REALTIME_TIMESTAMP":"x"}',
        "E9999 99:99:99.999999 1 f.go:1] x", "\ufeff", '1.2.3.4 - - [99/Zzz/2025:99:99:99 +0000] "" 999 -',
    ],
)  # fmt: skip
def test_no_line_stops_the_reading(line):
    good = json.dumps({"time": 1763812800, "status": 200})
    table = load([good, line, good, line])
    assert table.records >= 2
    assert table.lines >= 4 or '"resourceLogs"' in line


_MUTATIONS = ['"', " ", "\\", "=", "[", "]", "-", "x", "\t", "\x01", '" "', " k=v", ' k="a b"', "é"]


def mutated(line, draw):
    """A line with some characters put in, taken out or replaced."""
    for _ in range(draw.randint(0, 2)):
        at, what = draw.randrange(len(line) + 1), draw.choice([*_MUTATIONS, ""])
        line = line[:at] + what + line[at + draw.randint(0, 1) :]
    return line


@pytest.mark.parametrize(
    "usual",
    [
        '10.2.0.7 - ann [22/Nov/2025:12:00:01 +0000] "GET /orders/812?x=1 HTTP/1.1" 200 512',
        '10.2.0.7 - - [22/Nov/2025:12:00:01 +0000] "GET /pay HTTP/1.1" 200 - "http://a/" "curl (x)" 0.25',
        '10.2.0.7 - - [22/Nov/2025:12:00:01 +0000] "GET /pay HTTP/1.1" 200 7 "-" "" "10.0.0.1" 125',
        'time=2025-11-22T12:00:00.250Z level=error msg="card declined" status=503 ids=[1,2] empty=""',
        "2025-11-22 12:00:00,250 - shop.pay - ERROR - card declined",
        "Nov  2 12:00:00 web-1 payment[412]: card declined",
        "2025-11-22 12:00:00 | worker 3 | ERROR | card declined",
        f"2025-11-22 12:00:00 {'x' * 60} ERROR card declined",
    ],
)
def test_the_usual_format_is_read_as_any_other(usual, monkeypatch):
    """What is quicker for the usual lines of a log gives the same as trying all formats in turn."""
    draw = random.Random(usual)
    lines = [mutated(usual, draw) for _ in range(400)]
    quick = load(lines)
    monkeypatch.setattr(TextLines, "_read_usual", lambda _self, sql: (0, sql))
    slow = load(lines)
    assert (quick.lines, quick.records, quick.skipped) == (slow.lines, slow.records, slow.skipped)
    for name in {*quick.columns, *slow.columns}:
        values = [
            t.rows(
                f"SELECT _n, {t.columns[name]} FROM raw WHERE {t.columns[name]} IS NOT NULL ORDER BY _n"
            )
            if name in t.columns
            else []
            for t in (quick, slow)
        ]
        assert values[0] == values[1], name


def test_each_line_in_a_format_with_words_has_one_of_them():
    lines = [s.line.strip() for e in catalogue.entries("format") for s in e.load().SAMPLES]
    fitting = [
        (form, line)
        for _, form in text_formats()
        if form.words
        for line in lines
        if re.fullmatch(form.pattern, line)
    ]
    assert len({form.pattern for form, _ in fitting}) > 20
    for form, line in fitting:
        assert any(word in line for word in form.words), (form.pattern, line)
