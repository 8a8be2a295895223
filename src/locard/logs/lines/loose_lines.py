"""Lines that are in no known format: no requests, and still to be found by who asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.logs.lines.added_fields import add_field
from locard.logs.lines.continued import BROKEN, UNKNOWN
from locard.logs.table.sql_text import quoted

if TYPE_CHECKING:
    from locard.logs.table.table import Table

KEPT_AS_TEXT = (UNKNOWN, BROKEN)  # reasons for which lines are no records of their own


def append_loose(table: Table, name: str = "message") -> None:
    """Make records of them, each with its text in the field `name`; their order is that of the log."""
    if not table.loose:
        return
    if table.encode is not None and not table.text_columns:
        table.encode(f"SELECT n AS _n, line AS {quoted(name)} FROM loose")  # noqa: S608 - quoted
    else:
        column = table.text_column(add_field(table, name))
        table.db.execute(f"INSERT INTO texts BY NAME SELECT n AS _n, line AS {column} FROM loose")  # noqa: S608 - ours
        table.records += table.loose
    table.loose = 0
    table.db.execute("DELETE FROM loose")
    table.show()
