"""An interval of `locard top`: one line of it, or a screen that fits a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.columns import cut
from locard.model.wording import count
from locard.report import times

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from locard.model.kernel_facts import Row, Trace

_LEAST_ROWS = 3  # of each table, however low the terminal is
_HEADS = 9  # lines that are no rows


def line(found: Trace, tz: dt.tzinfo | None) -> str:
    """One interval on one line: when, what, and what was lost."""
    at = found.observed.began
    when = times.clock(at, tz, zone=True) + "  " if at is not None else ""
    seconds = f"{found.observed.seconds:.1f} s"
    lost = "".join(f"; {words}" for words in (*found.observed.lost, *found.observed.blind))
    return f"{when}{seconds}  {found.says}{lost}"


def screen(found: Trace, title: str, tz: dt.tzinfo | None, size: tuple[int, int]) -> Iterator[str]:
    """The lines of one interval, as many and as wide as fit: (columns, lines)."""
    width, height = size
    for text in _lines(found, title, tz, max(0, height - 1)):
        yield cut(text, width)


def _lines(found: Trace, title: str, tz: dt.tzinfo | None, height: int) -> Iterator[str]:
    observed = found.observed
    when = times.clock(observed.began, tz, zone=True) if observed.began is not None else ""
    yield f"{title}  {when}, {observed.seconds:.1f} s  (Ctrl-C ends it)"
    yield f"{observed.engine}; locard itself {observed.cost_s or 0.0:.3f} s of CPU"
    notes = [*observed.lost, *observed.blind]
    if notes:
        yield "not seen: " + "; ".join(notes)
    several = len(found.processes) > 1
    room = height - _HEADS - len(notes[:1])
    shown = found.processes[: max(_LEAST_ROWS, room // 4)]
    for row in shown:
        yield _process(row, observed.seconds)
    yield from _more(found.processes, shown, "processes")
    room -= len(shown)
    threads = found.threads[: max(_LEAST_ROWS, room // 3)]
    yield ""
    yield from _functions(found, max(_LEAST_ROWS, room - len(threads)))
    yield ""
    yield "    CPU    GIL  thread"
    for row in threads:
        whose = f" of pid {row.pid}" if several else ""
        cpu = "    ?" if row.total_s is None else f"{row.total_s / observed.seconds:5.0%}"
        yield f"  {cpu}  {row.value or 0.0:5.0%}  {row.thread or '?'} {row.tid or ''}{whose}"
    yield from _more(found.threads, threads, "threads that did something")


def _process(row: Row, seconds: float) -> str:
    cores = (
        "CPU not known, it ended" if row.total_s is None else f"{row.total_s / seconds:.2f} cores"
    )
    return f"{row.what}: {cores}, {count(row.threads or 0, 'thread')}, {row.detail}"


def _functions(found: Trace, room: int) -> Iterator[str]:
    total = sum(row.count for row in found.rows)
    yield "    own    all  function, by share of the samples"
    for row in found.rows[:room]:
        if total:
            yield f"  {row.count / total:5.0%}  {(row.value or 0.0) / total:5.0%}  {row.what}"
    if not found.rows:
        yield "  no sample: nobody counted"
    yield from _more(found.rows, found.rows[:room], "functions")


def _more(every: Sequence[Row], shown: Sequence[Row], what: str) -> Iterator[str]:
    if len(every) > len(shown):
        yield f"  and {len(every) - len(shown):,} more {what}"
