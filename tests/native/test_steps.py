"""Lines are read by the steps of earlier ones, whatever their order, nesting and spaces; the rest is parsed."""

from __future__ import annotations

import json
import random

import pytest

from locard.logs.scan import native_engine

pytestmark = pytest.mark.skipif(
    not native_engine.available(), reason="the native module is not built"
)


def scanner(**more):
    from locard._native import Scanner

    return Scanner(**{"most_fields": 64, "deepest": 4, "sample_chars": 200, "raws": True} | more)


def texts(read, name, *, raw=False):
    """The values of one field by row, as far as it is kept as codes."""
    for i, field in enumerate(read.fields):
        if field[0] == name and field[6] is raw:
            return read.dictionary(i)
    return None


def record(rng, i):
    """The same fields in any order, some of them left out, null, text or a number."""
    parts = {
        "time": f"2026-01-01T00:00:{i % 60:02d}Z",
        "http": {"status": rng.choice([200, "200", None]), "path": f"/p/{i % 7}", "head": {"x": i % 3}},
        "user": rng.choice([None, {"id": i % 5}, {"id": i % 5, "name": 'a "b"\n'}]),
        "tags": ["a", {"b": [i % 2]}],
        "n": rng.choice([i % 4, (i % 4) / 2, -1]),
        "none": {},
    }  # fmt: skip
    names = list(parts)
    rng.shuffle(names)
    return {name: parts[name] for name in names if rng.random() < 0.9}


@pytest.mark.parametrize("between", [(", ", ": "), (",", ":")])
def test_most_lines_take_known_steps(between):
    rng = random.Random(1)
    lines = [json.dumps(record(rng, i), separators=between) for i in range(5000)]
    read = scanner()
    read.read(("\n".join(lines) + "\n" + " " * 64).encode())
    assert read.records == 5000
    assert read.guessed > 4500
    parsed = scanner(guesses=False)
    parsed.read(("\n".join(lines) + "\n" + " " * 64).encode())
    assert parsed.guessed == 0
    for one in (read, parsed):
        one.take()
    assert sorted(f[0] for f in read.fields) == sorted(f[0] for f in parsed.fields)
    for name in ("http.path", "http.head.x", "user.name", "http.status"):
        assert set(texts(read, name)) == set(texts(parsed, name)), name
    assert set(texts(read, "tags", raw=True)) == set(texts(parsed, "tags", raw=True))


def test_what_is_broken_takes_no_steps():
    good = '{"a": {"b": 1}, "c": [1, 2], "d": "x"}'
    bad = [
        '{"a": {"b": 1}, "c": [1, 2], "d": "x"',
        '{"a": {"b": 1}, "c": [1 2], "d": "x"}',
        '{"a": {"b": 1}, "c": [1, 2], "d": "x\\q"}',
        '{"a": {"b": 1}}, "c": [1, 2], "d": "x"}',
        ', "c": [1, 2], "d": "x"}',
        '{"a": {"b": 1}, "c": [1, 2], "d": "x"}}',
    ]
    read = scanner()
    read.read(("\n".join([good, good, *bad, good]) + "\n" + " " * 64).encode())
    assert read.records == 3
    assert read.guessed == 2
    assert sum(lines for _, lines, _ in read.skipped) == len(bad) + 1  # and a blank one


def test_a_key_that_comes_twice_is_parsed():
    lines = [
        '{"a": {"b": 1}, "c": 2}',
        '{"a": {"b": 1}, "a": {"b": 3}, "c": 2}',
        '{"c": 4, "a": {"b": 5}}',
    ]
    read = scanner()
    read.read(("\n".join(lines * 2) + "\n" + " " * 64).encode())
    read.take()
    assert set(texts(read, "a.b")) == {"1", "3", "5"}
    assert read.guessed == 2  # of the second half; the last key wins in the one that is parsed


def test_what_is_not_asked_for_is_checked_too():
    lines = [
        '{"a": 1, "b": {"c": "x"}}',
        '{"a": 2, "b": {"c": "y"}}',
        '{"a": 3, "b": {"c": "he said "no""}}',
    ]
    read = scanner(only=["a"])
    read.read(("\n".join(lines) + "\n" + " " * 64).encode())
    read.take()
    assert [f[0] for f in read.fields] == ["a"]
    assert texts(read, "a") == ["1", "2"]
    assert read.records == 2


def test_arrays_and_what_is_deep_are_kept_as_written():
    line = '{"a": [1,  {"b": 2}], "x": {"y": {"z": {"deep": {"e": [3]}}}}, "o": {}, "s": "[1]"}'
    read = scanner()
    read.read(f"{line}\n{line}\n{' ' * 64}".encode())
    read.take()
    assert read.guessed == 1
    assert texts(read, "a", raw=True) == ['[1,  {"b": 2}]']
    assert texts(read, "x.y.z.deep", raw=True) == ['{"e": [3]}']
    assert texts(read, "o", raw=True) == ["{}"]
    assert texts(read, "s") == ["[1]"]
    assert texts(read, "s", raw=True) is None
    without = scanner(raws=False)
    without.read(f"{line}\n".encode())
    without.take()
    assert [f[0] for f in without.fields] == ["s"]
    asked = scanner(only=["x.y.z.deep.e[0]"])
    asked.read(f"{line}\n".encode())
    asked.take()
    assert texts(asked, "x.y.z.deep", raw=True) == ['{"e": [3]}']
    assert len(asked.fields) == 1
