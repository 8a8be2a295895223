"""What the reader of a runtime says of locks, loops and pools, joined with the stacks of the same looks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.contention import Contention
from locard.model.facts import StackSamples
from locard.model.stacks import application_frame, is_file, is_library
from locard.model.wording import shorten
from locard.rules import _facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locard.model.evidence import Evidence
    from locard.model.facts import Frame, ThreadStack
    from locard.model.finding import Case

_NAMED = 3
# What calls the application's code: an event loop, a thread pool.
_CALLERS = (
    "asyncio/events.py",
    "asyncio/runners.py",
    "concurrent/futures/thread.py",
    "trio/_core/_run.py",
)


def samples(case: Case) -> Iterator[tuple[Evidence, StackSamples, Contention]]:
    """The stacks of each evidence with what kept others waiting at the same looks; nothing where it was not read."""
    for evidence, found in case.facts(StackSamples):
        said = next((f for f in evidence.facts if isinstance(f, Contention)), None)
        if said is None:  # as in a test, or a record in which each fact stands alone
            said = next((f for _, f in case.facts(Contention)), Contention())
        yield evidence, found, said


def looks(found: StackSamples, pid: int) -> int:
    """At how many looks a process gave stacks."""
    return len({s.round for s in found.stacks if s.pid == pid})


def by_thread(found: StackSamples) -> dict[tuple[int, int, int | None], ThreadStack]:
    """Each stack by (round, pid, tid)."""
    return {(s.round, s.pid, s.tid): s for s in found.stacks}


def place(frames: Iterable[Frame]) -> tuple[str, Frame] | None:
    """`check (pay/app.py:14)`, of the function in which most are; without the line where they are spread over it."""
    every = list(frames)
    if not every:
        return None
    function, file = Counter((f.function, f.file) for f in every).most_common(1)[0][0]
    mine = [f for f in every if (f.function, f.file) == (function, file)]
    frame, count = Counter(mine).most_common(1)[0]
    line = f":{frame.line}" if 2 * count > len(mine) else ""
    return f"{function} ({_facts.short(file)}{line})", frame


def own_frames(stacks: Iterable[ThreadStack]) -> list[Frame]:
    """The innermost frame of the application's own of each."""
    return [f for s in stacks if (f := application_frame(s.frames)) is not None]


def called_by(stacks: Iterable[ThreadStack]) -> str:
    """`, called by Scores._score (pay/scores.py:36)`: where the application's code was entered; "" where it is the same.

    Where others of its functions stand between: `, begun in …`, since it is not the one that called.

    Of a thread that runs an event loop, what the loop called; of a worker of a pool, the job.
    """
    every, near = [], True
    for stack in stacks:
        own = application_frame(stack.frames)
        entry = _entry(stack)
        if own is not None and entry is not None and own != entry:
            every.append(entry)
            between = stack.frames[stack.frames.index(own) + 1 : stack.frames.index(entry)]
            near = near and all(is_library(f.file) for f in between)
    found = place(every)
    return f", {'called by' if near else 'begun in'} {found[0]}" if found else ""


def _entry(stack: ThreadStack) -> Frame | None:
    """The outermost frame of the application's own in its innermost run, library frames between them aside."""
    found = None
    for frame in stack.frames:
        if not is_library(frame.file):
            found = frame
        elif found is not None and any(is_file(frame.file, end) for end in _CALLERS):
            break
    return found


def code(frame: Frame) -> tuple[tuple[str, str], ...]:
    """A place as fields of a finding."""
    return (
        (semconv.CODE_FILE, frame.file),
        (semconv.CODE_FUNCTION, frame.function),
        (semconv.CODE_LINE, str(frame.line)),
    )


def call(stacks: Iterable[ThreadStack]) -> str:
    """In which system call they are by the kernel's word, with what it waits for; "" where it has none."""
    calls = Counter(
        f"{s.kernel.syscall} {s.kernel.waits_for or ''}".strip()
        for s in stacks
        if s.kernel is not None and s.kernel.syscall and not s.active
    )
    return calls.most_common(1)[0][0] if calls else ""


def names(every: Iterable[str]) -> str:
    """A few names, most frequent first."""
    counted = [n for n, _ in Counter(n for n in every if n).most_common()]
    shown = ", ".join(shorten(n, 40) for n in counted[:_NAMED])
    return f"{shown} and {len(counted) - _NAMED} more" if len(counted) > _NAMED else shown
