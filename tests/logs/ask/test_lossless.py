"""Arrays, what is in them, and objects of any depth: asked for, printed and written as the log has them."""

from __future__ import annotations

import json

import duckdb
import pytest

from locard.logs.ask import slice as slicing
from locard.logs.ask.interpret import sheet_of
from locard.logs.input.log_source import open_source
from locard.logs.scan import loader, native_engine
from locard.logs.scan.loader import Choice
from locard.logs.table import parquet
from locard.model.errors import UsageError
from locard.report import rows
from locard.where.times import Clock

RECORDS = [
    {"n": 1, "tags": ["web", "eu"], "items": [{"id": 7, "q": [1, 2]}, {"id": 8}], "o": {}},
    {"n": 2, "tags": [], "a": {"b": {"c": {"d": {"e": {"f": "deep", "g": [None, 12345678901234567890]}}}}}},
    {"n": 3, "tags": "web", "items": None, "": "empty", "a.b": 5, "x/y": "slash", "q": {"": 1}},
    {"n": 4, "tags": ["café", {"k": "v"}], "a": {"b": {"c": {"d": "flat"}}}, "s": "[1]", "m": [[1], [2, 3]]},
    {"n": 5},
]  # fmt: skip
ENGINES = ["native", "duckdb"] if native_engine.available() else ["duckdb"]


@pytest.fixture(params=ENGINES)
def sheet(tmp_path, request):
    path = tmp_path / "log"
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in RECORDS))
    source = open_source(str(path))
    table = loader.load(source, 60, 1, request.param, choice=Choice(raws=True))
    source.close()
    yield sheet_of(table, str(path))
    table.db.close()


def numbers(sheet, where):
    question = slicing.Question.of(where, select=("n",))
    return [int(n) for (n,) in slicing.records(sheet, question, Clock(None, None)).rows]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("tags exists", [1, 2, 3, 4]),
        ("not tags exists", [5]),
        ("tags contains web", [1, 3]),
        ("tags not contains web", [2, 4, 5]),
        ("tags contains we", [3]),  # of a text a part, of an array an element
        ("tags[0] = web", [1]),
        ("tags[1].k = v", [4]),
        ("items[0].id = 7", [1]),
        ("items[1].id >= 8", [1]),
        ("items[0].q contains 2", [1]),
        ("items[5].id exists", []),
        ("a.b.c.d.e.f = deep", [2]),
        ("a.b.c.d.e.g[1] = 12345678901234567890", [2]),
        ("a.b.c.d.e.g[1] > 12345678901234567889", [2]),
        ("a.b.c.d.e.g[1] > 12345678901234567890", []),
        ("a.b.c.d = flat", [4]),
        ("o exists", [1]),
        ("m[1][0] = 2", [4]),
        ("x/y = slash", [3]),
        ("a.b = 5", [3]),
        ('"" = empty', [3]),
    ],
)
def test_it_is_reached(sheet, where, found):
    assert numbers(sheet, where) == found


def test_what_no_record_has_is_an_error(sheet):
    for name in ("itms[0].id", "tags.x[", "zz.b.c.d.e.f"):
        with pytest.raises(UsageError):
            numbers(sheet, f"`{name}` exists")


def test_records_are_printed_as_they_are(sheet):
    answer = slicing.records(sheet, slicing.Question(), Clock(None, None))
    printed = [json.loads(line) for line in rows.json_records(answer)]
    assert printed[0] == {"n": 1, "tags": ["web", "eu"], "items": RECORDS[0]["items"], "o": {}}
    assert printed[1] == {"n": 2, "tags": [], "a.b.c.d": RECORDS[1]["a"]["b"]["c"]["d"]}
    assert printed[2] == {"n": 3, "tags": "web", "": "empty", "a.b": 5, "x/y": "slash", "q.": 1}
    assert printed[3]["tags"] == ["café", {"k": "v"}]
    assert printed[3]["s"] == "[1]"
    assert printed[3]["a.b.c.d"] == "flat"
    assert all(
        line.isascii()
        for line in rows.json_records(slicing.records(sheet, slicing.Question(), Clock(None, None)))
    )


def test_what_is_inside_is_selected_as_what_it_is(sheet):
    question = slicing.Question(select=("items[0].id", "items[0].q", "tags[0]", "a.b.c.d.e.g"))
    answer = slicing.records(sheet, question, Clock(None, None))
    printed = [json.loads(line) for line in rows.json_records(answer)]
    assert printed[0] == {
        "items[0].id": 7,
        "items[0].q": [1, 2],
        "tags[0]": "web",
        "a.b.c.d.e.g": None,
    }
    assert printed[1]["a.b.c.d.e.g"] == [None, 12345678901234567890]
    counted = slicing.counts(sheet, slicing.Question(by=("tags[0]",)), Clock(None, None))
    assert {key: n for n, *_, key in counted.rows} == {'"web"': 1, '"café"': 1, None: 3}


def test_sql_and_parquet_have_it_too(sheet, tmp_path):
    path = tmp_path / "rows.parquet"
    answer = slicing.records(sheet, slicing.Question(), Clock(None, None))
    path.touch()
    parquet.to_parquet(sheet.db, answer.typed_sql, path)
    found = duckdb.sql(f"SELECT n, tags, items, _ FROM '{path}' ORDER BY n").fetchall()
    assert json.loads(found[0][1]) == ["web", "eu"]
    assert json.loads(found[0][2]) == RECORDS[0]["items"]
    assert json.loads(found[2][1]) == "web"
    assert [row[3] for row in found] == [None, None, "empty", None, None]
    asked = slicing.sql(
        sheet, "SELECT n, json_array_length(tags), _ FROM log WHERE n < 4 ORDER BY n"
    )
    assert list(asked.rows) == [(1, 2, None), (2, 0, None), (3, 0, "empty")]


def test_what_duckdb_refuses_is_reached_all_the_same(tmp_path):
    path = tmp_path / "log"
    path.write_text(
        '{"n": 1, "l": ["a", "\\ud800"]}\n{"n": 2, "l": ["b", 3, ]}\n{"n": 3, "l": ["c"]}\n'
    )
    source = open_source(str(path))
    table = loader.load(source, 60, 1, choice=Choice(raws=True))
    source.close()
    sheet = sheet_of(table, str(path))
    assert numbers(sheet, "l[0] exists") == [1, 2, 3]
    assert numbers(sheet, "l contains a") == [1]
    assert numbers(sheet, "not l contains a") == [2, 3]
    answer = slicing.records(sheet, slicing.Question(), Clock(None, None))
    assert [json.loads(line)["l"][0] for line in rows.json_records(answer)] == ["a", "b", "c"]
    assert len(list(slicing.sql(sheet, "SELECT * FROM log").rows)) == 3
