"""Python stacks of every thread of every CPython process of the target, the locks they wait for, and asyncio's tasks.

Shows: for each thread its stack (innermost frame first) and whether it was on the CPU, over
  six rounds, so that what all threads wait for stands apart from a passing moment; with it what the
  kernel said of that very thread meanwhile; the lock that a waiting thread stands at and the thread
  that has it, where the lock records one (RLock, import locks); the tasks of asyncio with what each
  awaits, through gathers and async generators to the end; who has the GIL that others wait for, which callback
  an event loop is inside of and for how long, pools, queues and semaphores that somebody waits in, with limit,
  use and whose stack has one; which processes were not read, and why. With --locals N the variables of the N
  innermost frames, with --source their lines, both at the last round.
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
  Variables: values of exact builtin types, so long and so deep, of all else the name of the type; secrets are
  masked by the variable's name and the value's form; py-spy's dumps have none. A source is read below the target's
  own root; one that was changed since the process began is said to be.
  Plain locks, semaphores and asyncio's locks record no owner; pools are those of far/pools. A wait inside a C
  call shows the Python line that made it. Other runtimes are named only. Other users' processes need
  CAP_SYS_PTRACE; a refusal says why, Yama and other user namespaces included.
Source: CPython's `_Py_DebugOffsets` and its headers (docs/adr/0028); process_vm_readv(2); proc(5); py-spy 0.4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING

from locard.guard import needs
from locard.guard.command import Impact, Template, Wait
from locard.model.evidence import Output, Scope
from locard.model.facts import (
    GreenletSamples,
    RuntimeCoverage,
    StackSamples,
    ThreadPools,
    ThreadStack,
)
from locard.model.params import param, switch
from locard.model.target import Context, Skip
from locard.model.wording import count
from locard.probe import Sample
from locard.runtime import detect
from locard.runtime.python import _contention, _coverage, _dump, _greenlets, _pools, _tasks

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from locard.guard.command import Command
    from locard.model.contention import Contention
    from locard.model.facts import AwaitingTask, Fact, ProcessRuntime, SourceLine, ThreadPool
    from locard.probe import Step


@dataclass(frozen=True, slots=True)
class Params:
    """How often each process is dumped."""

    # Queues come and go within a second: fewer looks miss them.
    rounds: int = param(6, "dumps of every process", least=1, most=200)
    pause_s: float = param(0.3, "seconds between two rounds", least=0, most=10)
    locals: int = param(
        0, "innermost frames of each thread whose variables are shown", least=0, most=20
    )
    source: bool = switch("source lines of the innermost frames, as the target sees its files")


PARAMS = Params
DEFAULTS = Params()
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
    "+far/python_greenlets.py+far/python_code.py+far/python_locals.py+far/python_source.py+far/python_waits.py"
    + "".join(f"+far/pools/{library}.py" for library in _LIBRARIES)
    + "+far/python_contention.py+far/python_threads.py+far/python_stacks.py"
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
    prompt=True,
)
OWN_MORE = replace(OWN, argv=(*OWN.argv[:5], "{locals:int}", "{source:int}", OWN.argv[5]))
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
    prompt=True,
)
COMMANDS = (detect.MAPPED, detect.GO, OWN, OWN_MORE, DUMP, DUMP_MANY, KERNEL)


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
                last = at_round == params.rounds - 1
                yield from _look(pid, foreign, denied, many, params if last else DEFAULTS)
            yield KERNEL.fill(pid=group)


def _look(
    pid: int, foreign: set[int], denied: set[int], many: set[int], asked: Params
) -> Generator[Step, Output, None]:
    """One look at one process: by our own reader, else and from then on by py-spy."""
    if pid not in foreign:
        if asked.locals or asked.source:
            told = str(asked.locals), str(int(asked.source))
            output = yield OWN_MORE.fill(locals=told[0], source=told[1], pid=str(pid))
        else:
            output = yield OWN.fill(pid=str(pid))
        if output.exit_code in {0, None}:  # None: nothing ran, as in a dry run
            return
        if output.stderr.startswith(_coverage.DENIED):
            denied.add(pid)
            return
        foreign.add(pid)
    yield _by_py_spy(pid, many)


def _by_py_spy(pid: int, many: set[int]) -> Command:
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
    sources: dict[int, tuple[SourceLine, ...]] = {}
    kept: list[Contention] = []
    for at, output in enumerate(outputs):
        pid = _dump.dumped(output)
        if pid is None:
            continue
        if output.program != "py-spy" and output.exit_code not in {0, None}:
            missed[pid] = _coverage.why(
                output, runtimes.get(pid, "")
            )  # py-spy is asked in its place
            if b"Traceback" in output.stderr:
                faults[pid] = output.stderr.decode("utf-8", "replace").strip().splitlines()[-1]
            rounds.setdefault(pid, 0)
            continue
        at_round = rounds.get(pid, 0)
        rounds[pid] = at_round + 1
        threads, tore = _dump.threads(output.text, at_round)
        torn[pid] = torn.get(pid, 0) + tore
        found = _dump.items(output.text)
        if any(i.get("cut") for i in found):
            deep.add(pid)
        awaiting[pid] = _tasks.tasks(found)
        lacks.update(
            (i["unread_tasks"], None) for i in found if isinstance(i.get("unread_tasks"), str)
        )
        sources[pid] = tuple(_dump.sources(found, pid))
        suspended[pid] = _greenlets.samples(found)
        inner = _dump.inner_ids(pid, output, around := _dump.around(outputs, at))
        pools.extend(_pools.pools(found, at_round, inner))
        kept.append(_contention.contention(found, at_round, inner))
        if threads:
            stacks.extend(_dump.joined(pid, threads, inner, around))
        else:
            missed[pid] = _coverage.why(output, runtimes.get(pid, ""))
    if not runtimes and not rounds:
        return ()
    coverage = tuple(
        replace(
            p,
            without_stack=(lacking := _coverage.without_stack(p.pid, stacks, outputs)),
            hidden=_coverage.unless_read(p, awaiting, suspended)
            or _coverage.other_interpreters(p, lacking, detect.with_interpreters(mapped)),
        )
        for p in _coverage.processes(runtimes, rounds, missed, stacks)
    )
    said = tuple(_said(coverage, torn, deep, faults))
    samples = StackSamples(
        "python",
        len({s.round for s in stacks}),
        tuple(stacks),
        said,
        tuple(s for some in sources.values() for s in some),
    )
    told = _coverage.together_tasks(awaiting.values(), lacks)
    told += (ThreadPools(tuple(pools)),) if pools else ()
    told += _contention.together(kept)
    told += _coverage.together(suspended.values())
    return (samples, *told, RuntimeCoverage(coverage, said))


def _said(
    coverage: Sequence[ProcessRuntime], torn: dict[int, int], deep: set[int], faults: dict[int, str]
) -> Iterator[str]:
    """What is missing, in words."""
    yield from (f"pid {p.pid}: {p.runtime}: {p.why}" for p in coverage if p.why)
    for pid, number in torn.items():
        if number:
            yield f"pid {pid}: {count(number, 'stack')} changed while being read, three times over: left out"
    yield from (
        f"pid {p}: a stack is deeper than what was read: cut at its outer end" for p in deep
    )
    yield from (f"pid {p}: locard's own reader failed, a bug: {why}" for p, why in faults.items())


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
