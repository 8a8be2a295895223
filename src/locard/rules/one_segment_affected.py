"""One group of users is hit and the others are not: a segment, a region, a tenant or a mix.

Pattern: the bad requests since the onset carry one value (or one combination) of a field that says
  who the user is or where the request comes from, far beyond its share of the traffic.
Evidence: the log's correlates single out the combination, corrected for the number of tests; the
  blast radius of its field confirms other values as unaffected.
Against: it explains little of the excess; no other value of the field is confirmed unaffected.
Next: the lines of that group alone, and what is special about it: flags, data, routing, quota.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.facts import LogSummary
from locard.model.finding import Finding, Role, Severity, Support

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.facts import BlastRadius, Correlate
    from locard.model.finding import Case

P_VALUE = 0.01
LEAST_SHARE = 0.2  # of the excess; below, the group is not the story
_ROLES = {"segment", "region"}
_USER_FIELD = re.compile(
    r"(^|[._-])(segment|tier|plan|tenant|customer|account|cohort|region|zone|country|market|locale"
    r"|device|platform|browser|channel|brand)([._-]|$)",
    re.IGNORECASE,
)


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the user group that explains most of the excess, for each log."""
    for evidence, summary in case.facts(LogSummary):
        if not summary.changed:
            continue
        fields = _user_fields(summary)
        fitting = [
            (correlate, pairs)
            for correlate in summary.correlates
            if correlate.p_value <= P_VALUE and correlate.share_of_excess >= LEAST_SHARE
            for pairs in [tuple(p for p in correlate.values if p[0] in fields)]
            if pairs
        ]
        if fitting:
            yield _finding(evidence, summary, *max(fitting, key=lambda c: c[0].share_of_excess))


def _user_fields(summary: LogSummary) -> set[str]:
    """Fields that say who the user is: by the role found, else by a usual name."""
    known = {r.field: r.role for r in summary.roles}
    fields = {f for c in summary.correlates for f, _ in c.values}
    return {
        f for f in fields if known.get(f) in _ROLES or (f not in known and _USER_FIELD.search(f))
    }


def _finding(
    evidence: Evidence,
    summary: LogSummary,
    correlate: Correlate,
    pairs: tuple[tuple[str, str], ...],
) -> Finding:
    group = " and ".join(f"{field}={value}" for field, value in pairs)
    others = [p for p in correlate.values if p not in pairs]
    through = f" (with {' and '.join(f'{f}={v}' for f, v in others)})" if others else ""
    says = (
        f"{correlate.support} of {summary.after_bad} bad requests since the onset have "
        f"{' and '.join(f'{f}={v}' for f, v in correlate.values)}: "
        f"{correlate.share_of_excess:.0%} of the excess, {correlate.lift:.1f} times the usual rate"
    )
    supports = [Support(evidence.id, Layer.LOGS, says)]
    against = []
    radii = {r.field: r for r in summary.blast_radius}
    for field, value in pairs:
        spared = _spared(radii.get(field), value)
        if spared:
            supports.append(Support(evidence.id, Layer.LOGS, f"confirmed unaffected: {spared}"))
        else:
            text = f"no other value of {field} is confirmed unaffected"
            against.append(Support(evidence.id, Layer.LOGS, text))
    commands: tuple[str, ...] = ()
    if summary.trace_ids and summary.source != "-":
        trace, source = shlex.quote(summary.trace_ids[0]), shlex.quote(summary.source)
        commands = (f"grep -F -e {trace} -- {source}",)
    return Finding(
        rule="one-segment-affected",
        layer=Layer.LOGS,
        role=Role.SCOPE,
        severity=Severity.WARNING,
        title=f"Only {group} is affected{through}",
        detail="; ".join(s.says for s in supports),
        supports=tuple(supports),
        against=tuple(against),
        explains=correlate.share_of_excess,
        values=correlate.values,
        next_commands=commands,
    )


def _spared(radius: BlastRadius | None, value: str) -> str:
    """The other values that are confirmed unaffected, the biggest first."""
    if radius is None:
        return ""
    spared = sorted((v for v in radius.unaffected if v.value != value), key=lambda v: -v.requests)
    return ", ".join(f"{radius.field}={v.value} ({v.requests} requests)" for v in spared[:3])
