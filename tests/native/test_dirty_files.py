"""What breaks other readers, a file each: both engines read it right, or say what they lost.

In each file are 1000 good records, some of them soiled; `right` counts those with the true level,
status and upstream.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from locard.logs.input import log_source
from locard.logs.scan import duckdb_engine, loader, native_engine
from locard.logs.table import table

COUNT = 1000


def record(i: int, **other: Any) -> bytes:
    fields = {
        "time": f"2026-03-01T12:{i // 60:02d}:{i % 60:02d}.000Z", "level": "error", "status": 503,
        "duration_ms": 1.5, "upstream": "cards", "path": f"/x/{i}", "trace_id": f"{i:032x}",
    }  # fmt: skip
    return json.dumps(fields | other, separators=(",", ":")).encode()


GOOD = [record(i) for i in range(COUNT)]


def among(*dirty: bytes) -> bytes:
    return b"\n".join([*GOOD[: COUNT // 2], *dirty, *GOOD[COUNT // 2 :]]) + b"\n"


def each_tenth(soil: Any) -> bytes:
    return b"\n".join(soil(i, r) if i % 10 == 0 else r for i, r in enumerate(GOOD)) + b"\n"


def replaced(old: bytes, new: bytes) -> bytes:
    return each_tenth(lambda _, r: r.replace(old, new))


def with_field(late: bool = False, **other: Any) -> bytes:
    return b"\n".join(
        record(i, **(other if (i >= 900 if late else i % 10 == 0) else {})) for i in range(COUNT)
    )


NOT_JSON, BROKEN, BLANK = duckdb_engine.NOT_JSON, duckdb_engine.BROKEN, duckdb_engine.BLANK

# Name: bytes, rows read, rows right, lines skipped by reason.
FILES: dict[str, tuple[bytes, int, int, dict[str, int]]] = {
    "good": (among(), 1000, 1000, {}),
    "text": (among(b"\tat com.acme.Foo.bar(Foo.java:12)", b"Listening"), 1000, 1000, {NOT_JSON: 2}),
    "blank": (among(b"", b"   "), 1000, 1000, {BLANK: 2}),
    "unterminated": (among(b'{"level":"error","msg":"panic: boom'), 1000, 1000, {BROKEN: 1}),
    "status a string": (with_field(status="503"), 1000, 1000, {}),
    "status an object": (with_field(status={"code": 503}), 1000, 900, {}),
    "upstream missing": (replaced(b'"upstream":"cards",', b""), 1000, 900, {}),
    "nested late": (with_field(late=True, ctx={"a": [1, {"b": 2}]}), 1000, 1000, {}),
    "an object late": (with_field(late=True, upstream={"name": "cards"}), 1000, 900, {}),
    "equal keys": (each_tenth(lambda _, r: b'{"level":"info",' + r[1:]), 1000, 1000, {}),
    "cut at the end": (among() + GOOD[0][:60], 1000, 1000, {BROKEN: 1}),
    "invalid UTF-8": (replaced(b"/x/", b"/\xff\xfe/"), 1000, 1000, {}),
    "scalars": (among(b"123", b"null", b'"str"', b"[1,2]", b"true"), 1000, 1000, {NOT_JSON: 5}),
    "byte order mark": (b"\xef\xbb\xbf" + among(), 1000, 1000, {}),
    "CRLF": (among().replace(b"\n", b"\r\n"), 1000, 1000, {}),
    "NUL": (among(b"\0\0\0\0"), 1000, 1000, {NOT_JSON: 1}),
    "NaN": (replaced(b"1.5", b"NaN"), 1000, 1000, {}),
    "huge number": (with_field(status=10**25), 1000, 900, {}),
    "long line": (among(b'{"level":"info","body":"' + b"x" * 9_000_000 + b'"}'), 1001, 1000, {}),
    "runtime's prefix": (
        b"\n".join(b"2026-03-01T12:00:00.123456789Z stdout F " + r for r in GOOD), 1000, 1000, {},
    ),
    "two on a line": (
        b"\n".join(GOOD[i] + GOOD[i + 1] for i in range(0, COUNT, 2)), 1000, 1000, {},
    ),
    "deep": (among(b'{"level":"x","a":' + b"[" * 3000 + b"]" * 3000 + b"}"), 1001, 1000, {}),
    "control characters": (replaced(b"/x/", b"\x1b[31m/x/"), 1000, 1000, {}),
    "half a surrogate pair": (replaced(b"/x/", b"\\ud83d/x/"), 1000, 1000, {}),
}  # fmt: skip


@pytest.fixture(params=["native", "duckdb"])
def engine(request):
    if request.param == "native" and not native_engine.available():
        pytest.skip("the native module is not built")
    return request.param


def load(path, engine):
    source = log_source.open_source(str(path))
    try:
        return loader.load(source, 60, 1, engine)
    finally:
        source.close()


def right(loaded):
    level, status, upstream = (loaded.columns[n] for n in ("level", "status", "upstream"))
    (rows,) = loaded.one(
        f"SELECT count(*) FROM raw WHERE {level} = 'error' AND {upstream} = 'cards' "
        f"AND TRY_CAST({status} AS DOUBLE) = 503"
    )
    return rows


# The text that no format reads is counted by the engines; what formats make of it is theirs.
@pytest.mark.parametrize("name", FILES)
def test_each_file_is_read_right_or_the_loss_is_said(tmp_path, engine, name):
    data, _, expected_right, skipped = FILES[name]
    db = table.connect(1)
    loaded = table.Table(db, engine)
    make = native_engine.NativeEngine if engine == "native" else duckdb_engine.DuckdbEngine
    reader = make(loaded)
    reader.add(data)
    reader.finish()
    assert loaded.records == FILES[name][1]
    assert right(loaded) == expected_right
    assert {s.reason: s.lines for s in loaded.skipped} == skipped
    assert loaded.lines == loaded.records + sum(skipped.values())


@pytest.mark.parametrize(
    ("data", "least"),
    [
        (gzip.compress(among()), COUNT),
        (gzip.compress(among()[:40_000]) + gzip.compress(among()[40_000:]), COUNT),
        (gzip.compress(among())[:-2000], COUNT // 4),
    ],
    ids=["gzip", "two members", "truncated"],
)
def test_compressed_files_give_what_they_have(tmp_path, engine, data, least):
    path = tmp_path / "log.gz"
    path.write_bytes(data)
    loaded = load(path, engine)
    assert loaded.records >= least
    assert right(loaded) >= least - 1


def test_a_line_of_a_hundred_megabytes_is_read_or_said_to_be_lost(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(among(b'{"level":"info","body":"' + b"x" * 100_000_000 + b'"}'))
    loaded = load(path, None)
    assert right(loaded) == COUNT
    assert loaded.records == COUNT + 1 or loader.TOO_LONG in {s.reason for s in loaded.skipped}


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (b'2026-03-01T12:00:00.5Z stderr F {"a":1}',
         {"a": "1", "prefix.time": "2026-03-01T12:00:00.5Z", "prefix.stream": "stderr"}),
        (b'2026-03-01T12:00:00+01:00 {"a":1}', {"a": "1", "prefix.time": "2026-03-01T12:00:00+01:00"}),
        (b'web-1   | {"a":1}', {"a": "1", "prefix": "web-1   |"}),
        (b'[pod/x/y] {"a":1}', {"a": "1", "prefix": "[pod/x/y]"}),
        (b'web-1 | {"prefix":"own"}', {"prefix": "own"}),
    ],
)  # fmt: skip
def test_what_stands_before_a_record_is_kept(engine, line, fields):
    loaded = add(engine, line)[0]
    (row,) = loaded.rows("SELECT * EXCLUDE (_n) FROM raw")
    assert dict(zip(loaded.columns, row, strict=True)) == fields


TEXT = (
    b"\tat com.acme.Foo(Foo.java:3)  \r", b'2026-03-01 INFO request {"a":1}', b"plain {id: 3}",
    b"bad \xff utf8",
)  # fmt: skip


def add(engine, *blocks, asked=False):
    """The table of blocks, and the text that was handed out."""
    db = table.connect(1)
    loaded = table.Table(db, engine)
    make = native_engine.NativeEngine if engine == "native" else duckdb_engine.DuckdbEngine
    handed = []
    reader = make(loaded, on_text=None)
    if asked:
        reader = make(
            loaded,
            on_text=lambda: handed.extend(loaded.rows(f"FROM {table.TEXT_LINES} ORDER BY _n")),
        )
    for block in blocks:
        reader.add(block)
    reader.finish()
    return loaded, handed


def test_lines_of_text_are_handed_out(engine):
    block = b"\n".join([b'{"a":1}', *TEXT, b"", b'{"a":', b'x | {"a":2}'])
    loaded, handed = add(engine, block, b"more\n", asked=True)
    assert handed == [
        (1, "\tat com.acme.Foo(Foo.java:3)"), (2, '2026-03-01 INFO request {"a":1}'),
        (3, "plain {id: 3}"), (4, "bad \ufffd utf8"), (6, '{"a":'), (8, "more"),
    ]  # fmt: skip
    assert loaded.rows("SELECT _n FROM raw ORDER BY _n") == [(0,), (7,)]
    assert {s.reason: s.lines for s in loaded.skipped} == {BLANK: 1}


def test_lines_of_text_are_skipped_where_nobody_asks(engine):
    loaded, handed = add(engine, b"\n".join(TEXT))
    assert not handed
    assert loaded.records == 1  # what ends in an object
    assert {s.reason: s.lines for s in loaded.skipped} == {NOT_JSON: 2, BROKEN: 1}


def test_objects_that_share_a_line_are_lines_of_their_own(engine):
    loaded, _ = add(engine, b'{"s":"}{"} {"s":"\\"}{"}\t{"s":[{}]}{"s":\n{"s":1}{"s":2}x\n{"s":3}')
    assert loaded.rows("SELECT * FROM raw ORDER BY _n") == [
        (0, "}{"),
        (1, '"}{'),
        (2, None),
        (5, "3"),
    ]
    assert (loaded.lines, loaded.records) == (6, 4)
    assert {s.reason: s.lines for s in loaded.skipped} == {BROKEN: 2}
