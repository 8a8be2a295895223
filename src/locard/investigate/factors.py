"""Contributing factors: the mechanisms among the findings, ranked by what speaks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.finding import Confidence, ContributingFactor, Finding, Role, Severity
from locard.model.wording import contradicts_itself

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROLE = {Role.MECHANISM: 0, Role.SCOPE: 1, Role.CONTEXT: 2}
_CONFIDENCE = {Confidence.STRONG: 0, Confidence.MODERATE: 1, Confidence.WEAK: 2}
_SEVERITY = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


def _order(finding: Finding) -> tuple[int, int, float, int, str]:
    return (
        _CONFIDENCE[finding.confidence],
        _SEVERITY[finding.severity],
        -(finding.explains or 0.0),
        len(finding.against) - len(finding.supports),
        finding.rule,
    )


def ranked(findings: Iterable[Finding]) -> tuple[ContributingFactor, ...]:
    """Mechanisms by confidence, then severity, then the share of the excess that they explain.

    After them the findings that name who is hit: where no mechanism was found, that is the answer.
    A title that its own numbers contradict is never a factor.
    Findings of role CONTEXT (background) are no factors, nor is what names nobody.
    """
    answers = [f for f in findings if f.role is Role.MECHANISM or _names_who(f)]
    answers = [f for f in answers if not contradicts_itself(f.title)]
    answers.sort(key=lambda f: (f.role is not Role.MECHANISM, _order(f)))
    return tuple(
        ContributingFactor(
            rank=rank,
            rule=finding.rule,
            finding=finding.id,
            title=finding.title,
            confidence=finding.confidence,
            explains=finding.explains,
            evidence_for=finding.supports,
            evidence_against=finding.against,
            next_command=finding.next_commands[0] if finding.next_commands else None,
        )
        for rank, finding in enumerate(answers, 1)
    )


def _names_who(finding: Finding) -> bool:
    alarming = finding.severity is not Severity.INFO
    return finding.role is Role.SCOPE and bool(finding.values) and alarming


def by_weight(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """All findings, what tells most first: mechanisms as ranked, then who is hit, then background.

    What names nobody (it got worse, for the service as a whole) comes after all that does.
    """

    def order(finding: Finding) -> tuple[bool, int, tuple[int, int, float, int, str]]:
        vague = finding.role is not Role.MECHANISM and not finding.values
        return vague, _ROLE[finding.role], _order(finding)

    return tuple(sorted(findings, key=order))
