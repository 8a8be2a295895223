"""Dirty files, read by both engines."""

from __future__ import annotations

import json

import pytest

from locard.logs.input import log_source
from locard.logs.lines import text_lines
from locard.logs.scan import duckdb_engine, loader, native_engine
from locard.logs.table import sql_text

GOOD = [
    {"time": 1763812800 + i, "level": "error", "status": 503, "ms": 1.5, "path": f"/x/{i}"}
    for i in range(100)
]


@pytest.fixture(params=["duckdb", "native"])
def load(tmp_path, request):
    if request.param == "native" and not native_engine.available():
        pytest.skip("the native module is not built")

    def run(data):
        path = tmp_path / "log"
        path.write_bytes(data)
        source = log_source.open_source(str(path))
        try:
            return loader.load(source, 20, 1, request.param)
        finally:
            source.close()

    return run


def line(record):
    return json.dumps(record, separators=(",", ":")).encode()


def mixed(*dirty, every=None):
    lines = [line(r) for r in GOOD]
    if every:
        lines = [every(x) if i % 10 == 0 else x for i, x in enumerate(lines)]
    return b"\n".join([*lines[:50], *dirty, *lines[50:]]) + b"\n"


def values(loaded, field):
    return [v for (v,) in loaded.rows(f"SELECT {loaded.columns[field]} FROM raw ORDER BY _n")]


@pytest.mark.parametrize(
    ("dirty", "reason"),
    [
        (b"Listening on port 8080", text_lines.UNKNOWN),
        (b"", duckdb_engine.BLANK),
        (b"  \t ", duckdb_engine.BLANK),
        (b'{"level":"error","msg":"panic: boom', duckdb_engine.BROKEN),
        (b"[1,2]", text_lines.UNKNOWN),
        (b"null", text_lines.UNKNOWN),
        (b"\0\0\0\0", text_lines.UNKNOWN),
        (b'{"a":' + b"[" * 3000, duckdb_engine.BROKEN),
    ],
)
def test_a_dirty_line_costs_only_itself(load, dirty, reason):
    loaded = load(mixed(dirty))
    assert loaded.records == 100
    assert loaded.lines == 101
    (skipped,) = loaded.skipped
    assert (skipped.reason, skipped.lines) == (reason, 1)
    assert dirty.strip().decode()[:20] in skipped.sample


@pytest.mark.parametrize(
    "every",
    [
        lambda x: b"2025-11-22T12:00:00Z stdout F " + x,
        lambda x: b"\xef\xbb\xbf" + x,
        lambda x: x + b"\r",
        lambda x: x.replace(b'"/x/', b'"/x\x1b[31m/'),
        lambda x: x.replace(b'"/x/', b'"/x\xff/'),
        lambda x: x.replace(b"1.5", b"NaN"),
        lambda x: x.replace(b"503", b'"503"'),
    ],
    ids=["prefix", "bom", "crlf", "escape", "utf8", "nan", "string"],
)
def test_records_survive_what_surrounds_them(load, every):
    loaded = load(mixed(every=every))
    assert loaded.records == 100
    assert not loaded.skipped
    assert values(loaded, "status") == ["503"] * 100


def test_of_two_equal_keys_the_last_counts(load):
    loaded = load(b'{"level":"info","level":"error","x":{"y":1}}\n')
    assert values(loaded, "level") == ["error"]
    assert values(loaded, "x.y") == ["1"]


def test_nested_and_drifting_fields(load):
    loaded = load(
        b'{"ctx":"text","status":200}\n{"ctx":{"user":{"tier":"plus"}},"status":{"code":503}}\n'
        b'{"ctx":[1,2],"a.b/c~d":null,"deep":{"1":{"2":{"3":{"4":{"5":1}}}}}}\n{"a.b/c~d":7}\n'
    )
    assert values(loaded, "ctx") == ["text", None, None, None]
    assert values(loaded, "ctx.user.tier") == [None, "plus", None, None]
    assert values(loaded, "status.code") == [None, "503", None, None]
    assert values(loaded, "a.b/c~d") == [None, None, None, "7"]
    assert not any(name.startswith("deep") for name in loaded.columns)


def test_fields_beyond_the_limit_are_left_out_and_counted(load, monkeypatch):
    for engine in (duckdb_engine, native_engine):
        monkeypatch.setattr(engine, "MOST_FIELDS", 5)
    loaded = load(line({f"f{i}": i for i in range(12)}) + b"\n")
    assert len(loaded.columns) == 5
    assert loaded.fields_left_out == 7


def test_the_memory_cap_gives_what_fits(load, monkeypatch):
    monkeypatch.setattr(log_source, "BLOCK_BYTES", 1 << 14)
    monkeypatch.setattr(loader, "_LOOK_EVERY", 1)
    monkeypatch.setattr(native_engine, "_MOST_VALUES", 1)
    monkeypatch.setattr(loader, "_MEMORY_SHARE", 1e-9)
    monkeypatch.setattr(native_engine, "_MOST_BYTES", 1)
    whole = mixed() * 400  # more than the native scanner reads at once
    loaded = load(whole)
    assert "memory cap" in loaded.partial
    assert 0 < loaded.records < 400 * 100


def test_the_database_reads_no_files(load):
    loaded = load(b'{"a":1}\n')
    for sql in (
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY raw TO '/tmp/locard-test.csv'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "ATTACH '/tmp/locard-test.db' AS x",
    ):
        with pytest.raises(Exception, match=r"(?i)disabled|cannot|permission|lock"):
            loaded.rows(sql)


def test_hostile_keys_are_names_and_nothing_else(load):
    key = "x'); DROP TABLE raw; --"
    loaded = load(line({key: "v", 'q"uote': 1}) + b"\n")
    assert values(loaded, key) == ["v"]
    assert values(loaded, 'q"uote') == ["1"]


def test_quoting():
    assert sql_text.quoted('a"b') == '"a""b"'
    assert sql_text.literal("a'b") == "'a''b'"


def test_lines_in_parts_are_joined_over_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(log_source, "BLOCK_BYTES", 400)
    path = tmp_path / "log"
    stamp = "2025-11-22T12:00:00.5Z stdout"
    whole = [f'{stamp} P {{"n":{i},"x":"\n{stamp} F y"}}\n' for i in range(60)]
    path.write_text("".join(whole))
    source = log_source.open_source(str(path))
    table = loader.load(source, 20, 1)
    source.close()
    assert table.records == 60
    (same,) = table.one(f"SELECT count(*) FROM raw WHERE {table.columns['x']} = 'y'")
    assert same == 60
    table.db.close()
