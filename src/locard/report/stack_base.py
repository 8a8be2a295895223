"""An earlier profile to compare with, read from a file: folded lines, speedscope's JSON, or a saved `-o json`.

Two runs are compared by function: lines move with every edit, pids and numbers of threads with every start.
"""

from __future__ import annotations

import gzip
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locard.model.errors import UsageError
from locard.model.wording import count
from locard.report.plain import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Paths = dict[tuple[str, ...], float]

_MOST_BYTES = 256 << 20
_FOLDED = re.compile(r"(?P<path>.*\S)\s+(?P<value>[0-9]+(?:\.[0-9]+)?)")
_LINE = re.compile(r":[0-9]+\)$")
_MODE = re.compile(r"--mode (cpu|wall|gil)\b")
_NUMBER = re.compile(r"[0-9]+")
_GZIP = b"\x1f\x8b"
FORMS = "folded lines, speedscope's JSON, or what `locard profile … -o json` printed"


@dataclass(frozen=True, slots=True)
class Base:
    """An earlier profile: what it is, and its values by path without lines and numbers of threads."""

    about: str
    paths: dict[tuple[str, ...], float]
    asked: tuple[tuple[str, str], ...] = ()  # the parameters of its probe, where they are known

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self.paths.values())


@dataclass(frozen=True, slots=True)
class Change:
    """One function: its shares of all by itself and with what it calls, before and now (0 to 1)."""

    name: str
    own_before: float
    own_now: float
    whole_before: float
    whole_now: float

    @property
    def own(self) -> float:
        """By how much its own share changed."""
        return self.own_now - self.own_before


def read(path: str) -> Base:
    """The profile in a file; raises UsageError where it is none, before anything is looked at."""
    try:
        with Path(path).open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if raw.startswith(_GZIP):
            with gzip.open(path) as packed:
                raw = packed.read(_MOST_BYTES + 1)
    except (OSError, ValueError, EOFError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--diff {path} cannot be read", why, f"Name a file: {FORMS}.") from error
    if len(raw) > _MOST_BYTES:
        raise UsageError(
            f"--diff {path} is too large", "more than 256 MB", "Name a shorter profile."
        )
    text = raw.decode("utf-8", "replace")
    try:
        base = _json(json.loads(text), path) if text.lstrip()[:1] in "{[" and text.strip() else None
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError, IndexError):
        base = None
    base = base or _folded(text, path)
    if base is None or not base.total > 0:
        raise UsageError(f"--diff {path} holds no stacks", f"it has to be {FORMS}", "See: --help")
    return base


def _json(data: Any, path: str) -> Base | None:
    if "profiles" in data:
        return _speedscope(data, path)
    for evidence in data["evidence"]:
        for fact in evidence["facts"]:
            if fact.get("stacks") and "program" in fact:
                asked = {str(k): str(v) for k, v in _pairs(evidence.get("params"))}
                paths = _summed(
                    (((s.get("thread") or "", *s["frames"])), float(s["value"]))
                    for s in fact["stacks"]
                )
                if fact.get("mode"):
                    asked["mode"] = str(fact["mode"])
                return Base(f"{path} ({fact['program']})", paths, tuple(asked.items()))
    return None


def _pairs(params: Any) -> Iterable[tuple[Any, Any]]:
    return params.items() if isinstance(params, dict) else [(p[0], p[1]) for p in params or ()]


def _speedscope(data: Any, path: str) -> Base:
    names = [str(f["name"]) for f in data["shared"]["frames"]]

    def every() -> Iterator[tuple[tuple[str, ...], float]]:
        for profile in data["profiles"]:
            thread = re.sub(r" of pid [0-9]+$", "", str(profile.get("name") or ""))
            for sample, weight in zip(profile["samples"], profile["weights"], strict=True):
                yield (thread, *(names[k] for k in sample)), float(weight)

    mode = _MODE.search(str(data.get("name") or ""))
    return Base(f"{path} (speedscope)", _summed(every()), (("mode", mode[1]),) if mode else ())


def _folded(text: str, path: str) -> Base | None:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = [_FOLDED.fullmatch(line.strip()) for line in lines]
    if not lines or None in found:
        return None
    return Base(
        f"{path} (folded)",
        _summed((tuple(m["path"].split(";")), float(m["value"])) for m in found if m),
    )


def _summed(every: Iterable[tuple[tuple[str, ...], float]]) -> Paths:
    sums: Paths = {}
    for path, value in every:
        key = comparable(path)
        sums[key] = sums.get(key, 0.0) + (value if math.isfinite(value) and value > 0 else 0.0)
    return sums


def comparable(path: tuple[str, ...]) -> tuple[str, ...]:
    """A path without what differs from run to run: pids, numbers of threads, lines."""
    if path and re.fullmatch(r"pid [0-9]+", path[0]):
        path = path[1:]
    if not path:
        return ()
    first = path[0] if path[0].endswith(")") and "(" in path[0] else _NUMBER.sub("*", path[0])
    return tuple(safe(_LINE.sub(")", name)) for name in (first, *path[1:]) if name)


def changes(now: Iterable[tuple[tuple[str, ...], float]], base: Base) -> tuple[Change, ...]:
    """Every function with its shares before and now, the greatest change of its own share first."""
    before, after = _shares(base.paths.items()), _shares(_summed(now).items())
    none = (0.0, 0.0)
    found = [
        Change(
            name,
            own_before=before.get(name, none)[0],
            own_now=after.get(name, none)[0],
            whole_before=before.get(name, none)[1],
            whole_now=after.get(name, none)[1],
        )
        for name in {**after, **before}
    ]
    return tuple(sorted(found, key=lambda c: (-abs(c.own), -abs(c.whole_now - c.whole_before))))


def _shares(every: Iterable[tuple[tuple[str, ...], float]]) -> dict[str, tuple[float, float]]:
    """By function: the share of all in which it is innermost, and in which it is anywhere."""
    own: dict[str, float] = {}
    whole: dict[str, float] = {}
    total = 0.0
    for path, value in every:
        total += value
        if path:
            own[path[-1]] = own.get(path[-1], 0.0) + value
        for name in set(path):
            whole[name] = whole.get(name, 0.0) + value
    return {n: (own.get(n, 0.0) / total, w / total) for n, w in whole.items()} if total else {}


def noise(total: float, before: float, share: float) -> float:
    """Twice the standard error of a difference of shares of so many samples: what chance alone gives."""
    if total <= 0 or before <= 0:
        return 1.0
    return 2 * math.sqrt(share * (1 - share) * (1 / total + 1 / before))


def lines(found: tuple[Change, ...], base: Base, total: float, most: int = 12) -> Iterator[str]:
    """The changes as lines of a screen; those within what chance gives are counted only."""
    sure = [
        c
        for c in found
        if abs(c.own) > noise(total, base.total, max(c.own_before, c.own_now))
        and abs(c.own) >= 0.001  # noqa: PLR2004 - a tenth of a point is shown as 0.1 %
    ]
    yield (
        f"against {base.about}: {base.total:,.0f} before, {total:,.0f} now; own share before -> now,"
        " by function"
    )
    for change in sure[:most]:
        yield (
            f"  {change.own_before:7.1%} -> {change.own_now:6.1%}  {100 * change.own:+6.1f} points  {change.name}"
        )
    if len(sure) > most:
        yield f"  and {count(len(sure) - most, 'function')} more, on the page"
    rest = len(found) - len(sure)
    if rest:
        yield f"  {count(rest, 'function')} changed by no more than chance gives"
