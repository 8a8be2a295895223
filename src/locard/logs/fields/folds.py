"""Local hours that come twice when clocks are put back: which of a log's records are of the first time.

The order of the lines tells: from where the written time falls back, it is the second time.

Source: the tz database, through zoneinfo.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from locard.logs.fields.times import Fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.logs.fields.roles import Roles
    from locard.logs.table.table import Table

_HOUR_S, _DAY_S = 3600.0, 86_400.0
_MOST_DAYS = 366 * 12  # that are looked through
_SOON_S = 900.0  # a log that writes about once a quarter of an hour goes on over the fold


def with_folds(roles: Roles, table: Table) -> Roles:
    """The roles, with the hours that came twice in the zone that was declared for the log."""
    written, time = roles.time_format, roles.time
    if time is None or not written.zone or written.kind != "iso" or written.folds:
        return roles
    local = f"epoch(TRY_CAST(replace({time.column}, ',', '.') AS TIMESTAMP))"
    first, last = table.one(f"SELECT min({local}), max({local}) FROM raw_kept")  # noqa: S608 - columns are ours
    if first is None or last - first > _MOST_DAYS * _DAY_S:
        return roles
    folds = []
    for begin, end, back_s in _put_back(ZoneInfo(written.zone), first, last):
        until, sure = _boundary(table, local, begin, end, back_s)
        if until is None:
            continue
        folds.append(Fold(begin, end, back_s, until))
        if not sure:
            hour = dt.datetime.fromtimestamp(begin, dt.UTC)
            table.note(
                f"the hour from {hour:%Y-%m-%d %H:%M} comes twice in {written.zone}, and no line tells which "
                f"one this is: read as the {'first' if until else 'second'}"
            )
    return replace(roles, time_format=replace(written, folds=tuple(folds)))


def _put_back(zone: ZoneInfo, first: float, last: float) -> Iterator[tuple[float, float, float]]:
    """Begin and end of each stretch of local time that comes twice, and by how many seconds."""
    day = first - 2 * _DAY_S
    while day < last + _DAY_S:
        before, after = _offset_s(zone, day), _offset_s(zone, day + _DAY_S)
        if after < before:
            low, high = day, day + _DAY_S
            while high - low > 1.0:
                middle = (low + high) / 2
                low, high = (middle, high) if _offset_s(zone, middle) == before else (low, middle)
            moment = float(round(high))
            yield moment + after, moment + before, before - after
        day += _DAY_S


def _offset_s(zone: ZoneInfo, at: float) -> float:
    offset = dt.datetime.fromtimestamp(at, zone).utcoffset()
    return offset.total_seconds() if offset is not None else 0.0


def _boundary(
    table: Table, local: str, begin: float, end: float, back_s: float
) -> tuple[int | None, bool]:
    """The line from which on it is the second time, and whether the log tells; None: no line is in it."""
    near = f"SELECT _n, {local} AS l FROM raw_kept WHERE {local} >= {begin - _HOUR_S!r} AND {local} < {end + _HOUR_S!r}"  # noqa: S608 - numbers
    within, step, before, after = table.one(
        f"""SELECT count_if(l >= {begin!r} AND l < {end!r}),
                   min(_n) FILTER (l >= {begin!r} AND l < {end!r} AND l < m - {back_s / 2!r}),
                   coalesce(bool_or(l < {begin!r} AND l >= {begin - _SOON_S!r}), false),
                   coalesce(bool_or(l >= {end!r} AND l < {end + _SOON_S!r}), false)
            FROM (SELECT _n, l, max(l) OVER (ORDER BY _n ROWS UNBOUNDED PRECEDING) AS m FROM ({near}))"""  # noqa: S608 - as above
    )
    if not within:
        return None, True
    if step is not None:
        return int(step), True
    # No step back: lines right before the hour go on with the first time, those right behind it with the second.
    return (1 << 62 if before and not after else 0), before != after
