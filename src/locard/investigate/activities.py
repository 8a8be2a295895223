"""What the processes are doing: stacks of the runtime joined with what the kernel says.

Stacks and kernel states are taken moments apart, and the threads of a pool change places
meanwhile. So the stack decides what kind of wait it is, and the kernel only says for what.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from locard.model.facts import StackSamples, ThreadState, ThreadStates
from locard.model.investigation import Activity
from locard.model.stacks import application_frame, bare_name, is_busy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from locard.model.facts import ThreadStack
    from locard.model.finding import Case

_SHOWN_FRAMES = 12
_NETWORK = ("socket.py", "ssl.py", "http/client.py", "urllib3/connectionpool.py")
_FUTEX = "futex"
_MOSTLY = 0.75  # of a thread's kernel states: it does little else
_LOCK = "waits for a lock"

States = dict[tuple[int, int], list[ThreadState]]


def observed(case: Case) -> tuple[Activity, ...]:
    """Groups of threads by what they do and where, the busiest first, the idle ones last."""
    states: States = defaultdict(list)
    for _, fact in case.facts(ThreadStates):
        for state in fact.states:
            states[state.pid, state.tid].append(state)
    groups: dict[tuple[str, bool, bool], list[ThreadStack]] = defaultdict(list)
    for _, samples in case.facts(StackSamples):
        for stack in samples.stacks:
            groups[_where(stack), is_busy(stack), stack.active].append(stack)
    busy = sum(len(stacks) for (_, at_work, _), stacks in groups.items() if at_work)
    found = []
    for (where, at_work, _), stacks in groups.items():
        what = _what(stacks, states) if at_work else "idle"
        found.append(
            Activity(
                what=what,
                where=where,
                idle=not at_work,
                observations=len(stacks),
                share=round(len(stacks) / busy, 4) if at_work else 0.0,
                pids=tuple(sorted({s.pid for s in stacks})),
                stack=_shown(stacks[0]),
            )
        )
    return tuple(sorted(found, key=lambda a: (a.idle, -a.observations, a.where)))


def _where(stack: ThreadStack) -> str:
    frame = application_frame(stack.frames)
    return f"{frame.function} ({frame.file}:{frame.line})" if frame else stack.thread


def _shown(stack: ThreadStack) -> tuple[str, ...]:
    return tuple(f"{f.function} ({f.file}:{f.line})" for f in stack.frames[:_SHOWN_FRAMES])


def _what(stacks: Sequence[ThreadStack], states: States) -> str:
    """What threads with this stack wait for, in words."""
    if stacks[0].active:
        return "runs"
    innermost = stacks[0].frames[0]
    threads = {(s.pid, s.tid) for s in stacks if s.tid is not None}
    seen = [s for thread in threads for s in states.get(thread, ())]
    if innermost.file.endswith(_NETWORK):
        return _most(seen, lambda s: s.peer is not None) or "waits for the network"
    if innermost.file.endswith("threading.py") and bare_name(innermost.function) == "wait":
        return "waits for an event"
    if seen and _dominant(seen) is not None:
        return _words(_dominant(seen) or seen[0])
    together = Counter((s.pid, s.round) for s in stacks)
    if together and max(together.values()) >= 2 and any(s.syscall == _FUTEX for s in seen):  # noqa: PLR2004 - a queue
        return _LOCK
    return _most(seen, lambda s: s.syscall != _FUTEX and not s.peer) or "waits"


def _dominant(seen: Sequence[ThreadState]) -> ThreadState | None:
    """A state that most observations share, if one does."""
    counts = Counter(_words(s) for s in seen)
    words, count = counts.most_common(1)[0]
    return next(s for s in seen if _words(s) == words) if count >= _MOSTLY * len(seen) else None


def _most(seen: Iterable[ThreadState], fits: Callable[[ThreadState], bool]) -> str:
    counts = Counter(_words(s) for s in seen if s.state != "R" and fits(s))
    return counts.most_common(1)[0][0] if counts else ""


def _words(state: ThreadState) -> str:
    if state.state == "R":
        return "runs"
    if state.peer:
        return f"waits for the answer of {state.peer}"
    if state.syscall == _FUTEX:
        return _LOCK
    if state.waits_for:
        return f"waits for {state.waits_for} in {state.syscall or 'the kernel'}"
    return f"waits in {state.syscall}" if state.syscall else "waits in the kernel"
