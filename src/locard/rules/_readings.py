"""Findings from readings of the host: their sentences, severity and role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.model.evidence import Evidence
    from locard.model.facts import Reading

Bad = tuple["Evidence", "Reading"]


def words(reading: Reading) -> str:
    """One reading as a sentence with its numbers."""
    value = _number(reading.value, reading.unit)
    limit = f" of {_number(reading.limit, reading.unit)}" if reading.limit is not None else ""
    if reading.unit == "1" and reading.limit == 1.0:
        limit = ""
    detail = f" ({reading.detail})" if reading.detail else ""
    return f"{reading.subject}: {reading.name} {value}{limit}{detail}"


def _number(value: float, unit: str) -> str:
    if unit == "1":
        return f"{value:.1%}"
    if unit == "By":
        return f"{value / (1 << 20):.0f} MiB"
    if unit == "%":
        return f"{value:g} %"
    return f"{value:g} {unit.strip('{}')}"


def supports(bad: Sequence[Bad]) -> tuple[Support, ...]:
    """One support for each reading."""
    return tuple(Support(e.id, e.layer, words(r)) for e, r in bad)


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
