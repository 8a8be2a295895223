"""Logs that are tables: whose first line names the columns, or whose columns a format knows."""

from __future__ import annotations

import csv
import io
import json
import random

import formats_support
import pytest

from locard.logs.lines import delimited

NAMES = ["Time", "Service", "Status", "Message"]
ROWS = [
    [f"2026-11-20T10:00:{i:02}Z", "pay", "200", 'said "so"\nand, then;\tmore' if i % 5 == 0 else ""]
    for i in range(20)
]


def table(delimiter, names=NAMES, rows=ROWS, **form):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, **form).writerows([names, *rows])
    return out.getvalue()


def rows_of(text, size=1 << 20):
    data = text.encode()
    found = delimited.find_table(data[: 1 << 20])
    assert found is not None
    chunks = (data[i : i + size] for i in range(0, len(data), size))
    return b"".join(delimited.lines_of(chunks, found)).decode().splitlines()


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("size", [1, 50, 1 << 20])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_row_is_a_record(delimiter, size, end):
    got = rows_of(table(delimiter, lineterminator=end), size)
    expected = [{k: v for k, v in zip(NAMES, row, strict=True) if v} for row in ROWS]
    for row in expected:
        row["Status"] = 200
    assert [json.loads(line) for line in got] == expected


@pytest.mark.parametrize("text", [
    "#Fields: date\ttime\tsc-status\n2026-11-20\t10:00:00\t200\n2026-11-20\t10:00:01\t200\n",
    "ERROR, it broke, sadly\nINFO, all is, well\nINFO, again, well\n",
    "the server is ready now\nthe client came in now\nthe client went out now\n",
    "2026-11-20T10:00:00Z,pay,200\n2026-11-20T10:00:01Z,pay,200\n",
    "time=1 level=info msg=a\ntime=2 level=info msg=b\n",
    "Starting up, please wait\n2026-11-20 10:00:00 INFO ready\n",
    "level,message\n",
    '{"a":1,"b":2}\n{"a":1,"b":2}\n',
    "",
])  # fmt: skip
def test_lines_are_no_table(text):
    assert delimited.find_table(text.encode()) is None
    assert delimited.find_table(table(",").encode()) is not None


def test_blanks_between_columns_need_a_head_of_words_and_rows_as_wide():
    head = "version interface-id srcaddr bytes start"
    rows = [f"2 eni-{i} 10.0.0.{i} - 17638128{i:02}" for i in range(5)]
    got = rows_of("\n".join([head, *rows]))
    assert json.loads(got[0]) == {
        "version": 2, "interface-id": "eni-0", "srcaddr": "10.0.0.0", "time": 1763812800
    }  # fmt: skip
    assert delimited.find_table("\n".join([head, *(f"{r} x" for r in rows[:2])]).encode()) is None


def test_names_that_come_again_and_rows_of_another_width():
    text = (
        table(",", rows=ROWS[1:5], lineterminator="\n")
        + ",".join(NAMES)
        + "\n"
        + "only,three,cells\n"
        + "2026,a,1,b\n"
    )
    got = rows_of(text)
    assert got[-2] == "only,three,cells"
    assert json.loads(got[-1])["Message"] == "b"
    assert len(got) == 6


def test_a_quote_that_never_ends_costs_one_line(monkeypatch):
    monkeypatch.setattr(delimited, "_MOST_LINES", 4)
    text = table(",", rows=[[str(i), "a", "1", "m"] for i in range(20)], lineterminator="\n")
    text = text.replace("\n3,a", '\n"3,a')
    got = rows_of(text)
    assert len(got) == 20
    assert sum(line.startswith("{") for line in got) == 19


def test_a_column_beyond_the_names_is_numbered():
    rows = [[*row[:3], "m", "more 1"] for row in ROWS]
    assert json.loads(rows_of(table(",", rows=rows))[0])["column_5"] == "more 1"


def test_numbers_stay_as_they_are_written():
    rows = [["007", "1.50", "9007199254740993", "1e3"]]
    got = rows_of(table(",", rows=rows))
    assert got == ['{"Time":"007","Service":1.50,"Status":9007199254740993,"Message":"1e3"}']


@pytest.mark.parametrize(
    "head", ["\ufeff", "#TYPE System.Event\r\n", "# ", "\n", "a log of ours\n\n"]
)
def test_what_may_stand_before_the_names(head):
    got = rows_of(head + table(","), 50)
    rows = [json.loads(line) for line in got if line.startswith("{")]
    assert [row["Time"] for row in rows] == [row[0] for row in ROWS]
    assert not any("Service" in line for line in got if not line.startswith("{"))


def test_a_day_and_a_time_are_one_time():
    rows = [["2026/11/20", f"10:00:{i:02}", "200"] for i in range(9)]
    text = table(",", ["Date", "Time", "Status"], rows)
    got, *_ = formats_support.records(text.encode())
    assert [r["role:time"] for r in got] == [1795168800.0 + i for i in range(9)]
    assert json.loads(rows_of(text)[0])["Date"] == "2026/11/20"
    other = table(",", ["Date", "Time", "Status"], [["x", *row[1:]] for row in rows])
    assert "timestamp" not in rows_of(other)[0]


@pytest.mark.parametrize("seed", range(20))
def test_random_tables_are_read_as_csv_reads_them(seed):
    rng = random.Random(seed)
    words = ["", "a", 'q"uote', "two\nlines", ",", "é", "-", "0", "\t", " x ", "\r\nz"]
    rows = [[str(i), *(rng.choice(words) for _ in range(3))] for i in range(50)]
    got = [json.loads(line) for line in rows_of(table(",", rows=rows), rng.choice([1, 13, 4096]))]
    expected = [{k: v for k, v in zip(NAMES, row, strict=True) if v} for row in rows]
    assert [{k: str(v) for k, v in row.items()} for row in got] == expected


POSTGRES = (
    '2026-11-20 13:00:{0:02}.123 +03,"app","shop",445,"10.0.0.2:5055",60f6.137c,{0},"SELECT",'
    "2026-11-20 12:55:00 +03,9/1,0,{1},{2},{3},,,,,,,,,{4}"
)


@pytest.mark.parametrize(
    "last", ['"psql"', '"psql","client backend"', '"psql","client backend",,0']
)
def test_postgres_csvlog(last):
    said = '"no ""such"" table\nat character 8"'
    lines = [POSTGRES.format(i, "ERROR" if i % 2 else "LOG", "42P01", said, last) for i in range(8)]
    got, *_ = formats_support.records(['rest of a record that was rotated away"', *lines])
    assert [r["role:time"] for r in got] == [1795168800.123 + i for i in range(8)]
    assert [r["role:level"] for r in got][:2] == ["log", "error"]
    assert {r["database"] for r in got} == {"shop"}
    assert {r["message"] for r in got} == {'no "such" table\nat character 8'}
