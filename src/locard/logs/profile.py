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
    counts = _counts(table)
    every = max(1, table.records // _SAMPLE_ROWS)
    # Spread by line number, so that the sample is the same for every engine.
    picks = ", ".join(
        f"list(left({c}, {_LONGEST_VALUE}) ORDER BY _n) FILTER ({c} IS NOT NULL)"
        for c in columns.values()
    )
    samples = table.one(f"SELECT {picks} FROM raw WHERE _n % {every} = 0")  # noqa: S608 - as above
    found = []
    for i, (name, column) in enumerate(columns.items()):
        count, distinct = counts[name]
        if count:
            sample = samples[i] or []
            spread = tuple(sample[:: max(1, len(sample) // _SAMPLE_VALUES)])
            found.append(FieldProfile(name, column, count, distinct, spread))
    return tuple(sorted(found, key=lambda f: f.name))


def _counts(table: Table) -> dict[str, tuple[int, int]]:
    """How many records have each field, and about how many different values there are."""
    picks, known = [], {}
    for name, column in table.columns.items():
        kept = table.kept(column)
        if kept is not None and kept.kind == "codes":
            picks.append(f"count_if({column}_kept > 0), 0")
            known[name] = kept.codes
        else:
            seen = f"{column}_kept" if kept is not None else column
            picks.append(f"count({seen}), approx_count_distinct({seen})")
    found = table.one(f"SELECT {', '.join(picks)} FROM raw_kept")  # noqa: S608 - columns are ours
    return {
        name: (found[2 * i], known.get(name, found[2 * i + 1]))
        for i, name in enumerate(table.columns)
    }
