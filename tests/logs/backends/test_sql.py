"""SQL: what locard writes, DuckDB answers over the view `log` as locard does."""

from __future__ import annotations

import json

import pytest
from dialect_questions import ANSWERABLE

from locard.logs.ask import slice as slicing


def lines(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("text", ANSWERABLE)
def test_duckdb_answers_as_locard_does(translated, sheet, text):
    ours, theirs = translated(text, ("path", "upstream"))
    said = slicing.sql(sheet, theirs)
    assert sorted(ours, key=str) == sorted(said.rows, key=str)
    assert 0 < len(ours) < 400


def test_counts(locard, log):
    words = ("--where", "level = ERROR", "--by", "upstream,http.method", "--top", "4")
    sql = locard("logs", log, *words, "--as", "sql").stdout
    assert "LIMIT 4" in sql
    ours = lines(locard("logs", log, *words, "-o", "jsonl"))
    theirs = lines(locard("logs", log, "--sql", sql, "-o", "jsonl"))
    assert [{k: v for k, v in row.items() if k not in {"of", "share"}} for row in ours] == theirs


def test_hostile_names_and_values_are_quoted(say):
    text, unsaid = say('`odd name` = "\'; DROP TABLE log; --"', select=("odd name",))
    assert text == (
        'SELECT "odd name"\nFROM log\n'
        "WHERE CAST(\"odd name\" AS VARCHAR) = '''; DROP TABLE log; --'"
    )
    assert unsaid == ()
