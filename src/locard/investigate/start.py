"""Sets an investigation up: target, sources, gate, incident and key; then runs it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from locard import catalogue
from locard.guard.command import Impact
from locard.guard.gate import Gate
from locard.guard.policy import read_policy
from locard.guard.redact import Redactor
from locard.investigate import discover, here, probing
from locard.investigate.run import Investigator, Listener, Means
from locard.ledger.state import StateDirectory
from locard.model.target import Context
from locard.transport import local

if TYPE_CHECKING:
    from locard.guard.budget import Budget
    from locard.guard.policy import Policy
    from locard.model.investigation import Investigation, Question
    from locard.model.target import Target

_MOST_PATHS = 16  # of the logs that are looked at for requests


@dataclass(frozen=True, slots=True)
class Options:
    """How to run it, apart from what was asked. `began` is Unix time."""

    state: str | None
    incident: str | None
    listener: Listener
    budget: Budget
    began: float


def prepare(question: Question, policy: Policy | None = None) -> tuple[Context, Gate]:
    """Resolve the target, find its logs and metrics, set the gate; raises LocardError.

    Reads /proc, by two readers of locard's own, and the policy file.
    """
    target = here.find(question.ref)
    around = here.surroundings(target, _paths(question.logs))
    logs = question.logs or discover.log_files(around)
    found = discover.Endpoints() if question.metrics else discover.endpoints(target, around)
    context = Context(
        target=target,
        log_sources=logs,
        metrics_urls=question.metrics,
        metrics_found=found.urls,
        ports_not_asked=found.not_asked,
        window_s=question.window_s,
        root=os.geteuid() == 0,
        memory_cgroups=discover.cgroups(around, "memory"),
        cpu_cgroups=discover.cgroups(around, "cpu"),
        pids_cgroups=discover.cgroups(around, "pids"),
    )
    cap, why = (policy or read_policy()).cap(question.ref, local.identity().user)
    declared = {e.name: probing.load(e).COMMANDS for e in catalogue.entries("probe")}
    return context, Gate(declared, Impact.parse(question.allow), cap=cap, why=why)


def _paths(logs: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the logs that were named which are files."""
    return tuple(str(Path(log).absolute()) for log in logs if Path(log).is_file())[:_MOST_PATHS]


def investigate(
    question: Question, context: Context, gate: Gate, options: Options
) -> Investigation:
    """Run it, recorded in a new incident or in the one named; raises StateError at the start."""
    state = StateDirectory.find(options.state)
    with state.begin(_name(context.target), options.incident) as begun:
        redactor = Redactor(begun.key)
        means = Means(gate, options.budget, redactor, begun.ledger, options.listener, options.began)
        for lack in _lacking(context):
            options.listener.warned(lack)
        asked = replace(
            question,
            logs=tuple(map(redactor.text, question.logs)),
            metrics=tuple(map(redactor.text, question.metrics)),
        )
        return Investigator(begun.incident, asked, _redacted(context, redactor), means).run()


def _name(target: Target) -> str:
    return target.name if target.kind != "pid" or not target.processes else target.processes[0].comm


def shown(context: Context) -> Context:
    """The context as a screen may show it where nothing is recorded."""
    return _redacted(context, Redactor.passing())


def _redacted(context: Context, redactor: Redactor) -> Context:
    """The context with the command lines of the target cleaned, as they go into the record."""
    cleaned = tuple(
        replace(p, cmdline=redactor.argv(p.cmdline), comm=redactor.text(p.comm))
        for p in context.target.processes
    )
    return replace(context, target=replace(context.target, processes=cleaned))


def _lacking(context: Context) -> list[str]:
    """Which capability is missing, and what still works without it."""
    others = {p.uid for p in context.target.processes} - {os.geteuid()}
    if context.root or not others:
        return []
    lack = (
        "not root, and the target runs as another user: its stacks, open files and kernel states "
        "cannot be read (CAP_SYS_PTRACE is missing); logs, metrics and the host still are. "
        "To unlock: run as root or as that user."
    )
    return [lack]
