"""Workers of the target end and are started anew, while their parent stays.

Pattern: a master kills or loses its workers (time-out, out of memory, crash) and starts new ones;
  requests in flight fail, the new ones begin cold, and after the next time-out it is the same.
Evidence: processes that ended while locard looked and others of the same parent that began;
  workers much younger than their parent; log lines in which the parent says so; kills for memory in
  the target's own cgroup.
Against: no log line tells of a worker that was killed or lost: a reload, or workers that are
  replaced after a number of requests, look the same.
Next: see the parent's own log, which says why.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.evidence import Layer
from locard.model.facts import ProcessFamily
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.log_facts import LogSummary
from locard.model.wording import count, verb
from locard.rules import _facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.facts import ProcessAge
    from locard.model.finding import Case

_YOUNGER_S = 30.0  # than the root: it was not started with it
_LATELY_S = 600.0
_LOST = re.compile(
    r"WORKER TIMEOUT|terminated due to signal|was sent SIG(KILL|ABRT|SEGV)|WorkerLostError"
    r"|exited with signal|killed by signal|\bSIGKILL\b|\bsignal (6|9|11)\b|terminated by signal"
    r"|worker[^\n]{0,40}\b(died|was killed|crashed|timed out|is lost)\b|\bdied, killed",
    re.IGNORECASE,
)


def judge(case: Case) -> Iterator[Finding]:
    """One finding for all workers that were replaced."""
    said = tuple(_messages(case))
    for evidence, family in case.facts(ProcessFamily):
        if not family.processes:
            continue
        root = family.processes[0]
        if any(c.change == "began" and c.pid == root.pid for c in family.changes):
            yield _restarted(evidence, root, said)
            continue
        supports = [Support(evidence.id, evidence.layer, s) for s in _seen(family, root, case.now)]
        if not supports:
            continue
        lately = [(e, r) for e, r in _facts.bad(case, semconv.SYSTEM_OOM_KILLS) if r.of == "target"]
        kills = [
            Support(e.id, e.layer, f"the kernel killed {r.value:g} processes of {r.subject}")
            for e, r in (*lately, *_facts.bad(case, semconv.CONTAINER_OOM_KILLS))
        ]
        sure = bool(said or kills)
        # Killed for memory: then that is the mechanism, and this is what it looks like.
        behind = bool(lately)
        against = () if sure else (Support(evidence.id, evidence.layer, _UNSAID),)
        yield Finding(
            rule="worker-restarts",
            layer=evidence.layer,
            role=Role.MECHANISM if sure and not behind else Role.CONTEXT,
            severity=Severity.CRITICAL if sure else Severity.INFO,
            title=_title(root, supports[0].says, sure=sure),
            detail="; ".join(s.says for s in (*supports, *said, *kills)),
            supports=(*supports, *said, *kills),
            against=against,
            next_commands=(f"ps -o pid,ppid,lstart,stat,args --ppid {root.pid}",),
        )


def _restarted(evidence: Evidence, root: ProcessAge, said: tuple[Support, ...]) -> Finding:
    """The whole target ended while locard looked, and another of its name began."""
    says = f"{root.name} ended while locard looked and began anew as pid {root.pid}"
    return Finding(
        rule="worker-restarts",
        layer=evidence.layer,
        role=Role.MECHANISM,
        severity=Severity.CRITICAL,
        title=f"The target itself was restarted: {says}",
        detail="; ".join((says, *(s.says for s in said))),
        supports=(Support(evidence.id, evidence.layer, says), *said),
        next_commands=(f"ps -o pid,ppid,lstart,stat,args -p {root.pid},{root.ppid}",),
    )


_UNSAID = "no line that was read tells of a worker that was killed or lost: it may be a reload"


def _title(root: ProcessAge, says: str, *, sure: bool) -> str:
    lost = "are lost and started anew" if sure else "were started anew"
    return f"Workers of {root.name} (pid {root.pid}) {lost}: {says}"


def _seen(family: ProcessFamily, root: ProcessAge, now: float) -> Iterator[str]:
    """What the processes themselves show."""
    ended = [c for c in family.changes if c.change == "ended" and c.pid != root.pid]
    began = [c for c in family.changes if c.change == "began"]
    if ended and began:
        yield f"while locard looked {len(ended)} ended and {len(began)} began"
    parents = {p.ppid for p in family.processes if not p.zombie}
    workers = [
        p
        for p in family.processes
        if p.ppid == root.pid and not p.zombie and p.pid not in parents - {root.pid}
    ]
    young = [p for p in workers if p.after_root_s > _YOUNGER_S and now - p.started <= _LATELY_S]
    if young:
        ages = sorted(now - p.started for p in young)
        each = f"{ages[0]:.0f} s" if len(ages) == 1 else f"{ages[0]:.0f} to {ages[-1]:.0f} s"
        lived = now - root.started
        are = verb(len(young), "is", "are")
        of = count(len(workers), "worker")
        yield f"{len(young)} of {of} {are} {each} old, their parent {lived:.0f} s"


def _messages(case: Case) -> Iterator[Support]:
    for evidence, summary in case.facts(LogSummary):
        for message in summary.messages:
            if message.after > 0 and _LOST.search(message.example):
                says = f"the log says {count(message.after, 'time')} “{message.template}”"
                yield Support(evidence.id, Layer.LOGS, says)
