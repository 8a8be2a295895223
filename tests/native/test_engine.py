"""What only the native engine has: fields on demand, plain columns, inserts beside the reading."""

from __future__ import annotations

import json

import duckdb
import pytest

from locard.logs.scan import native_engine
from locard.logs.table import table

pytestmark = pytest.mark.skipif(
    not native_engine.available(), reason="the native module is not built"
)


def engine(*blocks, only=(), threads=1):
    db = table.connect(threads)
    reader = native_engine.NativeEngine(table.Table(db, "native"), only=only)
    for block in blocks:
        reader.add(block)
    reader.finish()
    return reader.table


RECORDS = [
    {"id": f"r{i}", "n": i % 7, "a": {"b": i, "c": "x"}, "rare": f"v{i}" if i % 3 else None}
    for i in range(6000)
]
LINES = [json.dumps(r).encode() for r in RECORDS]


def values(loaded, field):
    return [v for (v,) in loaded.rows(f"SELECT {loaded.columns[field]} FROM raw ORDER BY _n")]


@pytest.mark.parametrize("threads", [1, 2])
def test_columns_of_many_texts_keep_every_text(threads):
    blocks = [b"\n".join(LINES[at : at + 2500]) + b"\n" for at in range(0, 6000, 2500)]
    loaded = engine(*blocks, threads=threads)
    assert values(loaded, "id") == [r["id"] for r in RECORDS]
    assert values(loaded, "n") == [str(r["n"]) for r in RECORDS]
    assert values(loaded, "a.b") == [str(r["a"]["b"]) for r in RECORDS]
    assert values(loaded, "rare") == [r["rare"] for r in RECORDS]
    assert loaded.lines == loaded.records == 6000


def test_a_field_that_turns_diverse_or_constant(tmp_path):
    first = [b'{"v":"same"}'] * 3000
    then = [b'{"v":"%d"}' % i for i in range(6000)]
    loaded = engine(*(b"\n".join(x) + b"\n" for x in (first + then, then, first)))
    expected = ["same"] * 3000 + [str(i) for i in range(6000)] * 2 + ["same"] * 3000
    assert values(loaded, "v") == expected


def test_only_the_wanted_fields_are_read():
    loaded = engine(
        b'{"a":{"b":1,"c":2},"ab":3,"d":[{"a":1}],"x":"\\ud83d"}\n{"d":"e","a.b":4}\n{"a":5,"a":{"b":6}}',
        only=("a.b", "d"),
    )
    assert values(loaded, "a.b") == ["1", "4", "6"]
    assert values(loaded, "d") == [None, "e", None]
    assert set(loaded.columns) == {"a.b", "d"}
    assert loaded.fields_left_out == 0


def test_an_insert_that_fails_is_raised_and_the_next_one_works(monkeypatch):
    monkeypatch.setattr(native_engine, "_MOST_VALUES", 1)  # each block is a batch
    db = table.connect(2)
    reader = native_engine.NativeEngine(table.Table(db, "native"))
    db.execute("DROP VIEW raw; DROP VIEW raw_kept; DROP TABLE cells")
    db.execute("CREATE TABLE cells (_n INTEGER CHECK (_n <> 1))")
    reader.add(b'{"a":1}\n{"a":2}\n')
    with pytest.raises(duckdb.ConstraintException):
        reader.add(b'{"a":3}\n')
    reader.add(b'{"a":4}\n')
    reader.finish()
    assert db.execute("SELECT count(*) FROM cells").fetchone() == (1,)
