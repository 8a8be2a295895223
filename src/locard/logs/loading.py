"""From a source to the table of its records, by the fastest engine that is there, within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from locard.logs import native_engine
from locard.logs.duckdb_engine import DuckdbEngine
from locard.logs.table import MEMORY_MB, Table, connect
from locard.model.facts import Skipped

if TYPE_CHECKING:
    from locard.logs.reading import Source

TOO_LONG = "longer than 16 MiB"
_MEMORY_SHARE = 0.5  # of the limit, for the records; the rest is for the questions


class Engine(Protocol):
    """What reads blocks of whole lines into the table `raw`."""

    name: str

    def add(self, block: bytes) -> None:
        """Append the records of one block."""

    def finish(self) -> None:
        """Give the table what was counted."""


def load(source: Source, budget_s: float, threads: int, engine: str | None = None) -> Table:
    """The records that the source gives within the budget and the memory cap.

    `engine` is native or duckdb; None takes the native one where it is there.
    """
    import duckdb  # noqa: PLC0415 - see table.connect

    db = connect(threads)
    db.execute("CREATE TABLE raw (_n BIGINT)")
    table = Table(db, engine or ("native" if native_engine.available() else "duckdb"))
    reader: Engine = (
        native_engine.NativeEngine(table) if table.engine == "native" else DuckdbEngine(table)
    )
    for block in source.blocks(budget_s):
        try:
            reader.add(block)
            full = _is_full(table)
        except duckdb.OutOfMemoryException:
            full = True
        if full:
            table.partial = f"the memory cap of {MEMORY_MB} MB was reached"
            break
    reader.finish()
    if source.dropped_long:
        table.lines += source.dropped_long
        table.skipped += (Skipped(TOO_LONG, source.dropped_long, ""),)
    table.partial = table.partial or source.partial
    return table


def _is_full(table: Table) -> bool:
    """Whether the records fill their share of the memory, even after they were compressed."""
    if not _over_share(table):
        return False
    table.db.execute("CHECKPOINT")
    return _over_share(table)


def _over_share(table: Table) -> bool:
    (used,) = table.one("SELECT sum(memory_usage_bytes) FROM duckdb_memory()")
    return int(used or 0) > _MEMORY_SHARE * MEMORY_MB * 1e6
