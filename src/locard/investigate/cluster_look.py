"""Asking a cluster before anything is entered: who may do what, how the pods stand, which places there are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.cluster import access, asking, asks
from locard.cluster.places import places
from locard.cluster.states import states
from locard.guard.policy import read_policy
from locard.model.errors import SourceUnreadableError, UnreachableError
from locard.model.place import HERE
from locard.model.target_names import IN_CLUSTER
from locard.transport.reach import kept_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from locard.cluster.asking import Whose
    from locard.guard.budget import Budget
    from locard.guard.command import Command
    from locard.model.cluster_access import ClusterAccess
    from locard.model.cluster_place import ClusterPlace
    from locard.model.evidence import Output
    from locard.model.workload import WorkloadStates

KINDS = tuple(f"{kind}/" for kind in IN_CLUSTER)
_NAME = "cluster"
_LEAST_S = 0.2
_UNANSWERED = re.compile(
    r"(?i)connection to the server|dial tcp|no such host|i/o timeout|unable to connect to the server"
    r"|context .{1,80} does not exist|invalid configuration|tls: |x509: "
)
_KLOG = re.compile(
    r"[IWEF]\d{4} \d\d:\d\d:\d\d"
)  # the client's own log, which repeats its last line


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of a target in a cluster. `states` is None where its pods could not be told (`problem`)."""

    access: ClusterAccess
    states: WorkloadStates | None
    places: tuple[ClusterPlace, ...]
    problem: str = ""


def look(
    whose: Whose, container: str = "", *, all_containers: bool = False, budget: Budget | None = None
) -> Look:
    """Who may do what there, then the pods and their containers.

    Raises UnreachableError where the cluster does not answer.
    """
    run = _asker(budget)
    rights = _ask_access(whose, run)
    try:
        asked = asking.ask(whose, run)
    except SourceUnreadableError as error:
        return Look(rights, None, (), error.why)
    if asked.answers is None:
        return Look(rights, None, (), asked.problem)
    asking.add_events(asked.answers, whose.where, run)
    found = states(asked.answers)
    every = places(found, rights, container=container, all_containers=all_containers)
    return Look(rights, found, every)


def _ask_access(whose: Whose, run: Callable[[Command], Output]) -> ClusterAccess:
    """Every question of `cluster.access`, one after the other."""
    outputs: list[Output] = []
    plan = access.plan(whose.where)
    try:
        step = next(plan)
        while True:
            outputs.append(run(step))
            _require_answer(outputs[-1], step.by_hand)
            step = plan.send(outputs[-1])
    except StopIteration:
        return access.read(outputs, whose.namespace, whose.context)


def _require_answer(output: Output, by_hand: str) -> None:
    """Who has no answer to one question has none to the next ones: they are not asked."""
    said = output.stderr.decode("utf-8", "replace")
    if output.timed_out:
        raise UnreachableError(
            "the cluster was not reached",
            f"kubectl did not answer within {output.duration_s:.0f} s",
            "Try by hand:",
            command=by_hand,
        )
    if output.exit_code and _UNANSWERED.search(said):
        words = [line.strip() for line in said.splitlines() if not _KLOG.match(line)]
        raise UnreachableError(
            "the cluster was not reached",
            f"kubectl said: {next(filter(None, reversed(words)), 'nothing')[:300]}",
            "Choose one of your contexts with --context:",
            command="kubectl config get-contexts",
        )


def _asker(budget: Budget | None) -> Callable[[Command], Output]:
    """A declared question, through the gate; the user's own kubectl is asked here."""
    session = kept_session(HERE)
    declared = {_NAME: (*asks.COMMANDS, *access.COMMANDS)}
    gate = read_policy().reading_gate(declared, _NAME, session.identity.user, HERE)

    def run(command: Command) -> Output:
        bound = max(_LEAST_S, budget.bound(command.bound_s)) if budget else command.bound_s
        return session.run(gate.admit(_NAME, command), bound)

    return run
