"""Who is hit: counts by field before and after, blast radius, and what the bad requests share."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from locard.logs.sql_text import literal
from locard.model.facts import AffectedValue, BlastRadius, Correlate, GroupCount
from locard.stats.contrast import Cell, excess, worth
from locard.stats.intervals import excess_evidence, tail_bound, wilson

if TYPE_CHECKING:
    from locard.logs.change import Change
    from locard.logs.events import Events
    from locard.logs.table import Table

_MOST_VALUES = 50  # a field, in the counts
_PAIR_FIELDS = 8
_BEAM = 5
_MOST_CORRELATES = 5
_ALPHA = 0.001
_FEWEST_SHARE = 0.05  # of the excess; less explains nothing
_BETTER = 1.02  # a longer set has to be worth more than a shorter one
_FEWEST_BAD = 5
_Z_MANY = 3.5  # instead of 1.96: many values are judged at once


@dataclass(frozen=True, slots=True)
class Totals:
    """Requests and bad ones before and after."""

    before_total: int
    before_bad: int
    after_total: int
    after_bad: int

    @property
    def before_rate(self) -> float:
        """Share of bad requests before; 0 where nothing is known of it."""
        return self.before_bad / self.before_total if self.before_total else 0.0

    @property
    def after_rate(self) -> float:
        """Share of bad requests after."""
        return self.after_bad / self.after_total if self.after_total else 0.0


def mark(table: Table, events: Events, change: Change) -> Totals:
    """Make `cmp`: the requests to compare, with `later` telling after from before."""
    groups = "".join(f", {g}" for g in events.groups.values())
    before = change.before or (0.0, 0.0)
    table.db.execute(
        f"CREATE OR REPLACE TABLE cmp AS SELECT n, bad, dur{groups}, "  # noqa: S608
        "(t >= ? AND t <= ?) AS later FROM ev "
        "WHERE request AND ((t >= ? AND t < ?) OR (t >= ? AND t <= ?))",
        [*change.after, *before, *change.after],
    )
    n0, k0, n1, k1 = table.one(
        "SELECT count(*) FILTER (NOT later), count(*) FILTER (NOT later AND bad), "
        "count(*) FILTER (later), count(*) FILTER (later AND bad) FROM cmp"
    )
    return Totals(n0, k0, n1, k1)


def mark_all(table: Table, events: Events) -> Totals:
    """`cmp` where the log has no usable time: everything is "after"."""
    groups = "".join(f", {g}" for g in events.groups.values())
    table.db.execute(
        f"CREATE OR REPLACE TABLE cmp AS SELECT n, bad, dur{groups}, "  # noqa: S608
        "true AS later FROM ev WHERE request"
    )
    n, k = table.one("SELECT count(*), count(*) FILTER (bad) FROM cmp")
    return Totals(0, 0, n, k)


def groups(table: Table, events: Events) -> tuple[GroupCount, ...]:
    """Counts of the 50 most frequent values of every group field."""
    found: list[GroupCount] = []
    for name, column in events.groups.items():
        rows = table.rows(
            f"""SELECT {column}, count(*) FILTER (NOT later), count(*) FILTER (NOT later AND bad),
                       count(*) FILTER (later), count(*) FILTER (later AND bad)
                FROM cmp WHERE {column} IS NOT NULL
                GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {_MOST_VALUES}"""  # noqa: S608
        )
        found.extend(GroupCount(name, *row) for row in rows)
    return tuple(found)


def blast_radius(counts: tuple[GroupCount, ...], totals: Totals) -> tuple[BlastRadius, ...]:
    """For each field with two values or more: affected, confirmed unaffected, unknown."""
    by_field: dict[str, list[GroupCount]] = {}
    for item in counts:
        by_field.setdefault(item.field, []).append(item)
    return tuple(
        _radius(field, values, totals)
        for field, values in by_field.items()
        if sum(v.after_total > 0 for v in values) > 1
    )


def _radius(field: str, values: list[GroupCount], totals: Totals) -> BlastRadius:
    affected: list[GroupCount] = []
    rest: list[GroupCount] = []
    for item in values:
        if not item.after_total:
            continue
        (affected if _rose(item, totals) else rest).append(item)
    hit_n, hit_k = sum(v.after_total for v in affected), sum(v.after_bad for v in affected)
    hit_rate = hit_k / hit_n if hit_n else totals.after_rate
    unaffected: list[GroupCount] = []
    unknown: list[GroupCount] = []
    for item in rest:
        high = wilson(item.after_bad, item.after_total)[1]
        # Enough requests to exclude half of what the affected ones see.
        (unaffected if hit_n and high < hit_rate / 2 else unknown).append(item)
    return BlastRadius(
        field, _values(affected, worst_first=True), _values(unaffected), _values(unknown)
    )


def _rose(item: GroupCount, totals: Totals) -> bool:
    """Whether the later rate is above the value's own earlier one, beyond chance."""
    if item.after_bad < _FEWEST_BAD:
        return False
    rate = item.after_bad / item.after_total
    if item.before_total:
        own_high = wilson(item.before_bad, item.before_total)[1]
        # A value with few requests before borrows the strength of all.
        all_high = wilson(totals.before_bad, totals.before_total)[1]
        baseline = min(own_high, max(all_high, item.before_bad / item.before_total))
    else:
        baseline = wilson(totals.before_bad, totals.before_total)[1] if totals.before_total else 0.0
    return wilson(item.after_bad, item.after_total, _Z_MANY)[0] > baseline and rate > 0


def _values(items: list[GroupCount], *, worst_first: bool = False) -> tuple[AffectedValue, ...]:
    found = []
    for item in items:
        low, high = wilson(item.after_bad, item.after_total)
        before = item.before_bad / item.before_total if item.before_total else None
        rate = item.after_bad / item.after_total
        found.append(AffectedValue(item.value, before, rate, low, high, item.after_total))
    if worst_first:
        found.sort(key=lambda v: (-v.after_rate, v.value))
    return tuple(found)


def correlates(table: Table, events: Events, totals: Totals) -> tuple[Correlate, ...]:
    """Sets of up to three field=value pairs that single out the bad requests.

    Ranked by the excess bad requests that they explain. After each one its requests are taken
    out, so that the next has to explain what is left.
    """
    whole = totals.after_bad - totals.after_total * totals.before_rate
    if not totals.before_total or whole < _FEWEST_BAD:
        return ()
    search = _Search(table, events)
    found: list[Correlate] = []
    while len(found) < _MOST_CORRELATES:
        n, k = table.one("SELECT count(*) FILTER (later), count(*) FILTER (later AND bad) FROM cmp")
        now = Totals(totals.before_total, totals.before_bad, n, k)
        if k - n * totals.before_rate < max(_FEWEST_BAD, _FEWEST_SHARE * whole):
            break
        best = search.best(now)
        if best is None:
            break
        cell, tests = best
        expected = max(now.after_rate, cell.before_rate(totals.before_rate))
        p_value = tail_bound(excess_evidence(cell.after_bad, cell.after_total, expected), tests)
        own = excess(cell, totals.before_rate)
        if p_value > _ALPHA or own < _FEWEST_SHARE * whole or cell.after_bad < _FEWEST_BAD:
            break
        lift = (cell.after_bad / cell.after_total) / now.after_rate
        found.append(
            Correlate(
                values=cell.values,
                support=cell.after_bad,
                excess=round(worth(cell, now.after_bad, now.after_total, totals.before_rate), 1),
                share_of_excess=round(min(1.0, own / whole), 4),
                lift=round(lift, 2),
                p_value=p_value,
            )
        )
        search.take_out(cell)
    return tuple(found)


class _Search:
    """Looks for the best set of pairs: all single ones, pairs of the best fields, then a third."""

    def __init__(self, table: Table, events: Events) -> None:
        self._table = table
        self._columns = events.groups
        self._tests = 0

    def best(self, now: Totals) -> tuple[Cell, int] | None:
        """The most worthy cell and how many were looked at."""
        self._tests = 0

        def value(cell: Cell) -> float:
            return worth(cell, now.after_bad, now.after_total, now.before_rate)

        singles = [c for f in self._columns for c in self._cells((f,))]
        singles = [c for c in singles if value(c) > 0]
        if not singles:
            return None
        fields = list(dict.fromkeys(f for c in sorted(singles, key=value, reverse=True)
                                    for f, _ in c.values))[:_PAIR_FIELDS]  # fmt: skip
        best = max(singles, key=value)
        pairs = [c for two in combinations(fields, 2) for c in self._cells(two)]
        pairs.sort(key=value, reverse=True)
        if pairs and value(pairs[0]) > _BETTER * value(best):
            best = pairs[0]
        triples = [
            c
            for pair in pairs[:_BEAM]
            for f in fields
            if f not in dict(pair.values)
            for c in self._cells((*dict(pair.values), f), pair.values)
        ]
        top = max(triples, key=value, default=None)
        if top is not None and value(top) > _BETTER * value(best):
            best = top
        return best, self._tests

    def _cells(
        self, fields: tuple[str, ...], given: tuple[tuple[str, str], ...] = ()
    ) -> list[Cell]:
        columns = [self._columns[f] for f in fields]
        where = " AND ".join(f"{c} IS NOT NULL" for c in columns)
        where += "".join(f" AND {self._columns[f]} = {literal(v)}" for f, v in given)
        listed = ", ".join(columns)
        rows = self._table.rows(
            f"""SELECT {listed}, count(*) FILTER (NOT later), count(*) FILTER (NOT later AND bad),
                       count(*) FILTER (later), count(*) FILTER (later AND bad) AS k
                FROM cmp WHERE {where} GROUP BY {listed} ORDER BY k DESC, {listed}"""  # noqa: S608
        )
        self._tests += len(rows)
        width = len(fields)
        return [
            Cell(tuple(zip(fields, row[:width], strict=True)), *row[width:])
            for row in rows
            if row[-1]
        ]

    def take_out(self, cell: Cell) -> None:
        """Remove the later requests of a cell: they are explained."""
        where = " AND ".join(f"{self._columns[f]} = {literal(v)}" for f, v in cell.values)
        self._table.db.execute(f"DELETE FROM cmp WHERE later AND {where}")  # noqa: S608
