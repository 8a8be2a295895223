"""The process table and the surroundings of a target on this machine, through the gate."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from locard.guard.command import Impact
from locard.guard.gate import Gate
from locard.investigate import ground_probes, resolve
from locard.model.errors import AmbiguousTargetError
from locard.model.place import HERE
from locard.transport.reach import kept_session

if TYPE_CHECKING:
    from locard.guard.command import Command
    from locard.model.evidence import Output
    from locard.model.process_table import ProcessTable, Surroundings
    from locard.model.target import Process, Target

_LOOKS = 5
_BETWEEN_LOOKS_S = 0.05


def processes(*roots: Process) -> ProcessTable:
    """All processes here, or the trees of the roots while these live; raises NotPermittedError."""
    words = tuple(f"{p.pid}:{p.start_ticks}" for p in roots)
    command = ground_probes.PROCESS_TABLE.fill(root=words)
    return ground_probes.read_process_table(_run("process-table", command))


def surroundings(target: Target, logs: tuple[str, ...] = ()) -> Surroundings:
    """What surrounds the target here; `logs` are absolute paths that the user named."""
    command = ground_probes.LOOK_AROUND.fill(pid=target.pids, log=logs)
    return ground_probes.read_surroundings(_run("look-around", command))


def find(ref: str) -> Target:
    """The target on this machine; raises what `resolve` raises."""
    for _ in range(_LOOKS - 1):
        try:
            return resolve.resolve(ref, processes())
        except AmbiguousTargetError:
            # A family that forks or ends meanwhile looks like two targets: look again.
            time.sleep(_BETWEEN_LOOKS_S)
    return resolve.resolve(ref, processes())


def follow(target: Target) -> Target:
    """The target as it is now."""
    if not target.processes:
        return target
    return resolve.again(target, processes(target.processes[0]))


def _run(probe: str, command: Command) -> Output:
    gate = Gate(ground_probes.DECLARED, Impact.READS, cap=Impact.READS, why="it only reads")
    return kept_session(HERE).run(gate.admit(probe, command), command.bound_s)
