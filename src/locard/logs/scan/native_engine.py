"""Reads NDJSON with the native module: parsed once in C++, handed to DuckDB as Arrow.

It gives the same table as the engine that DuckDB alone makes, several times faster.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from locard.logs.lines.unwrap import is_wrapped, wrapping_words
from locard.logs.table.kept_values import Stored
from locard.logs.table.table import (
    CELLS,
    DEEPEST,
    MOST_FIELDS,
    SAMPLE_CHARS,
    TEMPLATES,
    TEXT_LINES,
    Seen,
    Table,
    Tally,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from locard._native import Batch, Scanner
    from locard.logs.table.table import OnText


# A batch costs DuckDB a statement, and memory as long as it waits.
_MOST_VALUES = 4_000_000
_MOST_BYTES = 64 << 20  # of the log; long texts in few values
_MOST_TEXT_BYTES = 32 << 20  # where lines are handed out: reading text takes a few times its size
_LINES_AT_ONCE = 250_000  # whose records of text are taken
_ENOUGH_TEXT = (
    50_000  # lines to hand out at once: the patterns of all formats cost more than a few lines
)


def available() -> bool:
    """Whether the native module is there (it is not where no compiler was)."""
    try:
        import locard._native  # noqa: F401, PLC0415 - the question is whether it can be
    except ImportError:
        return False
    return True


class _Inserts:
    """Brings batches into `cells`; beside the reading where DuckDB has more than one thread."""

    def __init__(self, table: Table) -> None:
        (threads,) = table.one("SELECT current_setting('threads')")
        self._beside = threads > 1
        # A connection is for one thread at a time.
        self._db = table.db.cursor()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def start(self, batch: Batch) -> None:
        """Insert a batch; `wait` says what became of it."""
        if not self._beside:
            self._insert(batch)
            return
        self._thread = threading.Thread(target=self._try, args=(batch,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until the last batch is in `cells`; raises what went wrong with it."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _try(self, batch: Batch) -> None:
        try:
            self._insert(batch)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            self._error = error

    def _insert(self, batch: Batch) -> None:
        self._db.register("block", batch)
        try:
            self._db.execute(f"INSERT INTO {CELLS} BY NAME SELECT * FROM block")  # noqa: S608
        finally:
            self._db.unregister("block")


class _Stream:
    """The rows of a query, for the native module."""

    def __init__(self, relation: duckdb.DuckDBPyRelation) -> None:
        self._relation = relation

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._relation.__arrow_c_stream__(requested_schema)


class NativeEngine:
    """Appends blocks to the table with the native reader."""

    name = "native"

    def __init__(
        self,
        table: Table,
        on_text: OnText | None = None,
        only: Sequence[str] = (),
        *,
        mines: bool = True,
        raws: bool = False,
    ) -> None:
        """The module has to be there: see `available`. For `on_text` see `table.TEXT_LINES`.

        `only` names the fields that are wanted, where it is not all of them: much faster. Without
        `mines` there are neither templates nor endpoints, nor sketches of fields with many values; with
        `raws` arrays and deep objects are kept as they are written.
        """
        from locard._native import Scanner, is_odd  # noqa: PLC0415 - it need not be there

        self._is_odd = is_odd
        self.table = table
        self._inserts = _Inserts(table)
        self._on_text = on_text
        self._mines = mines
        self._bytes = 0  # since the last batch
        self._held = 0  # lines of text that were not handed out yet
        (threads,) = table.one("SELECT current_setting('threads')")
        self._scanner: Scanner = Scanner(
            most_fields=MOST_FIELDS,
            deepest=DEEPEST,
            sample_chars=SAMPLE_CHARS,
            hands_out=on_text is not None,
            mines=self._mines,
            only=list(only),
            threads=threads,
            raws=raws,
        )

    def add(self, block: bytes) -> None:
        """Read one block; its records are in the table by the end of `finish`."""
        self._scanner.read(block)
        self._count(len(block), _MOST_BYTES if self._on_text is None else _MOST_TEXT_BYTES)

    def looks_odd(self, block: bytes, begins: bool) -> bool:
        """Whether a block may have to be unwrapped, by some of its lines."""
        return self._is_odd(block, begins, wrapping_words(), is_wrapped)

    def scan(self, file: int, offset: int, end: int) -> tuple[int, bool]:
        """Read some of a file by all threads, as `Scanner.scan`; raises OSError."""
        most = max(_MOST_BYTES - self._bytes, 1)
        reached, odd = self._scanner.scan(file, offset, end, most, wrapping_words(), is_wrapped)
        self._count(reached - offset, _MOST_BYTES)
        return reached, odd

    def _count(self, size: int, most_bytes: int) -> None:
        self._bytes += size
        self.table.lines = self._scanner.lines
        self.table.records = self._scanner.records
        if self._scanner.pending >= _MOST_VALUES or self._bytes >= most_bytes:
            self._take()

    def flush(self) -> None:
        """Bring what was read so far into the table."""
        self._take(whole=True)
        self._inserts.wait()
        self.table.show()

    def _take(self, *, whole: bool = False) -> None:
        """Hand the records so far to DuckDB, and of lines of text enough at once, or all of them."""
        self._bytes = 0
        batch = self._scanner.take()
        self._inserts.wait()  # the last batch went in while this one was read
        self._fit_columns()
        if batch.rows:
            self._inserts.start(batch)
        if self._on_text is not None:
            self._hold(self._scanner.text())
            if self._held and (whole or self._held >= _ENOUGH_TEXT):
                self._held = 0
                self._on_text()
                self.table.db.execute(f"DROP TABLE {TEXT_LINES}")

    def _fit_columns(self) -> None:
        """Make the columns of `cells` what the scanner keeps now."""
        for i, (name, column, kind, written, shapes, codes, raw) in enumerate(self._scanner.fields):
            now = Stored(column, kind, written, codes)
            self._fit(i, now)
            (self.table.raws if raw else self.table.columns)[name] = column
            if shapes and column not in self.table.shapes:
                self.table.db.execute(f"ALTER TABLE cells ADD COLUMN {column}s USMALLINT")
                self.table.shapes[column] = shapes
            if shapes == "endpoints":
                self._set(f"endpoints_of_{column}", self._scanner.endpoints(i))

    def _fit(self, number: int, now: Stored) -> None:
        db, before = self.table.db, self.table.stored.get(now.column)
        if before == now:
            return
        if before is None:
            db.execute(f"ALTER TABLE cells ADD COLUMN {now.column} {now.sql_type}")
        elif before.kind != now.kind:
            value = now.from_text(before.text)
            db.execute(f"ALTER TABLE cells ALTER {now.column} TYPE {now.sql_type} USING {value}")
        if now.kind == "codes":
            self._set(now.dictionary, self._scanner.dictionary(number))
        self.table.stored[now.column] = now

    def _set(self, variable: str, texts: list[str]) -> None:
        self.table.db.execute(f"SET VARIABLE {variable} = $texts::VARCHAR[]", {"texts": texts})

    def _hold(self, text: Batch) -> None:
        """Keep the lines that are not JSON for whoever reads text."""
        if not text.rows:
            return
        db = self.table.db
        db.register("handed_out", text)
        try:
            # A table and no view: it will be asked several times.
            into = (
                f"INSERT INTO {TEXT_LINES}"
                if self._held
                else f"CREATE OR REPLACE TEMP TABLE {TEXT_LINES} AS"
            )
            db.execute(f"{into} SELECT * FROM handed_out")  # noqa: S608 - our name
        finally:
            db.unregister("handed_out")
        self._held += text.rows

    def add_records(self, sql: str) -> None:
        """Take records that were read from text, so that they are kept as all others; then `finish` again."""
        before = self._scanner.records
        first, last = self.table.one(f"SELECT min(_n), max(_n) FROM ({sql})")  # noqa: S608 - our own words
        for begin in range(first or 0, (last or 0) + 1, _LINES_AT_ONCE):
            rows = f"FROM ({sql}) WHERE _n >= {begin} AND _n < {begin + _LINES_AT_ONCE}"
            self._scanner.read_records(_Stream(self.table.db.sql(rows)))
            self._take()
        self.table.records = self._scanner.records
        self.table.from_text += self.table.records - before
        skipped = self.table.skipped  # those of text, too
        self.finish()
        self.table.skipped = skipped

    def templates(self) -> list[tuple[str, int, str]]:
        """The templates of the messages so far: text, number, one example; most frequent first."""
        return self._scanner.templates()

    def finish(self) -> None:
        """Give the table what was counted."""
        import duckdb  # noqa: PLC0415 - see table.connect

        try:
            self._take(whole=True)
            self._inserts.wait()
        except duckdb.OutOfMemoryException:
            self.table.partial = self.table.cap_reached
            (self.table.records,) = self.table.one("SELECT count(*) FROM cells")
        tally = Tally()
        for reason, lines, sample in self._scanner.skipped:
            tally.add(reason, lines, sample)
        self.table.skipped = tally.skipped()
        self.table.fields_left_out = self._scanner.fields_left_out
        self.table.keys = frozenset(self._scanner.keys)
        self.table.places = tuple(self._scanner.places)
        if not self.table.unwrapped:
            odd = self._scanner.first_odd
            self.table.first_odd = None if odd < 0 else odd
        for i, (_, column, kind, *_, codes, raw) in enumerate(self._scanner.fields):
            if raw:
                continue
            count, samples = self._scanner.values(i)
            distinct, frequent = self._scanner.sketch(i) if kind != "codes" else (codes, [])
            if self._mines or kind == "codes":
                self.table.seen[column] = Seen(count, distinct, samples, frequent)
        if "skeletons" in self.table.shapes.values():
            found = [text for text, *_ in self._scanner.templates()]
            self._set(TEMPLATES, [found[i] for i in self._scanner.template_groups()])
        self.table.show()
