"""One log ready for questions: its records, just scanned or kept from last time, and their meaning.

A question over a kept scan has a fifth of a second in all: this module imports next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from locard.logs.ask.jq_stop import Stop
    from locard.logs.fields.meaning import Meaning
    from locard.logs.table.kept_values import Stored


@dataclass(slots=True)
class Sheet:
    """A log as the relation `relation` in a private database, with what was seen when it was read.

    `skipped` are reason, number and a sample of the lines that could not be read; `stop` says where jq
    stops in it, None where that is not known.
    """

    db: duckdb.DuckDBPyConnection
    relation: str
    source: str
    meaning: Meaning
    lines: int
    records: int
    skipped: tuple[tuple[str, int, str], ...] = ()
    partial: str = ""
    engine: str = ""
    kept: bool = False
    stop: Stop | None = None
    # The line, from 0, before which jq does not stop; None if it never does.
    first_odd: int | None = 0
    whole: Sheet | None = None  # that of the log, where this one has only the records asked for
    # Columns whose values are no texts, with what they are; those stand beside them as `NAME_kept`.
    stored: Mapping[str, Stored] = field(default_factory=dict)
