"""Run a tool as an engine for real, and see that its target goes on."""

from __future__ import annotations

import contextlib
import shutil
import threading
from pathlib import Path

import pytest
from observing_support import Workload, context

from locard.guard.command import Impact
from locard.guard.gate import Gate
from locard.model.place import HERE
from locard.transport.reach import open_session
from support import children_of, is_alive, wait_until

STEADY = """
import ctypes
ready()
threading.Thread(target=sys.stdin.readline, daemon=True).start()
print("goes", flush=True)
n = 0
while True:
    os.getppid()
    try: os.stat("/none")
    except OSError: pass
    n += 1
    time.sleep(0.001)
"""


def need(*names: str) -> str:
    """The first of these programs that is installed; else the test is skipped."""
    found = next((n for n in names if shutil.which(n)), None)
    if found is None:
        pytest.skip(f"{names[0]} is not installed")
    return found


def state(pid: int) -> tuple[str, str]:
    """A process's state letter and who traces it."""
    status = Path(f"/proc/{pid}/status").read_text()
    field = lambda name: status.partition(f"{name}:")[2].split()[0]  # noqa: E731
    return field("State"), field("TracerPid")


def below(pid: int) -> set[int]:
    """All that descend from a process."""
    found, at = set(), [pid]
    while at:
        for child in children_of(at.pop()):
            found.add(child)
            at.append(child)
    return found


def tools_of(pid: int, name: str, target: int) -> set[int]:
    """The processes below one that run a tool on a target."""
    found = set()
    for child in below(pid):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
            if any(w.endswith(name) for w in words[:3]) and any(
                str(target) in w for w in words[2:]
            ):
                found.add(child)
    return found


def steps(probe, *pids: int, allow: Impact = Impact.INJECTS, **asked):
    """Run a plan for real; the facts."""
    gate = Gate({"probe": probe.COMMANDS}, allow, cap=Impact.INJECTS, why="")
    session = open_session(HERE).open()
    at = context(*pids)
    object.__setattr__(at, "ground", session.ground)
    outputs = []
    with contextlib.closing(session):
        plan = probe.plan(at, probe.Params(**asked))
        with contextlib.suppress(StopIteration):
            step = next(plan)
            while True:
                outputs.append(session.run(gate.admit("probe", step), step.bound_s))
                step = plan.send(outputs[-1])
    return probe.read(outputs)


@contextlib.contextmanager
def at_work(probe, *pids: int, **asked):
    """The plan in a thread; `.facts` when the block is left."""

    class Seen:
        facts = ()
        failed = None

    def run():
        try:
            Seen.facts = steps(probe, *pids, **asked)
        except BaseException as failed:  # noqa: BLE001 - told to the test
            Seen.failed = failed

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield Seen
    finally:
        thread.join()
    if Seen.failed is not None:
        raise Seen.failed


def goes_on(target: Workload) -> None:
    """The target runs, nobody traces it."""
    assert is_alive(target.pid)
    wait_until(lambda: state(target.pid)[1] == "0")
    before = Path(f"/proc/{target.pid}/schedstat").read_text().split()[0]
    wait_until(lambda: Path(f"/proc/{target.pid}/schedstat").read_text().split()[0] != before)
    assert state(target.pid)[0] in {"S", "R"}
