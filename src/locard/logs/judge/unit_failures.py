"""How often systemd says in the journal of a unit that the unit failed: these are no lines of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locard.logs.table.table import Table

_ID = "MESSAGE_ID"
_FAILED = "d9b373ed55a64feb8242e02dbe79a49c"  # sd-messages.h: "Failed with result"


def counted(table: Table) -> int:
    """The number of such lines; 0 in a log that is no journal."""
    column = table.columns.get(_ID)
    if column is None:
        return 0
    (failed,) = table.one(
        f"SELECT count(*) FROM raw WHERE CAST({column} AS VARCHAR) = '{_FAILED}'"  # noqa: S608 - the column is ours
    )
    return int(failed)
