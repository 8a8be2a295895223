"""The requests to compare, before and after, and their counts by the values of fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.stats.contrast import Counts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from locard.logs.judge.change import Change
    from locard.logs.table.table import Table

# Before and after, all and the bad ones: in the order of `Counts`.
COUNTS = (
    "count(*) FILTER (NOT later)",
    "count(*) FILTER (NOT later AND bad)",
    "count(*) FILTER (later)",
    "count(*) FILTER (later AND bad)",
)
_FIELDS_A_SCAN = 16


def mark(table: Table, change: Change) -> Counts:
    """Make `compared`: the requests to compare, `later` telling after from before, `bad` the bad ones.

    A view, not a table: hundreds of group fields are not copied.
    """
    start, end = change.after
    later = f"(t >= {start!r} AND t <= {end!r})"
    which = later
    if change.before is not None:
        which += " OR (t >= {!r} AND t < {!r})".format(*change.before)
    table.db.execute(
        f"CREATE OR REPLACE VIEW compared AS SELECT *, {later} AS later, {change.is_bad} AS bad "  # noqa: S608 - ours
        f"FROM ev WHERE request AND ({which})"
    )
    return counts(table)


def mark_bursts(table: Table, bursts: Sequence[tuple[float, float]], apart_s: float) -> Counts:
    """`compared` with the errors in bursts [from, to) as the later ones, and what is `apart_s` from them."""
    later = " OR ".join(f"(t >= {a!r} AND t < {b!r})" for a, b in bursts)
    near = " OR ".join(f"(t >= {a - apart_s!r} AND t < {b + apart_s!r})" for a, b in bursts)
    table.db.execute(
        f"CREATE OR REPLACE VIEW compared AS SELECT *, ({later}) AS later, err AS bad "  # noqa: S608 - ours
        f"FROM ev WHERE request AND t IS NOT NULL AND (({later}) OR NOT ({near}))"
    )
    return counts(table)


def mark_all(table: Table) -> Counts:
    """`compared` where the log has no usable time: everything is "after"."""
    table.db.execute(
        "CREATE OR REPLACE VIEW compared AS SELECT *, true AS later, err AS bad FROM ev WHERE request"
    )
    return counts(table)


def counts(table: Table, where: str = "true") -> Counts:
    """The counts of the requests in `compared` that meet a condition (SQL)."""
    return Counts(*table.one(f"SELECT {', '.join(COUNTS)} FROM compared WHERE {where}"))  # noqa: S608 - ours


def counts_of(table: Table, conditions: Sequence[str]) -> list[Counts]:
    """The counts of the requests in `compared` that meet each of the conditions (SQL), in one scan."""
    picks = [
        f"count(*) FILTER ({kind} AND {condition})"
        for condition in conditions
        for kind in ("NOT later", "NOT later AND bad", "later", "later AND bad")
    ]
    row = table.one(f"SELECT {', '.join(picks)} FROM compared")  # noqa: S608 - ours
    return [Counts(*row[i : i + 4]) for i in range(0, len(row), 4)]


def by_value(
    table: Table, source: str, columns: Mapping[str, str], *, fewest_bad: int = 0, most: int
) -> Iterator[tuple[str, str, Counts]]:
    """Field, value and counts of the `most` most frequent values of each field.

    `source` is a table like `compared`, `fewest_bad` how many bad requests after the onset a value must
    have. Several fields share a scan.
    """
    fields = list(columns)
    for start in range(0, len(fields), _FIELDS_A_SCAN):
        names = fields[start : start + _FIELDS_A_SCAN]
        listed = [columns[name] for name in names]
        sets = ", ".join(f"({c})" for c in listed)
        value = ", ".join(f"{c}::VARCHAR" for c in listed)
        rows = table.rows(
            f"""SELECT grouping({", ".join(listed)}) AS others, coalesce({value}) AS value, {", ".join(COUNTS)}
                FROM {source} GROUP BY GROUPING SETS ({sets})
                HAVING coalesce({value}) IS NOT NULL
                   AND count(*) FILTER (later AND bad) >= {fewest_bad}
                QUALIFY row_number() OVER (PARTITION BY others ORDER BY count(*) DESC, value) <= {most}
                ORDER BY others, count(*) DESC, value"""  # noqa: S608 - names are ours
        )
        # `others` has a bit for each field that the row is not about, the first field's the highest.
        every = (1 << len(names)) - 1
        for others, text, *row in rows:
            yield names[len(names) - (every ^ others).bit_length()], text, Counts(*row)
