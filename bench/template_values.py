"""Logs whose templates are known: formats of a program, written with values as they occur.

How often a format is used and how often a value, and how many different values a place takes, is
drawn as in logs: few of them most of the time (Zipf). What a `%s` stands for is told by the words before
it, and where they say nothing it is drawn. Values are words, names, paths, hosts, ids, lists and
sentences; many have no digit, and some have blanks.
"""

from __future__ import annotations

import errno
import os
import random
import re
import uuid
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from template_programs import _C

if TYPE_CHECKING:
    from collections.abc import Callable

    from template_programs import Program

LINES = 2000
_MIXED = 0.15  # of the places: written in several ways
_TOLD = 0.8  # of the places that words tell of
_SYLLABLES = [
    "an",
    "ba",
    "co",
    "da",
    "el",
    "fi",
    "go",
    "ha",
    "in",
    "jo",
    "ka",
    "lu",
    "mi",
    "no",
    "or",
    "pe",
    "qui",
    "ra",
    "sa",
    "te",
    "um",
    "vi",
    "wo",
    "xa",
    "yo",
    "zen",
]
_ENDS = ("log", "conf", "db", "so", "tmp", "sock", "pid", "key", "xml", "gz")
_STEMS = [
    "usr",
    "var",
    "lib",
    "etc",
    "srv",
    "data",
    "run",
    "cache",
    "spool",
    "opt",
    "home",
    "share",
    "state",
    "local",
    "queue",
]
_STATES = [
    "active",
    "idle",
    "ready",
    "waiting",
    "closed",
    "open",
    "failed",
    "running",
    "stopped",
    "pending",
    "degraded",
    "unknown",
    "enabled",
    "disabled",
]
_ERRORS = [os.strerror(e) for e in sorted(errno.errorcode)[:60]]
_DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
_KINDS = (
    (r"user|account|login|owner|uid|principal|role|for$|by$", "name"),
    (
        r"host|server|peer|client|from$|to$|addr|connect|upstream|node|domain|remote|dns|zone",
        "host",
    ),
    (r"\bip\b|address|network|subnet|route|gateway", "address"),
    (
        r"file|path|dir|open|load|read|writ|config|socket|log|unlink|mkdir|creat|rename|symlink|script|device",
        "path",
    ),
    (r"error|reason|fail\w*|because|cannot|can't|unable|message|status|result|: *$", "error"),
    (r"iface|interface|link|port$", "interface"),
    (r"state|mode|type|level|status|flag|kind|action|method|event|phase", "state"),
    (r"version|release", "version"),
    (r"time|date|since|until|at$|expires", "date"),
    (r"id$|uuid|guid|token|session|serial|hash|digest|key|cookie", "id"),
    (r"size|count|number|bytes|length|took|duration|timeout|retries", "number"),
    (r"list|options|args|arguments|command|query|statement|line|string|reply|response", "sentence"),
)
_UNKNOWN = (
    "word",
    "word",
    "word",
    "name",
    "state",
    "path",
    "id",
    "number",
    "host",
    "sentence",
    "error",
    "dotted",
)


def word(rng: random.Random) -> str:
    """A made-up one."""
    return "".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4)))


def _file(rng: random.Random) -> str:
    return word(rng) + rng.choice(("", "", str(rng.randrange(100)))) + "." + rng.choice(_ENDS)


def _path(rng: random.Random) -> str:
    return "/" + "/".join([*rng.choices(_STEMS, k=rng.randint(1, 3)), _file(rng)])


def _address(rng: random.Random) -> str:
    return ".".join(str(rng.randrange(1, 255)) for _ in range(4))


def _clock(rng: random.Random) -> str:
    return f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"


# How a kind is written: mostly one way at one place.
_WAYS: dict[str, tuple[Callable[[random.Random], str], ...]] = {
    "path": (_path, _path, _file),
    "address": (
        _address, _address, lambda rng: f"{_address(rng)}:{rng.randrange(1024, 65535)}",
        lambda rng: ":".join(f"{rng.getrandbits(16):x}" for _ in range(8)),
    ),
    "host": (
        word, lambda rng: f"{word(rng)}-{rng.randrange(40)}", lambda rng: f"{word(rng)}.example.com",
        lambda rng: f"{word(rng)}{rng.randrange(9)}.internal", _address,
    ),
    "id": (
        lambda rng: str(uuid.UUID(int=rng.getrandbits(128))), lambda rng: f"{rng.getrandbits(64):016x}",
        lambda rng: f"{rng.getrandbits(28):07x}", lambda rng: f"{word(rng)}-{rng.getrandbits(20):05x}",
        lambda rng: f"0x{rng.getrandbits(40):x}", lambda rng: word(rng).upper() + str(rng.randrange(10**6)),
    ),
    "date": (
        lambda rng: f"2026-11-{rng.randint(1, 28):02}T{_clock(rng)}Z", _clock,
        lambda rng: f"{rng.choice(_DAYS)} Nov {rng.randint(1, 28):2} {_clock(rng)} 2026",
    ),
}  # fmt: skip


def _number(rng: random.Random) -> str:
    top = rng.choice((10, 100, 5000, 65536, 10**7))
    return str(rng.randrange(top))


def _sentence(rng: random.Random) -> str:
    return rng.choice((" ", ", ", " ")).join(word(rng) for _ in range(rng.randint(1, 4)))


_MAKERS: dict[str, Callable[[random.Random], str]] = {
    "word": word,
    "name": lambda rng: word(rng) + rng.choice(("", "", "", str(rng.randrange(10)))),
    "error": lambda rng: rng.choice(_ERRORS),
    "interface": lambda rng: (
        rng.choice(("eth", "wlan", "veth", "br-", "lo", "enp3s")) + str(rng.randrange(6))
    ),
    "state": lambda rng: rng.choice(_STATES),
    "version": lambda rng: f"{rng.randrange(20)}.{rng.randrange(20)}.{rng.randrange(9)}",
    "number": _number,
    "sentence": _sentence,
    "dotted": lambda rng: f"{word(rng)}.{word(rng)}.{word(rng).capitalize()}",
}


@dataclass(slots=True)
class _Place:
    """Where a value stands: its kind, and the values that it takes here with their weights."""

    make: Callable[[random.Random], str]
    values: list[str]
    weights: list[float]

    def draw(self, rng: random.Random) -> str:
        """A value; without a list of them a new one each time."""
        return rng.choices(self.values, self.weights)[0] if self.values else self.make(rng)


def _zipf(count: int, steep: float) -> list[float]:
    return [1 / (rank + 1) ** steep for rank in range(count)]


def _kind(before: str, after: str, rng: random.Random) -> str:
    near = " ".join(re.findall(r"[A-Za-z']+|[:=]", before.lower())[-2:])
    told = (kind for pattern, kind in _KINDS if re.search(pattern, near) and rng.random() < _TOLD)
    kind = next(told, None) or rng.choice(_UNKNOWN)
    if not after.strip(" .!") and before.endswith(": ") and rng.random() < 0.5:
        return "error"
    # Sentences stand at the end, or in quotes or brackets.
    if (
        kind in {"error", "sentence"}
        and after[:1] not in ("", *"\"')]>")
        and rng.random() > _MIXED / 3
    ):
        return rng.choice(("word", "name", "dotted"))
    return kind


def _way(kind: str, rng: random.Random) -> Callable[[random.Random], str]:
    ways = _WAYS[kind]
    return (lambda rng: rng.choice(ways)(rng)) if rng.random() < _MIXED else rng.choice(ways)


def _place(
    conversion: str, sign: str, around: tuple[str, str], program: Program, rng: random.Random
) -> _Place:
    if conversion in "diouxXpcm" or conversion in "eEfFgG":
        return _Place(_printed(conversion, sign), [], [])
    kind = _kind(*around, rng)
    make = _MAKERS[kind] if kind in _MAKERS else _way(kind, rng)
    if kind == "word" and program.words and rng.random() < 0.7:
        make = lambda rng: rng.choice(program.words)  # noqa: E731 - as the others
    spread = rng.random()
    if spread < 0.3 and kind not in {"error", "state", "word"}:
        return _Place(make, [], [])
    count = 1 if spread > 0.93 else rng.choice((2, 3, 4, 6, 10, 20, 50, 200))
    values = list(dict.fromkeys(make(rng) for _ in range(count)))
    return _Place(make, values, _zipf(len(values), rng.uniform(0, 1.5)))


def _printed(conversion: str, sign: str) -> Callable[[random.Random], str]:
    """What printf makes of a number, a character or %m."""
    if conversion == "m":
        return _MAKERS["error"]
    if conversion == "c":
        return lambda rng: rng.choice("abcdefgXYZ+-")
    if conversion == "p":
        return lambda rng: f"0x{rng.getrandbits(47):x}"
    if conversion in "xX":
        width = int(found[0]) if (found := re.findall(r"\d+", sign)) else 0
        return lambda rng: (
            ("0x" if "#" in sign else "")
            + f"{rng.getrandbits(rng.choice((8, 16, 32))):0{width % 17}x}"
        )
    if conversion in "eEfFgG":
        return lambda rng: f"{rng.lognormvariate(0, 3):.{rng.choice((1, 2, 3, 6))}f}"
    return _number


def _writer(form: str, program: Program, rng: random.Random) -> Callable[[], str]:
    """Writes lines of a format."""
    parts: list[str | _Place] = []
    at = 0
    for found in _C.finditer(form):
        parts.append(form[at : found.start()])
        at = found.end()
        if found[1] == "%":
            parts.append("%")
        else:
            parts.append(
                _place(found[1], found[0], (form[: found.start()], form[at:]), program, rng)
            )
    parts.append(form[at:])
    return lambda: "".join(p if isinstance(p, str) else p.draw(rng) for p in parts).strip()


def written(program: Program, lines: int = LINES, run: int = 0) -> list[tuple[str, str]]:
    """Message and format of each line: of some of the formats, those that lie side by side together."""
    rng = random.Random(zlib.crc32(f"{program.name} {run}".encode()))
    wanted = min(len(program.formats), int(2 ** rng.uniform(3.6, 6.9)))
    picked: dict[str, None] = {}
    while len(picked) < wanted:
        start = rng.randrange(len(program.formats))
        for form in program.formats[start : start + rng.randint(1, 6)]:
            # Of messages without a variable a binary holds more than its log.
            if _C.search(form) or rng.random() < 0.3:
                picked[form] = None
        if rng.random() < 0.001:
            break
    forms = list(picked)[:wanted]
    rng.shuffle(forms)
    writers = [_writer(form, program, rng) for form in forms]
    drawn = rng.choices(range(len(forms)), _zipf(len(forms), rng.uniform(0.7, 1.7)), k=lines)
    return [(writers[i](), forms[i]) for i in drawn]
