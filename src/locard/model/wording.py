"""Words that several rules and reports need: the verb that fits two numbers, and texts made shorter."""

from __future__ import annotations

import datetime as dt
import re
import shlex
from typing import Literal

from locard.model.place import Place, typed_at

Moved = Literal["rose", "fell", "stayed"]
_SAME = 0.05  # of the larger one: a difference that nobody would call a change
_UP = frozenset({"rose", "grew", "went up"})
_UNITS = {
    "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0,
    "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30,
}  # fmt: skip
_NUMBER = r"(?P<{0}>[0-9][0-9,]*(?:\.[0-9]+)?) ?(?P<unit_{0}>us|ms|min|s|h|%|KiB|MiB|GiB|)\b"
_FROM_TO = re.compile(
    rf"\b(?P<verb>rose|grew|went up|fell|dropped|went down) from {_NUMBER.format('early')}"
    rf"[^.;,]{{0,20}} to {_NUMBER.format('late')}"
)
_REFERENCE = re.compile(
    r"(?:pod|deployment|deploy|statefulset|sts|daemonset|ds|job|replicaset|rs|label|container|unit)/[^/]+$|journald$"
)
_WORD = 24
_LONG_WORD = re.compile(r"\S{33,}")  # a path, an id, a host with its domain
_HEAD = 0.4  # of a shortened text is its begin: the cause stands at the end


def count(n: int, noun: str, several: str = "") -> str:
    """A number with its noun: 1 line, 2 lines, 1,203 lines; `several` where no s makes the plural."""
    return f"{n:,} {noun if n == 1 else several or _plural(noun)}"


def verb(n: float, one: str, several: str) -> str:
    """The verb that fits a count: 1 line was, 2 lines were."""
    return one if n == 1 else several


def example(lines: int, sample: str, most: int = 40) -> str:
    """What goes on after a reason: one of the lines that it is about; empty where there is none."""
    if not sample:
        return ""
    return f"; {'it is' if lines == 1 else 'one:'} {sample[:most]!r}"


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{noun}s"


def moved(before: float, after: float) -> Moved:
    """Which way a number went: every sentence about two numbers takes its verb from here."""
    if abs(after - before) <= _SAME * max(abs(before), abs(after)):
        return "stayed"
    return "rose" if after > before else "fell"


def contradicts_itself(text: str) -> bool:
    """Whether it says that something rose from one number to a smaller one, or fell to a larger one."""
    return any(
        _amount(m["late"], m["unit_late"]) < _amount(m["early"], m["unit_early"])
        if m["verb"] in _UP
        else _amount(m["late"], m["unit_late"]) > _amount(m["early"], m["unit_early"])
        for m in _FROM_TO.finditer(text)
    )


def _amount(number: str, unit: str) -> float:
    return float(number.replace(",", "")) * _UNITS.get(unit, 1.0)


def shorten(text: str, width: int) -> str:
    """A text of at most `width` characters: head and tail stay, the middle goes.

    Its long words go first, each in the middle: paths and ids crowd out what happened to them.
    """
    if len(text) <= width:
        return text
    text = _LONG_WORD.sub(lambda word: _cut(word[0], _WORD), text)
    return text if len(text) <= width else _cut(text, width)


def _cut(text: str, width: int) -> str:
    if width <= 1:
        return "…"[:width]
    head = max(1, int(_HEAD * (width - 1)))
    tail = width - 1 - head
    return f"{text[:head]}…{text[len(text) - tail :]}"


def is_reference(source: str) -> bool:
    """Whether a log source is a name of something (`pod/x`, `container/x`) and no path of a file."""
    return _REFERENCE.match(source) is not None


def with_flags(command: str, source: str, flags: str) -> str:
    """A command that reads a source, with the flags that the source needs to be found again.

    Another program finds a log of another place by the way in to it.
    """
    head = f"locard logs {shlex.quote(source)}"
    words = flags.split()
    if (
        words[:1] == ["--on"]
        and shlex.quote(source) in command
        and not command.startswith("locard ")
    ):
        return typed_at(command, Place(shlex.split(flags)[1]))
    if (
        not flags
        or command.startswith(f"{head} {flags}")
        or not (command == head or command.startswith(f"{head} "))
    ):
        return command
    return f"{head} {flags}{command[len(head) :]}"


def last_lines(source: str, last: float | None) -> tuple[str, ...]:
    """The command that shows how a log ends; of a folder, a glob or a container locard's own, about its
    last time (Unix time); none where that is not known.
    """  # noqa: D205 - one sentence
    quoted = shlex.quote(source)
    file = (
        source.startswith("/") and "." in source.rpartition("/")[2] and not set(source) & set("*?[")
    )
    if file:
        return (f"tail -n 20 {quoted}",)
    if last is None:
        return ()
    moment = dt.datetime.fromtimestamp(last, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (f"locard logs {quoted} --around {moment} --window 60s",)


def without_password(target: str) -> str:
    """USER:PASSWORD@NAME, which is no host's name, as it may be shown."""
    user, at, name = target.rpartition("@")
    return f"{user.partition(':')[0]}:…@{name}" if at and ":" in user else target
