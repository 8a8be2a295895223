"""The pods of a new version are hit, and those of the version before, beside them, are not.

Pattern: a rollout brings a fault; while it stands half way both versions serve the same traffic, and the
  template's hash parts those who fail from those who do not.
Evidence: the log's blast radius by pod, the version of each pod, when the version was rolled out.
Against: the version has a single pod, so that the pod may be at fault; the version that is hit is not the
  newest one. A rollout after the onset did not bring it, and is no finding.
Next: what the revision changed; to stop or undo it is for who owns the rollout.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from locard.model import workload_words
from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.log_facts import LogSummary
from locard.model.moments import moment
from locard.model.workload import WorkloadStates
from locard.model.workload_split import split
from locard.model.workload_trouble import names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.finding import Case
    from locard.model.workload_split import Split

_CLOCK_S = 5.0


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each log whose pods are parted by their versions."""
    for logged, log in case.facts(LogSummary):
        for told, states in case.facts(WorkloadStates):
            parted = split(log, states)
            if parted is not None and _fits(log, parted):
                yield _finding(logged, told, states, parted)


def _fits(log: LogSummary, parted: Split) -> bool:
    """Not where it began before the version that is hit was rolled out."""
    since = parted.rolled.since if parted.rolled else None
    return log.onset is None or since is None or log.onset.latest >= since - _CLOCK_S


def _finding(logged: Evidence, told: Evidence, states: WorkloadStates, parted: Split) -> Finding:
    version = parted.rolled
    new = "new " if parted.newest else ""
    what = f"{new}version {parted.version}"
    if version is not None and version.revision is not None:
        what = f"{new}version {version.name} (revision {version.revision})"
    when = f", rolled out at {moment(version.since)}," if version and version.since else ""
    supports = [
        Support(logged.id, Layer.LOGS, f"hit: {names(parted.hit)}; beside them unaffected: {names(parted.spared)}"),
        Support(told.id, Layer.LOGS, f"the pods that are hit are of version {parted.version}, the others of {', '.join(parted.others)}"),
    ]  # fmt: skip
    if version is not None:
        supports.append(Support(told.id, Layer.LOGS, workload_words.version_words(version)))
    if states.paused:
        supports.append(Support(told.id, Layer.LOGS, "the rollout is paused"))
    against = []
    if len(parted.hit) == 1:
        against.append(Support(told.id, Layer.LOGS, "a single pod of it is hit: it may be the pod"))
    if not parted.newest:
        against.append(Support(told.id, Layer.LOGS, "it is not known to be the newest version"))
    return Finding(
        rule="deploy-at-onset",
        layer=Layer.LOGS,
        role=Role.MECHANISM,
        severity=Severity.CRITICAL,
        title=f"The pods of the {what} of {states.ref}{when} are hit, those of the other version beside them are not",
        detail="; ".join(s.says for s in supports),
        supports=tuple(supports),
        against=tuple(against),
        next_commands=tuple(_next(states, parted)),
    )


def _next(states: WorkloadStates, parted: Split) -> Iterator[str]:
    if not states.ref.startswith(("deployment/", "deploy/")):
        return
    where = [f"--namespace={states.namespace}"] if states.namespace else []
    where += [f"--context={states.context}"] if states.context else []
    revision = parted.rolled.revision if parted.rolled else None
    which = [f"--revision={revision}"] if revision is not None else []
    yield shlex.join(["kubectl", "rollout", "history", states.ref, *which, *where])
