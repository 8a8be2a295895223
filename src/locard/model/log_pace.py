"""Whether a log fell silent, or nearly: the time since its last line, and its volume against what was usual."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model.log_facts import MeasureShape, Onset

if TYPE_CHECKING:
    from locard.model.log_facts import LogSummary

_ROTATED = re.compile(r"\.(gz|zst|bz2|xz|lz4|zip)$|[.-]\d{1,10}(\.\w+)?$")
_COLLAPSED = 0.25  # of the volume before
_LEAST_LOST = 50  # lines that would have come
# Points of the series; of what is usual, below which no other point is.
_FEWEST_LOW, _UNUSUAL = 2, 0.4
# So many lines are missing after so many seconds: a writer may hold back a block of its output (8 KB, some
# 100 lines), and a reader under load comes late.
_SILENT = ((30.0, 300), (60.0, 100), (600.0, 20))
_PAUSES = 3.0  # times the longest pause before
_OLD_S, _OLD_SPANS = 6 * 3600.0, 3.0  # a log that ended longer ago is a copy of the past
_PACE_S = 30.0  # that a log has to have written for, to have a pace
_QUARTER_S, _ZONE_SLACK_S = 900.0, 90.0


def collapsed(log: LogSummary) -> MeasureShape | None:
    """The course of the volume, where it fell to a quarter or less and stayed there."""
    for shape in log.shapes:
        if shape.measure != "volume" or shape.onset is None or shape.shape not in {"step", "ramp"}:
            continue
        before, after = shape.before or 0.0, shape.after or 0.0
        lasted = (log.last or 0.0) - shape.onset.latest
        if after <= _COLLAPSED * before and (before - after) * lasted >= _LEAST_LOST:
            return shape
    return _collapsed_lately(log)


def _collapsed_lately(log: LogSummary) -> MeasureShape | None:
    """A fall so near to the end of the log that its course has no step yet.

    The last points (but for the very last, which is not whole) lie below a quarter of what is usual, and no
    other came near to that.
    """
    points = log.series[:-1]
    rates = [p.total / p.width_s for p in points]
    usual = sorted(rates)[len(rates) // 2] if rates else 0.0
    low = 0
    while low < len(rates) and rates[-1 - low] <= _COLLAPSED * usual:
        low += 1
    if low < _FEWEST_LOW or low == len(rates) or min(rates[:-low]) < _UNUSUAL * usual:
        return None
    tail = points[-low:]
    seconds, many = sum(p.width_s for p in tail), sum(p.total for p in tail)
    if usual * seconds - many < _LEAST_LOST:
        return None
    onset = Onset(tail[0].start - tail[0].width_s, tail[0].start, 0.95)
    return MeasureShape(
        "volume", "step", onset, before=round(usual, 3), after=round(many / seconds, 3)
    )


def silent_s(log: LogSummary, now: float | None) -> float | None:
    """Seconds since the last line, where by the log's pace many would have come; None where it goes on."""
    seen, read = log.extent, now or log.extent.read_at
    if read is None or seen.last_line is None or log.first is None:
        return None
    ended = any(b.ended is not None for b in log.beginnings)  # who wrote it: nothing is missing
    if ended or log.partial or _ROTATED.search(log.source):
        return None  # it was cut, or put away: what came after is elsewhere
    since, span = read - seen.last_line, seen.last_line - log.first
    if span <= 0 or since > max(_OLD_S, _OLD_SPANS * span):
        return None
    if span < _PACE_S and since > span:
        return None  # what wrote for so short a time had said it all: a start, a batch
    quarters = round(since / _QUARTER_S)
    if not seen.zoned and quarters and abs(since - quarters * _QUARTER_S) < _ZONE_SLACK_S:
        return None  # as likely another zone as a silence
    missed = since * log.records / span
    return (
        None
        if not missing_for_long(since, missed) or since < _PAUSES * (seen.longest_gap_s or 0.0)
        else since
    )


def of_this_zone(log: LogSummary, since_s: float) -> bool:
    """Whether a silence rests on that the times, which name no zone, are of the reader's.

    Of a line that is seconds old by that reading nothing else is likely; the writer's clock may differ by that.
    """
    return not log.extent.zoned and since_s < _ZONE_SLACK_S


def missing_for_long(seconds: float, missed: float) -> bool:
    """Whether so many lines that did not come in so long are more than a delay."""
    return any(seconds >= least_s and missed >= lines for least_s, lines in _SILENT)
