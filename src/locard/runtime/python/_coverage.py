"""Of which processes there are stacks, what no stack can show, and why there are none, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import thread_records
from locard.model.facts import GreenletSamples, ProcessRuntime, TaskSamples
from locard.model.stacks import is_library
from locard.model.wording import count
from locard.runtime import detect
from locard.runtime.python import _dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from locard.model.evidence import Output
    from locard.model.facts import AwaitingTask, Fact, ThreadStack

DENIED = b"not permitted: "  # as our own reader says it, with why
_LOOPS = (
    ("coroutines", ("asyncio/base_events.py", "asyncio/runners.py", "trio/_core/")),
    ("greenlets", ("gevent/", "eventlet/")),
)


def processes(
    runtimes: dict[int, str],
    rounds: dict[int, int],
    missed: dict[int, str],
    stacks: Sequence[ThreadStack],
) -> Iterator[ProcessRuntime]:
    for pid in dict.fromkeys((*runtimes, *rounds)):
        mine = [s for s in stacks if s.pid == pid]
        runtime = runtimes.get(pid, "unknown")
        why = ""
        if not mine:
            why = missed.get(pid) or detect.why_not(runtime)
        yield ProcessRuntime(pid, runtime, len(mine), why, _hidden(mine))


def without_stack(pid: int, stacks: Sequence[ThreadStack], outputs: Sequence[Output]) -> int:
    """Threads that the kernel has and py-spy does not, in the last look."""
    seen = [s for s in stacks if s.pid == pid]
    looks = [
        {r["tid"] for r in thread_records.records(o.text) if r.get("pid") == pid and "tid" in r}
        for o in outputs
        if o.argv and _dump.dumped(o) is None and not detect.is_mapped(o)
    ]
    counted = [len(tids) for tids in looks if tids]
    if not seen or not counted:
        return 0
    last = max(s.round for s in seen)
    return max(0, counted[-1] - sum(s.round == last for s in seen))


def other_interpreters(process: ProcessRuntime, lacking: int, having: set[int]) -> str:
    if not lacking or process.pid not in having:
        return ""
    return (
        f"no stack of {count(lacking, 'thread')}: other interpreters of the process are not all"
        " shown"
    )


def _hidden(stacks: Sequence[ThreadStack]) -> str:
    """What no stack of a thread can show, by the loops that are seen on them.

    A loop beside the main thread with nothing of the application on it is some library's own.
    """
    loops = [
        s
        for s in stacks
        if s.thread == "MainThread" or not all(is_library(f.file) for f in s.frames)
    ]
    files = {f.file for s in loops for f in s.frames}
    kinds = [word for word, marks in _LOOPS if any(m in f for f in files for m in marks)]
    if not kinds:
        return ""
    return f"suspended {' and '.join(kinds)} are on no stack: how many there are is not known"


def together_tasks(
    awaiting: Iterable[tuple[AwaitingTask, ...]], lacks: Iterable[str]
) -> tuple[Fact, ...]:
    """The tasks of all processes as one fact, with what was not read of them; none where there is nothing."""
    every, lacking = tuple(task for tasks in awaiting for task in tasks), tuple(lacks)
    return (TaskSamples(every, lacking),) if every or lacking else ()


def together(found: Iterable[GreenletSamples | None]) -> tuple[GreenletSamples, ...]:
    """The greenlets of all processes as one fact; none where there are none."""
    every = [f for f in found if f is not None]
    if not every:
        return ()
    return (
        GreenletSamples(
            tuple(g for f in every for g in f.greenlets), tuple(u for f in every for u in f.unread)
        ),
    )


def unless_read(
    process: ProcessRuntime,
    awaiting: dict[int, tuple[AwaitingTask, ...]],
    suspended: dict[int, GreenletSamples | None],
) -> str:
    """What is hidden, but for the coroutines and greenlets that were read."""
    if not process.hidden.startswith("suspended "):
        return process.hidden
    kinds = [k for k in ("coroutines", "greenlets") if k in process.hidden]
    read = {"coroutines": awaiting.get(process.pid), "greenlets": suspended.get(process.pid)}
    return process.hidden if any(not read[k] for k in kinds) else ""


def why(output: Output, runtime: str) -> str:
    said = output.stderr.decode("utf-8", "replace")
    if output.timed_out:
        return "the reading did not end in time"
    if output.stderr.startswith(DENIED):
        return said.strip().partition("\n")[0]
    if "permission denied" in said.lower() or "Operation not permitted" in said:
        return "not permitted (CAP_SYS_PTRACE, or run as its user)"
    if "No such file or directory (os error 2)" in said or "os error 3" in said:
        return "it has ended"
    if "Failed to find python version" in said or "not a python" in said.lower():
        return detect.why_not(runtime)
    first = said.strip().partition("\n")[0].removeprefix("Error: ")
    return output.problem or first or "py-spy gave no stacks"
