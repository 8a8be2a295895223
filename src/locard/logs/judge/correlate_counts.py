"""Counts of the sets of field=value pairs that may explain the bad requests, as aggregations.

The bad side is small, so it comes first: only values that are frequent among the bad requests are
looked at, and of requests of a kind (good or bad, before or after) no more than a sample, however many
there are. A bit for each of the best pairs tells their combinations apart in one scan; sets of two and
three are counted over the combinations.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from locard.logs.judge.before_after import COUNTS, by_value
from locard.logs.table.sql_text import literal
from locard.stats.contrast import Contrast, Counts, Pair, Values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from locard.logs.table.table import Table

_MOST_PAIRS = 32  # that are combined with each other
_MOST_VALUES = 200  # a field
_BEAM = 16  # sets of two that are made longer
_ENOUGH = 20_000  # requests of a kind in the sample
_LITTLE = 2_000_000  # requests times fields: so many are counted without a sample
# A prime, and a multiplier that spreads consecutive line numbers over its residues (Fibonacci
# hashing), so that a rhythm in the log does not show in the sample.
_PRIME, _SPREAD = 65_521, 40_503
_KINDS = ("NOT later AND NOT bad", "NOT later AND bad", "later AND NOT bad", "later AND bad")


@dataclass(frozen=True, slots=True)
class Sample:
    """The requests that are searched: `compared`, or a part of each kind where that is too much."""

    table: Table
    columns: Mapping[str, str]
    source: str
    parts: tuple[float, ...]  # of the requests of each kind, 0..1
    whole: Counts

    @property
    def exact(self) -> bool:
        """Whether its counts are those of all requests."""
        return min(self.parts) == 1


def condition(columns: Mapping[str, str], values: Values) -> str:
    """The SQL condition for a request to carry all of the pairs."""
    return " AND ".join(f"{columns[field]} = {literal(value)}" for field, value in values)


def without(columns: Mapping[str, str], explained: Iterable[Values]) -> str:
    """The SQL condition for a request to be in none of the sets."""
    sets = [f"NOT coalesce({condition(columns, values)}, false)" for values in explained]
    return " AND ".join(sets) or "true"


def sample(table: Table, columns: Mapping[str, str], whole: Counts, where: str) -> Sample:
    """The requests of `compared` that meet a condition (SQL); `whole` are their counts."""
    kinds = _kinds(whole)
    parts = (1.0,) * len(kinds)
    if sum(kinds) * len(columns) > _LITTLE:
        parts = tuple(min(1.0, ceil(_PRIME * _ENOUGH / max(1, k)) / _PRIME) for k in kinds)
    if where == "true" and min(parts) == 1:
        return Sample(table, columns, "compared", parts, whole)
    picked = " OR ".join(
        f"({kind} AND (n % {_PRIME}) * {_SPREAD} % {_PRIME} < {part * _PRIME:.0f})"
        for kind, part in zip(_KINDS, parts, strict=True)
    )
    listed = ", ".join(columns.values())
    table.db.execute(
        f"CREATE OR REPLACE TABLE sampled AS SELECT later, bad, {listed} FROM compared "  # noqa: S608
        f"WHERE ({picked}) AND {where}"
    )
    return Sample(table, columns, "sampled", parts, whole)


def _kinds(counts: Counts) -> tuple[int, int, int, int]:
    return (
        counts.before_total - counts.before_bad,
        counts.before_bad,
        counts.after_total - counts.after_bad,
        counts.after_bad,
    )


def _scaled(counts: Counts, parts: tuple[float, ...]) -> Counts:
    """What the counts in the sample let expect of all requests."""
    good0, bad0, good1, bad1 = (k / p for k, p in zip(_kinds(counts), parts, strict=True))
    return Counts(round(good0 + bad0), round(bad0), round(good1 + bad1), round(bad1))


def frequent_pairs(sample: Sample, fewest_bad: float) -> list[tuple[Pair, Counts]]:
    """Pairs that at least `fewest_bad` of the bad requests carry, those worth most first.

    A pair that failed requests alone carry, before as after, is no part of them: it says that they failed.
    """
    least = max(1, round(fewest_bad * sample.parts[-1]))
    same: dict[Counts, list[Pair]] = {}
    for field, value, counts in by_value(
        sample.table, sample.source, sample.columns, fewest_bad=least, most=_MOST_VALUES
    ):
        if 0 < counts.before_bad == counts.before_total and counts.after_bad == counts.after_total:
            continue
        same.setdefault(_scaled(counts, sample.parts), []).append((field, value))
    contrast = Contrast(sample.whole)
    found = [(pair, counts) for counts, pair in _simplest(sample, same).items()]
    found.sort(key=lambda item: -contrast.worth(item[1]))
    return found


def _simplest(sample: Sample, same: dict[Counts, list[Pair]]) -> dict[Counts, Pair]:
    """Of pairs on the same requests (a host and its only region) the one of the plainest field."""
    fields = sorted({pair[0] for several in same.values() if len(several) > 1 for pair in several})
    distinct: dict[str, int] = {}
    if fields:
        picks = ", ".join(f"approx_count_distinct({sample.columns[f]})" for f in fields)
        row = sample.table.one(f"SELECT {picks} FROM {sample.source}")  # noqa: S608 - ours
        distinct = dict(zip(fields, row, strict=True))
    return {
        counts: min(several, key=lambda pair: distinct.get(pair[0], 0))
        for counts, several in same.items()
    }


def cells(sample: Sample, frequent: list[tuple[Pair, Counts]]) -> dict[Values, Counts]:
    """Counts of all sets of one and two of the best pairs, and of three around the best two.

    Under `()`: those of all requests. Sets that no bad request carries are left out.
    """
    pairs = [pair for pair, _ in frequent[:_MOST_PAIRS]]
    _combine(sample, pairs)
    found: dict[Values, Counts] = {(): sample.whole}
    contrast = Contrast(sample.whole)

    def add(picks: str, joined: str) -> None:
        for *numbers, n0, k0, n1, k1 in sample.table.rows(
            f"""SELECT {picks}, sum(n0)::BIGINT, sum(k0)::BIGINT, sum(n1)::BIGINT, sum(k1)::BIGINT
                FROM masks {joined} GROUP BY {picks} HAVING sum(k1) > 0 ORDER BY {picks}"""  # noqa: S608
        ):
            values = tuple(pairs[i] for i in sorted(numbers))
            found[values] = _scaled(Counts(n0, k0, n1, k1), sample.parts)

    add("a.i", "JOIN bits a USING (m)")
    add("a.i, b.i", "JOIN bits a USING (m) JOIN bits b ON masks.m = b.m AND a.i < b.i")
    twos = [values for values in found if len(values) == 2]  # noqa: PLR2004
    twos.sort(key=lambda values: -contrast.worth(found[values]))
    if twos:
        numbers = [tuple(pairs.index(pair) for pair in values) for values in twos[:_BEAM]]
        beam = ", ".join(f"({i}, {j}, {1 << i | 1 << j})" for i, j in numbers)
        add(
            "a.i, a.j, c.i",
            f"JOIN (VALUES {beam}) a(i, j, two) ON m & two = two "
            "JOIN bits c ON masks.m = c.m AND c.i <> a.i AND c.i <> a.j",
        )
    sample.table.db.execute("DROP TABLE bits; DROP TABLE masks")
    return found


def _combine(sample: Sample, pairs: list[Pair]) -> None:
    """Make `masks`, the counts of each combination of pairs, and `bits`, which pairs are in it."""
    mask = " + ".join(
        f"CASE WHEN {condition(sample.columns, (pair,))} THEN {1 << i} ELSE 0 END"
        for i, pair in enumerate(pairs)
    )
    named = ("n0", "k0", "n1", "k1")
    counts = ", ".join(f"{count} AS {name}" for count, name in zip(COUNTS, named, strict=True))
    sample.table.db.execute(f"""
        CREATE OR REPLACE TABLE masks AS
        SELECT m, {counts} FROM (
          SELECT ({mask or 0})::BIGINT AS m, later, bad FROM {sample.source}) GROUP BY m""")  # noqa: S608
    sample.table.db.execute(f"""
        CREATE OR REPLACE TABLE bits AS
        SELECT m, i FROM masks, range({len(pairs)}) numbers(i) WHERE (m >> i) & 1 = 1""")  # noqa: S608
