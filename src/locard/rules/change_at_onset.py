"""A rollout stands near what the log shows, and whether it brought it is told, or that it cannot be.

Pattern: after an incident the last change is blamed; it may have come after the onset, or its pods may have
  taken the logs of those before along.
Evidence: when the newest version was rolled out, against the onset; which pods are gone.
Against: a rollout after the onset did not bring it; where pods of both versions are hit, it is not the version.
Next: a caller that was not rolled, metrics, or the log of the pods before in a backend decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import workload_words
from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.log_facts import LogSummary
from locard.model.log_state import judge as stands
from locard.model.workload import WorkloadStates
from locard.model.workload_split import hit_versions, rollout, split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.finding import Case


def judge(case: Case) -> Iterator[Finding]:
    """One finding, background, for each log that something is wrong with and whose pods were rolled."""
    for logged, log in case.facts(LogSummary):
        for told, states in case.facts(WorkloadStates):
            near = rollout(log, states)
            if near is None or split(log, states) is not None or not stands(log).incident:
                continue
            yield _finding(logged, log, told, states)


def _finding(logged: Evidence, log: LogSummary, told: Evidence, states: WorkloadStates) -> Finding:
    near = rollout(log, states)
    title = workload_words.rollout_words(near, log) if near else ""
    supports = [
        Support(told.id, Layer.LOGS, workload_words.version_words(v)) for v in states.versions[-2:]
    ]
    if states.gone:
        supports.append(Support(told.id, Layer.LOGS, f"gone: {workload_words.gone_words(states)}"))
    against = []
    versions = hit_versions(log, states)
    if len(versions) > 1:
        against.append(Support(logged.id, Layer.LOGS, f"pods of {len(versions)} versions are hit"))
    return Finding(
        rule="change-at-onset",
        layer=Layer.LOGS,
        role=Role.CONTEXT,
        severity=Severity.WARNING,
        title=title,
        detail="; ".join(s.says for s in supports),
        supports=tuple(supports),
        against=tuple(against),
    )
