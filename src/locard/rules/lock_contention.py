"""Threads queue for one lock of their own process, which is held for long.

Pattern: several threads of a process wait at one line of code for a lock, again and again, while
  one thread that has it does something slow: I/O under a lock, or a long computation.
Evidence: the same line with waiting threads of one process at several moments, in a queue; a
  thread beyond that line in the same function, which holds the lock; the kernel shows more threads
  in futex waits than are idle, at one address where the runtime shares it (CPython up to 3.12);
  the latency of the service rose, that of its upstreams did not.
  A semaphore whose value is 0 at look after look with threads or tasks waiting in it, by its own count.
Against: the logs show no change; nobody is seen holding it; the upstreams got slower as well.
Next: read what the code does under that lock; the stacks name the line and the holder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.evidence import Layer
from locard.model.facts import StackSamples, ThreadStates
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.kernel_words import duration
from locard.model.log_facts import LogSummary
from locard.model.stacks import application_frame
from locard.model.wording import count
from locard.rules import _contention, _facts, _locks, _things, _waits
from locard.rules import _kernel as _kernel_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.facts import ThreadStack
    from locard.model.finding import Case
    from locard.model.kernel_facts import LockWait
    from locard.rules._locks import Site, Waits

_ENOUGH = 3  # observations of the kernel, below which it says nothing
_ON_FUTEX = 0.5  # of them in a futex: it fits a lock
_NOT_ON_FUTEX = 0.3  # fewer: they wait for something else at that line
_SURPLUS = 1.0


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each line at which threads queue; where no stack shows one, for each lock word."""
    found = [*_from_stacks(case), *_from_things(case)]
    yield from found or _from_kernel(case)


def _from_things(case: Case) -> Iterator[Finding]:
    """Semaphores of which nothing is free."""
    for used in _things.used_up(case, "semaphore"):
        place = used.place
        where = f" at {place[0]}" if place else ""
        amount = used.amount or "its value is 0"
        trouble = _waits.trouble(case)
        supports = [*used.supports(), *trouble[:1]]
        says = "who has taken of it is not recorded by a semaphore"
        yield Finding(
            rule="lock-contention",
            layer=Layer.RUNTIME,
            role=Role.MECHANISM,
            # It limits on purpose: that anybody is hurt by it, others say.
            severity=Severity.WARNING if trouble else Severity.INFO,
            title=f"Threads or tasks queue for a {used.called}{where}: {amount}",
            detail="; ".join(s.says for s in supports),
            supports=tuple(supports),
            against=(Support(used.evidence, Layer.RUNTIME, says),),
            values=_contention.code(place[1]) if place else (),
            next_commands=(
                f"locard stacks pid/{used.last.pid}",
                *(
                    [_facts.watch_command(used.last.pid, place[1].file, place[1].function)]
                    if place
                    else ()
                ),
            ),
        )


def _from_kernel(case: Case) -> Iterator[Finding]:
    """Lock words with waiters and a holder, by what the kernel and the process's memory say."""
    for evidence, waits in _kernel_facts.waits(case):
        for lock in waits.locks:
            if not lock.contended:
                continue
            name = lock.symbol or f"{lock.address:#x}"
            name = f"of the file {name}" if lock.kind == "file lock" else name
            held = f", held by {lock.holder} (tid {lock.holder_tid})" if lock.holder_tid else ""
            if lock.kind.startswith("rwlock") and not held:
                held = f" ({lock.kind})"
            threads = count(len(lock.waiter_tids), "thread")
            verb = "waits" if len(lock.waiter_tids) == 1 else "queue"
            yield _kernel_facts.finding(
                "lock-contention",
                case,
                f"{threads} {verb} for the lock {name}{held}",
                [_kernel_facts.support(evidence, lock.says), *_counted(case, lock)],
                values=(("lock", name),),
                next_commands=(f"locard trace off-cpu pid/{lock.pid}",),
            )


def _counted(case: Case, lock: LockWait) -> Iterator[Support]:
    """What the count of system calls says of the same word."""
    for evidence, calls in _kernel_facts.calls(case):
        for row in calls.locks:
            if row.pid == lock.pid and row.what == f"futex {lock.address:#x}":
                says = (
                    f"{count(row.count, 'futex wait')} for it ended in {calls.observed.seconds:.1f} s,"
                    f" {duration(row.total_s)} of waiting in all, longest {duration(row.max_s)}"
                )
                yield _kernel_facts.support(evidence, says)


def _from_stacks(case: Case) -> Iterator[Finding]:
    for evidence, samples in case.facts(StackSamples):
        for site in _locks.sites(samples):
            supports = [Support(evidence.id, Layer.RUNTIME, _queue_words(site))]
            against: list[Support] = []
            if site.holders:
                says = f"meanwhile {_holder_words(site)}"
                supports.append(Support(evidence.id, Layer.RUNTIME, says))
            confirmed = _kernel(case, site, samples, supports)
            # Without a kernel that agrees, a line alone may be any wait: a sleep, a query.
            if confirmed is False or (confirmed is None and not site.holders):
                continue
            seen = sum(n for _, _, n in site.moments)
            if not site.holders and not site.joined and seen < _locks.LEAST_ALONE:
                continue
            if not site.holders:
                says = "no thread was seen that holds it"
                against.append(Support(evidence.id, Layer.RUNTIME, says))
            changed = _logs(case, supports, against)
            _metrics(case, supports, against)
            yield _finding(site, supports, against, changed=changed)


def _finding(
    site: Site, supports: list[Support], against: list[Support], *, changed: bool
) -> Finding:
    pids = ", ".join(map(str, site.pids))
    held = f", held during {_doing(site.holders)}" if site.holders else ""
    return Finding(
        rule="lock-contention",
        layer=Layer.RUNTIME,
        role=Role.MECHANISM,
        severity=Severity.CRITICAL if changed else Severity.WARNING,
        title=f"Threads queue for a lock at {site.place}{held}",
        detail=f"In {'process' if len(site.pids) == 1 else 'processes'} {pids}: "
        + "; ".join(s.says for s in supports),
        supports=tuple(supports),
        against=tuple(against),
        values=(
            (semconv.CODE_FILE, site.file),
            (semconv.CODE_FUNCTION, site.function),
            (semconv.CODE_LINE, str(site.line)),
        ),
        next_commands=(
            f"locard stacks pid/{site.pids[0]}",
            _facts.watch_command(site.pids[0], site.file, site.function),
            f"sed -n {max(1, site.line - 5)},{site.line + 15}p {site.file}",
        ),
    )


def _queue_words(site: Site) -> str:
    total = sum(n for _, _, n in site.moments)
    return (
        f"up to {site.most} threads of one process wait at {site.place}: "
        f"seen {count(total, 'time')}, at {count(len(site.moments), 'moment')}"
    )


def _holder_words(site: Site) -> str:
    holder = site.holders[0]
    if site.recorded:
        call = holder.kernel.syscall if holder.kernel is not None else None
        where = (
            f", in {call} {holder.kernel.waits_for or ''}".rstrip()
            if holder.kernel and call
            else ""
        )
        who = f"{holder.thread or 'a thread'} (tid {holder.tid})"
        return f"{who} has it, as the lock itself records; it is in {_doing(site.holders)}{where}"
    return f"a thread beyond that line ({holder.thread or holder.tid}) is in {_doing(site.holders)}"


def _doing(holders: tuple[ThreadStack, ...]) -> str:
    """Where the thread that has the lock is: the most frequent innermost own frame."""
    places = [f for s in holders if (f := application_frame(s.frames)) is not None]
    if not places:
        return "unknown code"
    best = max(places, key=places.count)
    return f"{best.function} ({_facts.short(best.file)}:{best.line})"


def _kernel(case: Case, site: Site, samples: StackSamples, supports: list[Support]) -> bool | None:
    """True: the kernel fits a lock; False: it does not; None: it has nothing to say."""
    answer: bool | None = None
    for evidence, states in case.facts(ThreadStates):
        waits = _locks.kernel(site, states.states, samples)
        if waits is None or (site.tids and waits.observed < _ENOUGH):
            continue
        if waits.on_futex < _NOT_ON_FUTEX * waits.observed:
            return False
        if waits.on_interpreter > waits.on_futex:  # that is the GIL, another pattern
            return False
        if not site.tids and waits.surplus < _SURPLUS:  # then the surplus is all there is
            return False
        queued = bool(waits.shared) or waits.surplus >= _SURPLUS
        if waits.on_futex >= _ON_FUTEX * waits.observed and queued:
            supports.append(Support(evidence.id, Layer.KERNEL, _kernel_words(waits)))
            answer = True
    return answer


def _kernel_words(waits: Waits) -> str:
    words = []
    if waits.observed:
        words.append(
            f"{waits.on_futex} of {waits.observed} observations of these threads are in a futex wait"
        )
    if waits.shared:
        words.append(waits.shared)
    elif waits.surplus >= _SURPLUS:
        words.append(
            f"{waits.surplus:.1f} more threads than are idle are in a futex wait on average"
        )
    if waits.holder_waits:
        words.append(f"what else is waited for: {waits.holder_waits}")
    return "; ".join(words)


def _logs(case: Case, supports: list[Support], against: list[Support]) -> bool:
    """Add what the logs say; True if something changed for the users."""
    changed = False
    for evidence, summary in case.facts(LogSummary):
        if "latency" in summary.changed:
            before, after = summary.before_p50_ms, summary.after_p50_ms
            numbers = f": median {before:.0f} to {after:.0f} ms" if before and after else ""
            says = f"requests got slower at the onset{numbers}"
            supports.append(Support(evidence.id, Layer.LOGS, says))
        changed = changed or bool(summary.changed)
    against += _facts.steady_logs(case, "the logs are steady: no change of errors or latency")
    return changed


def _metrics(case: Case, supports: list[Support], against: list[Support]) -> None:
    served = [r for r in _facts.rises(case, "server") if r.rose]
    calls = _facts.rises(case, "client")
    slower = [r for r in calls if r.rose]
    if served and calls and not slower:
        says = f"requests take longer ({served[0].words}), calls to upstreams do not"
        supports.append(Support(served[0].evidence, Layer.METRICS, says))
    elif slower:
        says = f"calls to {slower[0].subject} got slower as well: {slower[0].words}"
        against.append(Support(slower[0].evidence, Layer.METRICS, says))
