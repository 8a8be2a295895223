"""Python stacks of every thread of every CPython process of the target.

Shows: for each thread its stack (innermost frame first) and whether it was on the CPU, over
  six rounds, so that what all threads wait for stands apart from a passing moment.
How: finds the CPython processes by what they have mapped, then `py-spy dump --nonblocking --json`
  for each of them, round by round, so that one round is close in time over all processes.
Impact: samples. py-spy reads the memory of the process without stopping it: about 30 ms of one
  core on this side for each dump, nothing runs inside the target.
Limits: CPython 2.7 and 3.3 to 3.13 as far as py-spy knows them. Without a stop a stack can tear:
  such a dump fails and is said in `missed`. Up to 3.10 thread ids and what runs without the GIL are
  not known. A wait inside a C call shows the Python line that made
  it. Other users' processes need CAP_SYS_PTRACE.
Source: py-spy 0.4 (https://github.com/benfred/py-spy), `py-spy dump --help`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from locard.guard.command import Impact, Template, Wait
from locard.model.evidence import Output, Scope
from locard.model.facts import Frame, StackSamples, ThreadStack
from locard.model.target import Context, Skip
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.model.facts import Fact
    from locard.probe import Step

ROUNDS = 6  # queues come and go within a second: fewer looks miss them
PAUSE_S = 0.3
MAX_PROCESSES = 32  # one dump each and round; more of the same tree say the same again

# The interpreter itself or its library, as mapped; not an extension module named after it.
DETECT = Template(
    argv=(
        "grep",
        "-s",
        "-m1",
        "-E",
        "/(libpython[0-9.]+[a-z]*\\.so|python[0-9.]*[a-z]?( |$))",
        "/dev/null",  # a second file, so that grep names the file of a match
        "/proc/{pid:pid*}/maps",
    ),
    impact=Impact.READS,
    bound_s=3.0,
    output="counters",
)
DUMP = Template(
    argv=("py-spy", "dump", "--nonblocking", "--json", "--pid", "{pid:pid}"),
    impact=Impact.SAMPLES,
    bound_s=4.0,
    needs="py-spy (pip install py-spy)",
    output="json",
)
COMMANDS = (DETECT, DUMP)

_MAPS = re.compile(r"^/proc/(\d+)/maps:", re.MULTILINE)


def applies(context: Context) -> Skip | None:
    """It takes processes; which of them are Python is found by looking."""
    if not context.target.pids:
        return Skip("the target has no processes", "name one: pid/PID or proc/NAME")
    return None


def scope(context: Context) -> Scope:
    """Every process of the target."""
    return Scope(pids=context.target.pids)


def plan(context: Context) -> Generator[Step, Output, None]:
    """Look for CPython, then dump each such process in turn, six times over."""
    found = yield DETECT.fill(pid=context.target.pids)
    python = _pythons(found)
    if not python and found.exit_code != 1:
        # Nothing could be looked at (a dry run, no permission): py-spy tells what is Python.
        python = set(context.target.pids)
    chosen = [p for p in context.target.pids if p in python][:MAX_PROCESSES]
    for at_round in range(ROUNDS if chosen else 0):
        if at_round:
            yield Wait(PAUSE_S)
        for pid in chosen:
            yield DUMP.fill(pid=str(pid))


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One StackSamples over all processes and rounds."""
    stacks: list[ThreadStack] = []
    missed: dict[str, None] = {}
    rounds: dict[int, int] = {}
    asked: set[int] = set()
    other = "not CPython"
    for output in outputs:
        if output.argv and output.argv[0].rpartition("/")[2] == "grep":
            asked = {int(p) for p in re.findall(r"/proc/(\d+)/maps", " ".join(output.argv))}
            if output.exit_code not in {0, 1}:
                other = "not CPython, or its mappings may not be read"
            continue
        pid = int(output.argv[-1]) if output.argv and output.argv[-1].isdigit() else 0
        at_round = rounds.get(pid, 0)
        rounds[pid] = at_round + 1
        threads = _threads(output.text, at_round)
        stacks.extend(threads)
        if not threads:
            missed[f"pid {pid}: {_why(output)}"] = None
    missed.update({f"pid {p}: {other}": None for p in sorted(asked - rounds.keys())})
    if not stacks and not missed:
        return ()
    taken = len({s.round for s in stacks})
    return (StackSamples("python", taken, tuple(stacks), tuple(missed)),)


def _pythons(found: Output) -> set[int]:
    return {int(p) for p in _MAPS.findall(found.text)}


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


def _why(output: Output) -> str:
    said = output.stderr.decode("utf-8", "replace")
    if output.timed_out:
        return "py-spy did not answer in time"
    if "Permission denied" in said or "Operation not permitted" in said:
        return "not permitted (CAP_SYS_PTRACE, or run as its user)"
    if "No such file or directory (os error 2)" in said or "os error 3" in said:
        return "it has ended"
    if "Failed to find python version" in said or "not a python" in said.lower():
        return "not CPython"
    first = said.strip().partition("\n")[0].removeprefix("Error: ")
    return output.problem or first or "py-spy gave no stacks"


_DUMP = """[{"pid": 7, "thread_id": 1, "thread_name": "MainThread", "os_thread_id": 9,
"active": false, "owns_gil": false, "frames": [{"name": "charge", "filename": "/srv/pay.py",
"module": null, "short_filename": "pay.py", "line": 13, "locals": null}]}]"""
_DENIED = b"Error: Failed to get process executable name.\n\nCaused by:\n 0: Permission denied"

SAMPLES = (
    Sample(
        (
            Output(argv=("grep", "/proc/7/maps", "/proc/8/maps"), stdout=b"/proc/7/maps:x\n"),
            Output(argv=("py-spy", "dump", "--pid", "7"), stdout=_DUMP.encode()),
            Output(argv=("py-spy", "dump", "--pid", "7"), stdout=_DUMP.encode()),
        ),
        ("rounds=2", "function='charge'", "line=13", "tid=9", "pid 8: not CPython"),
    ),
    Sample(
        (Output(argv=("py-spy", "dump", "--pid", "7"), stdout=b"", stderr=_DENIED, exit_code=1),),
        ("pid 7: not permitted",),
    ),
    Sample((Output(argv=("py-spy", "dump", "--pid", "7"), stdout=b'[{"pid"'),), ("no stacks",)),
)
