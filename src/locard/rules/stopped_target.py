"""Processes of the target are stopped, traced or dying: nothing else counts until they run again.

Pattern: SIGSTOP, job control, a debugger or a tracer holds a process; it accepts connections into
  its queue and answers none, its log falls silent, health checks time out.
Evidence: the state of its threads in /proc (T, t, Z, X) and the tracer's pid.
Against: only some processes of the target are held, so that the others still serve.
Next: see which signal and which tracer; who stopped it knows why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.facts import ProcessConditions, ThreadStates
from locard.model.finding import Finding, Role, Severity, Support

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.facts import ProcessCondition
    from locard.model.finding import Case

_WORDS = {
    "stopped": "is stopped (state T: SIGSTOP or a like signal)",
    "dying": "is dying (state X)",
    "zombie": "has ended and was not reaped (state Z)",
}
_SHOWN = 3


def judge(case: Case) -> Iterator[Finding]:
    """One finding for all processes that are held."""
    for evidence, fact in case.facts(ProcessConditions):
        held = [c for c in fact.conditions if c.condition != "zombie" or c.threads]
        if not held:
            continue
        supports = tuple(Support(evidence.id, Layer.KERNEL, _words(c)) for c in held[:_SHOWN])
        others = _others(case, {c.pid for c in held})
        against: tuple[Support, ...] = ()
        if others:
            says = f"{others} other processes of the target are not held"
            against = (Support(evidence.id, Layer.KERNEL, says),)
        stops = [c for c in held if c.condition != "traced" or c.threads]
        more = f", and {len(held) - 1} more" if len(held) > 1 else ""
        yield Finding(
            rule="stopped-target",
            layer=Layer.KERNEL,
            role=Role.MECHANISM if stops else Role.CONTEXT,
            severity=Severity.CRITICAL if stops else Severity.WARNING,
            title=f"{_words((stops or held)[0])}{more}",
            detail="; ".join(s.says for s in supports),
            supports=supports,
            against=against,
            next_commands=tuple(_next((stops or held)[0])),
        )


def _words(condition: ProcessCondition) -> str:
    name = f"{condition.name} (pid {condition.pid})"
    many = (
        f"{condition.threads} of its threads {'is' if condition.threads == 1 else 'are'} stopped"
        if condition.threads
        else ""
    )
    if condition.condition == "traced":
        return f"{name} is traced by {condition.by}" + (f", {many}" if many else "")
    words = f"{name} {_WORDS[condition.condition]}"
    return f"{words}, {many}" if condition.condition == "stopped" and many else words


def _next(condition: ProcessCondition) -> Iterator[str]:
    yield f"ps -o pid,ppid,stat,wchan,lstart,args -p {condition.pid}"
    yield f"grep -E 'State|TracerPid|^Sig|^Shd' /proc/{condition.pid}/status"


def _others(case: Case, held: set[int]) -> int:
    return len({s.pid for _, fact in case.facts(ThreadStates) for s in fact.states} - held)
