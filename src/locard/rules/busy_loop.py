"""A thread spins: it asks again and again for what is not there, and uses a CPU for nothing.

Pattern: a descriptor that is hung up or in error is reported ready for ever and nobody removes it; a poll
  without a time limit; a lock that is tried in a loop; a read that answers "not now" at once.
Evidence: thousands of calls a second that return at once, against the few that move data; what epoll
  reports for which descriptor.
Against: each return is followed by reads or writes with data: busy, not spinning.
Next: who owns that descriptor; the code that handles its hang-up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.kernel_words import duration
from locard.model.wording import count
from locard.rules import _kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding, Support
    from locard.model.kernel_facts import Row, SystemCalls

_POLLS = frozenset(
    {"epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6", "sched_yield"}
)  # fmt: skip
_LEAST_RATE = 2000.0  # returns a second
_AT_ONCE_S = 100e-6  # a call that took no longer has not waited
_LEAST_RATIO = 20.0  # returns for each call that moved data
_OWN = frozenset({"futex", "clock_gettime", "gettimeofday", "getpid", "gettid", "time", "madvise"})


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the call that spins."""
    for evidence, found in _kernel.calls(case):
        seconds = found.observed.seconds
        for row in found.calls:
            rate = _kernel.each_second(row, seconds)
            if not _spins(row, found) or rate < _LEAST_RATE:
                continue
            work = sum(_moved(r) for r in found.calls if r.what != row.what)
            work += 0 if row.what in _POLLS else row.count - _not_now(row, found)
            if row.count < _LEAST_RATIO * max(1, work):
                continue
            says = (
                f"{count(row.count, 'call')} of {row.what} in {seconds:.1f} s returned at once"
                f" (median {duration(row.p50_s)}), {count(work, 'other call')} moved data or did work"
            )
            supports: list[Support] = [_kernel.support(evidence, says)]
            culprit = _culprit(found)
            if culprit:
                supports.append(_kernel.support(evidence, culprit))
            yield _kernel.finding(
                "busy-loop",
                case,
                f"A thread spins in {row.what}: {rate:,.0f} returns a second, next to no work"
                + (f"; {culprit}" if culprit else ""),
                supports,
                next_commands=_commands(found, row),
            )
            return


def _spins(row: Row, found: SystemCalls) -> bool:
    """A poll that does not wait, or a call that mostly says "not now"."""
    if row.what in _POLLS:
        return row.p50_s is not None and row.p50_s <= _AT_ONCE_S
    return row.count > 0 and _not_now(row, found) >= 0.9 * row.count


def _not_now(row: Row, found: SystemCalls) -> int:
    return sum(
        e.count for e in found.errors if e.what == row.what and e.result in {"EAGAIN", "EINTR"}
    )


def _moved(row: Row) -> int:
    """Calls of a row that did something: moved bytes, or are no question about time or itself."""
    if row.what in _POLLS or row.what in _OWN:
        return 0
    if row.bytes is not None:
        return row.count - (row.errors or 0) if row.bytes else 0
    return row.count


def _culprit(found: SystemCalls) -> str:
    """The descriptor that epoll reports as hung up or in error most of the time."""
    every = sum(r.count for r in found.ready)
    bad = [r for r in found.ready if "HUP" in r.result or "ERR" in r.result]
    if not bad or bad[0].count < 0.5 * every:
        return ""
    on = f" ({bad[0].detail})" if bad[0].detail else ""
    return f"epoll reports {bad[0].what}{on} with {bad[0].result} {bad[0].count:,} times"


def _commands(found: SystemCalls, row: Row) -> tuple[str, ...]:
    pid = next((r.pid for r in found.threads if r.what == row.what and r.pid), None)
    return (f"ls -l /proc/{pid}/fd", f"locard waits pid/{pid}") if pid else ()
