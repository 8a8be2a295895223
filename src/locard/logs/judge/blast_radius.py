"""Who is hit: affected, confirmed unaffected, unknown, value by value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from locard.logs.judge.before_after import by_value
from locard.model.log_facts import AffectedValue, BlastRadius, Correlate, GroupCount
from locard.stats.intervals import wilson

if TYPE_CHECKING:
    from locard.logs.judge.events import Events
    from locard.logs.table.table import Table
    from locard.stats.contrast import Counts

_MOST_FIELDS = 24  # beside those of the correlates: the first ones are those with a known role
_MOST_VALUES = 50  # a field, in the counts
_FEWEST_BAD = 5
_ONLY = 0.98  # of what is written with a value are errors
_Z_MANY = 3.5  # instead of 1.96: many values are judged at once


def groups(
    table: Table, events: Events, correlates: tuple[Correlate, ...]
) -> tuple[GroupCount, ...]:
    """Counts of the 50 most frequent values of the group fields that people look at first."""
    named = {field for correlate in correlates for field, _ in correlate.values}
    columns = {
        field: column
        for i, (field, column) in enumerate(events.groups.items())
        if i < _MOST_FIELDS or field in named
    }
    return tuple(
        GroupCount(
            field, value, c.before_total, c.before_bad, c.after_total, c.after_bad
        )
        for field, value, c in by_value(table, "compared", columns, most=_MOST_VALUES)
    )  # fmt: skip


def blast_radius(counts: tuple[GroupCount, ...], totals: Counts) -> tuple[BlastRadius, ...]:
    """For each field with two values or more: affected, confirmed unaffected, unknown."""
    by_field: dict[str, list[GroupCount]] = {}
    for item in counts:
        by_field.setdefault(item.field, []).append(item)
    return tuple(
        _radius(field, values, totals)
        for field, values in by_field.items()
        if sum(v.after_total > 0 for v in values) > 1
    )


def _radius(field: str, values: list[GroupCount], totals: Counts) -> BlastRadius:
    affected: list[GroupCount] = []
    rest: list[GroupCount] = []
    for item in values:
        if not item.after_total:
            continue
        (affected if _rose(item, totals) else rest).append(item)
    shared = [v for v in affected if not _only_errors(v)]
    hit_n, hit_k = sum(v.after_total for v in shared), sum(v.after_bad for v in shared)
    usual = sum(v.after_total * _before_rate(v, totals) for v in shared)
    rise = (hit_k - usual) / hit_n if hit_n else totals.after_rate - totals.before_rate
    # Values drawn at random differ too, and those with few errors are no better off.
    parted = _differ(values)
    unaffected: list[GroupCount] = []
    unknown: list[GroupCount] = []
    for item in rest:
        if _only_errors(item):
            unknown.append(item)  # its share of errors says nothing, and its count is no proof
            continue
        high = wilson(item.after_bad, item.after_total)[1]
        # Enough requests to exclude half of the rise that the affected ones see, or all where none stands out;
        # and their rate: a few requests that failed before are no licence to fail as they do.
        spared = rise > 0 and high < _before_rate(item, totals) + rise / 2
        spared = spared and parted and (not hit_n or high < hit_k / hit_n)
        (unaffected if spared else unknown).append(item)
    return BlastRadius(
        field, _values(affected, worst_first=True), _values(unaffected), _values(unknown)
    )


def _differ(values: list[GroupCount]) -> bool:
    """Whether the later rates of the values differ beyond chance: Pearson's chi-squared, by its moments."""
    known = [v for v in values if v.after_total >= _FEWEST_BAD]
    total, bad = sum(v.after_total for v in known), sum(v.after_bad for v in known)
    rate = bad / total if total else 0.0
    free = len(known) - 1
    if free < 1 or not 0 < rate < 1:
        return free >= 1  # nobody fails, or all do
    square = sum((v.after_bad - v.after_total * rate) ** 2 / v.after_total for v in known)
    return square / (rate * (1 - rate)) > free + _Z_MANY * math.sqrt(2 * free)


def _before_rate(item: GroupCount, totals: Counts) -> float:
    return item.before_bad / item.before_total if item.before_total else totals.before_rate


def _only_errors(item: GroupCount) -> bool:
    """Whether nearly all that was written with the value failed, before too: as an error handler's logger."""
    return (
        item.before_bad >= _ONLY * item.before_total > 0
        and item.after_bad >= _ONLY * item.after_total
    )


def _more(item: GroupCount, totals: Counts) -> bool:
    """Whether more was written with the value, for as many requests, than before and beyond chance.

    The conditional test of two Poisson rates (Przyborowski and Wilenski 1940).
    """
    share = totals.after_total / (totals.before_total + totals.after_total)
    both = item.before_bad + item.after_bad
    return wilson(item.after_bad, both, _Z_MANY)[0] > share


def _rose(item: GroupCount, totals: Counts) -> bool:
    """Whether the later rate is above the value's own earlier one, beyond chance."""
    if item.after_bad < _FEWEST_BAD:
        return False
    if _only_errors(item):
        return _more(item, totals)
    all_high = wilson(totals.before_bad, totals.before_total)[1] if totals.before_total else 0.0
    baseline = all_high
    if item.before_total:
        own_high = wilson(item.before_bad, item.before_total)[1]
        # A value with few requests before borrows the strength of all.
        baseline = min(own_high, max(all_high, item.before_bad / item.before_total))
    return wilson(item.after_bad, item.after_total, _Z_MANY)[0] > baseline


def _values(items: list[GroupCount], *, worst_first: bool = False) -> tuple[AffectedValue, ...]:
    found = []
    for item in items:
        low, high = wilson(item.after_bad, item.after_total)
        before = before_low = before_high = None
        if item.before_total:
            before = item.before_bad / item.before_total
            before_low, before_high = wilson(item.before_bad, item.before_total)
        rate = item.after_bad / item.after_total
        found.append(
            AffectedValue(
                item.value, before, rate, low, high, item.after_total, before_low, before_high
            )
        )
    if worst_first:
        found.sort(key=lambda v: (-v.after_rate, v.value))
    return tuple(found)
