"""The records of a log as a table, whichever engine has read them.

One row a record, one text column a field (nested fields dotted: `http.status`); numbers keep their
text and are cast where they are used, so "503" and 503 are the same. One column is locard's own:
`_n`, the number of the line in the source, so that order is never lost; an object that shares a line
with others counts as a line of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from locard.logs.memory import LEAST_MB
from locard.model.facts import Skipped

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

    OnText = Callable[[], None]

MOST_FIELDS = 256
DEEPEST = 4  # levels of objects that become fields
SAMPLE_CHARS = 200
RAW = "t.main.raw"  # as other connections to the same database name it

# Lines that are not JSON, as engines hand them out: a table `text_lines` (`_n` BIGINT as in `raw`,
# `line` VARCHAR with its leading white space) that is there while the callback runs, and no longer.
# Where nobody asks for them they are counted as skipped.
TEXT_LINES = "text_lines"


@dataclass(slots=True)
class Tally:
    """Skipped lines by reason, with one sample each."""

    lines: dict[str, int] = field(default_factory=dict)
    sample: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, lines: int, sample: str) -> None:
        """Count more lines; the first sample stays."""
        self.lines[reason] = self.lines.get(reason, 0) + lines
        self.sample.setdefault(reason, sample)

    def skipped(self) -> tuple[Skipped, ...]:
        """The most frequent reason first."""
        most_first = sorted(self.lines.items(), key=lambda item: (-item[1], item[0]))
        return tuple(Skipped(r, n, self.sample[r]) for r, n in most_first)


@dataclass(slots=True)
class Table:
    """The table `raw` in a private in-memory database. `columns` maps a field to its column."""

    db: duckdb.DuckDBPyConnection
    engine: str
    columns: dict[str, str] = field(default_factory=dict)
    lines: int = 0
    records: int = 0
    skipped: tuple[Skipped, ...] = ()
    partial: str = ""  # why it does not hold the whole source, in words
    fields_left_out: int = 0
    given: dict[str, str] = field(default_factory=dict)  # role to field, as the user said
    memory_mb: int = LEAST_MB

    @property
    def cap_reached(self) -> str:
        """Why it is partial where the memory was full."""
        return f"the memory cap of {self.memory_mb} MB was reached"

    def rows(
        self, sql: str, parameters: list[Any] | dict[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """The rows of one query."""
        return self.db.execute(sql, parameters or []).fetchall()

    def one(
        self, sql: str, parameters: list[Any] | dict[str, Any] | None = None
    ) -> tuple[Any, ...]:
        """The only row of one query."""
        return self.rows(sql, parameters)[0]

    def keep_newer_half(self) -> None:
        """Make room for questions: the older half of the records goes, and that is said."""
        self.db.execute("DROP TABLE IF EXISTS ev; DROP TABLE IF EXISTS cmp")
        self.db.execute("DELETE FROM raw WHERE _n < (SELECT (min(_n) + max(_n)) / 2 FROM raw)")
        self.db.execute("CHECKPOINT")
        (self.records,) = self.one("SELECT count(*) FROM raw")
        self.partial = f"{self.cap_reached}: of what was read only the newer part was judged"


def connect(threads: int, memory_mb: int = LEAST_MB) -> duckdb.DuckDBPyConnection:
    """A private in-memory DuckDB that reads no files, loads nothing and cannot be told to."""
    import duckdb  # noqa: PLC0415 - a tenth of a second that --help must not pay

    # No temporary directory: locard writes nowhere but into its own state directory.
    db = duckdb.connect(
        ":memory:",
        config={
            "threads": threads,
            "memory_limit": f"{memory_mb}MB",
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
            # Compression costs more than all the rest: only when memory runs short (see loading).
            "checkpoint_threshold": "1TB",
        },
    )
    db.execute("ATTACH ':memory:' AS t (COMPRESS)")
    db.execute("USE t")
    db.execute("SET enable_external_access = false")
    db.execute("SET lock_configuration = true")
    return db
