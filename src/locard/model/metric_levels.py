"""How full things are, of a sampling that has nothing to compare with: in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locard.model.metric_facts import MeasuredSignal, MetricHistory

SAMPLED = "procfs"  # the source of what was sampled for this question
_ASIDE = frozenset({"cpu limit", "cache", "throttled time"})  # told by others better
_LONG_S = 58.0  # a minute, less what a late look takes of it


def is_sampled(found: MetricHistory) -> bool:
    """Whether locard itself sampled it, just now."""
    return found.source == SAMPLED


def levels_only(found: MetricHistory) -> bool:
    """Whether it was sampled for too short a time to compare its end with its beginning."""
    return is_sampled(found) and found.end - found.start < _LONG_S


def sampled_words(found: MetricHistory) -> str:
    """For how long it was sampled."""
    seconds = found.end - found.start
    return f"sampled for {seconds:.2g} s" if seconds < 10 else f"sampled for {seconds:.0f} s"  # noqa: PLR2004


def fullness(signal: MeasuredSignal) -> float:
    """How full it is: of its limit, or as a share of the time; 0 where neither is known."""
    level = signal.after if signal.after is not None else signal.now
    if level is None:
        return 0.0
    if signal.limit:
        return level / signal.limit
    return level if signal.unit == "1" or is_share_of_time(signal) else 0.0


def is_share_of_time(signal: MeasuredSignal) -> bool:
    """Whether it is pressure: the share of the time in which some or all waited."""
    return signal.unit == "s/s" and "pressure" in signal.metric


def worth_a_line(signal: MeasuredSignal) -> bool:
    """Whether a level is told though nothing changed: it has a limit, or is not nothing."""
    level = signal.after if signal.after is not None else signal.now
    return signal.resource not in _ASIDE and (bool(signal.limit) or bool(level))


def fullest(found: MetricHistory) -> list[MeasuredSignal]:
    """What is known to have a limit, or to be a share of the time, the fullest first."""
    known = [s for s in found.signals if s.signal == "saturation" and fullness(s) > 0]
    return sorted(known, key=lambda s: -fullness(s))
