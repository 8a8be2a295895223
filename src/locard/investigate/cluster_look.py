"""Asking a cluster before anything is entered: who may do what, how the pods stand, which places there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.cluster import access, asking, asks
from locard.cluster.places import places
from locard.cluster.states import states
from locard.guard.policy import read_policy
from locard.model.errors import SourceUnreadableError
from locard.model.place import HERE
from locard.transport.reach import kept_session

if TYPE_CHECKING:
    from locard.cluster.asking import Whose
    from locard.guard.command import Command
    from locard.model.cluster_access import ClusterAccess
    from locard.model.cluster_place import ClusterPlace
    from locard.model.evidence import Output
    from locard.model.workload import WorkloadStates

KINDS = (
    "pod/", "deployment/", "deploy/", "statefulset/", "sts/", "daemonset/", "ds/", "job/", "cronjob/", "replicaset/",
    "rs/", "label/",
)  # fmt: skip
_NAME = "cluster"


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of a target in a cluster. `states` is None where its pods could not be told (`problem`)."""

    access: ClusterAccess
    states: WorkloadStates | None
    places: tuple[ClusterPlace, ...]
    problem: str = ""


def look(whose: Whose, container: str = "", *, all_containers: bool = False) -> Look:
    """Who may do what there, then the pods and their containers."""
    rights = ask_access(whose)
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


def ask_access(whose: Whose) -> ClusterAccess:
    """Every question of `cluster.access`, one after the other."""
    outputs = []
    plan = access.plan(whose.where)
    try:
        step = next(plan)
        while True:
            outputs.append(run(step))
            step = plan.send(outputs[-1])
    except StopIteration:
        return access.read(outputs, whose.namespace, whose.context)


def run(command: Command) -> Output:
    """A declared question, through the gate; the user's own kubectl is asked here."""
    session = kept_session(HERE)
    declared = {_NAME: (*asks.COMMANDS, *access.COMMANDS)}
    gate = read_policy().reading_gate(declared, _NAME, session.identity.user, HERE)
    return session.run(gate.admit(_NAME, command), command.bound_s)
