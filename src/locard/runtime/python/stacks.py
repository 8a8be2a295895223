"""Python stacks of every thread of every CPython process of the target.

Shows: for each thread its stack (innermost frame first) and whether it was on the CPU, over
  six rounds, so that what all threads wait for stands apart from a passing moment; with it what the
  kernel said of that very thread meanwhile; and which processes were not read, and why.
How: tells the runtimes by what the processes have mapped, then `py-spy dump --nonblocking --json`
  for each CPython, round by round, so that one round is close in time over all processes. Before
  and after each four dumps locard's reader of /proc asks the kernel; a thread that it saw in the
  same call with the same count of switches both times slept through: then stack, call and
  descriptor are of one moment.
Impact: samples. py-spy reads the memory of the process without stopping it: about 30 ms of one
  core on this side for each dump, nothing runs inside the target.
Limits: CPython 2.7 and 3.3 to 3.13 as far as py-spy knows them. Without a stop a stack can tear:
  such a dump fails and is said in `missed`. Up to 3.10 thread ids and what runs without the GIL are
  not known, and no thread is joined with the kernel. A wait inside a C call shows the Python line
  that made it. Suspended coroutines and greenlets are on no stack. Other runtimes are named only.
  Processes of over 1,000 threads are dumped twice, with a longer bound. Other users' processes need
  CAP_SYS_PTRACE.
Source: py-spy 0.4 (https://github.com/benfred/py-spy), `py-spy dump --help`; proc(5).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from locard.guard import needs
from locard.guard.command import Impact, Template, Wait
from locard.model import thread_records
from locard.model.evidence import Output, Scope
from locard.model.facts import Frame, ProcessRuntime, RuntimeCoverage, StackSamples, ThreadStack
from locard.model.params import param
from locard.model.stacks import is_library
from locard.model.target import Context, Skip
from locard.model.wording import count
from locard.probe import Sample
from locard.runtime import detect

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from locard.guard.command import Command
    from locard.model.facts import Fact
    from locard.probe import Step


@dataclass(frozen=True, slots=True)
class Params:
    """How often each process is dumped."""

    # Queues come and go within a second: fewer looks miss them.
    rounds: int = param(6, "dumps of every process", least=1, most=200)
    pause_s: float = param(0.3, "seconds between two rounds", least=0, most=10)


PARAMS = Params
DEFAULTS = Params()
MAX_PROCESSES = 32  # one dump each and round; more of the same tree say the same again
TOGETHER = 4  # dumps between two looks at the kernel: more, and fewer threads sleep through
MANY_THREADS = 1000  # from here a dump takes seconds
ROUNDS_OF_MANY = 2

DUMP = Template(
    argv=("py-spy", "dump", "--nonblocking", "--json", "--pid", "{pid:pid}"),
    impact=Impact.SAMPLES,
    bound_s=4.0,
    max_bytes=32 << 20,
    needs=(needs.PY_SPY,),
    output="json",
)
DUMP_MANY = Template(
    argv=("py-spy", "dump", "--nonblocking", "--json", "--pid", "{pid:pid}"),
    impact=Impact.SAMPLES,
    bound_s=20.0,
    max_bytes=64 << 20,
    needs=(needs.PY_SPY,),
    output="json",
)
KERNEL = Template(
    argv=("python3", "-I", "-S", "-", "1", "0", "{pid:pid*}"),
    impact=Impact.SAMPLES,
    bound_s=5.0,
    by_hand="for p in {pid}; do grep -s '' /proc/$p/task/*/{stat,syscall,wchan}; done",
    max_bytes=8 << 20,
    program="kernel/_thread_reader.py+kernel/_threads.py",
    needs=(needs.PYTHON,),
    output="json",
)
COMMANDS = (detect.MAPPED, detect.GO, DUMP, DUMP_MANY, KERNEL)


def applies(context: Context) -> Skip | None:
    """It takes processes; which of them are Python is found by looking."""
    if not context.target.pids:
        return Skip("the target has no processes", "name one: pid/PID or proc/NAME")
    return None


def scope(context: Context) -> Scope:
    """Every process of the target."""
    return Scope(pids=context.target.pids)


def plan(context: Context, params: Params = DEFAULTS) -> Generator[Step, Output, None]:
    """Tell the runtimes, then dump each CPython in turn, round after round."""
    mapped = yield detect.MAPPED.fill(pid=context.target.pids)
    unknown = detect.unknown(mapped)
    if unknown:
        yield detect.GO.fill(pid=unknown)
    chosen = [p for p in context.target.processes if p.pid in detect.pythons(mapped)]
    if not chosen and mapped.exit_code != 1:
        # Nothing could be looked at (a dry run, no permission): py-spy tells what is Python.
        chosen = [p for p in context.target.processes if p.pid not in unknown]
    many = {p.pid for p in chosen if p.threads >= MANY_THREADS}
    pids = [p.pid for p in chosen][:MAX_PROCESSES]
    for at_round in range(params.rounds if pids else 0):
        asked = [p for p in pids if p not in many or at_round < ROUNDS_OF_MANY]
        if at_round and asked:
            yield Wait(params.pause_s)
        for first in range(0, len(asked), TOGETHER):
            group = tuple(asked[first : first + TOGETHER])
            yield KERNEL.fill(pid=group)
            for pid in group:
                yield _dump(pid, many)
            yield KERNEL.fill(pid=group)


def _dump(pid: int, many: set[int]) -> Command:
    return (DUMP_MANY if pid in many else DUMP).fill(pid=str(pid))


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One StackSamples over all processes and rounds, and of which processes it is."""
    mapped = next((o for o in outputs if detect.is_mapped(o)), None)
    runtimes = detect.runtimes(mapped, [o for o in outputs if detect.is_go(o)])
    stacks: list[ThreadStack] = []
    missed: dict[int, str] = {}
    rounds: dict[int, int] = {}
    for at, output in enumerate(outputs):
        pid = _dumped(output)
        if pid is None:
            continue
        at_round = rounds.get(pid, 0)
        rounds[pid] = at_round + 1
        threads = _threads(output.text, at_round)
        if threads:
            stacks.extend(_joined(pid, threads, _around(outputs, at)))
        else:
            missed[pid] = _why(output, runtimes.get(pid, ""))
    if not runtimes and not rounds:
        return ()
    coverage = tuple(
        replace(
            p,
            without_stack=(lacking := _without_stack(p.pid, stacks, outputs)),
            hidden=p.hidden or _other_interpreters(p, lacking, detect.with_interpreters(mapped)),
        )
        for p in _coverage(runtimes, rounds, missed, stacks)
    )
    said = tuple(f"pid {p.pid}: {p.runtime}: {p.why}" for p in coverage if p.why)
    taken = len({s.round for s in stacks})
    samples = StackSamples("python", taken, tuple(stacks), said)
    return (samples, RuntimeCoverage(coverage, said))


def _dumped(output: Output) -> int | None:
    """The process that an output is a dump of, None if it is none."""
    last = output.argv[-1] if output.argv else ""
    return int(last) if last.isdigit() and "dump" in output.argv else None


def _around(outputs: Sequence[Output], at: int) -> tuple[Output | None, Output | None]:
    """What the kernel said before and after a dump."""
    before = next((o for o in reversed(outputs[:at]) if "dump" not in o.argv), None)
    after = next((o for o in outputs[at:] if "dump" not in o.argv), None)
    return before, after


def _joined(
    pid: int, threads: list[ThreadStack], around: tuple[Output | None, Output | None]
) -> Iterator[ThreadStack]:
    """The stacks with this machine's thread ids, and the kernel's word where it is of that moment."""
    then, now = (
        {r["tid"]: r for r in thread_records.records(o.text if o else "") if r.get("pid") == pid
         and "tid" in r}
        for o in around
    )  # fmt: skip
    inner = {r["nstid"]: tid for tid, r in now.items() if "nstid" in r}
    for thread in threads:
        tid = inner.get(thread.tid, thread.tid) if inner else thread.tid
        before, after = then.get(tid), now.get(tid)
        if before is None or after is None:
            known = tid if tid in now or not inner else None
            yield replace(thread, tid=known, active=thread.active and not inner)
            continue
        state = None
        if thread_records.unmoved(before, after):
            state = thread_records.state(after, thread.round)
        both = before.get("state") == after.get("state") == "R"
        active = both if inner else thread.active and state is None
        yield replace(thread, tid=tid, active=active, kernel=state)


def _coverage(
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


def _without_stack(pid: int, stacks: Sequence[ThreadStack], outputs: Sequence[Output]) -> int:
    """Threads that the kernel has and py-spy does not, in the last look."""
    seen = [s for s in stacks if s.pid == pid]
    looks = [
        {r["tid"] for r in thread_records.records(o.text) if r.get("pid") == pid and "tid" in r}
        for o in outputs
        if o.argv and _dumped(o) is None and not detect.is_mapped(o)
    ]
    counted = [len(tids) for tids in looks if tids]
    if not seen or not counted:
        return 0
    last = max(s.round for s in seen)
    return max(0, counted[-1] - sum(s.round == last for s in seen))


def _other_interpreters(process: ProcessRuntime, lacking: int, having: set[int]) -> str:
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


_LOOPS = (
    ("coroutines", ("asyncio/base_events.py", "asyncio/runners.py", "trio/_core/")),
    ("greenlets", ("gevent/", "eventlet/")),
)


def _threads(text: str, at_round: int) -> list[ThreadStack]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(data, list):
        return []
    return [t for item in data if (t := _thread(item, at_round))]


def _thread(item: Any, at_round: int) -> ThreadStack | None:
    try:
        tid = item.get("os_thread_id")
        # Up to Python 3.10 py-spy cannot know a thread's id without stopping it, and then takes
        # every thread for running. Who has the GIL runs for sure; the rest mostly waits.
        active = item["active"] if tid is not None else item.get("owns_gil")
        return ThreadStack(
            round=at_round,
            pid=int(item["pid"]),
            tid=int(tid) if tid is not None else None,
            thread=str(item.get("thread_name") or ""),
            active=bool(active),
            frames=tuple(
                Frame(str(f["name"]), str(f["filename"]), int(f["line"])) for f in item["frames"]
            ),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _why(output: Output, runtime: str) -> str:
    said = output.stderr.decode("utf-8", "replace")
    if output.timed_out:
        return "py-spy did not answer in time"
    if "permission denied" in said.lower() or "Operation not permitted" in said:
        return "not permitted (CAP_SYS_PTRACE, or run as its user)"
    if "No such file or directory (os error 2)" in said or "os error 3" in said:
        return "it has ended"
    if "Failed to find python version" in said or "not a python" in said.lower():
        return detect.why_not(runtime)
    first = said.strip().partition("\n")[0].removeprefix("Error: ")
    return output.problem or first or "py-spy gave no stacks"


_DUMP = """[{"pid": 7, "thread_id": 1, "thread_name": "MainThread", "os_thread_id": 9,
"active": false, "owns_gil": false, "frames": [{"name": "charge", "filename": "/srv/pay.py",
"module": null, "short_filename": "pay.py", "line": 13, "locals": null}]}]"""
_DENIED = b"Error: Failed to get process executable name.\n\nCaused by:\n 0: Permission denied"

_ASKED = ("grep", "-s", "-o", "-E", "x", "/proc/7/maps", "/proc/8/maps")

SAMPLES = (
    Sample(
        (
            Output(_ASKED, b"/proc/7/maps:/python3.11\n/proc/8/maps:/node\n"),
            Output(argv=("py-spy", "dump", "--pid", "7"), stdout=_DUMP.encode()),
            Output(argv=("py-spy", "dump", "--pid", "7"), stdout=_DUMP.encode()),
        ),
        (
            "rounds=2",
            "function='charge'",
            "line=13",
            "tid=9",
            "runtime='CPython 3.11', stacks=2, why=''",
            "pid=8, runtime='Node.js', stacks=0, why='no adapter yet'",
        ),
    ),
    Sample(
        (Output(argv=("py-spy", "dump", "--pid", "7"), stdout=b"", stderr=_DENIED, exit_code=1),),
        ("stacks=0, why='not permitted",),
    ),
    Sample((Output(argv=("py-spy", "dump", "--pid", "7"), stdout=b'[{"pid"'),), ("no stacks",)),
)
