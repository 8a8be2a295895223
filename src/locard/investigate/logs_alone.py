"""What the rules find where a log is all there is: `locard logs` without an investigation."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.claims.licence import grant_all
from locard.claims.logs import proposed
from locard.claims.record import Record
from locard.investigate import factors
from locard.investigate.conclude import judge
from locard.model.evidence import Evidence, Layer, Scope, Status
from locard.model.finding import Case, Severity
from locard.model.log_facts import LogSummary
from locard.model.log_state import judge as judge_log

if TYPE_CHECKING:
    from locard.model.claim import Licensed
    from locard.model.finding import ContributingFactor, Finding
    from locard.model.workload import WorkloadStates


@dataclass(frozen=True, slots=True)
class Concluded:
    """The findings, those that matter most first, and the evidence that they cite.

    The evidence holds the summary of the log and no command: locard has read the log itself.
    """

    evidence: tuple[Evidence, ...]
    findings: tuple[Finding, ...]
    contributing_factors: tuple[ContributingFactor, ...]
    claims: tuple[Licensed, ...]

    @property
    def alarming(self) -> bool:
        """Whether anything is worth a look."""
        return any(f.severity is not Severity.INFO for f in self.findings)

    @property
    def incident(self) -> bool:
        """Whether the log stands in a state that somebody should look at, rule or no rule."""
        return any(
            judge_log(s).incident
            for e in self.evidence
            for s in e.facts
            if isinstance(s, LogSummary)
        )


def conclude(summary: LogSummary, workload: WorkloadStates | None = None) -> Concluded:
    """Every rule of the catalogue, over this one fact and the states of the pods that wrote the log."""
    status = Status.PARTIAL if summary.partial else Status.OK
    scope = Scope(note=summary.source)
    evidence = [Evidence("e1", "first-pass", Layer.LOGS, status, scope, (), (summary,))]
    if workload is not None:
        told = Status.PARTIAL if workload.missed else Status.OK
        problem = "; ".join(workload.missed)
        evidence.append(
            Evidence("e2", "pod-states", Layer.LOGS, told, scope, (), (workload,), problem)
        )
    now = time.time()
    case = Case(summary.source, now, tuple(evidence))
    findings = judge(case)
    ranked = factors.ranked(findings)
    record = Record(case, now, findings, ranked)
    claims = grant_all(proposed(summary, "e1", now), record)
    return Concluded(tuple(evidence), factors.by_weight(findings), ranked, claims)
