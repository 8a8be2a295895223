"""Finds the target at a place: its processes, logs, ports and control groups. A plan; no I/O."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.guard import sudo
from locard.guard.command import Command, Wait
from locard.investigate import bare_table, containers, discover
from locard.investigate.cluster_look import KINDS as IN_CLUSTER
from locard.investigate.ground_probes import (
    LOOK_AROUND,
    PROCESS_TABLE,
    UNIT_STATE,
    read_process_table,
    read_surroundings,
)
from locard.investigate.resolve import again, resolve
from locard.model.errors import AmbiguousTargetError, RefusedError, TargetNotFoundError
from locard.model.process_table import Surroundings
from locard.model.target import Context, Target
from locard.model.target_names import require

if TYPE_CHECKING:
    from collections.abc import Generator

    from locard.model.evidence import Output
    from locard.model.investigation import Question
    from locard.model.place import Ground, Place
    from locard.model.process_table import ProcessTable

NAME = "survey"
COMMANDS = (
    *bare_table.COMMANDS,
    PROCESS_TABLE,
    LOOK_AROUND,
    UNIT_STATE,
    sudo.LIST,
    *containers.INSPECT.values(),
)
_LOOKS = 5
_BETWEEN_LOOKS_S = 0.05
_MOST_LOGS = 16  # of those that were named, which are looked at for requests


def survey(
    question: Question, ref: str, place: Place, ground: Ground
) -> Generator[Command | Wait, Output, Context]:
    """The context of an investigation; raises LocardError where the target cannot be found.

    `ref` is the target as it is called at the place.
    """
    if place.option("sudo") and ground.uid != 0 and not (ground.sudo or ground.sudo_notes):
        listed = sudo.of_output((yield sudo.LIST.fill()))
        ground = replace(ground, sudo=listed.text, sudo_notes=listed.notes)
    kind, _, name = ref.partition("/")
    if kind == "host":  # its processes are nobody's target
        return Context(
            target=Target(question.ref, kind, question.ref.partition("/")[2], ground.host),
            place=place,
            ground=ground,
            log_sources=question.logs,
            metrics_urls=question.metrics,
            window_s=question.window_s,
            budget_s=question.budget_s,
            root=ground.uid == 0,
        )
    if place.local and ref.startswith(IN_CLUSTER):
        target = Target(question.ref, kind, name, ground.host)
        return Context(target=target, place=place, ground=ground, window_s=question.window_s, budget_s=question.budget_s,
                       log_sources=question.logs or (ref,), metrics_urls=question.metrics)  # fmt: skip
    if kind == "container":
        ref = yield from _first_process(ref, ground)
    group = ""
    try:
        target = yield from _find(ref, ground)
    except TargetNotFoundError:
        # Between two of its lives a unit has no process, and is all the same what is asked about.
        group = (yield from _between_lives(kind, name)) or ""
        if not group:
            raise
        target = Target(ref, kind, name, ground.host)
    target = replace(target, ref=question.ref, host=ground.host)
    if kind == "container":
        target = replace(target, kind=kind, name=name)
    around = Surroundings()
    if target.pids and not ground.bare:
        named = tuple(log for log in question.logs if log.startswith("/"))[:_MOST_LOGS]
        around = read_surroundings((yield LOOK_AROUND.fill(pid=target.pids, log=named)))
    logs = question.logs or discover.log_sources(target, around)
    logs = logs or _kept_elsewhere(target, place)
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
        budget_s=question.budget_s,
        root=ground.uid == 0 or (bool(ground.sudo) and sudo.listed(ground.sudo).everything),
        memory_cgroups=(group,) if group else discover.cgroups(around, "memory"),
        cpu_cgroups=discover.cgroups(around, "cpu"),
        pids_cgroups=discover.cgroups(around, "pids"),
    )


def _between_lives(kind: str, name: str) -> Generator[Command | Wait, Output, str]:
    """The control group of a unit that systemd is about to start again, or that failed; else empty."""
    unit = name if "." in name else f"{name}.service"
    if kind != "unit" or not unit.endswith(".service"):
        return ""
    try:
        command = UNIT_STATE.fill(unit=unit)
    except RefusedError:  # no name that could be asked for
        return ""
    text = (yield command).text
    known = dict(line.partition("=")[::2] for line in text.splitlines())
    down = known.get("SubState") == "auto-restart" or known.get("ActiveState") == "failed"
    if known.get("LoadState") != "loaded" or not down:
        return ""
    parts = known.get("Slice", "system.slice").removesuffix(".slice").split("-")
    slices = ["-".join(parts[: n + 1]) + ".slice" for n in range(len(parts))]
    return "/".join(("/sys/fs/cgroup", *slices, unit))


def _first_process(ref: str, ground: Ground) -> Generator[Command | Wait, Output, str]:
    """`pid/N` of a container's first process on its host; raises where that is another machine."""
    program, record = yield from _record(ref, ground)
    table = yield from _table(ground)
    groups = "\n".join(table.cgroups.get(record.pid, ()))
    if record.pid not in table.processes or (groups and record.id[:12] not in groups):
        raise TargetNotFoundError(
            f"{ref} runs on another machine",
            f"{program} names pid {record.pid}, which is no process of that container at {ground.host}",
            f"Name its host (--on host/NAME), or look from inside it: --on {ref} pid/1",
        )
    return f"pid/{record.pid}"


def _record(
    ref: str, ground: Ground
) -> Generator[Command | Wait, Output, tuple[str, containers.ContainerRecord]]:
    """The container's record and who keeps it: a client may be there whose engine is not."""
    errors = []
    for program in containers.engines(ground):
        command = containers.INSPECT[program].fill(
            container=require("container", ref.partition("/")[2])
        )
        try:
            return program, containers.record_of(ref, program, (yield command))
        except TargetNotFoundError as error:
            errors.append(error)
    answered = [error for error in errors if "annot connect" not in error.why]
    raise (answered or errors)[0]


def _kept_elsewhere(target: Target, place: Place) -> tuple[str, ...]:
    """The log of a target that writes no file: its engine's, its pod's."""
    if target.kind == "container":
        return (f"container/{target.name}",)
    return (f"pod/{place.option('pod')}",) if place.transport == "kubectl" else ()


def _find(ref: str, ground: Ground) -> Generator[Command | Wait, Output, Target]:
    for _ in range(_LOOKS - 1):
        try:
            return resolve(ref, (yield from _table(ground)))
        except AmbiguousTargetError:
            # A family that forks or ends meanwhile looks like two targets: look again.
            yield Wait(_BETWEEN_LOOKS_S)
    return resolve(ref, (yield from _table(ground)))


def _table(
    ground: Ground, roots: tuple[str, ...] = ()
) -> Generator[Command | Wait, Output, ProcessTable]:
    if ground.bare:
        return (yield from bare_table.ask(ground))
    return read_process_table((yield PROCESS_TABLE.fill(root=roots)))


def follow(
    target: Target, ground: Ground
) -> Generator[Command | Wait, Output, tuple[Target, ProcessTable]]:
    """The target as it is now, and the table that says so: its trees alone while its root lives."""
    roots = tuple(f"{p.pid}:{p.start_ticks}" for p in target.processes[:1])
    table = yield from _table(ground, roots)
    return again(target, table), table
