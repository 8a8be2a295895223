"""Stacks as lines of a screen: threads that stand at the same place are one group, the largest last seen first."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from locard.model import contention_words
from locard.model.contention import Contention
from locard.model.facts import (
    GreenletSamples,
    RuntimeCoverage,
    StackSamples,
    TaskSamples,
    ThreadPools,
)
from locard.model.stacks import is_file, is_library, short_path, work
from locard.model.waits import kernel_words
from locard.model.wording import count, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from locard.model.facts import AwaitingTask, AwaitStep, Fact, Frame, SourceLine, ThreadStack

_MOST_GROUPS = 30
_MOST_FRAMES = 30
_NAMES = 4
_MOST_LETTERS = 200
_STOPPED = {"T": "stopped by a signal (SIGCONT lets it go on)", "t": "held by a tracer"}
_UNCAUGHT = "moved between the kernel's looks: what it did was not caught"


def lines(fact: Fact) -> Iterator[str] | None:
    """The lines of stacks and of what was read of them; None for any other fact."""
    say = _SAYS.get(type(fact))
    return say(fact) if say is not None else None


def _samples(samples: StackSamples) -> Iterator[str]:
    last = max((s.round for s in samples.stacks), default=0)
    shown = [s for s in samples.stacks if s.round == last]
    earlier = {(s.pid, s.tid, s.frames) for s in samples.stacks if s.round == last - 1}
    names = {(s.pid, s.tid): s.thread for s in shown}
    held = Counter[tuple[int, int | None]](
        (s.pid, s.lock.owner) for s in shown if s.lock and s.lock.owner
    )
    groups: dict[tuple[str, tuple[Frame, ...]], list[ThreadStack]] = {}
    for stack in shown:
        does = (
            _does(stack) + _python(stack) + _lock(stack, names) + _holds(held[stack.pid, stack.tid])
        )
        groups.setdefault((does, stack.frames), []).append(stack)
    groups = dict(_joined(groups))
    ordered = sorted(groups.items(), key=lambda g: (-_rank(g[1]), -len(g[1])))
    if samples.rounds > 1:
        yield f"the last of {samples.rounds} looks, {count(len(shown), 'thread')}:"
    for (does, frames), stacks in ordered[:_MOST_GROUPS]:
        yield f"{count(len(stacks), 'thread')}: {does}{_since(stacks, earlier)}  [{_names(stacks)}]"
        told = {(s.file, s.line): s for s in samples.sources if s.pid == stacks[0].pid}
        yield from (f"    {line}" for line in _folded(frames, told))
        yield from _variables(stacks)
    if len(ordered) > _MOST_GROUPS:
        rest = sum(len(stacks) for _, stacks in ordered[_MOST_GROUPS:])
        yield f"and {len(ordered) - _MOST_GROUPS} more groups of {count(rest, 'thread')}, in -o json"
    yield from (f"not read: {words}" for words in samples.missed)


def _joined(
    groups: dict[tuple[str, tuple[Frame, ...]], list[ThreadStack]],
) -> Iterator[tuple[tuple[str, tuple[Frame, ...]], list[ThreadStack]]]:
    """Threads of which the kernel's word was not caught go with the largest group that stands at the same place."""
    for (does, frames), stacks in groups.items():
        told = [d for d, f in groups if f == frames and d != _UNCAUGHT]
        uncaught = groups.get((_UNCAUGHT, frames), [])
        if not uncaught or not told:
            yield (does, frames), stacks
        elif does == max(told, key=lambda d: len(groups[d, frames])):
            yield (f"{does} ({len(uncaught)} of them not caught)", frames), [*stacks, *uncaught]
        elif does != _UNCAUGHT:
            yield (does, frames), stacks


def _variables(stacks: Sequence[ThreadStack]) -> Iterator[str]:
    """The variables of one thread of a group."""
    one = next((s for s in stacks if any(s.variables)), None)
    if one is None:
        return
    if len(stacks) > 1:
        yield f"    variables of {one.thread or '?'} {one.tid or ''}, one of the {len(stacks):,}:"
    for frame, values in zip(one.frames, one.variables, strict=False):
        for name, value in values:
            yield shorten(f"    {frame.function}: {name} = {value}", _MOST_LETTERS)


def _rank(stacks: Sequence[ThreadStack]) -> int:
    """What is on a CPU first, then what waits below the application, what waits for work last."""
    return max({"busy": 2, "unknown": 1, "idle": 0}[work(s)] + 2 * s.active for s in stacks)


def _does(stack: ThreadStack) -> str:
    """What it does, by the kernel where that is of the same moment."""
    idle = _idle(stack)
    if stack.active:
        return "on a CPU, or waits for one"
    if stack.kernel is None and idle:
        return idle
    if stack.kernel is None:
        return (
            _UNCAUGHT
            if stack.tid is not None
            else "what the kernel says of it is not known: its id is not"
        )
    if stack.kernel.state in _STOPPED:
        return _STOPPED[stack.kernel.state]
    call = stack.kernel.syscall or {"D": "a page fault, or the disk"}.get(stack.kernel.state, "")
    for_what = f" {stack.kernel.waits_for}" if stack.kernel.waits_for else ""
    if kernel_words(stack.kernel) == "sleeps":
        for_what = " (it sleeps)"
    return f"in {call or 'the kernel'}{for_what}" + (f", {idle}" if idle else "")


def _python(stack: ThreadStack) -> str:
    """What of the interpreter it has."""
    collects = ", runs the garbage collector" if stack.collects else ""
    return (", has the GIL" if stack.has_gil else "") + collects


def _idle(stack: ThreadStack) -> str:
    """What it waits for, where that is no work of its own."""
    if work(stack) != "idle":
        return ""
    if any(f.function == "_shutdown" and is_file(f.file, "threading.py") for f in stack.frames):
        return "the code of the main thread has ended: it waits for the other threads to end"
    return "waits for work"


def _lock(stack: ThreadStack, names: dict[tuple[int, int | None], str]) -> str:
    """The lock that it waits for, and who has it where that is recorded."""
    lock = stack.lock
    if lock is None or not lock.recorded:
        return ""
    named = f" of {lock.name}" if lock.name else ""
    which = f"an {lock.kind}{named}" + (
        "" if lock.sure else " (the only lock in its innermost frames)"
    )
    if lock.orphaned:
        return f": waits for {which} held by a thread that this process does not have"
    if lock.owner is None:
        return f": waits for {which}, whose holder could not be told"
    name = names.get((stack.pid, lock.owner)) or "?"
    return f": waits for {which} held by {name} (tid {lock.owner})"


def _holds(waiters: int) -> str:
    if not waiters:
        return ""
    verb = "waits" if waiters == 1 else "wait"
    return f", holds the lock that {count(waiters, 'thread')} {verb} for"


def _since(
    stacks: Sequence[ThreadStack], earlier: set[tuple[int, int | None, tuple[Frame, ...]]]
) -> str:
    """Whether they stood there a look before."""
    still = sum((s.pid, s.tid, s.frames) in earlier for s in stacks)
    if not earlier or still < len(stacks):
        return ""
    return ", as at the look before"


def _names(stacks: Sequence[ThreadStack]) -> str:
    """Who they are: names with the thread's id where it is one, names with their number where they are many."""
    pids = {s.pid for s in stacks}
    if len(stacks) == 1:
        (one,) = stacks
        return f"{one.thread or '?'} {one.tid or ''}".strip() + f" of pid {one.pid}"
    names = dict.fromkeys(s.thread or "?" for s in stacks)
    shown = ", ".join(list(names)[:_NAMES])
    more = f" and {len(names) - _NAMES} more names" if len(names) > _NAMES else ""
    where = f" of {len(pids)} processes" if len(pids) > 1 else f" of pid {pids.pop()}"
    return f"{shown}{more}{where}"


def _folded(
    frames: Sequence[Frame], sources: Mapping[tuple[str, int], SourceLine] = MappingProxyType({})
) -> Iterator[str]:
    """Innermost first; library code below the application as one line, that of the thread's start left out."""
    if not frames:
        yield "no Python frame"
        return
    shown: list[str] = []
    run: list[Frame] = []
    for number, frame in enumerate(frames):
        if is_library(frame.file) and number > 0:
            run.append(frame)
            continue
        source = sources.get((frame.file, frame.line))
        shown += [
            *_library(run),
            f"{frame.function} ({short_path(frame.file)}:{frame.line}){_source(source)}",
        ]
        run = []
    if run and run[-1].function.rpartition(".")[2] not in {"_bootstrap", "<module>"}:
        shown += _library(run)
    lines = [
        line if times == 1 else f"{line}, {times:,} times in a row"
        for line, group in groupby(shown)
        if (times := len(list(group)))
    ]
    yield from lines[:_MOST_FRAMES]
    if len(lines) > _MOST_FRAMES:
        yield f"and {len(lines) - _MOST_FRAMES} lines more, in -o json"


def _source(source: SourceLine | None) -> str:
    """A line of source behind its frame, and what is to be said of it."""
    if source is None:
        return ""
    if not source.text:
        return f"  [no source: {source.note}]" if source.note and source.note != "no file" else ""
    return f"  | {source.text}" + (f"  [{source.note}]" if source.note else "")


def _library(run: Sequence[Frame]) -> Iterator[str]:
    if len(run) == 1:
        yield f"{run[0].function} ({short_path(run[0].file)}:{run[0].line})"
    elif run:
        yield f"{len(run)} frames of libraries: {shorten(' < '.join(f.function for f in run), 60)}"


def _tasks(samples: TaskSamples) -> Iterator[str]:
    yield f"{count(len(samples.tasks), 'task')} of asyncio, each with what it awaits, innermost first:"
    inside: dict[tuple[int, int], list[str]] = {}
    for task in samples.tasks:
        for lock in task.inside:
            inside.setdefault((task.pid, lock), []).append(task.name)
    groups: dict[tuple[str, tuple[AwaitStep, ...]], list[AwaitingTask]] = {}
    for task in samples.tasks:
        groups.setdefault((_awaits(task, inside), task.steps), []).append(task)
    ordered = sorted(groups.items(), key=lambda g: -len(g[1]))
    for (awaits, steps), tasks in ordered[:_MOST_GROUPS]:
        names = [t.name for t in tasks]
        shown = ", ".join(names[:_NAMES]) + (
            f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        )
        yield f"{count(len(tasks), 'task')}: {awaits}  [{shown}]"
        yield from (f"    {_step(s)}" for s in reversed(steps))
    if len(ordered) > _MOST_GROUPS:
        yield f"and {len(ordered) - _MOST_GROUPS} more groups of tasks, in -o json"
    yield from (f"not read: {words}" for words in samples.unread)


def _awaits(task: AwaitingTask, inside: dict[tuple[int, int], list[str]]) -> str:
    """What it waits for in the end: a lock with the task that is inside of it, other tasks, a future."""
    if task.runs:
        return "runs now: where it stands is on the stack of its loop's thread"
    if task.lock is not None:
        holders = inside.get((task.pid, task.lock), [])
        if not holders:
            return "waits for an asyncio lock; no task was found inside of it"
        others = f" and {len(holders) - 1} more" if len(holders) > 1 else ""
        whom = (
            f"the one task inside of it is {holders[0]}"
            if not others
            else f"inside of it: {holders[0]}{others}"
        )
        return f"waits for an asyncio lock; {whom} (a candidate: asyncio records no owner)"
    if task.awaits:
        names = ", ".join(task.awaits[:_NAMES])
        more = f" and {len(task.awaits) - _NAMES} more" if len(task.awaits) > _NAMES else ""
        return f"awaits {count(len(task.awaits), 'task')}: {names}{more}"
    if not task.steps:
        return "not begun, or it runs"
    future = task.steps[-1].kind == "future"
    return "awaits a future that nothing has set yet" if future else "awaits what was not read"


def _step(step: AwaitStep) -> str:
    if step.kind == "future":
        return step.name
    kind = {"async_generator": " (async generator)", "generator": " (generator)"}.get(step.kind, "")
    return f"{step.name} ({short_path(step.file)}:{step.line}){kind}"


def _greenlets(samples: GreenletSamples) -> Iterator[str]:
    yield f"{count(len(samples.greenlets), 'suspended greenlet')}, innermost frame first:"
    groups = Counter((g.kind, g.frames) for g in samples.greenlets)
    for (kind, frames), number in groups.most_common(_MOST_GROUPS):
        yield f"{count(number, 'greenlet')}: {kind}"
        yield from (f"    {line}" for line in _folded(frames))
    if len(groups) > _MOST_GROUPS:
        yield f"and {len(groups) - _MOST_GROUPS} more groups of greenlets, in -o json"
    yield from (f"not read: {words}" for words in samples.unread)


def _pools(found: ThreadPools) -> Iterator[str]:
    for pool in {(p.pid, p.address): p for p in found.pools}.values():
        queue = (
            "its queue was not read"
            if pool.queued is None
            else f"{count(pool.queued, 'piece')} of work queued"
        )
        yield f"pool {pool.name}: {len(pool.tids)} of at most {count(pool.most, 'thread')}, {queue}  [pid {pool.pid}]"


def _coverage(coverage: RuntimeCoverage) -> Iterator[str]:
    for process in coverage.processes:
        words = [f"pid {process.pid}: {process.runtime}"]
        if process.why:
            words.append(f"not read: {process.why}")
        if process.without_stack:
            words.append(f"{count(process.without_stack, 'thread')} without a Python stack")
        if process.hidden:
            words.append(process.hidden)
        yield "; ".join(words)


_SAYS: dict[type, Callable[[Any], Iterator[str]]] = {
    StackSamples: _samples,
    TaskSamples: _tasks,
    GreenletSamples: _greenlets,
    ThreadPools: _pools,
    Contention: contention_words.lines,
    RuntimeCoverage: _coverage,
}
