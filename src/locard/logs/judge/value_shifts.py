"""Where the mix of the requests changed: a value of a field that became more frequent among them, and stayed so.

A service that answers most requests with 401, warns with every line, or is done in no time for half of its
requests has no more errors than before, and is not the same. So before a log may be called steady, the
share of each value of its status, its level, its group fields and the size of its durations is looked at over
time: one cut, both sides large, and every part of the one side apart from the other's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from locard.logs.table.sql_text import literal
from locard.model.log_facts import Onset, ValueShift

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.logs.fields.roles import Roles
    from locard.logs.judge.events import Events
    from locard.logs.table.table import Table

_BINS = 48
_MOST_VALUES = 24  # of a field, the most frequent ones
_FEWEST = 60  # records on each side of a cut
_LEAST_POINTS = 0.1  # of all records, by which a share grew
_SIGMAS = 8.0
_FEWEST_IN_BIN = 3
_APART = 0.9  # of the bins of one side that lie beyond those of the other
_SHOWN = 3
_CONFIDENCE = 0.9
# The size of a duration: each class is four times as long as the one before.
_DURATION = "CASE WHEN dur IS NULL THEN NULL ELSE CAST(greatest(-2, floor(log(4, greatest(dur, 0.01)))) AS INTEGER) END"


def found(
    table: Table, events: Events, roles: Roles, span: tuple[float, float]
) -> tuple[ValueShift, ...]:
    """The values whose share grew, what grew most first; one for each field."""
    first, last = span
    if last <= first or events.requests < 2 * _FEWEST:
        return ()
    wide = (last - first) / _BINS
    shifts = []
    for field, column, source in _columns(events, roles):
        counts = _counts(table, column, source, first, wide)
        best = max(
            _grown(field, counts, first, wide), key=lambda s: s.after - s.before, default=None
        )
        if best is not None:
            shifts.append(best)
    shifts.sort(key=lambda s: s.before - s.after)
    return tuple(shifts[:_SHOWN])


def _columns(events: Events, roles: Roles) -> Iterator[tuple[str, str, str]]:
    """(name, SQL of the value, SQL of the rows): what says how a request went, then who asked for what."""
    for item in (roles.status, roles.level):
        if item is not None:
            values = f"(SELECT _n, {item.column} AS role_value FROM raw)"  # noqa: S608 - columns are ours
            yield item.name, "role_value", f"ev JOIN {values} ON _n = n"
    if events.has_duration:
        yield "", _DURATION, "ev"
    named = {item.name for item in (roles.status, roles.level) if item is not None}
    for field, column in events.groups.items():
        if field not in named:
            yield field, column, "ev"


def _counts(
    table: Table, column: str, source: str, first: float, wide: float
) -> dict[str, list[int]]:
    """Records by value and part of the span, rarer values left out; "" counts all of them."""
    counts: dict[str, list[int]] = {"": [0] * _BINS}
    rows = table.rows(
        f"""WITH counted AS MATERIALIZED (
              SELECT CAST({column} AS VARCHAR) AS v,
                     greatest(0, least(CAST(floor((t_end - ?) / ?) AS BIGINT), {_BINS - 1})) AS b,
                     count(*) AS n
              FROM {source} WHERE request GROUP BY v, b)
            SELECT v, b, n FROM counted
            WHERE v IN (SELECT v FROM counted GROUP BY v ORDER BY sum(n) DESC, v LIMIT {_MOST_VALUES})
               OR v IS NULL
            UNION ALL SELECT {literal("")}, b, CAST(sum(n) AS BIGINT) FROM counted GROUP BY b""",  # noqa: S608 - columns are ours
        [first, wide],
    )
    for value, at, n in rows:
        if value is not None:
            counts.setdefault(value, [0] * _BINS)[at] += n
    return counts


def _grown(
    field: str, counts: dict[str, list[int]], first: float, wide: float
) -> Iterator[ValueShift]:
    whole = counts[""]
    for value, each in counts.items():
        cut = _cut(each, whole) if value else None
        if cut is None:
            continue
        before, after = _share(each[:cut], whole[:cut]), _share(each[cut:], whole[cut:])
        edge = first + cut * wide
        since = Onset(edge - wide, edge + wide, _CONFIDENCE)
        yield ValueShift(
            field, _named(field, value), round(before, 4), round(after, 4), since,
            sum(whole[:cut]), sum(whole[cut:]),
        )  # fmt: skip


def _cut(each: Sequence[int], whole: Sequence[int]) -> int | None:
    """Where the share grew for good, if it did."""
    best, least = None, _SIGMAS
    total, every = sum(whole), sum(each)
    n = k = 0
    for i in range(1, len(whole)):
        n, k = n + whole[i - 1], k + each[i - 1]
        rest = total - n
        if n < _FEWEST or rest < _FEWEST:
            continue
        p0, p1 = k / n, (every - k) / rest
        pooled = every / total
        spread = math.sqrt(max(pooled * (1 - pooled), 1e-9) * (1 / n + 1 / rest))
        if p1 - p0 >= _LEAST_POINTS and (p1 - p0) / spread > least:
            best, least = i, (p1 - p0) / spread
    return best if best is not None and _apart(each, whole, best) else None


def _apart(each: Sequence[int], whole: Sequence[int], cut: int) -> bool:
    """Whether nearly all parts after the cut lie above nearly all before: no wandering, no single burst."""
    shares = [k / n if n >= _FEWEST_IN_BIN else None for k, n in zip(each, whole, strict=True)]
    before = sorted(s for s in shares[:cut] if s is not None)
    after = sorted(s for s in shares[cut:] if s is not None)
    if not before or not after:
        return False
    high = before[min(len(before) - 1, int(_APART * len(before)))]
    low = after[int((1 - _APART) * len(after))]
    return low > high


def _share(part: Sequence[int], whole: Sequence[int]) -> float:
    return sum(part) / max(1, sum(whole))


def _named(field: str, value: str) -> str:
    """The value; a class of durations in words."""
    if field:
        return value
    low = 4.0 ** int(value)
    return f"{low:g} to {4 * low:g} ms" if int(value) > -2 else "less than 0.25 ms"  # noqa: PLR2004 - the lowest class
