"""The native engine and DuckDB alone read the same from the same random, dirty input."""

from __future__ import annotations

import json
import random

import planted_logs as planted
import pytest

from locard.logs import duckdb_engine, loading, native_engine, reading, table

pytestmark = pytest.mark.skipif(
    not native_engine.available(), reason="the native module is not built"
)

NUMBERS = [
    "0", "-0", "1", "503", "-7", "1.5", "1.50", "-0.0", "0.1e-7", "1e3", "1E+3", "123456789012345678",
    "18446744073709551615", "18446744073709551616", "-9223372036854775808", "-9223372036854775809",
    "1e400", "-1e400", "1e-400", "5e-324", "1.7976931348623157e308", "0.000001", "0.0000001",
    "123456789.123456789", "1e20", "1e21", "1e22", "100000000000000000000000.5", "2.5e-5", "01", "1.",
    ".5", "+1", "1e", "--1", "0x1", "NaN", "nan", "Infinity", "-Infinity", "-inf", "INF", "tru", "True",
    "nul", "1_000", "1 2",
]  # fmt: skip
STRINGS = [
    '""', '"a"', '"503"', '"\\u0041\\n\\t\\"\\\\\\/"', '"\\ud83d\\ude00"', '"\\ud83d"', '"\\ude00"', '"\\x"',
    '"\\u12"', '"\\u0000"', '"é\u202e\U0001f600"', '"a\tb"', '"\x1b[31m"', '"unclosed', '"\x7f"', '"NaN"',
    '"{\\"a\\":1}"', '"' + "long" * 100 + '"', "'single'",
]  # fmt: skip
KEYS = [
    "a",
    "b",
    "time",
    "level",
    "a.b",
    "x/y~z",
    "",
    " ",
    "\\u0061",
    "ключ",
    "n",
    "status",
    'q\\"',
]


def value(rng, depth=0):  # noqa: PLR0911 - one return a kind
    kind = rng.random()
    if kind < 0.35:
        return rng.choice(NUMBERS)
    if kind < 0.4:
        return repr(rng.choice([rng.uniform(-1e3, 1e3), rng.lognormvariate(0, 40)]))
    if kind < 0.7:
        return rng.choice(STRINGS)
    if kind < 0.8:
        return rng.choice(["true", "false", "null"])
    if depth > 5:
        return "7"
    if kind < 0.9:
        inner = ", ".join(value(rng, depth + 1) for _ in range(rng.randrange(4)))
        return f"[{inner}{rng.choice(['', '', '', ','])}]"
    return record(rng, depth + 1)


def record(rng, depth=0):
    # Below the top level equal keys, and "a.b" beside {"a": {"b": …}}, have no one meaning.
    keys = [k for k in KEYS if k not in {"a.b", "\\u0061"}] if depth else KEYS
    chosen = rng.sample(keys, rng.randrange(5))
    if "a.b" in chosen:
        chosen = [k for k in chosen if k not in {"a", "\\u0061"}]
    if not depth and chosen and rng.random() < 0.2:
        chosen.append(chosen[0])
    space = rng.choice(["", " ", "\t"])
    fields = (f'"{k}"{space}:{space}{value(rng, depth)}{space}' for k in chosen)
    return "{" + space + f",{space}".join(fields) + "}"


def plain(rng):
    return json.dumps(
        {
            "time": 1763812800 + rng.random() * 300,
            "status": rng.choice([200, "200", 503, 404]),
            "duration_ms": rng.lognormvariate(3, 1),
            "region": rng.choice(["eu", "us"]),
            "ctx": {"user": {"tier": rng.choice(["plus", "free"])}},
        }
    )


def line(rng):
    text = plain(rng) if rng.random() < 0.4 else record(rng)
    data = text.encode("utf-8", "surrogatepass")
    what = rng.random()
    if what < 0.1:
        at = rng.randrange(len(data))
        data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    elif what < 0.15:
        data = data[: rng.randrange(len(data))]
    elif what < 0.2:
        data = (
            rng.choice([b"web-1 | ", b"\xef\xbb\xbf", b"  ", b"\x0b\x0c", b"\xff{", b"[pod/x] "])
            + data
        )
    elif what < 0.25:
        data += rng.choice([b"\r", b" ", b"}", b" trailing", b",", data, b"\xef\xbb\xbf", b"\0"])
    elif what < 0.3:
        data = bytes(rng.choice(b' \t\r\x00\xef\xbb\xbf\xc3\xa9{}[]":,ae\\u1') for _ in range(12))
    return data.replace(b"\n", b" ")


def read(path, engine):
    source = reading.open_source(str(path))
    try:
        return loading.load(source, 60, 1, engine)
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
        monkeypatch.setattr(reading, "BLOCK_BYTES", 4096)
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
    # The native scanner mines templates, DuckDB alone masks numbers.
    for name in one.__dataclass_fields__.keys() - {"engine", "messages", "templates", "numbers"}:
        assert getattr(one, name) == getattr(two, name), name
    counts = [[(m.before, m.after) for m in found.messages] for found in (one, two)]
    assert counts[0] == counts[1]
