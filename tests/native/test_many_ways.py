"""However a log is read - by guess or not, in whatever forms, threads and batches - its texts are the same."""

from __future__ import annotations

import functools
import itertools
import json
import random
import uuid

import pytest
from dirty_lines import line

from locard.logs.input import log_source
from locard.logs.scan import loader, native_engine

pytestmark = pytest.mark.skipif(
    not native_engine.available(), reason="the native module is not built"
)

WAYS = {
    "parsed": {"guesses": False},
    "guessed": {},
    "no codes": {"few_texts": 1},
    "few codes": {"few_texts": 7},
    "only codes": {"few_texts": 1 << 20},
    "two threads": {"threads": 2},
    "three threads, no codes": {"threads": 3, "few_texts": 2},
    "a batch a block": {"batches": True},
    "a batch a block, two threads, few codes": {"batches": True, "threads": 2, "few_texts": 3},
}


def read(path, monkeypatch, *, threads=1, batches=False, **limits):
    import locard._native

    with monkeypatch.context() as patched:
        patched.setattr(
            "locard._native.Scanner", functools.partial(locard._native.Scanner, **limits)
        )
        if batches:
            patched.setattr(native_engine, "_MOST_BYTES", 1)
        source = log_source.open_source(str(path))
        try:
            return loader.load(source, 60, threads, "native")
        finally:
            source.close()


def texts(loaded):
    """By field the texts in the order of the lines."""
    names = list(loaded.columns)
    rows = loaded.rows(f"SELECT {', '.join(loaded.columns[n] for n in names)} FROM raw ORDER BY _n")
    return dict(zip(names, zip(*rows, strict=True), strict=True))


# What the values of a field are, one kind after the other: each text has to survive all changes.
def small(i):
    return i % 40


def integer(i):
    return i * 7919 - 3_000_000


def huge(i):
    return 9_007_199_254_740_993 + i


def beyond(i):
    return 2**63 - 20_000 + i * 3


def decimal(i):
    return i / 7 - 300


def whole(i):
    return float(i)


def word(i):
    return f"w{i:x}"


def hexadecimal(i):
    return uuid.UUID(int=i * 2**100 + i).hex


def dashed(i):
    return str(uuid.UUID(int=i * 2**100 + i))


def upper(i):
    return hexadecimal(i + 10**6).upper()


def moment(i):
    return f"2026-03-{1 + i % 28:02d}T{i // 60 % 24:02d}:{i % 60:02d}:07.{i % 1000:03d}Z"


def cut(i):
    return moment(i).replace(".", ".1").replace("0Z", "7Z").replace("Z", "1Z")


def bare(i):
    return moment(i)[:19] + "Z"


def shifted(i):
    return moment(i)[:-1] + "+05:30"


def empty(i):
    return ""


def absent(i):
    return None


def tiny(i):
    return i * 1e-9


def exponent(i):
    return i * 1e17


KINDS = {
    "number": (small, integer, decimal, word),
    "large": (integer, huge, decimal),
    "large late": (decimal, huge),
    "beyond": (integer, beyond, small),
    "whole": (integer, whole),
    "whole first": (whole, decimal, integer),
    "tiny": (decimal, tiny, exponent),
    "id": (hexadecimal, dashed),
    "id upper": (absent, hexadecimal, upper),
    "time": (moment, shifted),
    "time bare": (bare, moment, cut),
    "time cut": (cut, bare, absent, moment),
    "late": (absent, absent, small, moment),
    "empty": (empty, integer),
    "word": (word, small, empty),
}


def is_text_of(text, value):
    """Whether a text is how the log's value is shown: numbers with a fraction in the shortest way."""
    if value is None or text is None:
        return text is value
    if isinstance(value, float):
        return float(text) == value and not text.lstrip("-").isdigit()
    return text == str(value)


@pytest.fixture(scope="module")
def changing(tmp_path_factory):
    """A log of several blocks, each field of which goes through its kinds, and its texts."""
    rng = random.Random(5)
    path = tmp_path_factory.mktemp("ways") / "log"
    count = 16_000
    expected = {name: [] for name in KINDS}
    with path.open("w") as file:
        for i in range(count):
            fields = {}
            for name, kinds in KINDS.items():
                value = kinds[i * len(kinds) // count](i)
                if rng.random() < 0.05:
                    value = None
                fields[name] = value
                expected[name].append(value)
            file.write(json.dumps(fields, separators=rng.choice([(",", ":"), (", ", ": ")])) + "\n")
    assert path.stat().st_size > 5 << 20
    return path, expected


@pytest.mark.parametrize("way", WAYS)
def test_texts_survive_every_change_of_form(changing, monkeypatch, way):
    path, expected = changing
    found = texts(read(path, monkeypatch, **WAYS[way]))
    for name in KINDS:
        for at, (text, value) in enumerate(zip(found[name], expected[name], strict=True)):
            assert is_text_of(text, value), (name, at, text, value)


@pytest.fixture(scope="module")
def dirty(tmp_path_factory):
    """JSON of many shapes, some of it broken; nothing that stops the native reading of a file."""
    rng = random.Random(11)
    path = tmp_path_factory.mktemp("ways") / "log"
    lines = [text for text in (line(rng) for _ in range(3000)) if text.startswith(b"{")]
    with path.open("wb") as file:
        while file.tell() < 3 << 20:
            file.write(rng.choice(lines) + rng.choice([b"\n", b"\r\n"]))
    return path


@pytest.fixture(scope="module")
def dirty_by_parsing(dirty):
    with pytest.MonkeyPatch.context() as patched:
        return contents(read(dirty, patched, guesses=False, few_texts=1 << 20))


def contents(loaded):
    found = texts(loaded)
    return (
        {name: values for name, values in found.items() if any(v is not None for v in values)},
        loaded.skipped,
        (loaded.lines, loaded.records),
    )


@pytest.mark.parametrize("way", WAYS)
def test_dirty_lines_are_the_same(dirty, dirty_by_parsing, monkeypatch, way):
    found = contents(read(dirty, monkeypatch, **WAYS[way]))
    for name in found[0].keys() | dirty_by_parsing[0].keys():
        assert found[0].get(name) == dirty_by_parsing[0].get(name), name
    assert found[1:] == dirty_by_parsing[1:]


def requests(count):
    rng = random.Random(3)
    for i in range(count):
        yield {
            "time": f"2026-03-01T{i // 3600:02d}:{i // 60 % 60:02d}:{i % 60:02d}.000Z",
            "path": f"/x/{rng.randrange(10**6)}/{rng.choice('abcdef')}",
            "msg": rng.choice(["took {} ms", "user {} left", "{} of {} done"]).format(i, i),
            "status": rng.choice([200, 200, 200, 500 if i > count // 2 else 200]),
            f"late_{i // 3000}": i,
        }


def test_threads_change_no_answer(tmp_path, monkeypatch):
    path = tmp_path / "log"
    path.write_text("".join(json.dumps(r) + "\n" for r in requests(30_000)))
    assert path.stat().st_size > 3 << 20
    found = [read(path, monkeypatch, threads=threads) for threads in (1, 2, 2)]
    assert found[0].columns == found[1].columns == found[2].columns
    assert list(found[0].columns) == list(found[1].columns)
    assert texts(found[0]) == texts(found[1])
    mined = [t.rows("SELECT getvariable('templates')") for t in found]
    assert mined[0] == mined[1] == mined[2]


def test_every_path_has_its_endpoint(tmp_path, monkeypatch):
    """Also those that were read while they were few, and those of the other thread."""
    path = tmp_path / "log"
    records = [
        {"path": f"/early/{i % 5}/x{i % 3}/a{i % 7:04d}", "msg": "m" * 400} for i in range(3000)
    ]
    records += [{"path": f"/late/{i}", "msg": "m" * 400} for i in range(10_000)]
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    for threads, few in itertools.product((1, 2), (16, 1024)):
        loaded = read(path, monkeypatch, threads=threads, few_texts=few)
        column = loaded.columns["path"]
        shape = loaded.endpoint(column)
        assert shape is not None
        variable, codes = shape
        rows = loaded.rows(
            f"SELECT {column}, getvariable('{variable}')[{codes}] FROM raw_kept ORDER BY _n"
        )
        assert rows[0] == ("/early/0/x0/a0000", "/early/{id}/x0/{id}")
        assert rows[-1] == ("/late/9999", "/late/{id}")
        assert sum(endpoint is None for _, endpoint in rows) == 0
