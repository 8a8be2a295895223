"""From a source to its sheet: the kept scan where the file is still the same, else a new scan."""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
from typing import TYPE_CHECKING

from locard.logs.ask import kept_scans
from locard.logs.fields.role_names import message_name
from locard.logs.input.log_source import open_source
from locard.logs.lines.loose_lines import append_loose
from locard.model.errors import SourceUnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb

    from locard.logs.ask.jq_stop import Stop
    from locard.logs.ask.log_view import Sheet
    from locard.logs.ask.projection import Reads
    from locard.logs.input.log_source import Source, Wants
    from locard.logs.scan.loader import Choice
    from locard.logs.table.table import Table

    Picker = Callable[[Sheet], Sequence[int] | None]

READING_SHARE = 0.8  # of the budget at most; the rest is for the questions
FOR_QUESTIONS = 0.25  # seconds that they take for one of reading
FOR_JUDGING = 1.0  # the same of the first pass: about 0.8 to 1.0 of what reading JSON lines takes
_AGAIN_S = 0.05
JQ_BUDGET_S = 2.0
AGAIN_S = 60.0  # to read some records again
_MOST_TEXT = 0.01  # of the records of a log of JSON lines


@contextlib.contextmanager
def scanned(
    name: str,
    budget_s: float,
    threads: int,
    wants: Wants | None = None,
    given: Mapping[str, str] | None = None,
    *,
    first_look: Callable[[Table], None] | None = None,
    state: Path | None = None,
    judging: float = FOR_QUESTIONS,
    choice: Choice | None = None,
) -> Iterator[Table]:
    """The table of a source that is read now; raises SourceUnreadableError, NotPermittedError.

    For `first_look` and `choice` see `loader.load`, for `judging` `loader.ReadingShare`; what does not
    fit into the memory goes below `state`.
    """
    from locard.logs.scan.loader import ALL, ReadingShare, load  # noqa: PLC0415 - kept scans need none of it
    from locard.logs.table.spill import room  # noqa: PLC0415 - as above

    with room(state) as spill:
        source = open_source(name, wants)
        try:
            with _ended_by_interrupt(source):
                share = ReadingShare(budget_s, judging)
                table = load(
                    source,
                    budget_s * READING_SHARE,
                    threads,
                    first_look=first_look,
                    spill=spill,
                    share=share,
                    choice=choice or ALL,
                )
        finally:
            source.close()
        table.given.update(given or {})
        try:
            yield table
        finally:
            table.db.close()


@contextlib.contextmanager
def _ended_by_interrupt(source: Source) -> Iterator[None]:
    """Ctrl-C ends the reading of what goes on, and what came is judged; the second one ends locard."""
    if source.size is not None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        source.stopped = "it was interrupted"
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def interrupted_after(db: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[threading.Event]:
    """Whatever `db` does later than that is interrupted (duckdb.InterruptException); says whether it was."""
    done, over = threading.Event(), threading.Event()

    def interrupt() -> None:
        if done.wait(max(seconds, 0.0)):
            return
        over.set()
        while not done.wait(_AGAIN_S):  # one is lost where nothing runs at that moment
            db.interrupt()

    timer = threading.Thread(target=interrupt, daemon=True)
    timer.start()
    try:
        yield over
    finally:
        done.set()
        timer.join()


@contextlib.contextmanager
def asked(
    name: str,
    budget_s: float,
    threads: int,
    shelf: kept_scans.Shelf | None = None,
    *,
    wants: Wants | None = None,
    given: Mapping[str, str] | None = None,
    state: Path | None = None,
    reads: Reads | None = None,
    pick: Picker | None = None,
) -> Iterator[Sheet]:
    """The sheet of a source; when the caller is done with a new scan, it is kept on the shelf.

    `reads` says what the question needs of it, where that is not every field. Where that is all fields of
    the records that it finds, `pick` finds them: the sheet has these alone, in their order.
    """
    identity = kept_scans.Identity.of(name) if shelf and name != "-" else None
    needs = None if reads is not None and reads.whole else reads
    found = shelf.find(identity, name, threads, needs) if shelf and identity else None
    if shelf and identity and found is not None:
        known = found.stop
        try:
            yield found
        finally:
            found.db.close()
        if found.stop != known:
            shelf.note(identity, found.stop)
        return
    from locard.logs.ask.interpret import sheet_of  # noqa: PLC0415 - as above
    from locard.logs.scan.loader import Choice  # noqa: PLC0415 - as above

    reading = functools.partial(scanned, name, budget_s, threads, wants, given, state=state)
    if reads is not None and name != "-" and (pick is not None or not reads.whole):
        with _projected(reading, reads, name, wants, given or {}, pick=pick) as narrow:
            if narrow is not None:
                yield narrow
                return
    with reading(choice=Choice(raws=True)) as table:
        if not table.records:
            from locard.logs.scan.no_records import (  # noqa: PLC0415 - only then
                is_binary,
                nothing_read,
                nothing_written,
            )

            pods = table.workload() if table.workload and not table.lines else None
            if pods is not None:
                raise nothing_written(name, pods)
            if not table.loose or is_binary(table):
                raise nothing_read(name, table)
        take_loose_lines(table)
        fresh = sheet_of(table, name)
        yield fresh
        if shelf and identity:
            keep_scan(shelf, identity, fresh, cheap=reads_again(identity, table))


def take_loose_lines(table: Table) -> None:
    """Make records of the lines in no known format: a question finds them by what they say."""
    append_loose(table, message_name(table.columns))


def reads_again(identity: kept_scans.Identity, table: Table) -> bool:
    """Whether reading a log again, with the fields of a question alone, costs less than keeping all of it."""
    from locard.logs.ask.projection import LARGE  # noqa: PLC0415 - as above

    is_json = not table.text_columns and table.from_text < _MOST_TEXT * table.records
    return identity.size >= LARGE and table.engine == "native" and is_json


def may_be_kept_whole(identity: kept_scans.Identity) -> bool:
    """Whether all of a log may be worth keeping, by its size and how it begins."""
    from locard.logs.ask.projection import LARGE  # noqa: PLC0415 - as above

    return identity.size < LARGE or identity.begins != "{"


@contextlib.contextmanager
def _projected(
    reading: Callable[..., contextlib.AbstractContextManager[Table]],
    reads: Reads,
    name: str,
    wants: Wants | None,
    given: Mapping[str, str],
    *,
    pick: Picker | None,
) -> Iterator[Sheet | None]:
    """The sheet of a large log with the fields of a question alone; None where that does not do."""
    from locard.logs.ask import projection  # noqa: PLC0415 - as above
    from locard.logs.ask.interpret import sheet_of  # noqa: PLC0415 - as above
    from locard.logs.scan.loader import Choice  # noqa: PLC0415 - as above

    plan = projection.planned(name, wants, reads, given)
    if plan is None:
        yield None
        return
    with reading(choice=Choice(plan.fields, raws=True)) as whole:
        take_loose_lines(whole)
        fresh = sheet_of(whole, name) if whole.records else None
        if fresh is None or not projection.holds(plan, whole, fresh.meaning):
            yield None
        elif reads.whole and pick is not None:
            with _found(name, whole, fresh, pick(fresh)) as found:
                yield found
        else:
            yield fresh


@contextlib.contextmanager
def _found(
    name: str, table: Table, fresh: Sheet, numbers: Sequence[int] | None
) -> Iterator[Sheet | None]:
    """The sheet of these records with all of their fields; None where they cannot be read by themselves."""
    from locard.logs.ask.found_lines import found_lines  # noqa: PLC0415 - as above
    from locard.logs.ask.interpret import sheet_of  # noqa: PLC0415 - as above
    from locard.logs.scan.loader import Choice, load  # noqa: PLC0415 - as above

    if numbers is not None and not numbers:
        yield fresh  # which has none either
        return
    source = found_lines(name, table, numbers) if numbers else None
    if source is None:
        yield None
        return
    try:
        records = load(source, AGAIN_S, 1, choice=Choice(raws=True))
    finally:
        source.close()
    try:
        if records.records != len(numbers or ()):
            yield None
            return
        found = sheet_of(records, name)
        found.lines, found.records, found.skipped = fresh.lines, fresh.records, fresh.skipped
        found.partial, found.first_odd, found.whole = fresh.partial, fresh.first_odd, fresh
        yield found
    finally:
        records.db.close()


def keep_scan(
    shelf: kept_scans.Shelf,
    identity: kept_scans.Identity,
    fresh: Sheet,
    *,
    cheap: bool = False,
) -> None:
    """Keep a new scan, or of a `cheap` one what costs little, and where jq stops with it."""
    if identity.settled and not fresh.partial and not (cheap and shelf.has(identity)):
        find_jq_stop(fresh)
        shelf.keep(identity, fresh, cheap=cheap)


def find_jq_stop(found: Sheet) -> Stop | None:
    """Where jq stops in the log, as far as two seconds tell; None for pipes."""
    if found.stop is not None:
        return found.stop
    if found.source == "-":
        return None
    try:
        source = open_source(found.source)
    except SourceUnreadableError:
        return None
    from locard.logs.ask import jq_stop  # noqa: PLC0415 - as above

    try:
        if source.size is None:
            return None
        if found.first_odd is None:
            found.stop = jq_stop.Stop(None, found.records, found.lines, whole=not found.partial)
        else:
            found.stop = jq_stop.first_stop(source, JQ_BUDGET_S, found.first_odd)
        return found.stop
    finally:
        source.close()


def behind(found: Sheet, stop: Stop) -> int:
    """How many records stand at and behind the line at which jq stops."""
    if stop.line is None:
        return 0
    # Those before it are few, mostly: no need to count the others.
    ((before,),) = found.db.execute(
        f"SELECT count(*) FROM {found.relation} WHERE _n < $n",  # noqa: S608 - our own names
        {"n": stop.line - 1},
    ).fetchall()
    return found.records - int(before)
