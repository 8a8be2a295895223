"""Holes in a log: what keeps it threw lines away, or seems to have, because they came too fast.

A hole says nothing of the service: no line in it is no calm, and no error in it is no health.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

How = Literal[
    "said",  # what keeps the log says that it threw lines away
    "exact",  # as many lines as it lets through, to the line, and then none in the middle of a burst
    "likely",  # at least as many, and then none
]


@dataclass(frozen=True, slots=True)
class Drop:
    """That so many lines of a unit were thrown away, as was said at a time (Unix time in seconds)."""

    unit: str
    at: float
    lines: int


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many lines of a unit are let through in an interval, and what was said of those that were not.

    `unit` is empty where the log is of many; then nothing is known but the `drops`. `grows` says that
    `burst` is scaled by the room on the disk. `running`: the unit runs; None where that is not known.
    """

    keeper: str
    unit: str = ""
    burst: int = 0
    interval_s: float = 0.0
    grows: bool = False
    running: bool | None = None
    drops: tuple[Drop, ...] = ()
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogHole:
    """From the last line before it on; `until` is the first line after it, None where none came.

    `lines` is how many were thrown away, None until that is said; of an open hole at least so many. `kept` lines came in `in_s` seconds before.
    """

    since: float
    until: float | None
    how: How
    unit: str
    keeper: str
    limit: str = ""
    lines: int | None = None
    kept: int = 0
    in_s: float = 0.0
    running: bool | None = None
    evidence: tuple[str, ...] = ()


def last(holes: Sequence[LogHole]) -> LogHole | None:
    """The hole that counts for how things stand now: one that is open, else the latest."""
    return max(holes, key=lambda h: (h.until is None, h.since), default=None)


def covers(holes: Sequence[LogHole], at: float) -> bool:
    """Whether lines may be missing at a time, or since then."""
    return any(h.until is None or h.until >= at for h in holes)


def sentence(hole: LogHole, clock: Callable[[float], str]) -> str:
    """What is missing, how that is known, and what therefore cannot be told."""
    until = "" if hole.until is None else f" until {clock(hole.until)}"
    many = "" if hole.lines is not None else " How many is not told before the unit writes again."
    failed = "Whether it failed then" if hole.until is not None else "Whether it fails since then"
    return (
        f"The log of {hole.unit} {'may lack' if hole.how == 'likely' else 'lacks'} lines from {clock(hole.since)} "
        f"on{until}: {why(hole)}.{many} {failed} cannot be told from it, nor what share of the requests."
    )


def why(hole: LogHole) -> str:
    """How that is known, with its numbers."""
    if hole.lines is not None:
        least = (
            "" if hole.until is not None else "at least "
        )  # of those since then it is not said yet
        return f"{hole.keeper} says that it suppressed {least}{count(hole.lines, 'line')}"
    runs = ", while the unit runs on" if hole.running else ""
    return (
        f"{hole.keeper} let {count(hole.kept, 'line')} through in {hole.in_s:.3g} s ({hole.limit}), "
        f"then none in the middle of a burst{runs}"
    )
