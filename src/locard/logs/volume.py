"""How much was written over time: the shape of the traffic, and what fell silent."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from locard.logs import series
from locard.model.log_facts import MeasureShape, Onset, Silence
from locard.stats import course
from locard.stats.rise import CONFIDENCE, LEAST_RATIO
from locard.stats.silence import Pause, silence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.logs.events import Events
    from locard.logs.roles import Roles
    from locard.logs.table import Table

_MOST_SOURCES = 50
_SOURCES = ("instance", "service")
_PARTS = re.compile(r"logger|component", re.IGNORECASE)  # of a program: they have their phases
_NEWCOMER = 0.05  # of the record: who begins so near to where another stops has replaced it


def silences(table: Table, events: Events, roles: Roles) -> tuple[Silence, ...]:
    """All requests, or one instance or service, that stopped though the log went on.

    An instance whose place a new one took at that time is not silent but replaced.
    """
    first, last = table.one("SELECT min(t_end), max(t_end) FROM ev")
    if first is None or last <= first:
        return ()
    wide = series.width(last - first, events.requests)
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
        yield _silence("", "", pause, first, wide)


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
    wide = series.width(span[1] - span[0], events.requests, course.MOST_BINS)
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
    before, after = round(found.before / wide, 4), round(found.after / wide, 4)
    if found.shape == "flat" or (slight and found.shape != "periodic"):
        return MeasureShape("volume", "flat", before=before, after=after)
    onset = None
    if found.earliest is not None and found.latest is not None:
        earliest, latest = bins.edge(found.earliest), bins.edge(found.latest)
        onset = Onset(earliest, min(latest, span[1]), CONFIDENCE)
    return MeasureShape(
        "volume",
        found.shape,
        onset,
        before=before,
        after=after,
        peak=None if found.peak is None else round(found.peak / wide, 4),
        period_s=None if found.period is None else found.period * wide,
    )
