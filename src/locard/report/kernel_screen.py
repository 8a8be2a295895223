"""What was observed in the kernel as lines of a screen: tables, histograms, what was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import kernel_words
from locard.model.kernel_facts import NotObserved, SystemCalls, Trace, Waits
from locard.model.kernel_words import duration, size
from locard.model.wording import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from locard.model.facts import Fact
    from locard.model.kernel_facts import Histogram, Observed, Row, ThreadWait

_MOST_ROWS = 25
_WIDE = 72  # of a name
_BAR = 40
_STACKS = 8
_NAMES = 4
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
    ("thread", lambda r, _: f"{r.thread} {r.tid or ''}".strip() if r.thread or r.tid else ""),
    ("result", lambda r, _: r.result),
)


def lines(fact: Fact) -> Iterator[str] | None:
    """The lines of a fact of the kernel wing; None for any other."""
    if isinstance(fact, Trace):
        return _trace(fact)
    if isinstance(fact, SystemCalls):
        return _system_calls(fact)
    if isinstance(fact, Waits):
        return _waits(fact)
    if isinstance(fact, NotObserved):
        return iter((f"not observed: {fact.problem}",))
    return None


def _trace(trace: Trace) -> Iterator[str]:
    seconds = trace.observed.seconds
    yield from table(trace.rows, seconds)
    for head, rows in (("by thread", trace.threads[:12]), ("not ended", trace.blocked[:12])):
        if rows:
            yield f"{head}:"
            yield from table(rows, seconds, indent="  ")
    for found in trace.histograms:
        yield from bars(found)
    for stack in sorted(trace.stacks, key=lambda s: -s.value)[:_STACKS]:
        value = duration(stack.value) if stack.unit == "s" else f"{stack.value:,.0f} {stack.unit}"
        yield f"{value}  {stack.thread}".rstrip()
        yield from (f"    {frame}" for frame in reversed(stack.frames))
        if stack.waker:
            yield "    woken by"
            yield from (f"      {frame}" for frame in reversed(stack.waker))
    yield from _how(trace.observed)


def _system_calls(found: SystemCalls) -> Iterator[str]:
    seconds = found.observed.seconds
    for head, rows in (
        ("by call, wall time first", found.calls),
        ("by file, peer or pipe", found.files[:12]),
        ("by thread", found.threads[:12]),
        ("errors", found.errors[:12]),
        ("waits for locks, by address", found.locks[:8]),
        ("reported by epoll", found.ready[:8]),
        ("slow calls", found.slow[:15]),
        ("not ended", found.blocked[:12]),
    ):
        if rows:
            yield f"{head}:"
            yield from table(rows, seconds, indent="  ")
            yield ""
    for unit in ("s", "bytes"):
        busy = [c.what for c in found.calls if "waits" not in c.detail]
        every = [h for h in found.histograms if h.unit == unit]
        shown = next(
            (h for w in busy for h in every if h.name.endswith(w)), next(iter(every), None)
        )
        if shown is not None:
            yield from bars(shown)
    yield from _how(found.observed)


def _waits(found: Waits) -> Iterator[str]:
    if found.locks:
        yield "locks that threads waited for:"
        for lock in found.locks[:10]:
            yield f"  {'CONTENDED ' if lock.contended else ''}{lock.says}"
        yield ""
    groups: dict[tuple[str, str], list[ThreadWait]] = {}
    for wait in found.threads:
        groups.setdefault((wait.state, kernel_words.wait_words(wait)), []).append(wait)
    total = sum(w.looks for w in found.threads)
    ordered = sorted(groups.items(), key=lambda g: -sum(w.looks for w in g[1]))
    yield " share threads  longest    since  state    what they do [threads]; below: when, from left to right"
    for (state, words), waits in ordered[:_MOST_ROWS]:
        share = kernel_words.share_words(sum(w.looks for w in waits), total)
        still = [w.still_s for w in waits if w.still_s is not None]
        threads = dict.fromkeys(w.thread for w in waits)
        names = ", ".join(list(threads)[:_NAMES])
        names += f" and {len(threads) - _NAMES} more" if len(threads) > _NAMES else ""
        count_of = len({w.tid for w in waits})
        longest = duration(max(w.longest_s for w in waits))
        age = duration(max(still)) if still else ""
        yield f"{share:>6} {count_of:>7} {longest:>8} {age:>8}  {_STATES.get(state, state):<7}  {shorten(words, _WIDE)}  [{names}]"
        yield f"         {strip([w.strip for w in waits])}"
    if len(ordered) > _MOST_ROWS:
        yield f"  and {len(ordered) - _MOST_ROWS} more, in -o json"
    yield f"{found.looks} looks, {found.hz:g} a second; share: of the time of all threads; since: in this for so long when we stopped"
    yield from _how(found.observed)


def strip(columns: Sequence[Sequence[int]]) -> str:
    """How many threads did it, from the first look to the last, as one line of blocks."""
    sums = [sum(column) for column in zip(*columns, strict=False)]
    most = max(sums, default=0)
    return "".join(" ▁▂▃▄▅▆▇█"[-(-8 * n // most)] if most else " " for n in sums)


def table(rows: Sequence[Row], seconds: float, indent: str = "") -> Iterator[str]:
    """Rows in columns, numbers to the right; what does not fit is counted."""
    shown = rows[:_MOST_ROWS]
    cells = [[show(r, seconds) for _, show in _COLUMNS] for r in shown]
    used = [k for k in range(len(_COLUMNS)) if any(c[k] for c in cells)]
    wide = [max([len(_COLUMNS[k][0]), *(len(c[k]) for c in cells)]) for k in used]
    if shown:
        head = "  ".join(_COLUMNS[k][0].rjust(w) for k, w in zip(used, wide, strict=True))
        yield f"{indent}{head}  what"
    for row, cell in zip(shown, cells, strict=True):
        numbers = "  ".join(cell[k].rjust(w) for k, w in zip(used, wide, strict=True))
        detail = f"  ({row.detail})" if row.detail else ""
        yield f"{indent}{numbers}  {shorten(row.what, _WIDE)}{detail}"
    if len(rows) > _MOST_ROWS:
        yield f"{indent}and {len(rows) - _MOST_ROWS} more, in -o json"


def bars(found: Histogram) -> Iterator[str]:
    """A histogram as bars."""
    if not found.slots:
        return
    show = {"s": duration, "bytes": size}.get(found.unit, "{:,.10g}".format)
    yield f"how long each {found.name} took:" if found.unit == "s" else f"{found.name}:"
    most = max(s.count for s in found.slots)
    for slot in found.slots:
        least, below = show(slot.least) or "0", show(slot.below)
        span = least if least == below else f"{least} .. {below}"
        yield f"  {span:>20} {slot.count:>9,} {'#' * max(1, round(_BAR * slot.count / most))}"


def _how(observed: Observed) -> Iterator[str]:
    yield f"observed: {kernel_words.how(observed)}"
    if observed.ended:
        yield f"ended: {observed.ended}"
    for words in observed.lost:
        yield f"lost: {words}"
    for words in observed.blind:
        yield f"not seen: {words}"
    for words in observed.left:
        yield f"stays: {words}"
