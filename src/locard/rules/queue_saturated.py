"""What waits grows all along: a queue is filled faster than it is emptied.

Pattern: requests are answered well and leave work behind (a queue, a backlog, a lag) that nobody does fast
  enough, or at all; it ends with the memory, the disk or the deadline.
Evidence: a number of the log that by its name says how much waits, and grows to the end; threads or tasks that
  wait to put something into a queue which is at its limit, by its own count.
Against: a number that counts all that was ever queued grows too, in a healthy service.
Next: the lines that say it; then what those do that empty it: its threads, and what they wait for.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.growing_words import sentence
from locard.model.history_words import amount, signal_words
from locard.model.log_facts import LogSummary
from locard.rules import _contention, _history, _things, _waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case
_TIMES, _LEAST_WAITING = 3.0, 10.0  # as many as before, and in all


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each log, of the number that grew most."""
    yield from _history.joined(_elsewhere(case), _from_history(case))


def _elsewhere(case: Case) -> Iterator[Finding]:
    """What the other layers say of it."""
    for evidence, log in case.facts(LogSummary):
        for one in log.growing[:1]:
            says = sentence(one)
            next_: tuple[str, ...] = ()
            if one.field and log.source != "-":
                source, field = shlex.quote(log.source), shlex.quote(f"time,{one.field}")
                next_ = (
                    f"locard logs {source} --where {shlex.quote(f'{one.field} is not null')} --select {field} --sample 20",
                )
            yield Finding(
                rule="queue-saturated",
                layer=Layer.LOGS,
                role=Role.MECHANISM,
                severity=Severity.WARNING,
                title=says,
                detail=says,
                supports=(Support(evidence.id, Layer.LOGS, says),),
                against=(),
                next_commands=next_,
            )
    yield from _at_their_limit(case)


def _at_their_limit(case: Case) -> Iterator[Finding]:
    """Queues with a limit into which nothing more goes."""
    for used in _things.used_up(case, "queue"):
        place, trouble = used.place, _waits.trouble(case)
        where = f" at {place[0]}" if place else ""
        supports = [*used.supports(), *trouble[:1]]
        yield Finding(
            rule="queue-saturated",
            layer=Layer.RUNTIME,
            role=Role.MECHANISM,
            # A limit holds back on purpose: that anybody is hurt by it, others say.
            severity=Severity.WARNING if trouble else Severity.INFO,
            title=f"A {used.called} is full, who puts into it waits{where}: {used.amount}",
            detail="; ".join(s.says for s in supports),
            supports=tuple(supports),
            values=_contention.code(place[1]) if place else (),
            next_commands=(f"locard stacks pid/{used.last.pid}",),
        )


def _from_history(case: Case) -> Iterator[Finding]:
    """A queue that grew at the onset and was not emptied since."""
    for evidence, found in _history.histories(case):
        for grown in _history.risen(found, "queue"):
            before, after = grown.before or 0.0, grown.after or 0.0
            if grown.ended or after < max(_TIMES * before, _LEAST_WAITING):
                continue
            yield _history.finding(
                "queue-saturated", evidence, found,
                f"{_history.name_of(grown)} fills: {amount(before, '')} → {amount(after, grown.unit)}",
                [signal_words(grown)], values=grown.subject,
            )  # fmt: skip
