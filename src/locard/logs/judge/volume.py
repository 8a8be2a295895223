"""How much was written over time: the shape of the traffic, and what fell silent."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from locard.logs.judge import series
from locard.model.log_facts import MeasureShape, Onset, Silence
from locard.stats import course
from locard.stats.rise import CONFIDENCE, LEAST_RATIO
from locard.stats.silence import Pause, silence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.logs.fields.roles import Roles
    from locard.logs.judge.events import Events
    from locard.logs.table.table import Table
    from locard.stats.course import Course

_MOST_SOURCES = 50
_SOURCES = ("instance", "service")
_PARTS = re.compile(r"logger|component", re.IGNORECASE)  # of a program: they have their phases
_MOST_OF_LOSS = 0.7  # of the requests that did not come
_NEWCOMER = 0.05  # of the record: who begins so near to where another stops has replaced it


def silences(table: Table, events: Events, roles: Roles) -> tuple[Silence, ...]:
    """All requests, or one instance or service, that stopped though the log went on.

    An instance whose place a new one took at that time is not silent but replaced.
    """
    first, last = table.one("SELECT min(t_end), max(t_end) FROM ev")
    if first is None or last <= first:
        return ()
    wide = series.width(last - first, events.requests, least_s=events.stamp_s)
    bins = max(1, math.ceil((last - first) / wide))
    found = list(_of_all(table, first, wide, bins))
    if roles.status is None and roles.duration is None:
        return tuple(found)  # what else a program says comes in phases, and not as users do
    fields = [
        r.field
        for r in roles.found
        if r.role in _SOURCES and r.field in events.groups and not _PARTS.search(r.field)
    ]
    for field in fields:
        found += _of_values(table, (first, wide, bins), field, events.groups[field])
    return tuple(found)


def _of_all(table: Table, first: float, wide: float, bins: int) -> Iterator[Silence]:
    counts = [0] * bins
    for at, n in table.rows(
        "SELECT least(CAST(floor((t_end - ?) / ?) AS BIGINT), ?) AS b, count(*) "
        "FROM ev WHERE request GROUP BY b",
        [first, wide, bins - 1],
    ):
        counts[at] = n
    pause = silence(counts)
    if pause is not None:
        found = _silence("", "", pause, first, wide)
        if found.until is not None:
            start, gap, _ = _longest(table, found.since.earliest - wide, found.until + wide)
            found = replace(found, since=_begun(start, gap, found.per_s), until=start + gap)
        yield found


def _of_values(
    table: Table, grid: tuple[float, float, int], field: str, column: str
) -> list[Silence]:
    first, wide, bins = grid
    counts: dict[str, list[int]] = {}
    for value, at, n in table.rows(
        f"""WITH counted AS MATERIALIZED (
              SELECT {column} AS v, least(CAST(floor((t_end - ?) / ?) AS BIGINT), ?) AS b, count(*) AS n
              FROM ev WHERE {column} IS NOT NULL GROUP BY v, b)
            SELECT CAST(v AS VARCHAR), b, n FROM counted
            WHERE v IN (SELECT v FROM counted GROUP BY v ORDER BY sum(n) DESC, v LIMIT {_MOST_SOURCES})""",  # noqa: S608 - the column is ours
        [first, wide, bins - 1],
    ):
        counts.setdefault(value, [0] * bins)[at] = n
    if len(counts) < 2:  # noqa: PLR2004 - the only one is all of them
        return []
    begins = sorted(next(i for i, n in enumerate(c) if n) for c in counts.values())
    near = max(2, _NEWCOMER * bins)
    newcomers = [b for b in begins if b > begins[0] + near]  # the log may begin before them all
    if len(newcomers) > len(counts) / 2:
        return []  # they come and go all the time: that one is gone says nothing
    whole = [sum(c) for c in zip(*counts.values(), strict=True)]
    found = []
    for value, pause in sorted(_pauses(counts, whole), key=lambda p: p[1].start):
        heir = next((b for b in newcomers if abs(b - pause.start) <= near), None)
        if pause.end is None and heir is not None:
            newcomers.remove(heir)
        else:
            found.append(_silence(field, value, pause, first, wide))
    return found


def _pauses(counts: dict[str, list[int]], whole: Sequence[int]) -> Iterator[tuple[str, Pause]]:
    """Of each value, in the bins in which any of them wrote: a pause of all is not its own."""
    live = [i for i, n in enumerate(whole) if n]
    for value, each in counts.items():
        pause = silence([each[i] for i in live], len(counts))
        if pause is not None:
            end = None if pause.end is None else live[pause.end]
            yield value, Pause(live[pause.start], end, pause.per_bin, pause.p_value)


def _silence(field: str, value: str, pause: Pause, first: float, wide: float) -> Silence:
    edge = first + pause.start * wide
    until = None if pause.end is None else first + pause.end * wide
    since = Onset(max(first, edge - wide), edge, CONFIDENCE)
    return Silence(field, value, since, until, round(pause.per_bin / wide, 3), pause.p_value)


def shape(
    table: Table, events: Events, span: tuple[float, float], quiet: Sequence[Silence]
) -> MeasureShape | None:
    """The shape of the requests a second; None where there are too few bins for one.

    The last bin is in part after the end of the log, and a silence is told apart: neither counts.
    """
    # Usual widths only: an odd one would beat with whatever runs by the hour or the minute.
    wide = series.width(span[1] - span[0], events.requests, course.MOST_BINS, events.stamp_s)
    bins = series.bins(table, span, wide, [])
    counts: list[int | None] = list(bins.total[: math.floor((span[1] - span[0]) / wide)])
    for one in quiet:
        if not one.field:
            low = math.floor((one.since.earliest - span[0]) / wide)
            high = math.inf if one.until is None else math.ceil((one.until - span[0]) / wide)
            counts = [None if low <= i <= high else n for i, n in enumerate(counts)]
    found = course.of_counts(counts)
    if found is None:
        return None
    reached = found.after if found.peak is None else found.peak
    slight = max(found.before, reached) < LEAST_RATIO * min(found.before, reached)
    if found.shape == "flat" or (slight and found.shape != "periodic"):
        calm = round(found.before / wide, 4), round(found.after / wide, 4)
        return MeasureShape("volume", "flat", before=calm[0], after=calm[1])
    onset = end = None
    if found.earliest is not None and found.latest is not None:
        earliest, latest = bins.edge(found.earliest), bins.edge(found.latest)
        onset = Onset(earliest, min(latest, span[1]), CONFIDENCE)
    if found.end is not None:
        end = bins.edge(found.end)
    levels = _levels(found, counts)
    before, after, peak = (None if v is None else round(v / wide, 4) for v in levels)
    told = MeasureShape(
        "volume",
        found.shape,
        onset,
        end,
        before=before,
        after=after,
        peak=peak,
        period_s=None if found.period is None else found.period * wide,
    )
    return _pause(table, told, wide) or told


def _levels(found: Course, counts: Sequence[int | None]) -> tuple[float, float, float | None]:
    """Before, after and peak as the mean of what came: the middle of few counts may be 0 though some did."""
    if found.shape not in {"step", "spike"} or found.earliest is None or found.latest is None:
        return found.before, found.after, found.peak
    begun, last = math.ceil(found.latest), max((*found.more, found.end or 0, found.latest))
    before = _mean(counts[: math.floor(found.earliest)], found.before)
    after = _mean(counts[math.ceil(last) :], found.after)
    if found.end is None:
        return before, after, found.peak
    return before, after, _mean(counts[begun : math.floor(found.end)], found.peak or 0.0)


def _mean(counts: Sequence[int | None], otherwise: float) -> float:
    known = [n for n in counts if n is not None]
    return fmean(known) if known else otherwise


def _pause(table: Table, shape: MeasureShape, wide: float) -> MeasureShape | None:
    """A fall that is over and was no more than one time without any request: with its ends."""
    if shape.onset is None or shape.end is None or shape.before is None or shape.peak is None:
        return None
    if shape.shape != "spike" or shape.peak >= shape.before:
        return None
    low, high = shape.onset.earliest - wide, shape.end + wide
    start, gap, came = _longest(table, low, high)
    lost = shape.before * (high - low) - came
    if gap * shape.before < _MOST_OF_LOSS * lost:
        return None
    return replace(shape, onset=_begun(start, gap, shape.before), end=start + gap, peak=0.0)


def _longest(table: Table, low: float, high: float) -> tuple[float, float, int]:
    """Start and length (s) of the longest time without a request between two times, and how many came."""
    start, gap, came = table.one(
        """SELECT arg_max(came, gap), max(gap), count(*) FROM (
             SELECT t AS came, lead(t) OVER (ORDER BY t) - t AS gap FROM ev
             WHERE request AND t >= $low AND t <= $high)""",
        {"low": low, "high": high},
    )
    return start or low, gap or 0.0, came


def _begun(start: float, gap: float, per_s: float) -> Onset:
    return Onset(start, start + min(gap, 1 / max(per_s, 1e-9)), CONFIDENCE)
