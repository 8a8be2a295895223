"""What each field of a log holds: how often, how many different values, which values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from locard.logs.table.table import SAMPLE_CHARS, Seen

if TYPE_CHECKING:
    from locard.logs.table.table import Table

_SAMPLE_VALUES = 64


@dataclass(frozen=True, slots=True)
class FieldProfile:
    """One field: `count` records have it, with about `distinct` different values.

    `values` are about a hundred of them from records spread over the whole log, as often as they
    occur there, cut to 200 characters.
    """

    name: str
    column: str
    count: int
    distinct: int
    values: tuple[str, ...]


def profile(table: Table) -> tuple[FieldProfile, ...]:
    """The profile of every field that has a value at all, in the order of their names."""
    if not table.columns or not table.records:
        return ()
    seen = {} if table.has_texts else dict(table.seen)
    rest = [c for c in table.columns.values() if c not in seen]
    if rest:
        seen |= _looked_at(table, rest)
    for column, about in seen.items():
        if about.count and not about.samples:  # in none of the lines that were looked at
            seen[column] = replace(about, samples=_some(table, column))
    found = []
    for name, column in table.columns.items():
        about = seen[column]
        if about.count:
            found.append(profiled(name, column, about))
    return tuple(sorted(found, key=lambda f: f.name))


def profiled(name: str, column: str, about: Seen) -> FieldProfile:
    """The profile of one field by what was seen of it."""
    sample = [text for _, text in sorted(about.samples)]
    spread = tuple(sample[:: max(1, len(sample) // _SAMPLE_VALUES)])
    return FieldProfile(name, column, about.count, about.distinct, spread)


def _some(table: Table, column: str) -> list[tuple[int, str]]:
    sql = f"SELECT _n, left({column}, {SAMPLE_CHARS}) FROM raw WHERE {column} IS NOT NULL"  # noqa: S608 - ours
    return [(n, text) for n, text in table.rows(f"{sql} LIMIT {_SAMPLE_VALUES}")]


def _looked_at(table: Table, columns: list[str]) -> dict[str, Seen]:
    """What the scanner has not seen, or not alone."""
    picks = ", ".join(f"count({c}), approx_count_distinct({c})" for c in columns)
    counts = table.one(f"SELECT {picks} FROM raw")  # noqa: S608 - columns are ours
    # The same lines as the scanner's, so that every engine finds the same.
    picks = ", ".join(
        f"list((_n, left({c}, {SAMPLE_CHARS}))) FILTER ({c} IS NOT NULL)" for c in columns
    )
    samples = table.one(f"SELECT {picks} FROM raw WHERE _n % {table.sampled_every} = 0")  # noqa: S608 - as above
    return {
        column: Seen(counts[2 * i], counts[2 * i + 1], samples[i] or [], [])
        for i, column in enumerate(columns)
    }
