"""What the rules about one group share: the correlate that singles it out, and who is spared."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.headline import correlate_words
from locard.model.log_facts import LogSummary
from locard.model.log_state import judge as stands
from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from locard.model.evidence import Evidence
    from locard.model.finding import Case
    from locard.model.log_facts import BlastRadius, Correlate

    Pairs = tuple[tuple[str, str], ...]

P_VALUE = 0.01
_ALSO = 3
LEAST_SHARE = 0.2  # of the excess; below, the group is not the story


def fields(summary: LogSummary, roles: set[str], named: Callable[[str], object]) -> set[str]:
    """The fields of the correlates with one of the roles; without any role, by their names."""
    known = {r.field: r.role for r in summary.roles}
    every = {f for c in summary.correlates for f, _ in c.values}
    return {f for f in every if known.get(f) in roles or (f not in known and named(f))}


def singled_out(
    case: Case, rule: str, roles: set[str], named: Callable[[str], object]
) -> Iterator[Finding]:
    """For each log one finding for the group of these fields that explains most of the excess."""
    for evidence, summary in case.facts(LogSummary):
        if not summary.changed:
            continue
        wanted = fields(summary, roles, named)
        fitting = [
            (correlate, pairs)
            for correlate in summary.correlates
            if correlate.p_value <= P_VALUE and correlate.share_of_excess >= LEAST_SHARE
            for pairs in [tuple(p for p in correlate.values if p[0] in wanted)]
            if pairs
        ]
        if fitting:
            best = max(fitting, key=lambda c: c[0].share_of_excess)
            yield _finding(rule, evidence, summary, *best)


def trace_command(summary: LogSummary) -> tuple[str, ...]:
    """The lines of one bad request, where there is one to show: the example that the screen shows."""
    traces = (*(e.trace_id for e in summary.examples), *summary.trace_ids)
    if not traces or summary.source == "-":
        return ()
    trace, source = shlex.quote(traces[0]), shlex.quote(summary.source)
    return (f"locard logs {source} --trace {trace}",)


def _finding(
    rule: str, evidence: Evidence, summary: LogSummary, correlate: Correlate, pairs: Pairs
) -> Finding:
    group = " and ".join(f"{field}={value}" for field, value in pairs)
    others = [p for p in correlate.values if p not in pairs]
    through = f" (with {' and '.join(f'{f}={v}' for f, v in others)})" if others else ""
    also = _also_hit(summary, correlate)
    supports = [Support(evidence.id, Layer.LOGS, correlate_words(summary, correlate))]
    against = [Support(evidence.id, Layer.LOGS, f"also hit: {', '.join(also)}")] if also else []
    over = stands(summary).over
    radii = {r.field: r for r in summary.blast_radius}
    for field, value in pairs:
        spared = _spared(radii.get(field), value)
        if spared:
            supports.append(Support(evidence.id, Layer.LOGS, f"confirmed unaffected: {spared}"))
        else:
            text = f"no other value of {field} is confirmed unaffected"
            against.append(Support(evidence.id, Layer.LOGS, text))
    return Finding(
        rule=rule,
        layer=Layer.LOGS,
        role=Role.SCOPE,
        severity=Severity.WARNING,
        title=f"{'Mainly' if also else 'Only'} {group} {'was' if over else 'is'} affected{through}",
        detail="; ".join(s.says for s in (*supports, *(against if also else ()))),
        supports=tuple(supports),
        against=tuple(against),
        explains=correlate.share_of_excess if summary.claims_rates else None,
        values=correlate.values,
        next_commands=trace_command(summary),
    )


def _also_hit(summary: LogSummary, correlate: Correlate) -> list[str]:
    """Who else is hit: what explains more of the excess, and other values of the fields of the set.

    Values of other fields may be hit because of it: the host on which its requests end.
    """
    sets = [c for c in summary.correlates if c.values != correlate.values]
    also = [" and ".join(f"{f}={v}" for f, v in c.values) for c in sets]
    for radius in summary.blast_radius:
        mine = {v for f, v in correlate.values if f == radius.field}
        if mine:
            named = [f"{radius.field}={v.value}" for v in radius.affected if v.value not in mine]
            also += [n for n in named if not any(n in one.split(" and ") for one in also)]
    return [*also[:_ALSO], *([f"{len(also) - _ALSO} more"] if len(also) > _ALSO else [])]


def _spared(radius: BlastRadius | None, value: str) -> str:
    """The other values that are confirmed unaffected, the biggest first."""
    if radius is None:
        return ""
    spared = sorted((v for v in radius.unaffected if v.value != value), key=lambda v: -v.requests)
    return ", ".join(
        f"{radius.field}={v.value} ({count(v.requests, 'request')})" for v in spared[:3]
    )
