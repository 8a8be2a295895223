"""Fields of records that an engine did not read: collected beside `raw`, brought into it at the end.

Engines number their columns themselves, so nothing else may add columns while they read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locard.logs.table.sql_text import quoted
from locard.logs.table.table import MOST_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locard.logs.table.table import Table


@dataclass(slots=True)
class SideTable:
    """A table of `_n` and text columns; `columns` maps a field to its column."""

    table: Table
    name: str
    columns: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    left_out: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Make it, empty."""
        self.table.db.execute(f"CREATE TABLE {self.name} (_n BIGINT)")

    def insert(self, values: Mapping[str, str], number: str, source: str) -> int:
        """Append the rows of the SQL text `source`; `values` are SQL expressions by field.

        Returns how many rows there were.
        """
        picks = "".join(
            f", {sql} AS {column}"
            for name, sql in values.items()
            if (column := self.add(name)) is not None
        )
        (added,) = self.table.one(
            f"INSERT INTO {self.name} BY NAME SELECT {number} AS _n{picks} FROM {source}"  # noqa: S608 - ours
        )
        self.rows += added
        return int(added)

    def add(self, name: str) -> str | None:
        """The column of a field, made where there is none; None beyond the limit."""
        if name not in self.columns:
            if len(self.columns) >= MOST_FIELDS:
                self.left_out.add(name)
                return None
            column = f"{self.name}_{len(self.columns)}"
            self.table.db.execute(f"ALTER TABLE {self.name} ADD COLUMN {column} VARCHAR")
            self.columns[name] = column
        return self.columns[name]

    def append_to_raw(self) -> None:
        """Its rows become records of `raw`."""
        encode = None if self.table.text_columns else self.table.encode
        if self.rows and encode is not None:
            picks = "".join(
                f", {column} AS {quoted(name)}" for name, column in self.columns.items()
            )
            encode(f"SELECT _n{picks} FROM {self.name}")  # noqa: S608 - quoted
            self._drop()
            return
        if self.rows and not self.table.records and not self.table.columns:
            self.table.db.execute(f"DROP TABLE texts; ALTER TABLE {self.name} RENAME TO texts")
            self.table.columns.update(self.columns)
            self.table.text_columns.update(self.columns.values())
            self.table.records = self.rows
            self.table.fields_left_out += len(self.left_out)
            self.table.show()
            return
        if self.rows:
            picks = "".join(
                f", {c} AS {self.table.text_column(add_field(self.table, n))}"
                for n, c in self._kept()
            )
            self.table.db.execute(
                f"INSERT INTO texts BY NAME SELECT _n{picks} FROM {self.name}"  # noqa: S608 - ours
            )
            self.table.records += self.rows
        self._drop()

    def fill_raw(self) -> None:
        """Its fields fill those that the records of the same lines lack."""
        # Where the table has all the fields that it may have, none may be left to bring.
        if self.rows and (targets := [(add_field(self.table, n), c) for n, c in self._kept()]):
            sets = ", ".join(f"{raw} = coalesce(raw.{raw}, s.{c})" for raw, c in targets)
            for part in self.table.writable([raw for raw, _ in targets]):
                self.table.db.execute(
                    f"UPDATE {part} AS raw SET {sets} FROM {self.name} s WHERE raw._n = s._n"  # noqa: S608 - ours
                )
        self._drop()

    def _kept(self) -> list[tuple[str, str]]:
        room = MOST_FIELDS - len(self.table.columns)
        new = [n for n in self.columns if n not in self.table.columns]
        self.left_out.update(new[max(room, 0) :])
        return [(n, c) for n, c in self.columns.items() if n not in self.left_out]

    def _drop(self) -> None:
        self.table.fields_left_out += len(self.left_out)
        self.table.db.execute(f"DROP TABLE {self.name}")
        self.table.show()


def add_field(table: Table, name: str) -> str:
    """The column of a field in `raw`; made where there is none. Only when the engine has ended."""
    if name not in table.columns:
        table.columns[name] = f"x{len(table.columns)}"
    return table.columns[name]
