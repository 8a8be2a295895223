"""Lines in no known format are found by what they say, counted, and judged as nothing."""

from __future__ import annotations

import json

import planted_logs as planted
import pytest

from locard.logs.ask import open_log
from locard.logs.input import log_source
from locard.logs.lines.loose_lines import append_loose
from locard.logs.scan import loader, native_engine

ENGINES = ["duckdb", *(["native"] if native_engine.available() else [])]
GOOD = [
    json.dumps({"time": f"2026-11-20T10:00:{i:02}Z", "status": 200, "msg": "ok"}) for i in range(40)
]
LOOSE = [
    '{"time":"2026-11-20T10:00:40Z","msg":"cut panic he',
    "zebra in no grammar",
    "[1,2]",
    '{"a":nul}',
]


def read(path, engine):
    source = log_source.open_source(str(path))
    try:
        return loader.load(source, 60, 1, engine)
    finally:
        source.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_they_are_counted_and_become_records_when_asked_for(tmp_path, engine):
    lines = [*GOOD[:20], *LOOSE, *GOOD[20:]]
    table = read(planted.write(tmp_path / "app.log", lines), engine)
    assert (table.records, table.loose) == (40, 4)
    assert {s.reason: s.lines for s in table.skipped} == {"broken JSON": 2, "in no known format": 2}
    append_loose(table, "msg")
    assert (table.records, table.loose) == (44, 0)
    column = table.columns["msg"]
    assert table.rows(f"SELECT _n, {column} FROM raw WHERE _n BETWEEN 19 AND 24 ORDER BY _n") == [
        (19, "ok"), *((20 + i, line) for i, line in enumerate(LOOSE)), (24, "ok")
    ]  # fmt: skip
    assert {s.reason: s.lines for s in table.skipped} == {"broken JSON": 2, "in no known format": 2}
    append_loose(table, "msg")
    assert table.records == 44


@pytest.mark.parametrize("text", [False, True])
def test_a_filter_finds_them_and_the_first_pass_does_not_count_them(tmp_path, locard, text):
    good = [f"2026-11-20 10:00:{i:02} INFO ok {i}" for i in range(40)] if text else GOOD
    path = str(planted.write(tmp_path / "app.log", [*good, *LOOSE]))
    name = "message" if text else "msg"
    asked = ("logs", path, "--where", f'{name} ~ "zebra|panic"', "--select", name, "-o", "jsonl")
    for more in (("--no-keep",), (), ()):  # a new scan, one that is kept, the kept one
        done = locard(*asked, *more)
        assert [json.loads(x)[name] for x in done.stdout.splitlines()] == LOOSE[:2]
        assert "kept as text 2 lines: broken JSON" in done.stderr
    assert "40 records" in locard("logs", path, "--no-keep").stdout


def test_a_log_of_such_lines_alone_can_be_asked(tmp_path):
    path = planted.write(tmp_path / "app.log", ["who knows", "nobody"])
    with open_log.asked(str(path), 20, 1) as sheet:
        assert sheet.records == 2
