"""Numbers of a log in slices: whole ones stay whole, decimals stay decimals, no digit is lost."""

from __future__ import annotations

import datetime as dt
import json

import duckdb
import pytest

from locard.logs.ask import kept_scans, open_log
from locard.logs.ask import slice as slicing
from locard.logs.ask.slice import Question
from locard.logs.table import parquet
from locard.report import rows
from locard.where.times import Clock

CLOCK = Clock(dt.UTC, 1_800_000_000, 1_800_000_000)
BIG = 12345678901234567890  # an id of 64 bits without a sign
LINES = (
    {"status": 200, "ms": 1.5, "mixed": 500, "id": BIG, "code": "007", "point": 1.0},
    {"status": 404, "ms": 2, "mixed": "500", "id": 7, "code": "008", "point": 2},
    {"status": 200, "ms": 2.25, "mixed": None, "id": 8, "code": "010", "point": -3},
)
TEXT = (
    '10.2.0.7 - - [22/Nov/2026:12:00:01 +0000] "GET /a HTTP/1.1" 200 512 "-" "k6" 0.25\n'
    '10.2.0.7 - - [22/Nov/2026:12:00:02 +0000] "GET /a HTTP/1.1" 503 - "-" "k6" 2\n'
)


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """The sheet of a log of these lines: of a new scan, then of the kept one."""
    monkeypatch.setattr(kept_scans, "_TICK_NS", 0)  # a file that was written just now is kept too

    def both(text):
        path = tmp_path / "app.log"
        path.write_text(text)
        shelf = kept_scans.Shelf(tmp_path / "scans")
        for kept in (False, True):
            with open_log.asked(str(path), 30, 1, shelf) as sheet:
                assert sheet.kept is kept
                yield sheet

    return both


def json_lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


def shown(answer):
    return [json.loads(line) for line in rows.json_records(answer)]


def test_sql_has_whole_numbers_where_the_log_has_them(asked):
    for sheet in asked(json_lines(*LINES)):
        first, second, third = shown(slicing.sql(sheet, "FROM log"))
        assert repr(first["status"]) == "200"
        assert repr(second["mixed"]) == "500"
        assert third["mixed"] is None
        assert first["id"] == BIG
        assert [first["ms"], second["ms"], first["code"]] == [1.5, 2.0, "007"]
        assert repr(first["point"]) == "1.0"
        text = "\n".join(rows.text_lines(slicing.sql(sheet, "SELECT status, id FROM log")))
        assert "200.0" not in text
        assert str(BIG) in text


def test_text_formats_too(asked):
    for sheet in asked(TEXT):
        found = shown(slicing.sql(sheet, "SELECT status, bytes, request_time_s FROM log"))
        assert list(map(repr, found[0].values())) == ["200", "512", "0.25"]
        assert found[1]["bytes"] is None


def test_a_role_in_several_fields_has_numbers_too(asked):
    """A duration in ms, whatever unit and form each field has; a status is one in all of them."""
    several = (
        {"time": "2026-11-22T12:00:00Z", "http": {"status": 200}, "duration_ms": 3},
        {"ts": "2026-11-22T12:00:01.5Z", "statusCode": "503", "elapsed": "4.5s"},
    )
    for sheet in asked(json_lines(*several)):
        wanted = Question(select=("duration", "status"))
        assert list(rows.json_records(slicing.records(sheet, wanted, CLOCK))) == [
            '{"duration": 3, "status": 200}',
            '{"duration": 4500, "status": 503}',
        ]
        times = slicing.records(sheet, Question(select=("time",)), CLOCK)
        assert len(list(times.rows)) == 2


def test_parquet_keeps_the_types(asked, tmp_path):
    path = tmp_path / "out.parquet"
    for sheet in asked(json_lines(*LINES)):
        wanted = Question(select=("status", "ms", "mixed"))
        answer = slicing.records(sheet, wanted, CLOCK)
        parquet.to_parquet(sheet.db, answer.typed_sql, path, answer.parameters)
        names = duckdb.sql(f"SELECT * FROM '{path}'")
        assert [str(kind) for kind in names.types] == ["BIGINT", "DOUBLE", "BIGINT"]
