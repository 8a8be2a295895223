"""Edges of the scanner: fields met twice in a record, keys longer than a vector, files that change, full memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from locard.logs.scan import native_engine
from locard.logs.table import table

pytestmark = pytest.mark.skipif(
    not native_engine.available(), reason="the native module is not built"
)


def engine(*blocks):
    reader = native_engine.NativeEngine(table.Table(table.connect(1), "native"))
    for block in blocks:
        reader.add(block)
    reader.finish()
    return reader.table


def values(loaded, field):
    return [v for (v,) in loaded.rows(f"SELECT {loaded.columns[field]} FROM raw ORDER BY _n")]


def scanner(**limits):
    from locard._native import Scanner

    return Scanner(most_fields=64, deepest=4, sample_chars=200, **limits)


def test_a_field_that_stands_twice_in_each_record_has_the_first_value():
    lines = [b'{"a":{"b":"x%d"},"a.b":"y%d","n":%d}' % (i, i, i) for i in range(3000)]
    loaded = engine(b"\n".join(lines))
    assert values(loaded, "a.b") == [f"x{i}" for i in range(3000)]
    assert values(loaded, "n") == [str(i) for i in range(3000)]


@pytest.mark.parametrize("length", [1, 30, 31, 32, 33, 63, 64, 65, 100, 1000])
def test_a_block_that_is_cut_within_a_long_key(length):
    key = b"k" * length
    good = b'{"a":1,"' + key + b'":2}\n'
    for cut in range(1, len(good), max(1, length // 40)):
        read = scanner()
        read.read(good * 3 + good[:-cut])
        assert read.records == (4 if cut == 1 else 3)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\xef\xbb\xbf", b" \n", b"\n\n"])
def test_line_ends_and_byte_order_marks(end):
    lines = [b'{"a":%d,"b":"%d"}' % (i, i) for i in range(100)]
    loaded = engine(b"\xef\xbb\xbf" + end.join(lines) + end)
    assert values(loaded, "a") == values(loaded, "b") == [str(i) for i in range(100)]


def test_a_file_that_is_shorter_than_it_was(tmp_path):
    line = b'{"a":"' + b"x" * 100 + b'"}\n'
    path = tmp_path / "log"
    path.write_bytes(line * 30_000 + line[:50])
    read = scanner(threads=2)
    with path.open("rb") as file:
        reached, odd = read.scan(file.fileno(), 0, 10 << 30, 10 << 30, [])
        assert (reached, odd) == (len(line) * 30_000, False)
        assert read.lines == read.records == 30_000
        assert read.scan(file.fileno(), reached, 10 << 30, 10 << 30, []) == (reached, False)
        assert read.scan(file.fileno(), 2 * reached, 3 * reached, 1, []) == (2 * reached, False)
        assert read.scan(file.fileno(), reached, 0, 1, []) == (reached, False)
    assert read.take().rows == 30_000


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "log").touch()
    file = os.open(tmp_path / "log", os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="descriptor"):
            scanner(threads=2).scan(file, 0, 1 << 22, 1 << 22, [])
    finally:
        os.close(file)


def test_memory_that_ends_in_a_thread_is_an_error_and_no_crash(tmp_path):
    path = tmp_path / "log"
    with path.open("wb") as file:
        for i in range(40):
            file.write(b"".join(b'{"a":"%d %d %s"}\n' % (i, n, b"x" * 1000) for n in range(2000)))
    program = f"""
        import os, resource
        from locard._native import Scanner
        read = Scanner(most_fields=64, deepest=4, sample_chars=200, threads=3)
        file = os.open({str(path)!r}, os.O_RDONLY)
        size = os.fstat(file).st_size
        used = int(open("/proc/self/statm").read().split()[0]) * 4096
        resource.setrlimit(resource.RLIMIT_AS, (used + (60 << 20), used + (60 << 20)))
        try:
            read.scan(file, 0, size, size, [])
        except MemoryError:
            print("out of memory")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "out of memory\n"


def test_more_fields_than_there_is_room_for():
    lines = [json.dumps({f"k{i}": i, "a": {f"n{i % 90}": i}}).encode() for i in range(200)]
    read = scanner(guesses=False)
    read.read(b"\n".join(lines))
    assert read.take().rows == 200
    assert len(read.fields) == 64
    assert read.fields_left_out == 200 + 90 - 64


def test_more_codes_than_two_bytes_hold(monkeypatch):
    """Each batch has few different texts, all of them together do not."""
    monkeypatch.setattr(native_engine, "_MOST_VALUES", 1)
    blocks = [
        b"\n".join(b'{"a":"w%d"}' % (at + i % 900) for i in range(3000))
        for at in range(0, 80_000, 900)
    ]
    loaded = engine(*blocks)
    assert values(loaded, "a") == [
        f"w{at + i % 900}" for at in range(0, 80_000, 900) for i in range(3000)
    ]


def test_long_texts_are_few_and_no_codes():
    texts = [f"{i}" + "x" * 4_000_000 for i in range(40)]
    loaded = engine(*(b'{"a":"%s"}' % t.encode() for t in texts))
    assert loaded.stored[loaded.columns["a"]].kind == "texts"
    assert values(loaded, "a") == texts


def test_frequent_values_are_texts_whatever_their_length():
    text = "é" * 300  # cut between two characters
    lines = [
        json.dumps({"a": text if i % 2 else f"w{i}"}, ensure_ascii=False) for i in range(20_000)
    ]
    loaded = engine("\n".join(lines).encode())
    seen = loaded.seen[loaded.columns["a"]]
    assert seen.frequent[0][0] == "é" * 200
    assert abs(seen.frequent[0][1] - 10_000) < 1000
    assert abs(seen.distinct - 10_001) < 5 * 0.0163 * 10_001


@pytest.mark.parametrize("count", [3000, 8000, 11_000, 15_000, 25_000, 100_000])
def test_different_values_are_counted_well(count):
    loaded = engine("\n".join(f'{{"a":"w{i}"}}' for i in range(count)).encode())
    # Five standard errors.
    assert abs(loaded.seen[loaded.columns["a"]].distinct - count) < 5 * 0.0163 * count


@pytest.mark.parametrize(
    "make", ["{}", '"w{}"', '"2026-03-01T12:00:00.{:06d}Z"', '"{:032x}"', "{}.5"]
)
def test_different_values_count_once_whatever_they_were_kept_as(monkeypatch, make):
    monkeypatch.setattr(native_engine, "_MOST_VALUES", 1)
    few = "\n".join('{"a":' + make.format(i % 800) + "}" for i in range(2000))
    all_of_them = "\n".join('{"a":' + make.format(i) + "}" for i in range(8000))
    loaded = engine(few.encode(), all_of_them.encode())
    assert loaded.stored[loaded.columns["a"]].kind != "codes"
    assert abs(loaded.seen[loaded.columns["a"]].distinct - 8000) < 5 * 0.0163 * 8000
