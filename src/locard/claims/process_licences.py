"""Licences of what is said of processes and their threads: what most do, that none is at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.claims.ruling import Withheld, cannot_tell, parts
from locard.model.claim import Claim
from locard.model.facts import ProcessConditions, ProcessFamily, RuntimeCoverage

if TYPE_CHECKING:
    from locard.claims.record import Record
    from locard.model.facts import ProcessChange, ProcessCondition

LEAST_SEEN = 4  # observations of busy threads, below which they lead nowhere
LEAST_SHARE = 0.5  # of them, that a lead has to cover
LEAST_OF_ALL = 0.15  # of the observations of all threads, idle ones too
VAGUE = frozenset({"waits", "sleeps"})  # for nothing that is known; on purpose


def leads(claim: Claim, record: Record) -> Withheld | None:
    """Enough observations, most of the busy ones, and not a few of all; what it is has to be known."""
    why = ""
    if claim.number("observations") < LEAST_SEEN or claim.number("share") < LEAST_SHARE:
        why = "too few threads were seen at it to call it what most of them do"
    elif claim.number("observations") < LEAST_OF_ALL * sum(
        a.observations for a in record.activities
    ):
        why = "it is a small part of all threads"
    elif claim.subject in VAGUE:
        why = "what they wait for is not known"
    return Withheld(Claim(claim.slot, "threads_do", *parts(claim)), why) if why else None


def threads_seen(claim: Claim, record: Record) -> Withheld | None:
    """No more observations of it than busy threads were seen at all."""
    seen = sum(a.observations for a in record.activities if a.work == "busy")
    if claim.number("observations") > seen:
        return cannot_tell(claim, "no thread was seen at it")
    return None


def process_recorded(claim: Claim, record: Record) -> Withheld | None:
    """The evidence that is cited holds that process in that condition, or its end."""
    for item in (record.item(i) for i in claim.evidence):
        for fact in item.facts if item else ():
            named = {f"{c.name} (pid {c.pid})" for c in _of_processes(fact)}
            if claim.subject in named:
                return None
    return cannot_tell(claim, "no such process stands in the evidence")


def _of_processes(fact: object) -> tuple[ProcessCondition | ProcessChange, ...]:
    if isinstance(fact, ProcessConditions):
        return fact.conditions
    if isinstance(fact, ProcessFamily):
        return tuple(c for c in fact.changes if c.change == "ended")
    return ()


def every_thread_idle(claim: Claim, record: Record) -> Withheld | None:
    """Stacks of every process, and each wait known to be for work."""
    unread = [m for _, samples in record.stacks() for m in samples.missed]
    unread += [
        f"{p.runtime} (pid {p.pid}): {p.why}"
        for _, coverage in record.case.facts(RuntimeCoverage)
        for p in coverage.processes
        if p.why or p.hidden
    ]
    read = any(samples.stacks for _, samples in record.stacks())
    lacking = [f"not read: {unread[0]}"] if unread else []
    if claim.number("unknown"):
        lacking.append("what some threads wait for is not known")
    if not read:
        lacking.append("no stack of a thread was read")
    if lacking:
        return Withheld(Claim(claim.slot, "no_thread_busy", *parts(claim)), "; ".join(lacking))
    return None
