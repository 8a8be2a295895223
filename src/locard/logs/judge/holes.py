"""Where lines were thrown away because they came too fast: by what was said, or by how the log stops.

journald lets so many lines of a unit through in an interval that begins with a line of it, each
group of priorities on its own, and then none until the interval is over. So a hole is an interval with
exactly as many lines as that, which ends in the middle of a burst.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from locard.logs.table.sql_text import literal
from locard.model.log_facts import Coverage
from locard.model.log_holes import LogHole, covers, last, why

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.logs.table.table import Table
    from locard.model.log_facts import BlastRadius, Onset, Silence, ValueShift
    from locard.model.log_holes import Drop, How, RateLimit

_TIME, _PRIORITY = "__REALTIME_TIMESTAMP", "PRIORITY"
_UNIT_FIELDS = ("_SYSTEMD_UNIT", "service.name")
# syslog's emerg to crit, err, warning, notice and info, debug: what journald counts together.
_POOLS = ((0, 1, 2), (3,), (4,), (5, 6), (7,))
# The burst grows with the room on the disk: from nothing, by a quarter for each doubling above 1 MiB.
_DOUBLINGS = range(20, 45)
_SURE_BURST = 100  # of a smaller one, many counts are as many as are let through by chance
_MISSING = 30.0  # lines that would have come at the pace of the end, before a stop is one
_FEWEST = 10
_SLACK_S = 0.5  # between the clock of the limit and the times of the lines
_LEAST_GAP_US = 100_000
_CHUNK = 100_000  # rows
_MOST_HOLES = 8
_MOST_LINES = 20_000_000


def found(table: Table, limits: Sequence[RateLimit]) -> tuple[LogHole, ...]:
    """The holes of a log, in order."""
    holes = [hole for limit in limits for hole in _joined(_of(table, limit), limit.interval_s)]
    return tuple(sorted(holes, key=lambda h: h.since)[-_MOST_HOLES:])


def _joined(holes: Iterator[LogHole], interval_s: float) -> Iterator[LogHole]:
    """Those with less than an interval between them as one: what is let through there is a part as well."""
    one: LogHole | None = None
    for hole in sorted(holes, key=lambda h: h.since):
        if one is None or one.until is None or hole.since - one.until > interval_s:
            if one is not None:
                yield one
            one = hole
            continue
        lines = (one.lines or 0) + (hole.lines or 0)
        how: How = "said" if "said" in {one.how, hole.how} else hole.how
        one = replace(one, until=hole.until, how=how, lines=lines or None)
    if one is not None:
        yield one


def coverage(holes: Sequence[LogHole]) -> Coverage | None:
    """That the log holds what a limit let through, by the hole that says most; None without one."""
    hole = last(holes)
    return None if hole is None else Coverage("rate-limited", why(hole))


def of_shifts(shifts: tuple[ValueShift, ...], holes: Sequence[LogHole]) -> tuple[ValueShift, ...]:
    """The values that became frequent, but for those after which lines are missing: of these no share is known."""
    return tuple(s for s in shifts if not covers(holes, s.since.earliest))


def of_silences(silences: tuple[Silence, ...], holes: Sequence[LogHole]) -> tuple[Silence, ...]:
    """The silences, but for those that are holes: of these nobody knows that they were silent."""
    return tuple(
        s
        for s in silences
        if not any(
            h.since <= s.since.latest + _SLACK_S and covers((h,), s.since.earliest) for h in holes
        )
    )


def of_radii(
    radii: tuple[BlastRadius, ...], holes: Sequence[LogHole], onset: Onset
) -> tuple[BlastRadius, ...]:
    """Who is hit, without anybody spared: what failed of them may be in a hole since the onset."""
    if not covers(holes, onset.earliest):
        return radii
    return tuple(replace(r, unaffected=(), unknown=(*r.unknown, *r.unaffected)) for r in radii)


@dataclass(frozen=True, slots=True)
class _Stop:
    """An interval of one pool that ends as a limit ends it. Times in seconds."""

    begin: float
    last: float
    then: float | None  # when the next line of the pool came
    count: int
    exact: bool


def _of(table: Table, limit: RateLimit) -> Iterator[LogHole]:
    if _TIME not in table.columns:
        return
    every = {s.last: s for s in _stops(table, limit)} if limit.burst else {}
    stops = [every[last] for last in sorted(every)]
    told: set[int] = set()
    for drop in limit.drops:
        before = [s for s in stops if s.last <= drop.at + _SLACK_S]
        stop = before[-1] if before else None
        if stop is not None:
            told.add(id(stop))
        since = stop.last if stop else _last_before(table, drop)
        if since is not None:
            # What came once the interval was over was let through again.
            until = min(drop.at, stop.begin + limit.interval_s) if stop else drop.at
            yield LogHole(
                since, until, "said", drop.unit, limit.keeper, _words(limit), drop.lines,
                stop.count if stop else 0, stop.last - stop.begin if stop else 0.0, limit.running,
                limit.evidence,
            )  # fmt: skip
    # Of lines that were let through again it would have been said that some were not.
    for stop in stops:
        if id(stop) not in told and stop.then is None:
            yield LogHole(
                stop.last, None, "exact" if stop.exact else "likely", limit.unit, limit.keeper,
                _words(limit), None, stop.count, stop.last - stop.begin, limit.running, limit.evidence,
            )  # fmt: skip


def _words(limit: RateLimit) -> str:
    if not limit.burst:
        return ""
    grown = ", more by the room on its disk" if limit.grows else ""
    return f"its limit is {limit.burst:,} in {limit.interval_s:g} s{grown}"


def _own(table: Table, unit: str) -> str:
    """SQL over `raw` of whether a line is the unit's own: systemd writes of it, too."""
    name = next((table.columns[f] for f in _UNIT_FIELDS if f in table.columns), None)
    return f"CAST({name} AS VARCHAR) = {literal(unit)}" if name and unit else "true"


def _last_before(table: Table, drop: Drop) -> float | None:
    time = table.columns[_TIME]
    (at,) = table.one(
        f"SELECT max(TRY_CAST({time} AS BIGINT)) FROM raw WHERE {_own(table, drop.unit)} "  # noqa: S608 - quoted
        f"AND TRY_CAST({time} AS BIGINT) < {round(drop.at * 1e6)}"
    )
    return None if at is None else at / 1e6


def _stops(table: Table, limit: RateLimit) -> Iterator[_Stop]:
    """The intervals that end as a limit ends them, of each pool of priorities."""
    time, own = f"TRY_CAST({table.columns[_TIME]} AS BIGINT)", _own(table, limit.unit)
    priority = table.columns.get(_PRIORITY)
    # Where a message has a level of its own, its priority is not known: then all are counted together, too.
    pools = [f"TRY_CAST({priority} AS INT) IN {(*p, -1)}" for p in _POOLS] if priority else []
    for pool in ("true", *pools):
        lines = f"SELECT {time} AS t FROM raw WHERE {own} AND {pool} AND {time} IS NOT NULL"  # noqa: S608 - columns are ours
        (fast,) = table.one(
            f"""SELECT count(*) FROM (
                  SELECT t - lag(t, {limit.burst - 1}) OVER (ORDER BY t) AS took,
                         lead(t) OVER (ORDER BY t) - t AS gap FROM ({lines}))
                WHERE took <= {limit.interval_s * 1e6} AND (gap IS NULL OR gap > {_LEAST_GAP_US})"""  # noqa: S608
        )
        if fast:
            yield from _in_turn(table, f"{lines} ORDER BY t LIMIT {_MOST_LINES}", limit)


def _in_turn(table: Table, sql: str, limit: RateLimit) -> Iterator[_Stop]:
    """The intervals one after the other, each from the first line after the one before."""
    rows, times = table.db.execute(sql), array("d")
    while chunk := rows.fetchmany(_CHUNK):
        for (us,) in chunk:
            at = us / 1e6
            if times and at > times[0] + limit.interval_s:
                stop = _stop(times, limit, at)
                if stop is not None:
                    yield stop
                times = array("d")
            times.append(at)
    stop = _stop(times, limit, None)
    if stop is not None:
        yield stop


def _stop(times: array[float], limit: RateLimit, then: float | None) -> _Stop | None:
    """Whether an interval ends in the middle of a burst, with just as many lines as are let through."""
    allowed = {limit.burst}
    if limit.grows:
        allowed |= {limit.burst * (k - 16) // 4 for k in _DOUBLINGS}
    if len(times) not in allowed:
        return None
    rest = times[0] + limit.interval_s - times[-1]
    pace = min(_pace(times[-_FEWEST:]), _pace(times[-max(_FEWEST, len(times) // 4) :]))
    if rest * pace < _MISSING:
        return None
    return _Stop(times[0], times[-1], then, len(times), limit.burst >= _SURE_BURST)


def _pace(times: array[float]) -> float:
    """Lines a second."""
    return len(times) / max(times[-1] - times[0], 0.01)
