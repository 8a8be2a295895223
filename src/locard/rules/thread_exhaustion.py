"""A thread pool is full: every thread that it may have is at work, and what is submitted waits for one.

Pattern: all threads of a pool are inside of jobs, its queue has work that nobody has begun and does not become
  shorter. What waits there times out elsewhere, often as something else: look-ups of names that never began.
Evidence: the pool's own limit and queue, read in the memory of the process at several moments; where its threads
  are, by their stacks, and in which call.
Against: the queue became shorter; it was seen at one moment. A pool whose threads wait for another thread, a lock or
  a used-up pool is full in consequence: it is told as context, not as the mechanism.
Next: what the threads do; a bound on their time, or a pool of its own for what is slow.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.evidence import Layer
from locard.model.facts import StackSamples, ThreadPools
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.stacks import application_frame, is_idle, waits_directly
from locard.model.wording import count
from locard.rules import _contention, _facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.facts import ThreadPool, ThreadStack
    from locard.model.finding import Case

_LEAST_ROUNDS = 2
_FOR_OTHERS = (
    ("concurrent/futures/_base.py", {"result", "exception", "wait"}),
    ("/queue.py", {"get", "put"}),
    ("/threading.py", {"acquire", "__enter__", "join"}),
    ("sqlalchemy/util/queue.py", {"get"}),
    ("psycopg_pool/", {"getconn", "wait"}),
    ("asyncio/base_futures.py", {"result"}),
)


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each pool that was full at every look, with work in its queue."""
    stacks = [s for _, samples in case.facts(StackSamples) for s in samples.stacks]
    for evidence, found in case.facts(ThreadPools):
        looks: dict[tuple[int, int], list[ThreadPool]] = defaultdict(list)
        for pool in found.pools:
            looks[pool.pid, pool.address].append(pool)
        for pools in looks.values():
            mine = [s for s in stacks if _of(s, pools)]
            full = all(len(p.tids) >= p.most and p.queued for p in pools)
            if full and mine and not any(is_idle(s) for s in mine):
                waits = sum(_waits_for_others(s) for s in mine)
                yield _finding(evidence.id, pools, mine, consequence=2 * waits > len(mine))


def _waits_for_others(stack: ThreadStack) -> bool:
    """Whether a thread waits for what others of the process do: a result, a lock, something out of a pool."""
    return stack.lock is not None or waits_directly(stack, _FOR_OTHERS)


def _of(stack: ThreadStack, pools: list[ThreadPool]) -> bool:
    return any(stack.pid == p.pid and stack.round == p.round and stack.tid in p.tids for p in pools)


def _finding(
    evidence: str, pools: list[ThreadPool], stacks: list[ThreadStack], *, consequence: bool
) -> Finding:
    last, first = pools[-1], pools[0]
    frames = Counter(f for s in stacks if (f := application_frame(s.frames)) is not None)
    frame, seen = frames.most_common(1)[0]
    place = f"{frame.function} ({_facts.short(frame.file)}:{frame.line})"
    calls = Counter(
        f"{s.kernel.syscall} {s.kernel.waits_for or ''}".strip()
        for s in stacks
        if s.kernel is not None and s.kernel.syscall
    )
    call = f", most in {calls.most_common(1)[0][0]}" if calls else ""
    queued, before = last.queued or 0, first.queued or 0
    supports = [
        Support(
            evidence,
            Layer.RUNTIME,
            f"at {count(len(pools), 'look')} all {last.most} threads that the pool may have were at work:"
            f" {seen} of {count(len(stacks), 'stack')} in {place}{call}",
        ),
        Support(
            evidence,
            Layer.RUNTIME,
            f"{count(queued, 'piece')} of work stood in its queue at the last look, {before:,} at the first",
        ),
    ]
    against = []
    if len(pools) < _LEAST_ROUNDS:
        against.append(Support(evidence, Layer.RUNTIME, "it was seen at one moment only"))
    elif queued < before:
        against.append(Support(evidence, Layer.RUNTIME, "its queue became shorter meanwhile"))
    return Finding(
        rule="thread-exhaustion",
        layer=Layer.RUNTIME,
        role=Role.CONTEXT if consequence else Role.MECHANISM,
        # A batch of work fills its pool as well: that anybody is hurt, others say.
        severity=Severity.INFO if consequence else Severity.WARNING,
        title=f"Thread pool {last.name} is full: {last.most} of {last.most} threads in"
        f" {place}{_contention.called_by(s for s in stacks if application_frame(s.frames) == frame)},"
        f" {count(queued, 'piece')} of work waiting{': they wait for others' if consequence else ''}",
        detail=f"In process {last.pid}: " + "; ".join(s.says for s in supports),
        supports=tuple(supports),
        against=tuple(against),
        values=(
            (semconv.CODE_FILE, frame.file),
            (semconv.CODE_FUNCTION, frame.function),
            (semconv.CODE_LINE, str(frame.line)),
        ),
        next_commands=(
            f"locard stacks pid/{last.pid}",
            _facts.watch_command(last.pid, frame.file, frame.function),
        ),
    )
