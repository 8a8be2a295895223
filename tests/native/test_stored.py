"""Values that are kept as numbers, times or ids: the view `raw` has the log's texts, to the character."""

from __future__ import annotations

import json
import random
import uuid

import pytest

from locard.logs.scan import native_engine
from locard.logs.table import table

pytestmark = pytest.mark.skipif(
    not native_engine.available(), reason="the native module is not built"
)

COUNT = 1500  # more than are kept as codes where they are all different


def stored(values):
    """How values are kept, and their texts as `raw` has them; the values as JSON."""
    reader = native_engine.NativeEngine(table.Table(table.connect(1), "native"))
    lines = [f'{{"v":{value}}}' for value in values]
    # Two blocks, two batches: the second one finds a form that is there.
    reader.add("\n".join(lines[:1200]).encode())
    reader.flush()
    reader.add("\n".join(lines[1200:]).encode())
    reader.finish()
    loaded = reader.table
    rows = loaded.rows(f"SELECT {loaded.columns['v']} FROM raw ORDER BY _n")
    return loaded.stored[loaded.columns["v"]].kind, [text for (text,) in rows]


def moments(rng, first=1900, last=2200):
    for _ in range(COUNT):
        yield (
            f"{rng.randint(first, last)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
            f"{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}",
        )


def fraction(rng, digits, point="."):
    return f"{point}{rng.randrange(10**digits):0{digits}d}"


def cut(rng, most):
    digits = rng.randint(1, most)
    return f".{rng.randrange(10 ** (digits - 1))}{rng.randint(1, 9)}"


TIMES = {
    "seconds": lambda r, d, t: f"{d}T{t}Z",
    "no zone": lambda r, d, t: f"{d} {t}",
    "milliseconds": lambda r, d, t: f"{d}T{t}{fraction(r, 3)}Z",
    "with a comma": lambda r, d, t: f"{d} {t}{fraction(r, 3, ',')}",
    "microseconds east": lambda r, d, t: f"{d}T{t}{fraction(r, 6)}+05:30",
    "nanoseconds west": lambda r, d, t: f"{d} {t}{fraction(r, 9)}-08:00",
    "a negative zero zone": lambda r, d, t: f"{d}T{t}-00:00",
    "one digit": lambda r, d, t: f"{d}T{t}{fraction(r, 1)}Z",
    "zeros cut": lambda r, d, t: f"{d}T{t}{r.choice(['', cut(r, 9)])}Z",
    "zeros cut in part": lambda r, d, t: f"{d}T{t}{cut(r, 6)}+01:00",
    # As Python's isoformat: no fraction where it is zero, else all of it.
    "none or six": lambda r, d, t: (
        f"{d}T{t}{r.choice(['', f'.{r.randint(1, 999_999):06d}'])}+00:00"
    ),
}


@pytest.mark.parametrize("spelling", TIMES)
@pytest.mark.parametrize("years", [(1900, 1969), (1970, 2100), (1900, 2200)])
def test_times_in_one_spelling(spelling, years):
    rng = random.Random(1)
    texts = [TIMES[spelling](rng, day, time) for day, time in moments(rng, *years)]
    assert stored([f'"{t}"' for t in texts]) == ("times", texts)


NO_TIMES = {
    "two zones": lambda r, d, t: f"{d}T{t}{r.choice(['Z', '+01:00'])}",
    "two ways of writing the same zone": lambda r, d, t: f"{d}T{t}{r.choice(['Z', '+00:00'])}",
    "a zone without a colon": lambda r, d, t: f"{d}T{t}+0100",
    "a far zone": lambda r, d, t: f"{d}T{t}+16:00",
    "ten digits": lambda r, d, t: f"{d}T{t}{fraction(r, 10)}Z",
    "a point alone": lambda r, d, t: f"{d}T{t}.Z",
    "two lengths with zeros": lambda r, d, t: f"{d}T{t}{fraction(r, r.choice([2, 4]))}Z",
    "zero or nothing": lambda r, d, t: f"{d}T{t}{r.choice(['', '.000', '.120'])}Z",
    "T or space": lambda r, d, t: f"{d}{r.choice('T ')}{t}",
    "two points": lambda r, d, t: f"{d} {t}{fraction(r, 3, r.choice('.,'))}",
    "24:00": lambda r, d, t: f"{d} 24{t[2:]}",
    "a leap second": lambda r, d, t: f"{d} {t[:-2]}60",
    "February 30": lambda r, d, t: f"{d[:4]}-02-30 {t}",
    "far years": lambda r, d, t: f"1{r.randint(0, 899):03d}{d[4:]} {t}",
    "text behind": lambda r, d, t: f"{d} {t} x",
}


@pytest.mark.parametrize("spelling", NO_TIMES)
def test_times_that_stay_text(spelling):
    rng = random.Random(2)
    texts = [NO_TIMES[spelling](rng, day, time) for day, time in moments(rng)]
    assert stored([f'"{t}"' for t in texts]) == ("texts", texts)


def test_leap_days_and_ends_of_days():
    texts = [
        f"{year}-{day}T{time}Z"
        for year in range(1900, 2201)
        for day in ("01-01", "02-28", "03-01", "12-31")
        for time in ("00:00:00", "23:59:59")
    ]
    texts += [f"{y}-02-29T12:00:00Z" for y in range(1904, 2200, 4) if y != 2100]
    assert stored([f'"{t}"' for t in texts]) == ("times", texts)


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize(
    ("kind", "first"),
    [
        ("integers", 0), ("integers", -700), ("integers", 2**53 - 700), ("integers", -(2**53) - 700),
        ("integers", 10**15 - 700), ("integers", 10**18 - COUNT), ("integers", -(10**18) + 1),
        ("texts", 10**18 - 700), ("texts", 2**63 - 700), ("texts", -(2**63) - 700), ("texts", 10**40),
    ],
)  # fmt: skip
def test_integers(kind, first, quote):
    texts = [str(first + i) for i in range(COUNT)]
    assert stored([f"{quote}{t}{quote}" for t in texts]) == (kind, texts)


@pytest.mark.parametrize(
    ("kind", "also"),
    [
        ("doubles", "0"), ("doubles", "7"), ("doubles", "-7"), ("doubles", "999999999999999"),
        ("texts", "1000000000000000"), ("texts", "9007199254740993"), ("texts", "-0"),
        ("texts", "007"), ("texts", "1e5"), ("texts", "1.50"), ("texts", "5.0"), ("texts", "NaN"),
        ("texts", "inf"), ("texts", ""), ("texts", "0.00001"), ("texts", " 1"), ("texts", "+1"),
        ("texts", "0x10"), ("texts", "1."), ("texts", ".5"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("at", [0, 100, 1100, COUNT - 1])
def test_a_text_among_integers_and_fractions(kind, also, at):
    texts = [str(i) for i in range(COUNT)]
    texts[at] = also
    texts[1150], texts[-2] = "0.5", "1.25"
    assert stored([f'"{t}"' for t in texts]) == (kind, texts)


def test_large_integers_are_not_rounded_by_a_late_fraction():
    texts = [str(9007199254740993 + i) for i in range(COUNT - 1)] + ["0.5"]
    assert stored(texts) == ("texts", texts)


def test_doubles():
    rng = random.Random(3)
    values = [rng.choice([-1, 1]) * 10 ** rng.uniform(-4, 15) for _ in range(20_000)]
    values += [round(rng.uniform(0, 1000), rng.randint(1, 6)) for _ in range(20_000)]
    values += [0.0, 0.0001, 0.00011, 999999999999999.9, 1.0, 0.1 + 0.2, 5e-4, 123456789012345.6]
    rng.shuffle(values)
    kind, texts = stored([repr(v) for v in values])
    assert kind == "doubles"
    assert [t for t, v in zip(texts, values, strict=True) if t != repr(v)] == [
        # Python writes those with an exponent later than JSON's writers do, never here.
        repr(v) for v in values if "e" in repr(v)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "also", ["-0.0", "0.00009999", "1e15", "1e300", "5e-324", "1e400", "-1e-7"]
)
def test_numbers_that_doubles_would_spell_otherwise(also):
    plain = [repr(i + 0.5) for i in range(COUNT)]
    kind, texts = stored([*plain, also])
    assert (kind, texts[:-1]) == ("texts", plain)
    assert texts[-1] == also or float(texts[-1]) == float(also)


def test_whole_numbers_with_and_without_a_point():
    assert stored([f"{i}.0" for i in range(COUNT)]) == ("doubles", [f"{i}.0" for i in range(COUNT)])
    mixed = [f"{i}.0" if i % 2 else str(i) for i in range(COUNT)]
    assert stored(mixed) == ("texts", mixed)
    bare = [f"{i}.5" if i % 2 else str(i) for i in range(COUNT)]
    assert stored(bare) == ("doubles", bare)


IDS = {
    "hex": ("ids", lambda r: uuid.UUID(int=r.getrandbits(128)).hex),
    "uuid": ("ids", lambda r: str(uuid.UUID(int=r.getrandbits(128)))),
    "small": ("ids", lambda r: f"{r.getrandbits(16):032x}"),
    "large": ("ids", lambda r: f"{2**128 - 1 - r.getrandbits(16):032x}"),
    "upper case": ("texts", lambda r: f"{r.getrandbits(128):032X}"),
    "both": ("texts", lambda r: str(r.choice([str, lambda u: u.hex])(uuid.UUID(int=r.getrandbits(128))))),
    "braces": ("texts", lambda r: f"{{{uuid.UUID(int=r.getrandbits(128))}}}"),
    "16 digits": ("texts", lambda r: f"a{r.getrandbits(60):015x}"),
}  # fmt: skip


@pytest.mark.parametrize("spelling", IDS)
def test_ids(spelling):
    kind, make = IDS[spelling]
    rng = random.Random(4)
    texts = [make(rng) for _ in range(4 * COUNT)]
    assert stored([f'"{t}"' for t in texts]) == (kind, texts)


def test_texts_of_any_kind():
    texts = [
        "",
        "\0",
        "é\u202e\U0001f600",
        "'quoted'",
        '"',
        "\\",
        "a\nb",
        "x" * 100_000,
        "{id}",
        "%Y",
    ]
    texts += [f"{t}{i}" for i in range(COUNT) for t in texts[:2]]
    assert stored([json.dumps(t) for t in texts]) == ("texts", texts)
    assert stored([json.dumps(t) for t in texts[:10]] * 200)[1] == texts[:10] * 200
