"""memory.high of cgroups (version 2): above it a group is not killed but held back in its allocations.

With nothing left to reclaim (no swap, no page cache) it stands still, while systemd calls it running.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.host import _files
from locard.model import semconv
from locard.model.facts import Reading
from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAUSE_S = 0.7
_NEAR = 0.95  # of memory.high: what is charged for stays a little below or above it
_WAITS, _STANDS = 5.0, 20.0  # per cent of the last 10 s in which all its tasks waited


def is_near(directory: str, files: Mapping[str, list[str]]) -> bool:
    """Whether a group has a memory.high and is at it."""
    high, current = _whole(directory, "high", files), _whole(directory, "current", files)
    return bool(high) and current is not None and current >= _NEAR * (high or 0)


def readings(files: Mapping[str, list[str]], later: Mapping[str, list[str]]) -> Iterator[Reading]:
    """A reading of each group that has a memory.high: whether it is held back there."""
    for path in files:
        directory, _, name = path.rpartition("/")
        if name != "memory.high":
            continue
        high, current = _whole(directory, "high", files), _whole(directory, "current", files)
        if not high or current is None:
            continue
        events = _files.fields(files.get(f"{directory}/memory.events", ()))
        grown = _files.fields(later.get(f"{directory}/memory.events", ())).get("high")
        more = None if grown is None else max(0, grown - events.get("high", 0))
        full = _files.pressure(files.get(f"{directory}/memory.pressure", ())).get("full")
        yield Reading(
            semconv.CONTAINER_MEMORY_HIGH,
            _files.cgroup_subject(directory),
            current,
            "By",
            high,
            _verdict(events.get("high"), more, full, at_high=current >= _NEAR * high),
            _words(events, more, full, _no_swap(directory, files)),
            "target",
        )


def _whole(directory: str, name: str, files: Mapping[str, list[str]]) -> int | None:
    return _files.whole("".join(files.get(f"{directory}/memory.{name}", ())))


def _no_swap(directory: str, files: Mapping[str, list[str]]) -> bool:
    return _whole(directory, "swap.max", files) == 0


def _verdict(
    held: int | None, more: int | None, full: float | None, *, at_high: bool
) -> _files.Verdict:
    """It takes the group at its limit, held back there, and its tasks waiting: any one alone is normal."""
    if held is None:
        return "unknown"
    if not at_high or not held:
        return "ok"
    if full is None:
        return "warning" if more else "unknown"
    return _files.above(full, _WAITS, _STANDS)


def _words(events: Mapping[str, int], more: int | None, full: float | None, no_swap: bool) -> str:
    held = events.get("high")
    parts = [
        "how often it was held back is not told" if held is None else f"held back {held:,} times"
    ]
    if more is not None:
        parts[0] += f", {more:,} more within {PAUSE_S:g} s"
    if full is not None:
        parts.append(f"all its tasks waited {full:g} % of the last 10 s")
    if "oom_kill" in events:
        parts.append(count(events["oom_kill"], "OOM kill") + " in it")
    if no_swap:
        parts.append("it may not swap")
    return "; ".join(parts)
