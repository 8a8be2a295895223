"""Times in words: each with its zone, the day where it is not plain which."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from locard.model.moments import MARK

if TYPE_CHECKING:
    import re

    from locard.model.log_facts import Onset

_MINUTES, _HOURS, _DAYS = (
    120.0,
    2 * 3600.0,
    2 * 86400.0,
)  # from where on the bigger unit reads better


def clock(at: float, tz: dt.tzinfo | None, *, zone: bool = False) -> str:
    """`15:42:10`, with the zone's name where asked."""
    return _moment(at, tz).strftime("%H:%M:%S" + (" %Z" if zone else ""))


def day(at: float, tz: dt.tzinfo | None) -> str:
    """`2026-11-23 15:42:10 UTC`."""
    return _moment(at, tz).strftime("%Y-%m-%d %H:%M:%S %Z")


def stamp(at: float) -> str:
    """`2026-11-23T15:42:10Z`, as commands take it."""
    return _moment(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(first: float, last: float, tz: dt.tzinfo | None) -> str:
    """`2026-11-23 15:42:10 to 16:00:00 UTC`, with the day of the end where it is another one."""
    end = clock(last, tz, zone=True) if same_day(first, last, tz) else day(last, tz)
    return f"{_moment(first, tz).strftime('%Y-%m-%d %H:%M:%S')} to {end}"


def same_day(one: float, other: float, tz: dt.tzinfo | None) -> bool:
    """Whether a clock time alone says which moment is meant."""
    return _moment(one, tz).date() == _moment(other, tz).date()


def interval(onset: Onset, tz: dt.tzinfo | None, *, dated: bool = False) -> str:
    """The onset as an interval: `15:42:10 to 15:42:14 UTC`, with the day where asked."""
    late = day(onset.latest, tz) if dated else clock(onset.latest, tz, zone=True)
    if not onset.baseline_seen:
        return f"before {late} (no baseline was seen)"
    if clock(onset.earliest, tz) == clock(onset.latest, tz):
        return late
    if dated:
        return span(onset.earliest, onset.latest, tz)
    return f"{clock(onset.earliest, tz)} to {late}"


def told(text: str, tz: dt.tzinfo | None, *, dated: bool = False) -> str:
    """A text with its moments written out as clock times with their zone, and their day if asked."""

    def write(mark: re.Match[str]) -> str:
        at = float(mark[1])
        return day(at, tz) if dated else clock(at, tz, zone=True)

    return MARK.sub(write, text)


def ago(seconds: float) -> str:
    """`20 s`, `35 min`, `4 h`, `12 days`."""
    if seconds < _MINUTES:
        return f"{seconds:.0f} s"
    if seconds < _HOURS:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < _DAYS else f"{seconds / 86400:.0f} days"


def _moment(at: float, tz: dt.tzinfo | None) -> dt.datetime:
    return dt.datetime.fromtimestamp(at, tz).astimezone(tz)
