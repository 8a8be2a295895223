"""Lines of columns that a line before them names: W3C extended logs and their like.

Read before all formats, as such lines look like anything; a log without such a head pays for the search of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.logs.lines.line_format import columns
from locard.logs.table.sql_text import literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.logs.lines.added_fields import SideTable
    from locard.logs.lines.line_format import Columns
    from locard.logs.table.table import Table

_NO_NAME = re.compile(r"[^\w.]+")
_MOST_COLUMNS = 256
_FOREVER = 1 << 62


class ColumnLines:
    """Reads them into a table beside `raw`; a head counts until the next one."""

    def __init__(self, table: Table, into: SideTable) -> None:
        """`into` gets the records."""
        self.table = table
        self.into = into
        self._head: tuple[Columns, str] | None = None

    def read(self, sql: str) -> str:
        """Read what of the rows (n, line) of a query stands in columns; the query of the others."""
        starts = " OR ".join(f"starts_with(line, {literal(c.head)})" for c in columns())
        heads = self.table.rows(f"SELECT n, line FROM ({sql}) WHERE {starts} ORDER BY n")  # noqa: S608 - quoted
        if self._head is None and not heads:
            return sql
        done = 0
        for first, last, kind, head in self._spans(heads):
            done += self._insert(sql, kind, head, f"n > {first} AND n < {last}")
        rest = " AND ".join(f"NOT starts_with(line, {literal(c.comment)})" for c in columns())
        if not done:
            return f"SELECT n, line FROM ({sql}) WHERE {rest}"  # noqa: S608 - quoted
        read = f"SELECT _n AS n FROM {self.into.name} WHERE _n >= (SELECT min(n) FROM ({sql}))"  # noqa: S608 - ours
        return f"SELECT n, line FROM ({sql}) ANTI JOIN ({read}) USING (n) WHERE {rest}"  # noqa: S608 - as above

    def _spans(self, heads: list[tuple[int, str]]) -> Iterator[tuple[int, int, Columns, str]]:
        """From which line to which one a head counts."""
        starts = [-1, *(n for n, _ in heads)]
        ends = [*starts[1:], _FOREVER]
        lines = [None, *(line for _, line in heads)]
        for first, last, line in zip(starts, ends, lines, strict=True):
            if line is not None:
                kind = next(c for c in columns() if line.startswith(c.head))
                self._head = kind, line[len(kind.head) :].strip(" \r")
            if self._head is not None:
                yield first, last, *self._head

    def _insert(self, sql: str, kind: Columns, head: str, where: str) -> int:
        # The head has blanks even where the lines have tabs.
        names = head.split()[:_MOST_COLUMNS]
        inside = f"FROM ({sql}) WHERE {where} AND NOT starts_with(line, {literal(kind.comment)})"
        (tabs,) = self.table.one(f"SELECT coalesce(mode(contains(line, chr(9))), false) {inside}")
        cut = "chr(9)" if tabs else "' '"
        source = (
            f"(FROM (SELECT n, string_split(rtrim(line, ' ' || chr(13)), {cut}) AS p {inside}) "
            f"WHERE len(p) = {len(names)})"
        )
        values = {
            kind.names.get(
                name, _NO_NAME.sub("_", name).strip("_")
            ): f"nullif(nullif(p[{i}], '-'), '')"
            for i, name in enumerate(names, 1)
        }
        if "date" in values and "time" in values:
            values["time"] = f"{values.pop('date')} || 'T' || {values['time']} || 'Z'"
        if took := values.pop("time_taken", None):
            asked = f"SELECT coalesce(bool_or(contains({took}, '.')), false) FROM {source}"  # noqa: S608 - ours
            (fraction,) = self.table.one(asked)
            values["time_taken_s" if fraction else "time_taken_ms"] = took
        return self.into.insert(values, "n", source)
