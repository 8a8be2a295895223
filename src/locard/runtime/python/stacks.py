"""Python stacks of every thread of every CPython process of the target, the locks they wait for, and asyncio's tasks.

Shows: for each thread its stack (innermost frame first) and whether it was on the CPU, over
  six rounds, so that what all threads wait for stands apart from a passing moment; with it what the
  kernel said of that very thread meanwhile; the lock that a waiting thread stands at and the thread
  that has it, where the lock records one (RLock, import locks); the tasks of asyncio with what each
  awaits, through gathers and async generators to the end; who has the GIL that others wait for, which callback
  an event loop is inside of and for how long, pools, queues and semaphores that somebody waits in, with limit,
  use and whose stack has one; which processes were not read, and why.
How: tells the runtimes by what the processes have mapped, then locard's own reader takes all threads
  of all interpreters of each CPython from its memory, round by round, so that one round is close in
  time over all processes; where it cannot, `py-spy dump --nonblocking --json`. Before and after each
  four processes the reader of /proc asks the kernel; a thread that it saw in the same call with the
  same count of switches both times slept through: then stack, call and descriptor are of one moment.
Impact: samples. The memory of the process is read without stopping it, nothing runs inside the target:
  some 30 ms of one core on this side for each process and round, 0.2 s with 1,000 threads.
Limits: CPython 3.8 to 3.15 by our own reader, 2.7 and 3.3 to 3.7 by py-spy; free-threaded builds not at all.
  A stack that changes while it is read is read again, three times, and then said in `missed`. Which lock a
  thread waits for is proven up to 3.12; later the only lock in its innermost frames is a candidate, said as one.
  Plain locks, semaphores and asyncio's locks record no owner; pools are those of far/pools. A wait inside a C
  call shows the Python line that made it. Other runtimes are named only. Other users' processes need
  CAP_SYS_PTRACE; a refusal says why, Yama and other user namespaces included.
Source: CPython's `_Py_DebugOffsets` and its headers (docs/adr/0028); process_vm_readv(2); proc(5); py-spy 0.4.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING, Any

from locard.guard import needs
from locard.guard.command import Impact, Template, Wait
from locard.model import thread_records
from locard.model.evidence import Output, Scope
from locard.model.facts import (
    Frame,
    GreenletSamples,
    ProcessRuntime,
    RuntimeCoverage,
    StackSamples,
    TaskSamples,
    ThreadPools,
    ThreadStack,
    WaitedLock,
)
from locard.model.params import param
from locard.model.stacks import is_library
from locard.model.target import Context, Skip
from locard.model.wording import count
from locard.probe import Sample
from locard.runtime import detect
from locard.runtime.python import _contention, _greenlets, _pools, _tasks

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from locard.guard.command import Command
    from locard.model.contention import Contention
    from locard.model.facts import AwaitingTask, Fact, ThreadPool
    from locard.probe import Step


@dataclass(frozen=True, slots=True)
class Params:
    """How often each process is dumped."""

    # Queues come and go within a second: fewer looks miss them.
    rounds: int = param(6, "dumps of every process", least=1, most=200)
    pause_s: float = param(0.3, "seconds between two rounds", least=0, most=10)


PARAMS = Params
DEFAULTS = Params()
FEW = Params(rounds=2, pause_s=0.2)  # for who only wants to see them
_DENIED_BY_KERNEL = b"not permitted: "  # as our own reader says it, with why
MAX_PROCESSES = 32  # one dump each and round; more of the same tree say the same again
TOGETHER = 4  # dumps between two looks at the kernel: more, and fewer threads sleep through
MANY_THREADS = 1000  # from here a dump takes seconds
ROUNDS_OF_MANY = 2

# The libraries whose pools are known: each is one file that says how.
_LIBRARIES = sorted(
    file.name.removesuffix(".py")
    for file in resources.files("locard.far").joinpath("pools").iterdir()
    if file.name.endswith(".py") and not file.name.startswith("_")
)
_OWN = (
    "far/memory.py+far/python_access.py+far/symbols.py+far/python_layout.py+far/python_objects.py+far/python_locks.py"
    "+far/python_tasks.py+far/python_pools.py"
    "+far/python_greenlets.py+far/python_code.py+far/python_waits.py"
    + "".join(f"+far/pools/{library}.py" for library in _LIBRARIES)
    + "+far/python_contention.py+far/python_stacks.py"
)
OWN = Template(
    argv=("python3", "-I", "-S", "-", "dump", "{pid:pid}"),
    impact=Impact.SAMPLES,
    bound_s=8.0,
    by_hand="py-spy dump --nonblocking --pid {pid}",
    max_bytes=64 << 20,
    program=_OWN,
    needs=(needs.PYTHON,),
    output="json",
)
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
COMMANDS = (detect.MAPPED, detect.GO, OWN, DUMP, DUMP_MANY, KERNEL)


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
    foreign: set[int] = set()  # what our own reader does not read: py-spy may
    denied: set[int] = set()  # what nobody reads here
    for at_round in range(params.rounds if pids else 0):
        asked = [p for p in pids if p not in foreign & many or at_round < ROUNDS_OF_MANY]
        asked = [p for p in asked if p not in denied]
        if at_round and asked:
            yield Wait(params.pause_s)
        for first in range(0, len(asked), TOGETHER):
            group = tuple(asked[first : first + TOGETHER])
            yield KERNEL.fill(pid=group)
            for pid in group:
                yield from _look(pid, foreign, many, denied)
            yield KERNEL.fill(pid=group)


def _look(
    pid: int, foreign: set[int], many: set[int], denied: set[int]
) -> Generator[Step, Output, None]:
    """One look at one process: by our own reader, else and from then on by py-spy."""
    if pid not in foreign:
        output = yield OWN.fill(pid=str(pid))
        if output.exit_code in {0, None}:  # None: nothing ran, as in a dry run
            return
        if output.stderr.startswith(_DENIED_BY_KERNEL):
            denied.add(pid)
            return
        foreign.add(pid)
    yield _dump(pid, many)


def _dump(pid: int, many: set[int]) -> Command:
    return (DUMP_MANY if pid in many else DUMP).fill(pid=str(pid))


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One StackSamples over all processes and rounds, and of which processes it is."""
    mapped = next((o for o in outputs if detect.is_mapped(o)), None)
    runtimes = detect.runtimes(mapped, [o for o in outputs if detect.is_go(o)])
    stacks: list[ThreadStack] = []
    missed: dict[int, str] = {}
    rounds: dict[int, int] = {}
    torn: dict[int, int] = {}
    awaiting: dict[int, tuple[AwaitingTask, ...]] = {}
    suspended: dict[int, GreenletSamples | None] = {}
    deep: set[int] = set()
    faults: dict[int, str] = {}
    lacks: dict[str, None] = {}
    pools: list[ThreadPool] = []
    kept: list[Contention] = []
    for at, output in enumerate(outputs):
        pid = _dumped(output)
        if pid is None:
            continue
        if output.program != "py-spy" and output.exit_code not in {0, None}:
            missed[pid] = _why(output, runtimes.get(pid, ""))  # py-spy is asked in its place
            if b"Traceback" in output.stderr:
                faults[pid] = output.stderr.decode("utf-8", "replace").strip().splitlines()[-1]
            rounds.setdefault(pid, 0)
            continue
        at_round = rounds.get(pid, 0)
        rounds[pid] = at_round + 1
        threads, tore = _threads(output.text, at_round)
        torn[pid] = torn.get(pid, 0) + tore
        found = items(output.text)
        if any(i.get("cut") for i in found):
            deep.add(pid)
        awaiting[pid] = _tasks.tasks(found)
        lacks.update(
            (i["unread_tasks"], None) for i in found if isinstance(i.get("unread_tasks"), str)
        )
        suspended[pid] = _greenlets.samples(found)
        inner = _inner(pid, output, _around(outputs, at))
        pools.extend(_pools.pools(found, at_round, inner))
        kept.append(_contention.contention(found, at_round, inner))
        if threads:
            stacks.extend(_joined(pid, threads, inner, _around(outputs, at)))
        else:
            missed[pid] = _why(output, runtimes.get(pid, ""))
    if not runtimes and not rounds:
        return ()
    coverage = tuple(
        replace(
            p,
            without_stack=(lacking := _without_stack(p.pid, stacks, outputs)),
            hidden=_unless_read(p, awaiting, suspended)
            or _other_interpreters(p, lacking, detect.with_interpreters(mapped)),
        )
        for p in _coverage(runtimes, rounds, missed, stacks)
    )
    said = tuple(_said(coverage, torn, deep, faults))
    taken = len({s.round for s in stacks})
    samples = StackSamples("python", taken, tuple(stacks), said)
    every = tuple(task for tasks in awaiting.values() for task in tasks)
    told: tuple[Fact, ...] = (TaskSamples(every, tuple(lacks)),) if every or lacks else ()
    told += (ThreadPools(tuple(pools)),) if pools else ()
    told += _contention.together(kept)
    told += _together(suspended.values())
    return (samples, *told, RuntimeCoverage(coverage, said))


def _said(
    coverage: Iterable[ProcessRuntime],
    torn: dict[int, int],
    deep: Iterable[int],
    faults: dict[int, str],
) -> Iterator[str]:
    """What was not read of which process, and why."""
    yield from (f"pid {p.pid}: {p.runtime}: {p.why}" for p in coverage if p.why)
    for pid, number in torn.items():
        if number:
            yield f"pid {pid}: {count(number, 'stack')} changed while being read, three times over: left out"
    for pid in deep:
        yield f"pid {pid}: a stack is deeper than what was read: cut at its outer end"
    for pid, why in faults.items():
        yield f"pid {pid}: locard's own reader failed, a bug: {why}"


def _dumped(output: Output) -> int | None:
    """The process that an output is a dump of, None if it is none."""
    last = output.argv[-1] if output.argv else ""
    return int(last) if last.isdigit() and "dump" in output.argv else None


def _around(outputs: Sequence[Output], at: int) -> tuple[Output | None, Output | None]:
    """What the kernel said before and after a dump."""
    before = next((o for o in reversed(outputs[:at]) if "dump" not in o.argv), None)
    after = next((o for o in outputs[at:] if "dump" not in o.argv), None)
    return before, after


def _inner(pid: int, dump: Output, around: tuple[Output | None, Output | None]) -> dict[int, int]:
    """Thread ids as the process's own pid namespace numbers them -> as this machine does; empty where they agree.

    Our own reader numbers them as this machine does, py-spy as the process does.
    """
    if dump.program != "py-spy":
        return {}
    return {
        r["nstid"]: r["tid"]
        for output in around
        for r in thread_records.records(output.text if output else "")
        if r.get("pid") == pid and "tid" in r and "nstid" in r
    }


def _joined(
    pid: int,
    threads: list[ThreadStack],
    inner: dict[int, int],
    around: tuple[Output | None, Output | None],
) -> Iterator[ThreadStack]:
    """The stacks with this machine's thread ids, and the kernel's word where it is of that moment."""
    then, now = (
        {r["tid"]: r for r in thread_records.records(o.text if o else "") if r.get("pid") == pid
         and "tid" in r}
        for o in around
    )  # fmt: skip
    for thread in threads:
        tid = thread.tid if thread.tid is None else inner.get(thread.tid, thread.tid)
        lock = thread.lock
        if lock is not None and lock.owner is not None:
            lock = replace(lock, owner=inner.get(lock.owner, lock.owner))
        before, after = then.get(tid), now.get(tid)
        if before is None or after is None:
            known = tid if tid in now or not inner else None
            yield replace(thread, tid=known, active=thread.active and not inner, lock=lock)
            continue
        state = None
        if thread_records.unmoved(before, after):
            state = thread_records.state(after, thread.round)
        both = before.get("state") == after.get("state") == "R"
        active = both if inner else thread.active and state is None
        yield replace(thread, tid=tid, active=active, kernel=state, lock=lock)


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


def _together(found: Iterable[GreenletSamples | None]) -> tuple[GreenletSamples, ...]:
    """The greenlets of all processes as one fact; none where there are none."""
    every = [f for f in found if f is not None]
    if not every:
        return ()
    return (
        GreenletSamples(
            tuple(g for f in every for g in f.greenlets), tuple(u for f in every for u in f.unread)
        ),
    )


def _unless_read(
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


_LOOPS = (
    ("coroutines", ("asyncio/base_events.py", "asyncio/runners.py", "trio/_core/")),
    ("greenlets", ("gevent/", "eventlet/")),
)


def _threads(text: str, at_round: int) -> tuple[list[ThreadStack], int]:
    """The stacks of a dump, and how many of it tore."""
    data = [i for i in items(text) if "greenlet" not in i and "frames" in i]
    whole = [i for i in data if not i.get("torn")]
    return [t for i in whole if (t := _thread(i, at_round))], len(data) - len(whole)


def items(text: str) -> list[dict[str, Any]]:
    """What a dump holds; our own reader's frames stand in a table of their own."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(data, list):
        return []
    found = [item for item in data if isinstance(item, dict)]
    table = next((i["table"] for i in found if isinstance(i.get("table"), list)), None)
    if table is None:
        return found
    return [
        {**i, "frames": [table[n] for n in _numbers(i, len(table))]} if "frames" in i else i
        for i in found
    ]


def _numbers(item: dict[str, Any], size: int) -> list[int]:
    """The numbers of an item's frames; none where one does not stand in the table."""
    numbers = item["frames"]
    fit = isinstance(numbers, list) and all(isinstance(n, int) and 0 <= n < size for n in numbers)
    return numbers if fit else []


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
            lock=_lock(item.get("lock")),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _lock(item: Any) -> WaitedLock | None:
    """The lock that our own reader found; nobody has one whose owner is 0."""
    if not isinstance(item, dict) or item.get("owner") == 0:
        return None
    owner = item.get("owner_tid")
    recorded = item.get("owner") is not None
    return WaitedLock(
        kind=str(item["kind"]),
        name=str(item.get("name") or ""),
        address=int(item["at"]),
        sure=bool(item["sure"]),
        recorded=recorded,
        owner=int(owner) if owner else None,
        orphaned=recorded and item.get("owner_here") is False,
    )


def _why(output: Output, runtime: str) -> str:
    said = output.stderr.decode("utf-8", "replace")
    if output.timed_out:
        return "the reading did not end in time"
    if output.stderr.startswith(_DENIED_BY_KERNEL):
        return said.strip().partition("\n")[0]
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
