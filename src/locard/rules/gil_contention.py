"""Python threads wait for the interpreter's lock (GIL), which lets one of them run at a time.

Pattern: several threads have something to compute, or one call into C keeps the lock while it works: all other
  threads stand still meanwhile, also those that only had to answer.
Evidence: at several looks the kernel has threads wait inside of the GIL itself; who has it, by its own record, and
  where that thread is; how long it kept it without a break; where traced, how long threads waited (gil-wait).
Against: few wait; nothing else says that requests got slower.
Next: what the holder computes: in another process, or by a call that lets go of the lock; a profile by GIL.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.headline import share
from locard.model.wording import count, verb
from locard.rules import _contention, _kernel, _waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.contention import GlobalLock
    from locard.model.facts import StackSamples, ThreadStack
    from locard.model.finding import Case

_LEAST_LOOKS = 2
_LEAST_SHARE = 0.5  # of the looks at the process
_LEAST_QUEUE = (
    1.0  # threads that wait on average: one that computes beside a few that only wake up has fewer
)
_KEPT = 5  # times the interval after which the holder is asked to let go


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each process in which threads queue for its GIL."""
    for evidence, samples, said in _contention.samples(case):
        by_pid: dict[int, list[GlobalLock]] = defaultdict(list)
        for lock in said.locks:
            by_pid[lock.pid].append(lock)
        for pid, locks in by_pid.items():
            looks = _contention.looks(samples, pid)
            queue = sum(lock.queue for lock in locks) / len(locks)
            enough = len(locks) >= max(_LEAST_LOOKS, _LEAST_SHARE * looks)
            if enough and (queue >= _LEAST_QUEUE or 2 * len(_kept(locks)) > len(locks)):
                yield _finding(case, evidence.id, samples, locks, looks)


def _finding(
    case: Case, evidence: str, samples: StackSamples, locks: list[GlobalLock], looks: int
) -> Finding:
    pid = locks[0].pid
    stacks = _contention.by_thread(samples)
    kept = _kept(locks)
    one_call = 2 * len(kept) > len(locks)
    told = kept if one_call else locks
    holders = [s for lock in told if (s := stacks.get((lock.round, pid, lock.holder)))]
    found = _contention.place(_contention.own_frames(holders))
    queue = sum(lock.queue for lock in locks) / len(locks)
    supports = [
        Support(
            evidence,
            Layer.RUNTIME,
            f"at {len(locks)} of {count(looks, 'look')} threads of pid {pid} waited for its GIL,"
            f" {queue:.1f} on average",
        )
    ]
    if found:
        mine = [s for s in holders if _contention.place(_contention.own_frames([s]))]
        who = _contention.names(s.thread for s in mine)
        supports.append(
            Support(
                evidence,
                Layer.RUNTIME,
                f"it was held by a thread in {found[0]}"
                f" in {_at(holders, found[0])} of {count(len(locks), 'look')} ({who})",
            )
        )
    supports += [_how(evidence, locks, kept, one_call=one_call), *_traced(case, pid)]
    trouble = _waits.trouble(case)
    supports += trouble[:1]
    says = "nothing else that was read says that requests got slower"
    return Finding(
        rule="gil-contention",
        layer=Layer.RUNTIME,
        role=Role.MECHANISM,
        severity=Severity.CRITICAL if trouble else Severity.WARNING,
        title=_title(found[0] if found else "", queue, one_call=one_call),
        detail="; ".join(s.says for s in supports),
        supports=tuple(supports),
        against=() if trouble else (Support(evidence, Layer.RUNTIME, says),),
        values=_contention.code(found[1]) if found else (),
        next_commands=(f"locard profile pid/{pid} --mode gil --for 5s",),
    )


def _kept(locks: list[GlobalLock]) -> list[GlobalLock]:
    """The looks at which the holder was asked to let go again and again, and did not."""
    return [lock for lock in locks if lock.kept_ms >= _KEPT * lock.interval_ms]


def _at(holders: list[ThreadStack], place: str) -> int:
    """At how many looks the holder was in that function."""
    function = place.rpartition(" (")[0]
    return sum(f.function == function for f in _contention.own_frames(holders))


def _title(place: str, queue: float, *, one_call: bool) -> str:
    where = f" in {place}" if place else ""
    if one_call:
        return f"A call{where} keeps Python's GIL, {_threads(queue)} for it"
    held = f", most held{where}" if place else ""
    return f"{_threads(queue)} for Python's GIL{held}"


def _threads(queue: float) -> str:
    number = max(1, round(queue))
    return f"{count(number, 'thread')} {verb(number, 'waits', 'wait')}"


def _how(
    evidence: str, locks: list[GlobalLock], kept: list[GlobalLock], *, one_call: bool
) -> Support:
    """Whether one call kept it, or it went from thread to thread."""
    if one_call:
        least = min(lock.kept_ms for lock in kept)
        says = (
            f"its holder did not let go of it for {least:.0f} ms and more in {len(kept)} of {count(len(locks), 'look')},"
            f" asked to every {locks[0].interval_ms:g} ms: one call into C that keeps it"
        )
        return Support(evidence, Layer.RUNTIME, says)
    seconds = sum(lock.looked_ms for lock in locks) / 1000
    rate = sum(lock.switches for lock in locks) / seconds if seconds else 0.0
    says = f"it changed hands {rate:.0f} times a second: threads that compute take turns"
    return Support(evidence, Layer.RUNTIME, says)


def _traced(case: Case, pid: int) -> Iterator[Support]:
    """How long threads waited, where that was traced."""
    for evidence, trace in _kernel.traces(case, "gil-wait"):
        total = sum(row.total_s or 0.0 for row in trace.rows if row.pid == pid)
        if total and trace.observed.seconds:
            says = (
                f"threads of pid {pid} waited {total:.1f} s for the GIL in {trace.observed.seconds:.1f} s"
                f" ({share(min(total, trace.observed.seconds), trace.observed.seconds)} of one thread's time)"
            )
            yield _kernel.support(evidence, says)
