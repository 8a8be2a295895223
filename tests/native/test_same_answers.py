"""The native engine and DuckDB alone read the same from the same random, dirty input."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import planted_logs as planted
import pytest
from dirty_lines import line

from locard.logs.input import log_source
from locard.logs.scan import duckdb_engine, loader, native_engine
from locard.logs.table import table

pytestmark = pytest.mark.skipif(
    not native_engine.available(), reason="the native module is not built"
)


def read(path, engine):
    source = log_source.open_source(str(path))
    try:
        return loader.load(source, 60, 1, engine)
    finally:
        source.close()


def contents(table):
    """Fields with a value, each with line number and text; what was skipped; the counts."""
    fields = {}
    for name, column in table.columns.items():
        rows = table.rows(f"SELECT _n, {column} FROM raw WHERE {column} IS NOT NULL ORDER BY _n")
        if rows:
            fields[name] = rows
    return fields, table.skipped, table.lines, table.records


@pytest.mark.parametrize("seed", range(40))
def test_the_tables_are_the_same(tmp_path, seed, monkeypatch):
    rng = random.Random(seed)
    if seed % 2:
        monkeypatch.setattr(log_source, "BLOCK_BYTES", 4096)
    path = tmp_path / "log"
    path.write_bytes(b"\n".join(line(rng) for _ in range(400)) + rng.choice([b"", b"\n"]))
    native, duckdb = contents(read(path, "native")), contents(read(path, "duckdb"))
    for name in native[0].keys() | duckdb[0].keys():
        assert native[0].get(name) == duckdb[0].get(name), name
    assert native[1:] == duckdb[1:]


@pytest.mark.parametrize("seed", range(20))
def test_the_same_lines_are_handed_out(seed):
    rng = random.Random(1000 + seed)
    blocks = [b"\n".join(line(rng) for _ in range(200)) + b"\n" for _ in range(2)]
    found = []
    for make in (native_engine.NativeEngine, duckdb_engine.DuckdbEngine):
        db = table.connect(1)
        loaded, text = table.Table(db, ""), []
        engine = make(
            loaded,
            on_text=lambda rows=loaded.rows, text=text: text.extend(
                rows(f"FROM {table.TEXT_LINES} ORDER BY _n")
            ),
        )
        for block in blocks:
            engine.add(block)
        engine.finish()
        assert text
        assert loaded.lines == loaded.records + len(text) + sum(s.lines for s in loaded.skipped)
        found.append((text, *contents(loaded)))
    assert found[0] == found[1]


@pytest.mark.parametrize("seed", range(4))
def test_the_summaries_are_the_same(tmp_path, seed):
    rng = random.Random(seed)
    lines = []
    for i in range(3000):
        bad = i > 1800 and rng.random() < 0.3
        row = {
            "time": 1763812800 + i / 10, "status": rng.choice([503, "503"]) if bad else 200,
            "latency_ms": rng.lognormvariate(3, 0.5), "region": rng.choice(["eu", "us", "ap"]),
            "path": f"/orders/{rng.randrange(999)}", "msg": f"took {i}", "trace_id": f"{i:x}",
        }  # fmt: skip
        lines.append(json.dumps(row).encode() if rng.random() < 0.9 else line(rng))
    path = tmp_path / "log"
    path.write_bytes(b"\n".join(lines))
    one = planted.summarise(str(path), engine="native")
    two = planted.summarise(str(path), engine="duckdb")
    assert one.changed == ("errors",)
    two = replace(two, extent=replace(two.extent, read_at=one.extent.read_at))  # a moment later
    # The native scanner mines templates, DuckDB alone masks numbers.
    for name in one.__dataclass_fields__.keys() - {"engine", "messages", "templates", "numbers"}:
        assert getattr(one, name) == getattr(two, name), name
    counts = [[(m.before, m.after) for m in found.messages] for found in (one, two)]
    assert counts[0] == counts[1]
