"""Threads that wait for each other's locks in a circle, or for a lock that nobody can give back any more.

Pattern: each of some threads holds a lock that the next one waits for; or a lock is held by a thread that
  the process does not have, as after a fork in the moment at which another thread of the parent held it.
Evidence: the owner that the lock itself records (an RLock does), read in the memory of the process, at more
  than one moment; where the kernel has the thread wait inside that very lock, it is the lock for sure.
Against: the lock is only the one that stands in the innermost frames; it was seen at one moment.
Next: for a circle, the order in which the two lines take their locks; for an orphaned lock, where the fork
  happens: `os.register_at_fork`, or no preloading.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.evidence import Layer
from locard.model.facts import StackSamples
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.stacks import application_frame
from locard.model.wording import count
from locard.rules import _facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.facts import ThreadStack
    from locard.model.finding import Case

_Key = tuple[int, int | None]  # pid, tid


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each circle and for each lock that is held by nobody who is there."""
    for evidence, samples in case.facts(StackSamples):
        waits = _last(samples)
        rounds = Counter(
            (s.pid, s.tid, s.lock.address) for s in samples.stacks if s.lock and s.lock.recorded
        )
        for circle in _circles(waits):
            yield _circle(evidence.id, circle, rounds)
        orphans: dict[tuple[int, int], list[ThreadStack]] = defaultdict(list)
        for stack in waits.values():
            if stack.lock is not None and stack.lock.orphaned:
                orphans[stack.pid, stack.lock.address].append(stack)
        for stacks in orphans.values():
            yield _orphan(evidence.id, stacks, rounds)


def _last(samples: StackSamples) -> dict[_Key, ThreadStack]:
    """The threads of the last look that wait for a lock that records its owner."""
    last = max((s.round for s in samples.stacks), default=0)
    return {
        (s.pid, s.tid): s
        for s in samples.stacks
        if s.round == last and s.lock is not None and s.lock.recorded and not s.active
    }


def _circles(waits: dict[_Key, ThreadStack]) -> Iterator[list[ThreadStack]]:
    """Each circle once, from its thread with the lowest id."""
    done: set[_Key] = set()
    for start in sorted(waits, key=lambda k: (k[0], k[1] or 0)):
        path: list[_Key] = []
        key = start
        while key in waits and key not in done and key not in path:
            path.append(key)
            lock = waits[key].lock
            key = (key[0], lock.owner if lock is not None else None)
        if key in path:
            yield [waits[k] for k in path[path.index(key) :]]
        done.update(path)


def _place(stack: ThreadStack) -> str:
    frame = application_frame(stack.frames)
    where = f" at {frame.function} ({_facts.short(frame.file)}:{frame.line})" if frame else ""
    return f"{stack.thread or 'a thread'} (tid {stack.tid}){where}"


def _circle(
    evidence: str, circle: list[ThreadStack], rounds: Counter[tuple[int, int | None, int]]
) -> Finding:
    names = [s.thread or str(s.tid) for s in circle]
    words = "; ".join(
        f"{_place(s)} waits for a lock that {after.thread or after.tid} holds"
        for s, after in zip(circle, (*circle[1:], circle[0]), strict=True)
    )
    return _finding(
        evidence,
        circle,
        f"Deadlock of {count(len(circle), 'thread')}: {' and '.join(names)} wait for each other's locks",
        words,
        rounds,
    )


def _orphan(
    evidence: str, stacks: list[ThreadStack], rounds: Counter[tuple[int, int | None, int]]
) -> Finding:
    one = stacks[0]
    verb = "waits" if len(stacks) == 1 else "wait"
    words = (
        f"{_place(one)}: the lock records an owner that is no thread of process {one.pid}; it was locked when"
        " the process was forked, or its owner ended without giving it back"
    )
    title = (
        f"Deadlock: {count(len(stacks), 'thread')} {verb} for a lock that is held by a thread which"
        f" process {one.pid} does not have"
    )
    return _finding(evidence, stacks, title, words, rounds)


def _finding(
    evidence: str,
    stacks: list[ThreadStack],
    title: str,
    words: str,
    rounds: Counter[tuple[int, int | None, int]],
) -> Finding:
    supports = [Support(evidence, Layer.RUNTIME, words)]
    against: list[Support] = []
    locks = [(s, s.lock) for s in stacks if s.lock is not None]
    seen = min(rounds[s.pid, s.tid, lock.address] for s, lock in locks)
    if seen > 1:
        supports.append(Support(evidence, Layer.RUNTIME, f"the same at {count(seen, 'moment')}"))
    else:
        against.append(Support(evidence, Layer.RUNTIME, "it was seen at one moment only"))
    if any(lock.kind == "import lock" for _, lock in locks):
        says = "which import lock it is stands in the frame that waits for it"
        supports.append(Support(evidence, Layer.RUNTIME, says))
    plain = [lock for _, lock in locks if lock.kind != "import lock"]
    if plain and all(lock.sure for lock in plain):
        says = "the kernel has who waits for an RLock wait inside that very lock"
        supports.append(Support(evidence, Layer.KERNEL, says))
    elif plain:
        says = "which lock it is was told by its being the only one in the innermost frames"
        against.append(Support(evidence, Layer.RUNTIME, says))
    frame = application_frame(stacks[0].frames)
    values = (
        (
            (semconv.CODE_FILE, frame.file),
            (semconv.CODE_FUNCTION, frame.function),
            (semconv.CODE_LINE, str(frame.line)),
        )
        if frame
        else ()
    )
    return Finding(
        rule="deadlock",
        layer=Layer.RUNTIME,
        role=Role.MECHANISM,
        severity=Severity.CRITICAL,
        title=title,
        detail=f"In process {stacks[0].pid}: " + "; ".join(s.says for s in supports),
        supports=tuple(supports),
        against=tuple(against),
        values=values,
        next_commands=(f"locard stacks pid/{stacks[0].pid}",),
    )
