"""The event loop is blocked: one call on it keeps every other request waiting.

Pattern: an event loop runs one thing at a time. A computation, or a call that waits without giving the
  loop back, stops all requests of the process meanwhile, also those that need neither.
Evidence: the thread of the loop seen again and again in the same function below the loop; the CPU
  that the process uses; that the service is slow.
Against: it was seen there at few moments.
Next: see the stack; move the call to a thread or make it asynchronous.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.evidence import Layer
from locard.model.facts import StackSamples
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.headline import share
from locard.model.stacks import application_frame, is_busy
from locard.model.wording import count
from locard.rules import _facts, _waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.facts import Frame, ThreadStack
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
_NO_TROUBLE = "nothing else that was read says that requests got slower"
_LEAST_ROUNDS = 2
_LEAST_SHARE = 0.5  # of the moments at which the thread was seen


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each function that keeps a loop, the worst first."""
    for evidence, samples in case.facts(StackSamples):
        seen: dict[tuple[int, int | None], list[ThreadStack]] = defaultdict(list)
        for stack in samples.stacks:
            if _has_loop(stack):
                seen[stack.pid, stack.tid].append(stack)
        kept = Counter[tuple["Frame", int]]()
        of: Counter[int] = Counter()
        for (pid, _), stacks in seen.items():
            of[pid] += len(stacks)
            for stack in stacks:
                frame = application_frame(stack.frames) if is_busy(stack) else None
                if frame is not None:
                    kept[_function(frame), pid] += 1
        for (frame, pid), n in kept.most_common(1):
            if n >= _LEAST_ROUNDS and n >= _LEAST_SHARE * of[pid]:
                yield _finding(case, evidence.id, frame, pid, seen=(n, of[pid]))


def _has_loop(stack: ThreadStack) -> bool:
    return any(
        part in frame.file and frame.function.rpartition(".")[2] in names
        for frame in stack.frames
        for part, names in _LOOPS
    )


def _function(frame: Frame) -> Frame:
    """The function whatever its line: a computation is seen at many lines."""
    return replace(frame, line=0)


def _finding(
    case: Case, evidence: str, frame: Frame, pid: int, *, seen: tuple[int, int]
) -> Finding:
    n, of = seen
    trouble = _waits.trouble(case)
    place = f"{frame.function} ({_facts.short(frame.file)})"
    says = (
        f"the thread of the event loop of pid {pid} was in {place} in {n} of {count(of, 'look')} "
        f"({share(n, of)})"
    )
    supports = [Support(evidence, Layer.RUNTIME, says), *_cpu(case, pid), *trouble[:2]]
    return Finding(
        rule="event-loop-blocked",
        layer=Layer.RUNTIME,
        role=Role.MECHANISM,
        severity=Severity.CRITICAL if trouble else Severity.WARNING,
        title=f"The event loop is blocked in {place}",
        detail="; ".join(s.says for s in supports),
        supports=tuple(supports),
        against=() if trouble else (Support(evidence, Layer.RUNTIME, _NO_TROUBLE),),
        values=((semconv.CODE_FILE, frame.file), (semconv.CODE_FUNCTION, frame.function)),
        next_commands=(f"locard stacks pid/{pid}",),
    )


def _cpu(case: Case, pid: int) -> Iterator[Support]:
    for evidence, reading in _facts.readings(case, semconv.PROCESS_CPU_UTILIZATION):
        if reading.subject == f"pid {pid}" and reading.value >= 0.5:  # noqa: PLR2004 - of one CPU
            says = f"pid {pid} uses {reading.value:.2f} CPUs"
            yield Support(evidence.id, evidence.layer, says)
