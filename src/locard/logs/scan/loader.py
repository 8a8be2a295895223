"""From a source to the table of its records, by the fastest engine that is there, within bounds."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from locard.logs.input import log_source
from locard.logs.lines.reshaping import find_reshaping
from locard.logs.lines.text_lines import TextLines
from locard.logs.lines.unwrap import Unwrapper, looks_wrapped
from locard.logs.scan import native_engine
from locard.logs.scan.duckdb_engine import BLANK, DuckdbEngine
from locard.logs.table.memory import SPILLING_MB, cap_mb
from locard.logs.table.table import Table, connect
from locard.model.log_reading import Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from locard.logs.input.log_source import Source

TOO_LONG = "longer than 16 MiB"
_SHARE_IF_COPIED = 0.7
_FIRST_LOOK_S = 0.3
_COMES_S = 1.5  # longer, while a pipe gives what it has: most are at their end by then
_WRAPPED_BYTES = 8 << 20
_BEGINNING = 8 << 20  # bytes of a log that are looked at with more care
_LOOK_EVERY = 16 << 20  # bytes, at how full the memory is
_MEMORY_SHARE = 0.5  # of the limit, for the records; the rest is for the questions


class Engine(Protocol):
    """What reads blocks of whole lines into the table `raw`."""

    name: str

    def add(self, block: bytes) -> None:
        """Append the records of one block."""

    def flush(self) -> None:
        """Bring what was read so far into the table."""

    def finish(self) -> None:
        """Give the table what was counted."""


class ReadingShare:
    """How much of a time budget may go into reading, so that what was read can be judged within the rest.

    `judging` is how many seconds that takes for one of reading; time in which nothing came costs nothing.
    """

    def __init__(
        self,
        budget_s: float,
        judging: float,
        clock: Callable[[], float] = time.monotonic,
        work: Callable[[], float] = time.process_time,
    ) -> None:
        """Starts at once. `clock` and `work` are seconds, passed and of the processor."""
        self._budget_s, self._judging = budget_s, judging
        self._clock, self._work = clock, work
        self._begin, self._before = clock(), work()

    @property
    def used_up(self) -> bool:
        """Whether judging what was read so far takes what is left."""
        spent = self._clock() - self._begin
        busy = min(spent, self._work() - self._before)
        return spent + busy * self._judging >= self._budget_s


class _FirstLook:
    """Shows the table once, when a source that goes on has been read for a moment."""

    def __init__(self, table: Table, reader: Engine, show: Callable[[Table], None]) -> None:
        self._table, self._reader, self._show = table, reader, show
        self._due: float | None = time.monotonic() + _FIRST_LOOK_S

    def perhaps(self, more_s: float = 0.0) -> None:
        """Show it, if it has been time for `more_s` seconds and there is something to be seen."""
        if self._due is None or time.monotonic() < self._due + more_s or not self._table.records:
            return
        self._due = None
        self._reader.flush()
        self._show(self._table)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is read of a log: the fields `only`, all if there are none; texts that are no JSON; templates
    of messages and what else is `mined`; arrays and deep objects as they are written (`raws`).
    """  # noqa: D205 - a list

    only: tuple[str, ...] = ()
    text: bool = True
    mined: bool = True
    raws: bool = False


ALL = Choice()


def load(
    source: Source,
    budget_s: float,
    threads: int,
    engine: str | None = None,
    *,
    first_look: Callable[[Table], None] | None = None,
    spill: str = "",
    share: ReadingShare | None = None,
    choice: Choice = ALL,
) -> Table:
    """The records that the source gives within the budget and the memory cap.

    What does not fit into the memory goes into the folder `spill`; without one it is left out.

    `engine` is native or duckdb; None takes the native one where it is there. `first_look` is shown
    the table of a pipe that goes on, once nothing comes or after two seconds. `share` says when to stop
    reading so that there is time for the rest.
    """
    import duckdb  # noqa: PLC0415 - see table.connect

    memory_mb = SPILLING_MB if spill else cap_mb()
    db = connect(threads, memory_mb, spill)
    table = Table(db, engine or ("native" if native_engine.available() else "duckdb"))
    table.memory_mb, table.spills = memory_mb, bool(spill)
    table.wanted = frozenset(choice.only)
    text = TextLines(table, source.modified)
    wrapping = Unwrapper(table, text)
    reader = _reader(table, wrapping, choice)
    look = None
    if first_look is not None and source.size is None:
        look = _FirstLook(table, reader, first_look)
        source.on_idle = look.perhaps
    source.reshape = find_reshaping
    _read(source, reader, wrapping, budget_s, look=look, share=share)
    reader.finish()
    if isinstance(reader, native_engine.NativeEngine):
        table.encode = reader.add_records
    try:
        text.finish()
        wrapping.finish()
    except duckdb.OutOfMemoryException:
        table.partial = table.cap_reached
    _forget_blank(table, wrapping.joined)
    _say_what_is_missing(table, source)
    table.origins, table.limits = source.origins, source.limits
    table.workload = source.workload
    return table


def _reader(table: Table, wrapping: Unwrapper, choice: Choice) -> Engine:
    on_text = wrapping.read_text if choice.text else None
    if table.engine == "native":
        return native_engine.NativeEngine(
            table, on_text, choice.only, mines=choice.mined, raws=choice.raws
        )
    return DuckdbEngine(table, on_text=on_text, raws=choice.raws)


def _read(
    source: Source,
    reader: Engine,
    wrapping: Unwrapper,
    budget_s: float,
    *,
    look: _FirstLook | None,
    share: ReadingShare | None,
) -> None:
    """Read until the source, the memory or the time ends."""
    import duckdb  # noqa: PLC0415 - see table.connect

    table, text = wrapping.table, wrapping.text
    looked = 0
    for block, wrapped in _blocks(source, reader, budget_s, table):
        try:
            if block:
                opened = wrapping.open(block, table.lines) if wrapped else block
                table.unwrapped = table.unwrapped or opened is not block
                reader.add(opened)
            if look is not None:
                look.perhaps(_COMES_S)
            full = False
            if source.bytes_read - looked >= _LOOK_EVERY:
                looked = source.bytes_read
                full = _is_full(table, copied=bool(text.records and table.records))
        except (duckdb.OutOfMemoryException, MemoryError):
            full = True
        if full:
            table.partial = table.cap_reached
            break
        if share is not None and share.used_up:
            source.stopped = "the time budget ended: its rest was for judging what was read"


def _say_what_is_missing(table: Table, source: Source) -> None:
    if source.dropped_long:
        table.lines += source.dropped_long
        table.skipped += (Skipped(TOO_LONG, source.dropped_long, ""),)
    for reason, lines in source.not_read:
        table.lines += lines
        table.skipped = (Skipped(reason, lines, ""), *table.skipped)  # whole files: told first
    if source.left_by_name:
        table.note(source.left_by_name)
    table.partial = table.partial or source.partial
    if (
        source.size
        and type(source) is log_source.Source
        and table.partial == source.partial == source.ended_by
    ):
        done = 100 * source.bytes_read // source.size
        table.partial = f"{source.partial}: the first {done} % of it were read"


def _blocks(
    source: Source, reader: Engine, budget_s: float, table: Table
) -> Iterator[tuple[bytes, bool]]:
    """The blocks that the engine does not read from the file by itself; empty ones in between.

    Each comes with whether its lines look wrapped.

    Of wrapped lines several blocks come together: taking wrappers off costs a few statements a
    block, and a line in parts is joined within one.
    """
    blocks = source.blocks(budget_s)
    deadline = time.monotonic() + budget_s
    while True:
        if isinstance(reader, native_engine.NativeEngine):
            yield from _read_by_itself(source, reader, deadline, table)
            if table.partial:
                return
        block = next(blocks, None)
        if block is None:
            return
        held = [block]
        wrapped = _may_be_wrapped(reader, block, source) and looks_wrapped(block)
        if wrapped and len(block) >= log_source.BLOCK_BYTES // 2:
            size = len(block)
            while size < _WRAPPED_BYTES and (more := next(blocks, None)) is not None:
                held.append(more)
                size += len(more)
        yield b"".join(held), wrapped


def _may_be_wrapped(reader: Engine, block: bytes, source: Source) -> bool:
    if isinstance(reader, native_engine.NativeEngine):
        return reader.looks_odd(block, source.bytes_read < _BEGINNING)
    return True


def _read_by_itself(
    source: Source, reader: native_engine.NativeEngine, deadline: float, table: Table
) -> Iterator[tuple[bytes, bool]]:
    """Let the engine read a plain file until it comes to a block that is not for it."""
    while (place := source.unread()) and not source.stopped and time.monotonic() < deadline:
        try:
            reached, odd = reader.scan(source.fd, *place)
        except OSError:
            return  # reading it again says what is wrong
        except MemoryError:
            table.partial = "the memory ran out"
            return
        source.skip(reached - place[0])
        yield b"", False
        if odd or reached == place[0]:
            return


def _forget_blank(table: Table, lines: int) -> None:
    """Lines that became parts of others are not blank ones."""
    if lines:
        rest = (
            replace(s, lines=s.lines - lines) if s.reason == BLANK else s for s in table.skipped
        )
        table.skipped = tuple(s for s in rest if s.lines > 0)


def _is_full(table: Table, *, copied: bool) -> bool:
    """Whether the records fill their share of the memory, even after they were compressed.

    `copied` says that those of text will be brought to the others, which needs room for both.
    """
    if table.spills:
        return False
    share = _MEMORY_SHARE * (_SHARE_IF_COPIED if copied else 1.0)
    if not _over_share(table, share):
        return False
    table.db.execute("CHECKPOINT")
    return _over_share(table, share)


def _over_share(table: Table, share: float) -> bool:
    (used,) = table.one("SELECT sum(memory_usage_bytes) FROM duckdb_memory()")
    return int(used or 0) > share * table.memory_mb * 1e6
