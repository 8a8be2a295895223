"""What was observed in the kernel as lines of a screen: tables, histograms, what was lost."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from locard.model import kernel_words
from locard.model.kernel_facts import NotObserved, SystemCalls, Trace, Waits
from locard.model.kernel_words import duration, size
from locard.report.kernel_table import Line, Sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from locard.model.facts import Fact
    from locard.model.kernel_facts import (
        CountedStack,
        Histogram,
        LockWait,
        Observed,
        Row,
        ThreadWait,
    )

_MOST_ROWS = 25
_BAR, _BESIDE_BAR = 40, 34
_STACKS = 8
_NAMES = 4
_ALIKE = 3  # more threads of one name that do the same are one row
_LOCKS = 10
_TIMES = re.compile(r"(, one for)? ?[0-9.,]+ (s|ms|us|ns)\b( by now)?")
_STATES = {"R": "runs", "S": "asleep", "D": "D: disk", "T": "stopped", "t": "traced"}

# A column: its head, and what stands there; a column that is empty in every row is left out.
_COLUMNS: tuple[tuple[str, Callable[[Row, float], str]], ...] = (
    ("count", lambda r, _: f"{r.count:,}" if r.value is None else ""),
    ("rate", lambda r, s: kernel_words.rate(r.count, s) if r.value is None else ""),
    ("value", lambda r, _: "" if r.value is None else f"{r.value:,.10g}"),
    ("errors", lambda r, _: f"{r.errors:,}" if r.errors else ""),
    ("bytes", lambda r, _: size(r.bytes) if r.bytes else ""),
    ("wall", lambda r, _: duration(r.total_s)),
    ("min", lambda r, _: duration(r.min_s)),
    ("p50", lambda r, _: duration(r.p50_s)),
    ("p99", lambda r, _: duration(r.p99_s)),
    ("max", lambda r, _: duration(r.max_s)),
    ("threads", lambda r, _: f"{r.threads:,}" if r.threads else ""),
    ("thread", lambda r, _: f"{r.thread} {r.tid or ''}".strip() if r.thread or r.tid else ""),
    ("result", lambda r, _: r.result),
)
# What the words of a program mean, said below its first table.
_WORDS = {
    "off-cpu": "off CPU: it sleeps, is blocked or stopped, and runs on no CPU; wall counts that",
    "run-queue": "waited for a CPU: it could run, and had no CPU; throttled: its cgroup had used up its quota",
    "tcp-connect": "gave up: the target closed the socket before an answer; p50, max: of those that are ok",
    "exec": "wall, p50, p99, max: how long they lived; forked: a copy of a process, that executed nothing yet",
    "accept-queue": "accept queue: connections that the kernel has opened and the target has not yet accepted",
    "page-faults": "fault: memory that is touched and not there; only those that read a disk wait long",
}
_SEVERAL = {
    "(short-lived)": "(short-lived): threads that ended before their names could be read",
    "(others)": "(others): threads that are not listed, summed up",
}
_HEADS = {"cpu": {"wall": "on CPU"}, "gil": {"wall": "has GIL"}}  # of what samples stand for
_IN_ORDER = {"last-calls"}  # each row is one event, told in the order of time
_ONE_EACH = {"count", "rate"}  # say nothing where a row is one call


def lines(fact: Fact, room: int | None = None) -> Iterator[str] | None:
    """The lines of a fact of the kernel wing, of at most `room` columns; None for any other fact."""
    sheet = Sheet(room)
    if isinstance(fact, Trace):
        return _trace(fact, sheet)
    if isinstance(fact, SystemCalls):
        return _system_calls(fact, sheet)
    if isinstance(fact, Waits):
        return _waits(fact, sheet)
    if isinstance(fact, NotObserved):
        return sheet.prose(f"not observed: {fact.problem}")
    return None


def _trace(trace: Trace, sheet: Sheet) -> Iterator[str]:
    seconds = trace.observed.seconds
    last = "peer" if trace.program.startswith("tcp-") else "what"
    rows = trace.rows if trace.program in _IN_ORDER else alike(trace.rows)
    heads = _HEADS.get(trace.mode, {})
    yield from table(rows, seconds, sheet, last=last, heads=heads)
    said = [_WORDS[trace.program]] if trace.rows and trace.program in _WORDS else []
    yield from sheet.legend(*said, *_summed(trace.rows))
    if len(trace.processes) > 1:
        yield "by process:"
        yield from table(trace.processes, seconds, sheet, "  ", last="process", heads=heads)
    if trace.threads:
        yield "by thread:"
        threads = alike(_each_thread(trace.threads))[:12]
        yield from table(threads, seconds, sheet, "  ", heads=heads)
    yield from _not_ended(trace.blocked, seconds, sheet)
    for found in trace.histograms:
        yield from bars(found, sheet)
    stacks = _together(trace.stacks) if trace.mode else trace.stacks
    several = len({s.pid for s in stacks}) > 1
    for stack in sorted(stacks, key=lambda s: -s.value)[:_STACKS]:
        yield from _stack(stack, sheet, f" of pid {stack.pid}" if several and stack.pid else "")
    yield from _how(trace.observed, sheet)


def _summed(rows: Sequence[Row]) -> list[str]:
    """What rows of several threads are, where there are such."""
    return [words for name, words in _SEVERAL.items() if any(r.thread == name for r in rows)]


def _together(stacks: Sequence[CountedStack]) -> tuple[CountedStack, ...]:
    """The same stack of several threads, in whichever process, as one with how many they are."""
    groups: dict[tuple[str, ...], list[CountedStack]] = {}
    for stack in stacks:
        groups.setdefault(stack.frames, []).append(stack)
    return tuple(some[0] if len(some) == 1 else _one(some) for some in groups.values())


def _one(some: Sequence[CountedStack]) -> CountedStack:
    pids = {s.pid for s in some}
    names = sorted({re.sub(r"[0-9]+", "*", s.thread) for s in some})
    name = ", ".join(names[:_NAMES]) + (f" of {len(pids):,} processes" if len(pids) > 1 else "")
    threads = len({(s.pid, s.thread) for s in some})
    pid = pids.pop() if len(pids) == 1 else None
    return replace(some[0], value=sum(s.value for s in some), thread=name, threads=threads, pid=pid)


def _stack(stack: CountedStack, sheet: Sheet, whose: str) -> Iterator[str]:
    value = duration(stack.value) if stack.unit == "s" else f"{stack.value:,.0f} {stack.unit}"
    several = f" in {stack.threads:,} threads" if (stack.threads or 0) > 1 else ""
    name = stack.thread or ("(short-lived)" if several else "")
    yield sheet.fitted(f"{value}  {name}{several}{whose}".rstrip())
    yield from (sheet.fitted(f"    {frame}") for frame in reversed(stack.frames))
    if stack.waker:
        yield "    woken by"
        yield from (sheet.fitted(f"      {frame}") for frame in reversed(stack.waker))


def _system_calls(found: SystemCalls, sheet: Sheet) -> Iterator[str]:
    seconds = found.observed.seconds
    for head, rows, last, result in (
        ("by call, wall time first", found.calls, "call", ""),
        ("by file, peer or pipe", alike(found.files)[:12], "file, peer or pipe", "call"),
        ("by thread", alike(found.threads)[:12], "call", ""),
        ("errors", alike(found.errors)[:12], "call", ""),
        ("waits for locks, by address", found.locks[:8], "lock", "op"),
        ("reported by epoll", found.ready[:8], "descriptor", "event"),
    ):
        if rows:
            yield f"{head}:"
            heads = {"result": result} if result else {}
            yield from table(rows, seconds, sheet, "  ", last=last, heads=heads)
            yield from sheet.legend(*_summed(rows))
            yield ""
    if found.slow:
        yield "slow calls:"
        yield from table(found.slow[:15], seconds, sheet, "  ", last="call", each=True)
        yield ""
    yield from _not_ended(found.blocked, seconds, sheet)
    for unit in ("s", "bytes"):
        busy = [c.what for c in found.calls if "waits" not in c.detail]
        every = [h for h in found.histograms if h.unit == unit]
        shown = next(
            (h for w in busy for h in every if h.name.endswith(w)), next(iter(every), None)
        )
        if shown is not None:
            yield from bars(shown, sheet)
    yield from _how(found.observed, sheet)


def _not_ended(rows: Sequence[Row], seconds: float, sheet: Sheet) -> Iterator[str]:
    """What is still inside, with for how long by now: the longest where several are."""
    if rows:
        yield "not ended:"
        folded = alike(rows, longest=True)
        yield from table(
            folded[:12], seconds, sheet, "  ", last="call", heads={"wall": "for"}, each=True
        )
        yield from sheet.legend()


def alike(rows: Sequence[Row], *, longest: bool = False) -> list[Row]:
    """Rows in which many threads of one name, or many processes, do the same are one, with how many.

    The order is that of the rows: by time, by count, or as each came first. The times are summed, or where `longest` the greatest stands for all.
    """
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.thread, row.what, row.result), []).append(row)
    folded: list[Row] = []
    for parts in groups.values():
        tids, pids = {p.tid for p in parts}, {p.pid for p in parts}
        if len(tids) > _ALIKE and None not in tids and parts[0].thread:
            folded.append(_as_one(parts, len(tids), "", longest=longest))
        elif len(pids) > _ALIKE and None not in pids and tids == {None}:
            folded.append(_as_one(parts, None, f"{len(pids)} processes", longest=longest))
        else:
            folded += parts
    if len(folded) == len(rows):
        return list(rows)
    for key in (_by_time, _by_count):  # as the rows were
        if all(key(a) <= key(b) for a, b in itertools.pairwise(rows)):
            return sorted(folded, key=key)
    return folded


def _by_time(row: Row) -> float:
    return -(row.total_s or 0.0)


def _by_count(row: Row) -> float:
    return -row.count


def _each_thread(rows: Sequence[Row]) -> list[Row]:
    """What one thread did several times, with the same result, as one row."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        key = (row.pid, row.tid, row.thread, row.what, row.result)
        groups.setdefault(key, []).append(row)
    return [
        p[0] if len(p) == 1 else replace(_as_one(p, None, "", longest=False), tid=p[0].tid)
        for p in groups.values()
    ]


def _as_one(parts: list[Row], threads: int | None, words: str, *, longest: bool) -> Row:
    def of(name: str, put: Callable[[list[float]], float]) -> float | None:
        known = [v for p in parts if (v := getattr(p, name)) is not None]
        return put(known) if known else None

    details = {p.detail for p in parts}
    said = details.pop() if len(details) == 1 else ""
    return replace(
        parts[0],
        pid=parts[0].pid if len({p.pid for p in parts}) == 1 else None,
        tid=None,
        threads=threads,
        count=sum(p.count for p in parts),
        errors=sum(p.errors or 0 for p in parts),
        bytes=sum(p.bytes or 0 for p in parts),
        total_s=of("total_s", max if longest else sum),
        min_s=of("min_s", min),
        p50_s=None,
        p99_s=None,
        max_s=of("max_s", max),
        detail=", ".join(filter(None, (said, words))),
    )


def _waits(found: Waits, sheet: Sheet) -> Iterator[str]:
    if found.locks:
        yield "locks that threads waited for:"
        for says, like in _locks(found.locks):
            yield from sheet.prose(f"  {says}")
            if like:
                more = f", … ({len(like)} in all)" if len(like) > _NAMES else ""
                yield from sheet.prose(
                    f"    alike, with other times: {', '.join(like[:_NAMES])}{more}"
                )
        yield ""
    total = sum(w.looks for w in found.threads)
    ordered = sorted(
        kernel_words.wait_groups(found).items(), key=lambda g: -sum(w.looks for w in g[1])
    )
    rows = [_group(*key, waits, total, sheet) for key, waits in ordered[:_MOST_ROWS]]
    heads = ("share", "threads", "longest", "since", "state")
    yield from sheet.grid(heads, rows, "what they do [threads]")
    if len(ordered) > _MOST_ROWS:
        yield f"  and {len(ordered) - _MOST_ROWS} more, in -o json"
    yield from sheet.prose(
        f"{found.looks} looks, {found.hz:g} a second. share: of the time of all threads; longest: in one such"
        " wait; since: in it for so long when we stopped; bars: how many threads were in it, over the time"
        " from left to right"
    )
    yield from _how(found.observed, sheet)


def _locks(locks: Sequence[LockWait]) -> Iterator[tuple[str, list[str]]]:
    """What is said of each lock, and the addresses of others of which the same is said."""
    groups: dict[str, list[LockWait]] = {}
    for lock in locks:
        same = _TIMES.sub("", lock.says.replace(f"{lock.address:#x}", ""))
        groups.setdefault(lock.says if lock.contended else same, []).append(lock)
    for first, *others in list(groups.values())[:_LOCKS]:
        contended = "CONTENDED " if first.contended else ""
        yield f"{contended}{first.says}", [f"{other.address:#x}" for other in others]
    if len(groups) > _LOCKS:
        yield f"and {len(groups) - _LOCKS} more, in -o json", []


def _group(state: str, words: str, waits: list[ThreadWait], total: int, sheet: Sheet) -> Line:
    still = [w.still_s for w in waits if w.still_s is not None]
    threads = dict.fromkeys(w.thread for w in waits)
    names = ", ".join(list(threads)[:_NAMES])
    names += f" and {len(threads) - _NAMES} more" if len(threads) > _NAMES else ""
    drawn = strip([w.strip for w in waits])
    return Line(
        (
            kernel_words.share_words(sum(w.looks for w in waits), total),
            f"{len({w.tid for w in waits})}",
            duration(max(w.longest_s for w in waits)),
            duration(max(still)) if still else "",
            _STATES.get(state, state),
        ),
        words,
        f"[{names}]",
        (f"         {drawn if sheet.room is None else drawn[: max(1, sheet.room - 9)]}",),
    )


def strip(columns: Sequence[Sequence[int]]) -> str:
    """How many threads did it, from the first look to the last, as one line of blocks."""
    sums = [sum(column) for column in zip(*columns, strict=False)]
    most = max(sums, default=0)
    return "".join(" ▁▂▃▄▅▆▇█"[-(-8 * n // most)] if most else " " for n in sums)


def table(
    rows: Sequence[Row],
    seconds: float,
    sheet: Sheet,
    indent: str = "",
    *,
    last: str = "what",
    heads: Mapping[str, str] = MappingProxyType({}),
    each: bool = False,
) -> Iterator[str]:
    """Rows in columns, numbers to the right; what does not fit is counted. `each`: a row is one call."""
    shown = rows[:_MOST_ROWS]
    used = [*_COLUMNS]
    came = sorted(dict.fromkeys(n for r in shown for n, _ in r.outcomes), key=lambda n: n != "ok")
    if came:
        # Numbers of what came of it stand for the count of errors; there is no rate beside them.
        used = [c for c in used if c[0] not in {"rate", "errors"}]
        used[1:1] = [_outcome(name) for name in came]
    if each:
        used = [c for c in used if c[0] not in _ONE_EACH]
    named = [heads.get(head, head) for head, _ in used]
    lines = [
        Line(
            tuple(show(r, seconds) for _, show in used), r.what, f"({r.detail})" if r.detail else ""
        )
        for r in shown
    ]
    yield from sheet.grid(named, lines, last, indent)
    if len(rows) > _MOST_ROWS:
        yield f"{indent}and {len(rows) - _MOST_ROWS} more, in -o json"


def _outcome(name: str) -> tuple[str, Callable[[Row, float], str]]:
    """The column of one thing that came of it."""

    def number(row: Row, _seconds: float) -> str:
        known = dict(row.outcomes).get(name, 0)
        return f"{known:,}" if known else ""

    return name, number


def bars(found: Histogram, sheet: Sheet) -> Iterator[str]:
    """A histogram as bars."""
    if not found.slots:
        return
    show = {"s": duration, "bytes": size}.get(found.unit, "{:,.10g}".format)
    yield f"how long, {found.name}:" if found.unit == "s" else f"{found.name}:"
    most = max(s.count for s in found.slots)
    widest = _BAR if sheet.room is None else max(4, min(_BAR, sheet.room - _BESIDE_BAR))
    for slot in found.slots:
        least, below = show(slot.least) or "0", show(slot.below)
        span = least if least == below else f"{least} .. {below}"
        yield f"  {span:>20} {slot.count:>9,} {'#' * max(1, round(widest * slot.count / most))}"


def _how(observed: Observed, sheet: Sheet) -> Iterator[str]:
    yield from sheet.left_out()
    yield from sheet.prose(f"observed: {kernel_words.how(observed)}")
    for label, every in (
        ("ended", (observed.ended,) if observed.ended else ()),
        ("lost", observed.lost),
        ("not seen", observed.blind),
        ("stays", observed.left),
    ):
        for words in every:
            said = words if words.startswith(f"{label} ") else f"{label}: {words}"
            yield from sheet.prose(said)
