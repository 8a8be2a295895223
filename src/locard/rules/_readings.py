"""Findings from readings of the host: their sentences, severity and role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import reading_words
from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.model.evidence import Evidence
    from locard.model.facts import Reading

Bad = tuple["Evidence", "Reading"]


def supports(bad: Sequence[Bad]) -> tuple[Support, ...]:
    """One support for each reading."""
    return tuple(Support(e.id, e.layer, reading_words.words(r)) for e, r in bad)


def finding(
    rule: str,
    title: str,
    bad: Sequence[Bad],
    *,
    mechanism: bool,
    extra: tuple[Support, ...] = (),
    against: tuple[Support, ...] = (),
    next_commands: tuple[str, ...] = (),
) -> Finding:
    """A finding from bad readings: background, unless it is clearly what hurts the target."""
    said = (*supports(bad), *extra)
    critical = mechanism or any(r.verdict == "critical" for _, r in bad)
    return Finding(
        rule=rule,
        layer=bad[0][0].layer if bad else Layer.HOST,
        role=Role.MECHANISM if mechanism else Role.CONTEXT,
        severity=Severity.CRITICAL if critical else Severity.WARNING,
        title=title,
        detail="; ".join(s.says for s in said),
        supports=said,
        against=against,
        next_commands=next_commands,
    )
