"""The JSON document: versioned, with the vocabulary as its keys (schema/locard-1.schema.json)."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from locard.model.codec import encode
from locard.model.metric_facts import MetricHistory
from locard.report import times, told
from locard.report.sentences import say
from locard.report.words import chosen_log

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locard.investigate.cluster_look import Look
    from locard.investigate.logs_alone import Concluded
    from locard.investigate.plan import Planned, Unplanned
    from locard.model.claim import Licensed
    from locard.model.finding import Finding
    from locard.model.fleet import Fleet, Member
    from locard.model.investigation import Investigation
    from locard.model.log_facts import LogSummary
    from locard.model.workload import WorkloadStates

SCHEMA = "locard/1"


def investigation_document(found: Investigation, exit_code: int) -> dict[str, Any]:
    """An investigation as plain data. The first log's answers also stand at the top level."""
    document = encode(told.investigation(found, dt.UTC))
    chosen = chosen_log(found)
    answers = encode(chosen[1]) if chosen is not None else _of_metrics(found)
    document["findings"] = _findings(found.findings)
    document["claims"] = _claims(found.claims)
    return {
        "schema": SCHEMA,
        "kind": "investigation",
        "exit_code": exit_code,
        "onset": answers.get("onset"),
        "shape": answers.get("shape", "unknown"),
        "blast_radius": answers.get("blast_radius", []),
        "correlates": answers.get("correlates", []),
        **document,
    }


def _of_metrics(found: Investigation) -> dict[str, Any]:
    """Onset and shape by the series, where no log was read."""
    for evidence in found.evidence:
        for fact in evidence.facts:
            if isinstance(fact, MetricHistory) and fact.onset is not None:
                first = next((s for s in fact.signals if s.onset == fact.onset), None)
                return {"onset": encode(fact.onset), "shape": first.shape if first else "unknown"}
    return {}


def fleet_document(fleet: Fleet, exit_code: int, *, evidence: bool = False) -> dict[str, Any]:
    """Many targets as plain data: who differs, then each with its findings or why it was not seen.

    `evidence`: what each answered, too, as where one probe was asked.
    """
    return {
        "schema": SCHEMA,
        "kind": "fleet",
        "exit_code": exit_code,
        "incident": fleet.incident,
        "ledger": fleet.ledger,
        "compared": fleet.compared,
        "not_compared": fleet.not_compared,
        "differences": [
            {**encode(d), "says": times.told(d.says, dt.UTC)} for d in fleet.differences
        ],
        "members": [_member(m, evidence=evidence) for m in fleet.members],
        "partial": list(fleet.partial),
        "left": list(fleet.left),
    }


def _member(member: Member, *, evidence: bool) -> dict[str, Any]:
    found = member.found
    shown = {"ref": member.ref, "place": member.place, "reached": found is not None,
             "why": times.told(member.why, dt.UTC), "next_step": member.next_step}  # fmt: skip
    if found is None:
        return shown
    document = encode(told.investigation(found, dt.UTC))
    return {
        **shown,
        "host": found.identity.host,
        "ground": encode(found.ground),
        "findings": _findings(found.findings),
        "layers": document["layers"],
        "partial": list(found.partial),
        **({"evidence": document["evidence"]} if evidence else {}),
    }


def logs_document(
    summary: LogSummary, concluded: Concluded, workload: WorkloadStates | None = None
) -> dict[str, Any]:
    """The first pass over a log, and what the rules find in it alone, what tells most first.

    The evidence that the findings cite stands without its facts: they are the summary, and the states of the
    pods that wrote the log (`workload`, null where it is none of a cluster).
    """
    return {
        "schema": SCHEMA,
        "kind": "logs",
        "log_summary": encode(summary),
        "workload": None if workload is None else encode(workload),
        "findings": _findings(concluded.findings),
        "contributing_factors": [
            encode(told.factor(f, dt.UTC)) for f in concluded.contributing_factors
        ],
        "claims": _claims(concluded.claims),
        "evidence": [encode(replace(e, facts=())) for e in concluded.evidence],
    }


def several_logs_document(
    logs: list[dict[str, Any]], shared: list[str], failed: list[dict[str, str]]
) -> dict[str, Any]:
    """The first pass over several logs: a document of each, what they have in common, and what was not read."""
    return {
        "schema": SCHEMA,
        "kind": "several-logs",
        "logs": logs,
        "shared": shared,
        "failed": failed,
    }


def _claims(granted: Iterable[Licensed]) -> list[dict[str, Any]]:
    return [{**encode(item), "says": say(item, dt.UTC).text} for item in granted]


def _findings(found: Iterable[Finding]) -> list[dict[str, Any]]:
    return [{**encode(told.finding(f, dt.UTC)), "confidence": f.confidence.value} for f in found]


def cluster_document(found: Look) -> dict[str, Any]:
    """What can be done with a target in a cluster: who may do what, how its pods stand, where one can enter."""
    return {
        "schema": SCHEMA,
        "kind": "doctor-target",
        "access": encode(found.access),
        "may_exec": found.access.may_exec,
        "workload": None if found.states is None else encode(found.states),
        "places": [encode(p) for p in found.places],
        "problem": found.problem,
    }


def plan_document(
    planned: Iterable[Planned], unreached: Iterable[Unplanned] = ()
) -> dict[str, Any]:
    """A dry run as plain data; `unreached`: targets for which there is no plan."""
    return {
        "schema": SCHEMA,
        "kind": "plan",
        "commands": [encode(p) for p in planned],
        "unreached": [encode(u) for u in unreached],
    }


def dumps(document: Any) -> str:
    """JSON text that is valid JSON (no NaN) and safe to print (no raw control characters)."""
    return json.dumps(_finite(document), indent=2, ensure_ascii=True, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in {float("inf"), float("-inf")}):  # noqa: PLR0124 - NaN
        return None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return value
