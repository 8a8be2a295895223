"""Findings and factors as a reader gets them: the moments in their texts in the reader's zone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.report.times import told

if TYPE_CHECKING:
    import datetime as dt

    from locard.model.finding import ContributingFactor, Finding, Support
    from locard.model.investigation import Investigation


def investigation(found: Investigation, tz: dt.tzinfo | None) -> Investigation:
    """The same investigation; claims are worded by report/sentences.py."""
    return replace(
        found,
        findings=tuple(finding(f, tz) for f in found.findings),
        contributing_factors=tuple(factor(f, tz) for f in found.contributing_factors),
    )


def finding(one: Finding, tz: dt.tzinfo | None) -> Finding:
    """One finding with its times written out."""
    return replace(
        one,
        title=told(one.title, tz),
        detail=told(one.detail, tz),
        supports=_supports(one.supports, tz),
        against=_supports(one.against, tz),
    )


def factor(one: ContributingFactor, tz: dt.tzinfo | None) -> ContributingFactor:
    """One factor with its times written out."""
    return replace(
        one,
        title=told(one.title, tz),
        evidence_for=_supports(one.evidence_for, tz),
        evidence_against=_supports(one.evidence_against, tz),
    )


def _supports(every: tuple[Support, ...], tz: dt.tzinfo | None) -> tuple[Support, ...]:
    return tuple(replace(s, says=told(s.says, tz)) for s in every)
