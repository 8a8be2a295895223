"""The fields of a log as columns with names and types, for `--sql` and Parquet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.logs.table.sql_text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locard.logs.fields.meaning import Meaning


@dataclass(frozen=True, slots=True)
class Typed:
    """A column of the view `log`: its name and type there, and its SQL."""

    label: str
    kind: str
    sql: str


def typed_columns(meaning: Meaning, names: Iterable[tuple[str, str]]) -> list[Typed]:
    """Fields (each with how it is headed) as columns with types.

    The time is a TIMESTAMP in UTC, whole numbers are BIGINT (or HUGEINT), other ones DOUBLE, truths
    BOOLEAN; the rest is text, of arrays and objects their JSON.
    """
    found = []
    taken = {"line"}
    for head, name in names:
        sql = column = meaning.column(name)
        kind = "VARCHAR"
        if meaning.is_role(name, "time"):
            sql, kind = f"make_timestamp(CAST({meaning.time_sql()} * 1e6 AS BIGINT))", "TIMESTAMP"
        elif json := meaning.json(name):
            sql = json  # as text: DuckDB's own type refuses what some loggers write
        elif number := meaning.number_type(name):
            kind = number
            sql = f"TRY_CAST({column} AS {kind})"
        elif name in meaning.truths:
            sql, kind = f"TRY_CAST({column} AS BOOLEAN)", "BOOLEAN"
        label = head or "_"  # SQL has no empty name
        while label.lower() in taken:  # DuckDB's names ignore case
            label += "_"
        taken.add(label.lower())
        found.append(Typed(label, kind, f"{sql} AS {quoted(label)}"))
    return found
