"""What the threads of the target do: stacks, with what the kernel said of that thread at that moment.

Where no stack could be had, the kernel alone speaks. A thread whose wait may be for work or not is
counted apart: it is neither busy nor idle.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from locard.model.facts import StackSamples, ThreadStates
from locard.model.investigation import Activity
from locard.model.stacks import application_frame, is_file, waits_directly, work
from locard.model.waits import kernel_words, kernel_work

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.model.facts import ThreadStack, ThreadState
    from locard.model.finding import Case
    from locard.model.waits import Work

_SHOWN_FRAMES = 12
_ORDER: dict[Work, int] = {"busy": 0, "unknown": 1, "idle": 2}
_NETWORK = ("socket.py", "ssl.py", "http/client.py", "urllib3/connectionpool.py")
_POOL = "free connection"
# Waits that the Python code names better than the kernel's call: (part of the file, functions, words).
_NAMED = (
    ("sqlalchemy/pool/", {"_do_get", "get"}, "waits for a free connection of its database pool"),
    ("sqlalchemy/util/queue.py", {"get"}, "waits for a free connection of its database pool"),
    ("psycopg_pool/", {"getconn", "wait"}, "waits for a free connection of its database pool"),
    ("psycopg2/pool.py", {"getconn"}, "waits for a free connection of its database pool"),
    ("urllib3/connectionpool.py", {"_get_conn"}, "waits for a free connection of its HTTP pool"),
    ("redis/connection.py", {"get_connection"}, "waits for a free connection of its Redis pool"),
    ("pymongo/pool.py", {"checkout", "_get_conn"}, "waits for a free connection of its MongoDB pool"),
    ("concurrent/futures/_base.py", {"result", "exception", "wait"}, "waits for another thread's result"),
    ("subprocess.py", {"wait", "_wait", "communicate", "_communicate"}, "waits for a child process"),
    ("threading.py", {"join"}, "waits for another thread to end"),
    ("queue.py", {"get", "put"}, "waits at a queue"),
    ("threading.py", {"acquire"}, "waits for a semaphore"),  # a lock's own is written in C
    ("threading.py", {"wait", "wait_for"}, "waits for an event"),
)  # fmt: skip


def observed(case: Case) -> tuple[Activity, ...]:
    """Groups of threads by what they do and where: busy, then what cannot be told, then idle."""
    seen: set[int] = set()
    places: dict[tuple[str, Work, bool], dict[str, list[ThreadStack]]] = {}
    for _, samples in case.facts(StackSamples):
        for stack in samples.stacks:
            seen.add(stack.pid)
            kind = work(stack)
            place = places.setdefault((_where(stack), kind, stack.active), defaultdict(list))
            place[_told(stack) if kind != "idle" else ""].append(stack)
    found = [
        _of_stacks(where, kind, stacks)
        for (where, kind, _), by_words in places.items()
        for stacks in _merged(by_words).values()
    ]
    found += _of_kernel(case, seen)
    busy = sum(a.observations for a in found if a.work == "busy")
    shared = [_with_share(a, busy) for a in found]
    return tuple(sorted(shared, key=lambda a: (_ORDER[a.work], -a.observations, a.where)))


def _told(stack: ThreadStack) -> str:
    """What the kernel said of that thread at that moment, where it said anything."""
    return kernel_words(stack.kernel) if stack.kernel is not None and not stack.active else ""


def _merged(by_words: dict[str, list[ThreadStack]]) -> dict[str, list[ThreadStack]]:
    """Stacks that no word of the kernel belongs to go with the others only if these all agree."""
    told = [words for words in by_words if words]
    if len(told) == 1 and "" in by_words:
        return {told[0]: by_words[told[0]] + by_words[""]}
    return by_words


def _with_share(activity: Activity, busy: int) -> Activity:
    share = round(activity.observations / busy, 4) if activity.work == "busy" else 0.0
    return replace(activity, share=share)


def _of_stacks(where: str, kind: Work, stacks: Sequence[ThreadStack]) -> Activity:
    what, peer = ("idle", None) if kind == "idle" else _what(stacks)
    pids = tuple(sorted({s.pid for s in stacks}))
    return Activity(what, where, kind, len(stacks), 0.0, pids, _shown(stacks[0]), peer)


def _of_kernel(case: Case, seen: set[int]) -> Iterator[Activity]:
    """What the threads do of which there is no stack."""
    groups: dict[tuple[str, str, Work], list[ThreadState]] = defaultdict(list)
    for _, fact in case.facts(ThreadStates):
        for state in fact.states:
            if state.pid not in seen:
                kind = kernel_work(state)
                words = "idle" if kind == "idle" else _kernel_words(state)
                groups[words, state.comm, kind].append(state)
    for (what, comm, kind), states in groups.items():
        pids = tuple(sorted({s.pid for s in states}))
        peer = states[0].peer if len({s.peer for s in states}) == 1 else None
        yield Activity(what, comm, kind, len(states), 0.0, pids, states[0].kernel_stack, peer)


def _kernel_words(state: ThreadState) -> str:
    """Without a stack a futex may be a lock, a condition or an empty queue."""
    if (state.syscall or "").startswith("futex") and state.state != "R":
        return "waits in a futex: a lock, a condition or an empty queue"
    return kernel_words(state)


def _where(stack: ThreadStack) -> str:
    frame = application_frame(stack.frames)
    return f"{frame.function} ({frame.file}:{frame.line})" if frame else stack.thread


def _shown(stack: ThreadStack) -> tuple[str, ...]:
    return tuple(f"{f.function} ({f.file}:{f.line})" for f in stack.frames[:_SHOWN_FRAMES])


def _what(stacks: Sequence[ThreadStack]) -> tuple[str, str | None]:
    """What threads with this stack wait for, in words, and the far end if it is one."""
    if stacks[0].active:
        return "runs", None
    named = _named(stacks[0])
    joined = [s.kernel for s in stacks if s.kernel is not None]
    if named and not any(s.peer for s in joined):
        return named, None
    counts = Counter((kernel_words(s), s.peer) for s in joined)
    if counts:
        (words, peer), count = counts.most_common(1)[0]
        if 2 * count >= len(joined):
            return words, peer
    if stacks[0].frames and any(is_file(stacks[0].frames[0].file, n) for n in _NETWORK):
        return "waits for the network", None
    return "waits", None


def _named(stack: ThreadStack) -> str:
    """The wait as the code names it: of the places that it waits in directly, the one that tells most."""
    for part, functions, words in _NAMED:
        if waits_directly(stack, ((part, functions),)):
            return words
    return ""
