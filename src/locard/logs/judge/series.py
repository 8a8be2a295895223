"""Counts over time, as questions to the table of events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model.log_facts import RatePoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.logs.judge.events import Events
    from locard.logs.table.table import Table

_WIDTHS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0,
           7200.0, 21600.0, 86400.0, 604800.0)  # fmt: skip
MOST_BINS = 600
MOST_POINTS = 72
_END_SHARE = 0.1  # at most so much of the record is left out at its end


@dataclass(frozen=True, slots=True)
class Bins:
    """`counts[i]` belongs to [start + i * width_s, start + (i + 1) * width_s)."""

    start: float
    width_s: float
    total: list[int]
    counts: tuple[list[int], ...]

    def edge(self, index: float) -> float:
        """The time of a bin edge."""
        return self.start + index * self.width_s


def width(span_s: float, requests: int, most: int = MOST_BINS, least_s: float = 0.0) -> float:
    """The narrowest usual width that gives at most `most` bins and a request a bin.

    It is no narrower than `least_s`: of times in whole seconds half of the bins of half a second are empty.
    """
    for candidate in _WIDTHS:
        if candidate >= least_s and span_s / candidate <= most and requests * candidate >= span_s:
            return candidate
    return _WIDTHS[-1]


def window(table: Table, events: Events) -> tuple[float, float] | None:
    """The time in which every request that began is also in the log.

    At the start a log holds the ends of requests that began before it: only the slow ones. At its
    end the slow ones are still missing. Both would look like a change.
    """
    if events.first is None or events.last is None or events.last <= events.first:
        return None
    last = events.last
    if events.begins:
        span = events.last - events.first
        (late,) = table.one(
            f"SELECT quantile_cont(dur, 0.995) FROM ev WHERE request AND {table.thinned}"  # noqa: S608 - a number
        )
        last -= min((late or 0.0) / 1000, _END_SHARE * span)
    return events.first, last


def bins(
    table: Table,
    span: tuple[float, float],
    width_s: float,
    conditions: Sequence[str],
    whose: str = "true",
) -> Bins:
    """Requests per bin, and those that meet each of the conditions (SQL over `ev`).

    `whose` is the SQL condition for the requests that count at all.
    """
    first, last = span
    count = max(1, int(-(-(last - first) // width_s)))
    total = [0] * count
    counts: tuple[list[int], ...] = tuple([0] * count for _ in conditions)
    picks = "".join(f", count_if({c})" for c in conditions)
    for at, n, *hits in table.rows(
        f"SELECT least(CAST(floor((t - ?) / ?) AS BIGINT), ?) AS b, count(*){picks} "  # noqa: S608
        f"FROM ev WHERE request AND t >= ? AND t <= ? AND {whose} GROUP BY b",
        [first, width_s, count - 1, first, last],
    ):
        total[at] = n
        for values, hit in zip(counts, hits, strict=True):
            values[at] = hit or 0  # count_if of nothing but nulls is null
    return Bins(first, width_s, total, counts)


def points(table: Table, span: tuple[float, float], stamp_s: float = 0.0) -> tuple[RatePoint, ...]:
    """The time series as people see it, at most 72 points, none shorter than what the times tell."""
    first, last = span
    wide = width(last - first, 1 << 40, MOST_POINTS, stamp_s)
    found = {
        at: rest
        for at, *rest in table.rows(
            "SELECT CAST(floor((t - ?) / ?) AS BIGINT) AS b, count(*), count_if(err), "  # noqa: S608 - numbers
            f"quantile_cont({table.durations}, [0.5, 0.99]) "
            "FROM ev WHERE request AND t >= ? AND t <= ? GROUP BY b",
            [first, wide, first, last],
        )
    }
    series = []
    for at in range(max(found, default=-1) + 1):
        n, errors, took = found.get(at, (0, 0, None))
        p50, p99 = map(_short, took or (None, None))
        series.append(RatePoint(first + at * wide, wide, n, errors, p50, p99))
    return tuple(series)


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
