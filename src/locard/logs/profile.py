"""What each field of a log holds: how often, how many different values, which values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locard.logs.table import Table

_SAMPLE_ROWS = 4000
_SAMPLE_VALUES = 64
_LONGEST_VALUE = 256


@dataclass(frozen=True, slots=True)
class FieldProfile:
    """One field: `count` records have it, with about `distinct` different values.

    `values` are about a hundred of them from records spread over the whole log, as often as they
    occur there, cut to 256 characters.
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
    columns = table.columns
    picks = ", ".join(f"count({c}), approx_count_distinct({c})" for c in columns.values())
    counts = table.one(f"SELECT {picks} FROM raw")  # noqa: S608 - columns are ours
    every = max(1, table.records // _SAMPLE_ROWS)
    # Spread by line number, so that the sample is the same for every engine.
    picks = ", ".join(
        f"list(left({c}, {_LONGEST_VALUE}) ORDER BY _n) FILTER ({c} IS NOT NULL)"
        for c in columns.values()
    )
    samples = table.one(f"SELECT {picks} FROM raw WHERE _n % {every} = 0")  # noqa: S608 - as above
    found = []
    for i, (name, column) in enumerate(columns.items()):
        count, distinct = counts[2 * i], counts[2 * i + 1]
        if count:
            sample = samples[i] or []
            spread = tuple(sample[:: max(1, len(sample) // _SAMPLE_VALUES)])
            found.append(FieldProfile(name, column, count, distinct, spread))
    return tuple(sorted(found, key=lambda f: f.name))
