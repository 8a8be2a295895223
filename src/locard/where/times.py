"""Times as people write them in a question: ISO 8601, HH:MM[:SS], `10m ago`, Unix time."""

from __future__ import annotations

import datetime as dt
import re
import time
from dataclasses import dataclass, field

from locard.guard.budget import parse_duration
from locard.model.errors import UsageError

_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d(?:\.\d+)?))?")
_UNIX = re.compile(r"\d{9,10}(\.\d+)?")
_NEXT_STEP = "Write 2026-11-22T12:03, 12:03, 12:03:20, 10m ago, now or a Unix time."


@dataclass(frozen=True, slots=True)
class Clock:
    """What a time without a date or a zone means.

    `last` is the Unix time of the log's last record: HH:MM is the latest such time up to it.
    `zone` None is the local one.
    """

    zone: dt.tzinfo | None = None
    last: float | None = None
    now: float = field(default_factory=time.time)


def moment(text: str, clock: Clock) -> float:
    """Unix time in seconds; raises UsageError."""
    text = text.strip()
    if text == "now":
        return clock.now
    if text.endswith(" ago"):
        return clock.now - parse_duration(text.removesuffix(" ago"))
    if _UNIX.fullmatch(text):
        return float(text)
    hours = _CLOCK.fullmatch(text)
    try:
        if hours:
            return _on_the_day(hours, clock)
        found = dt.datetime.fromisoformat(text)
        return (found if found.tzinfo else _placed(found, clock)).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            f"{text!r} is no time", f"{text!r} is no time in a form that is known", _NEXT_STEP
        ) from error


def _placed(found: dt.datetime, clock: Clock) -> dt.datetime:
    return found.replace(tzinfo=clock.zone) if clock.zone else found.astimezone()


def _on_the_day(hours: re.Match[str], clock: Clock) -> float:
    """The latest such time of day up to the end of the log."""
    end = clock.last if clock.last is not None else clock.now
    seconds = float(hours[3] or 0)
    day = dt.datetime.fromtimestamp(end, clock.zone).replace(tzinfo=None)
    at = day.replace(
        hour=int(hours[1]), minute=int(hours[2]), second=int(seconds), microsecond=0
    ) + dt.timedelta(seconds=seconds % 1)
    if _placed(at, clock).timestamp() > end:
        at -= dt.timedelta(days=1)
    return _placed(at, clock).timestamp()
