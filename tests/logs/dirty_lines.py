"""Random lines of logs, JSON and what is nearly JSON: for tests that compare readers."""

from __future__ import annotations

import json

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
