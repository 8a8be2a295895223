"""Finds the target at a place: its processes, logs, ports and control groups. A plan; no I/O."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.guard.command import Command, Wait
from locard.investigate import discover
from locard.investigate.ground_probes import (
    LOOK_AROUND,
    PROCESS_TABLE,
    read_process_table,
    read_surroundings,
)
from locard.investigate.resolve import again, resolve
from locard.model.errors import AmbiguousTargetError
from locard.model.process_table import Surroundings
from locard.model.target import Context

if TYPE_CHECKING:
    from collections.abc import Generator

    from locard.model.evidence import Output
    from locard.model.investigation import Question
    from locard.model.place import Ground, Place
    from locard.model.process_table import ProcessTable
    from locard.model.target import Target

NAME = "survey"
COMMANDS = (PROCESS_TABLE, LOOK_AROUND)
_LOOKS = 5
_BETWEEN_LOOKS_S = 0.05
_MOST_LOGS = 16  # of those that were named, which are looked at for requests


def survey(
    question: Question, ref: str, place: Place, ground: Ground
) -> Generator[Command | Wait, Output, Context]:
    """The context of an investigation; raises LocardError where the target cannot be found.

    `ref` is the target as it is called at the place.
    """
    target = yield from _find(ref)
    target = replace(target, ref=question.ref, host=ground.host)
    around = Surroundings()
    if target.pids:
        named = tuple(log for log in question.logs if log.startswith("/"))[:_MOST_LOGS]
        around = read_surroundings((yield LOOK_AROUND.fill(pid=target.pids, log=named)))
    logs = question.logs or discover.log_sources(target, around)
    found = discover.Endpoints() if question.metrics else discover.endpoints(target, around)
    return Context(
        target=target,
        place=place,
        ground=ground,
        log_sources=logs,
        metrics_urls=question.metrics,
        metrics_found=found.urls,
        ports_not_asked=found.not_asked,
        window_s=question.window_s,
        root=ground.uid == 0,
        memory_cgroups=discover.cgroups(around, "memory"),
        cpu_cgroups=discover.cgroups(around, "cpu"),
        pids_cgroups=discover.cgroups(around, "pids"),
    )


def _find(ref: str) -> Generator[Command | Wait, Output, Target]:
    for _ in range(_LOOKS - 1):
        try:
            return resolve(ref, read_process_table((yield PROCESS_TABLE.fill(root=()))))
        except AmbiguousTargetError:
            # A family that forks or ends meanwhile looks like two targets: look again.
            yield Wait(_BETWEEN_LOOKS_S)
    return resolve(ref, read_process_table((yield PROCESS_TABLE.fill(root=()))))


def follow(target: Target) -> Generator[Command, Output, tuple[Target, ProcessTable]]:
    """The target as it is now, and the table that says so: its trees alone while its root lives."""
    roots = tuple(f"{p.pid}:{p.start_ticks}" for p in target.processes[:1])
    table = read_process_table((yield PROCESS_TABLE.fill(root=roots)))
    return again(target, table), table
