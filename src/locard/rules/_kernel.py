"""What the rules read from observations of the kernel: calls, files, locks, programs' rows; how a finding is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.kernel_facts import SystemCalls, Trace, Waits
from locard.rules import _waits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.model.evidence import Evidence
    from locard.model.finding import Case
    from locard.model.kernel_facts import Row

LEAST_S = 0.3  # an observation that was shorter says nothing


def calls(case: Case) -> Iterator[tuple[Evidence, SystemCalls]]:
    """Summaries of system calls that were long enough."""
    for evidence, found in case.facts(SystemCalls):
        if found.observed.seconds >= LEAST_S:
            yield evidence, found


def waits(case: Case) -> Iterator[tuple[Evidence, Waits]]:
    """Looks at threads that were long enough."""
    for evidence, found in case.facts(Waits):
        if found.observed.seconds >= LEAST_S and found.looks:
            yield evidence, found


def traces(case: Case, program: str) -> Iterator[tuple[Evidence, Trace]]:
    """What one program counted."""
    for evidence, found in case.facts(Trace):
        if found.program == program:
            yield evidence, found


def each_second(row: Row, seconds: float) -> float:
    """How often a second."""
    return row.count / seconds if seconds > 0 else 0.0


def kind(row: Row) -> str:
    """What a descriptor of `SystemCalls.files` is: file, pipe, peer, socket, unix, event, device."""
    return row.detail.partition(",")[0]


def finding(
    rule: str,
    case: Case,
    title: str,
    supports: Sequence[Support],
    *,
    against: Sequence[Support] = (),
    values: tuple[tuple[str, str], ...] = (),
    next_commands: tuple[str, ...] = (),
) -> Finding:
    """A finding of the kernel layer: critical where the service is known to suffer, else a warning."""
    trouble = _waits.trouble(case)
    return Finding(
        rule=rule,
        layer=Layer.KERNEL,
        role=Role.MECHANISM,
        severity=Severity.CRITICAL if trouble else Severity.WARNING,
        title=title,
        detail="; ".join(s.says for s in supports),
        supports=(*supports, *trouble[:1]),
        against=tuple(against),
        values=values,
        next_commands=next_commands,
    )


def support(evidence: Evidence, says: str) -> Support:
    """A sentence of the kernel layer."""
    return Support(evidence.id, Layer.KERNEL, says)


def pid_of(rows: Sequence[Row]) -> str:
    """The process of the first row that has one, for a command."""
    return str(next((r.pid for r in rows if r.pid), "PID"))
