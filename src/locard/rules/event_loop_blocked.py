"""The event loop is blocked: one call on it keeps every other request waiting.

Pattern: an event loop runs one thing at a time. A computation, or a call that waits without giving the
  loop back, stops all requests of the process meanwhile, also those that need neither.
Evidence: the thread of the loop at many looks inside of one callback, each time for long or asleep in the kernel
  there; the line, the task, whether it computes or which call it waits in; that the service is slow.
Against: it was seen there at few moments; that it was one long call, not many short ones, could not be told.
Next: see the stack; move the call to a thread or make it asynchronous.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.headline import share
from locard.model.stacks import application_frame, bare_name, is_busy, is_file, is_library
from locard.model.wording import count
from locard.rules import _contention, _facts, _waits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.model.contention import Contention, LoopCallback
    from locard.model.facts import Frame, StackSamples, ThreadStack
    from locard.model.finding import Case

# A thread runs an event loop where one of these stands below what it does.
_LOOPS = (
    ("asyncio/base_events.py", {"_run_once", "run_forever", "run_until_complete"}),
    ("asyncio/runners.py", {"run"}),
    ("asyncio/events.py", {"_run"}),
    ("uvloop/", {"run", "new_event_loop"}),
    ("gevent/hub.py", {"run"}),
    ("tornado/ioloop.py", {"start"}),
    ("trio/_core/_run.py", {"unrolled_run", "run"}),
    ("twisted/internet/base.py", {"mainLoop"}),
)  # fmt: skip
_SELECTS = frozenset(
    {"epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6"}
)
_NO_TROUBLE = "nothing else that was read says that requests got slower"
_LEAST_ROUNDS = 2
_LEAST_SHARE = 0.5  # of the moments at which the thread was seen
_LONG_MS = 20.0  # in one callback; a look at one takes 60
_LONG_INEXACT_MS = 50.0  # where another call of the same place would look the same


@dataclass(frozen=True, slots=True)
class _Blocked:
    """A look at which a loop was kept, with what is known of the callback."""

    stack: ThreadStack
    callback: LoopCallback | None
    certain: bool  # it was one callback, seen for long or asleep


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each loop that is kept, of the function that keeps it most."""
    for evidence, samples, said in _contention.samples(case):
        for (pid, tid), every in _loops(samples, said).items():
            for_gil = {k.round for k in said.locks if k.pid == pid and tid in k.waiting}
            callbacks = {c.round: c for c in said.callbacks if (c.pid, c.tid) == (pid, tid)}
            stacks = [s for s in every if s.round not in for_gil]  # else others keep it
            read = any(c.pid == pid for c in said.callbacks)
            kept = [b for s in stacks if (b := _blocked(s, callbacks.get(s.round), read=read))]
            found = _contention.place(_contention.own_frames([b.stack for b in kept]))
            if found is None:
                continue
            mine = [b for b in kept if _is_in(b.stack, found[1].function, found[1].file)]
            if len(mine) >= max(_LEAST_ROUNDS, _LEAST_SHARE * len(stacks)):
                yield _finding(case, evidence.id, mine, len(stacks), pid)


def _loops(
    samples: StackSamples, said: Contention
) -> dict[tuple[int, int | None], list[ThreadStack]]:
    """The stacks of each thread that runs a loop."""
    of_loops = {(c.pid, c.tid) for c in said.callbacks}
    of_loops |= {(s.pid, s.tid) for s in samples.stacks if _has_loop(s)}
    seen: dict[tuple[int, int | None], list[ThreadStack]] = defaultdict(list)
    for stack in samples.stacks:
        if (stack.pid, stack.tid) in of_loops:
            seen[stack.pid, stack.tid].append(stack)
    return seen


def _blocked(stack: ThreadStack, callback: LoopCallback | None, *, read: bool) -> _Blocked | None:
    """Whether the loop was kept at this look; `read`: our reader tells the callbacks of this process."""
    if callback is not None:
        asleep = stack.kernel is not None and stack.kernel.state in {"S", "D"}
        long = _LONG_MS if callback.exact else _LONG_INEXACT_MS
        if asleep or callback.kept_ms >= long:
            return _Blocked(stack, callback, certain=asleep or callback.exact)
        return None
    if read or not is_busy(stack) or _waits_itself(stack):
        return None
    return _Blocked(stack, None, certain=False)


def _waits_itself(stack: ThreadStack) -> bool:
    """Whether the loop waits for events, itself or through a library: none of the application's code was called."""
    call = stack.kernel.syscall if stack.kernel is not None else None
    at = next((k for k, frame in enumerate(stack.frames) if _is_loop(frame)), 0)
    return call in _SELECTS and all(is_library(f.file) for f in stack.frames[:at])


def _has_loop(stack: ThreadStack) -> bool:
    return any(map(_is_loop, stack.frames))


def _is_loop(frame: Frame) -> bool:
    name = bare_name(frame.function)
    return any(name in names and is_file(frame.file, part) for part, names in _LOOPS)


def _is_in(stack: ThreadStack, function: str, file: str) -> bool:
    frame = application_frame(stack.frames)
    return frame is not None and (frame.function, frame.file) == (function, file)


def _finding(case: Case, evidence: str, kept: list[_Blocked], of: int, pid: int) -> Finding:
    trouble = _waits.trouble(case)
    stacks = [b.stack for b in kept]
    found = _contention.place(_contention.own_frames(stacks))
    assert found is not None  # noqa: S101 - they are in that function
    place, frame = found
    called = _contention.called_by(stacks)
    supports = [
        Support(
            evidence,
            Layer.RUNTIME,
            f"the thread of the event loop of pid {pid} was in {place} in {len(kept)} of {count(of, 'look')}"
            f" ({share(len(kept), of)}){_how_long(kept)}{_tasks(kept)}",
        ),
        Support(evidence, Layer.RUNTIME, _doing(stacks)),
        *_cpu(case, pid),
        *trouble[:2],
    ]
    against = [] if trouble else [Support(evidence, Layer.RUNTIME, _NO_TROUBLE)]
    if not any(b.certain for b in kept):
        says = "whether one call keeps it or many short ones follow each other was not told"
        against.append(Support(evidence, Layer.RUNTIME, says))
    line = ((semconv.CODE_LINE, str(frame.line)),) if place.endswith(f":{frame.line})") else ()
    return Finding(
        rule="event-loop-blocked",
        layer=Layer.RUNTIME,
        role=Role.MECHANISM,
        severity=Severity.CRITICAL if trouble else Severity.WARNING,
        title=f"The event loop is blocked in {place}{called}{_short_doing(stacks)}",
        detail="; ".join(s.says for s in supports),
        supports=tuple(supports),
        against=tuple(against),
        values=((semconv.CODE_FILE, frame.file), (semconv.CODE_FUNCTION, frame.function), *line),
        next_commands=(
            f"locard stacks pid/{pid}",
            _facts.watch_command(pid, frame.file, frame.function),
        ),
    )


def _how_long(kept: Sequence[_Blocked]) -> str:
    """For how long at least it was in the same callback."""
    exact = [b.callback.kept_ms for b in kept if b.callback is not None and b.callback.exact]
    long = [ms for ms in exact if ms >= _LONG_MS]
    return (
        f", each time in one callback for {min(long):.0f} ms and more"
        if long and len(long) == len(kept)
        else ""
    )


def _tasks(kept: Sequence[_Blocked]) -> str:
    tasks = _contention.names(b.callback.task for b in kept if b.callback is not None)
    return f"; it ran {'task' if ',' not in tasks else 'tasks'} {tasks}" if tasks else ""


def _doing(stacks: Sequence[ThreadStack]) -> str:
    """Whether it computes, or which call it waits in, with the frame that made it."""
    runs = sum(s.active for s in stacks)
    asleep = [s for s in stacks if not s.active]
    call = _contention.call(asleep)
    if 2 * runs >= len(stacks):
        return f"it was on a CPU, or waited for one, in {runs} of {count(len(stacks), 'such look')}"
    inner = _contention.place([s.frames[0] for s in asleep if s.frames])
    by = f", called by {inner[0]}" if inner else ""
    what = f"in {call}" if call else "not on a CPU, in which call was not told"
    return f"it was {what}{by}, in {len(asleep)} of {count(len(stacks), 'such look')}"


def _short_doing(stacks: Sequence[ThreadStack]) -> str:
    runs = sum(s.active for s in stacks)
    if 2 * runs >= len(stacks):
        return ", which computes"
    call = _contention.call(s for s in stacks if not s.active)
    return f", waiting in {call.partition(' ')[0]}" if call else ""


def _cpu(case: Case, pid: int) -> Iterator[Support]:
    for evidence, reading in _facts.readings(case, semconv.PROCESS_CPU_UTILIZATION):
        if reading.subject == f"pid {pid}" and reading.value >= 0.5:  # noqa: PLR2004 - of one CPU
            says = f"pid {pid} uses {reading.value:.2f} CPUs"
            yield Support(evidence.id, evidence.layer, says)
