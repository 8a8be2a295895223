"""Who may do what, in words: what locard can do with it, what is lacking, and the rule that would allow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.cluster_access import Answer, ClusterAccess, Right

_READ_ONLY = (
    "this role only reads, and it may run commands in every pod of the namespace: over a websocket this"
    " server asks for `get` on pods/exec"
)


@dataclass(frozen=True, slots=True)
class Told:
    """One right: whether it is there (None: not known), what it gives, and what would give it."""

    right: Right
    allowed: bool | None
    adds: str
    says: str
    rule: str = ""  # what a role lacks, as it names it


def told(access: ClusterAccess) -> Iterator[Told]:
    """Every right, in the order in which they are needed."""
    yield _all(
        "see-pods", access, (("get", "pods", ""), ("list", "pods", "")), "how the containers stand"
    )
    yield _all("read-logs", access, (("get", "pods", "log"),), "the logs of pods")
    yield _all(
        "see-workloads", access, (("get", "deployments.apps", ""),),
        "the pods of deployment/NAME; without it name them by labels: -l app=NAME",
    )  # fmt: skip
    yield _all("see-versions", access, (("list", "replicasets.apps", ""),), "versions and rollouts")
    yield _all(
        "see-events",
        access,
        (("list", "events", ""),),
        "pods that are gone, and why one does not start",
    )
    yield _exec(access)
    yield _debug(access)


def _all(
    right: Right, access: ClusterAccess, wanted: tuple[tuple[str, str, str], ...], adds: str
) -> Told:
    answers = [access.asked(*one) for one in wanted]
    lacking = [a for a in answers if not a.allowed]
    allowed = True if not lacking else None if any(a.allowed is None for a in lacking) else False
    return Told(right, allowed, adds, _says(answers), " and ".join(a.rule for a in lacking))


def _exec(access: ClusterAccess) -> Told:
    answers = access.exec_answers
    adds = "the live layers: stacks, thread states, host probes, from inside of a container"
    says = _says(answers)
    if access.execs_as_reader:
        says = f"{says}: {_READ_ONLY}"
    elif access.may_exec:
        says = f"{says}: pods/exec is not read-only, it runs any command; locard runs declared ones alone"
    rule = "" if access.may_exec else " or ".join(a.rule for a in answers)
    return Told("exec", access.may_exec, adds, says, rule)


def _debug(access: ClusterAccess) -> Told:
    answer = access.asked("patch", "pods", "ephemeralcontainers")
    adds = (
        "a debug container beside an image without shell and python3: only with --allow injects, and it"
        " cannot be removed from the pod"
    )
    return Told(
        "debug-container", answer.allowed, adds, _says([answer]),
        "" if answer.allowed else answer.rule,
    )  # fmt: skip


def _says(answers: tuple[Answer, ...] | list[Answer]) -> str:
    """Each question with its answer: `create pods/exec no, get pods/exec yes`."""
    return ", ".join(
        f"{a.rule} {'yes' if a.allowed else 'no' if a.allowed is False else f'not known ({a.says})'}"
        for a in answers
    )
