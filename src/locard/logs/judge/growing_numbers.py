"""Numbers of a log that say how much waits, and that only grow: a queue that is filled faster than emptied.

Such a line is no error, and the requests that fill the queue are answered well: nothing else shows it.
A number is one of these by its name (`queued`, `backlog`, `lag`, …), in a field or before it in a message;
what counts all that ever came (`…_total`) grows in every healthy service and is left out.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model.log_facts import GrowingNumber, Onset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.logs.fields.profile import FieldProfile
    from locard.logs.table.table import Table

_BINS = 48
_FEWEST_BINS, _FEWEST = 6, 20  # since it grows: parts of the log, and values
_TIMES, _MORE = 1.15, 5.0  # it is more than this, and by more than that, at the end
_TIMES_UNEVEN = 2.0  # the same where it does not climb with nearly each step
_RISING = 0.9  # of the steps from part to part
_SHRINKS = 0.98  # a step down that is none
_KEPT = 0.9  # of the most is still there at the end
_EMPTY = 0.05  # of the last value: it began from nothing
_FLAT = 0.1  # of the parts: it was level before it grew
_CONFIDENCE = 0.9
_SHOWN = 2
_MOST_READ = 200_000  # records, spread over the log
_WORDS = (
    r"queued?|queue[ _.-]?(?:depth|size|len|length)|backlog|pending|lag|depth|in[ _-]?flight|outstanding|unacked|"
    r"behind|unprocessed|mailbox|inbox"
)
_NAME = re.compile(
    rf"(?:^|[._-])(?:{_WORDS})(?:[._-](?:size|len|length|depth|count|messages|bytes))?$",
    re.IGNORECASE,
)
_EVER = re.compile(r"total|sum$|ever", re.IGNORECASE)
# In a message: the word, and the number that follows it soon.
_IN_TEXT = rf"(?i)\b(?:{_WORDS})\b[^0-9\n]{{0,16}}?([0-9]+(?:[.][0-9]+)?)\b"


@dataclass(frozen=True, slots=True)
class _Part:
    """The values in one part of the log: when the first came and what it was, how many, nearly the largest."""

    first: float
    value: float
    count: int
    high: float


def found(table: Table, fields: Sequence[FieldProfile]) -> tuple[GrowingNumber, ...]:
    """Those that grow, what grew most first."""
    (first, last) = table.one("SELECT min(t_end), max(t_end) FROM ev")
    if first is None or last <= first:
        return ()
    grown = []
    for name, sql in _candidates(table, fields):
        parts = _parts(table, sql, first, (last - first) / _BINS)
        one = _growing(name, parts, last)
        if one is not None:
            grown.append(one)
    grown.sort(key=lambda g: -g.last / max(g.first, 1.0))
    return tuple(grown[:_SHOWN])


def _candidates(table: Table, fields: Sequence[FieldProfile]) -> Iterator[tuple[str, str]]:
    """(name, SQL of the number over `raw`)."""
    for field in fields:
        if field.count >= _FEWEST and _NAME.search(field.name) and not _EVER.search(field.name):
            yield field.name, f"TRY_CAST({field.column} AS DOUBLE)"
    if table.message:
        yield (
            "",
            f"TRY_CAST(nullif(regexp_extract({table.message}, '{_IN_TEXT}', 1), '') AS DOUBLE)",
        )


def _parts(table: Table, sql: str, first: float, wide: float) -> list[_Part]:
    rows = table.rows(
        f"""SELECT min(t), arg_min(v, t), count(*), quantile_disc(v, 0.95) FROM (
              SELECT t_end AS t, {sql} AS v FROM ev JOIN raw ON n = _n
              WHERE t_end IS NOT NULL AND n % {max(1, table.records // _MOST_READ)} = 0)
            WHERE v IS NOT NULL
            GROUP BY greatest(0, least(CAST(floor((t - ?) / ?) AS BIGINT), {_BINS - 1})) ORDER BY 1""",  # noqa: S608 - columns are ours
        [first, max(wide, 1e-6)],
    )
    return [_Part(*row) for row in rows]


def _growing(name: str, parts: list[_Part], last: float) -> GrowingNumber | None:
    """Whether it grows to the end, and since when."""
    if len(parts) < _FEWEST_BINS:
        return None
    low, top = min(p.high for p in parts), max(p.high for p in parts)
    begin = max(i for i, p in enumerate(parts) if p.high <= low + _EMPTY * (top - low) + 1)
    if begin <= _FLAT * len(parts):  # an even climb begins so, too
        begin = 0
    since = parts[begin:]
    steps = [after.high >= before.high * _SHRINKS for before, after in itertools.pairwise(since)]
    climbs = [after.high > before.high for before, after in itertools.pairwise(since)]
    least, most = since[0].high, since[-1].high
    even = sum(climbs) >= _RISING * len(climbs)
    if (
        len(since) < _FEWEST_BINS
        or sum(p.count for p in since) < _FEWEST
        or sum(steps) < _RISING * len(steps)
        or sum(climbs) < len(climbs) / 2
        or most < (_TIMES if even else _TIMES_UNEVEN) * least + _MORE
        or most < _KEPT * top
    ):
        return None
    early = parts[begin - 1].first if begin else since[0].first
    seen = begin > 0 or since[0].value <= _EMPTY * most
    onset = Onset(
        early, since[0].first if begin == 0 else since[1].first, _CONFIDENCE, baseline_seen=seen
    )
    took = max(last - since[0].first, 1e-3)
    return GrowingNumber(name, onset, since[0].value, most, (most - since[0].value) / took)
