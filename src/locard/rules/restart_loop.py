"""A unit or a container ends and is started again, again and again.

Pattern: it ends (out of memory, a crash, a failed check) and systemd or the kubelet starts it; what it
  held in memory is lost, requests in flight fail, and after a while it is the same. The kubelet waits
  longer before each new try (CrashLoopBackOff, which is how it waits and not why).
Evidence: systemd's count of restarts and its own messages of the last hour, with how the unit ended;
  kills by the OOM killer in the kernel's log; how a container's runs ended (exit code, reason), how many
  there were, the last words of one of them.
Against: a single restart is no loop yet; many restarts long ago and a long run since then are none.
Next: the log of the run before: its last line, and the exit code, say why.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.finding import Support
from locard.model.wording import count
from locard.rules import _facts, _history, _readings, _workload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding

_LOOP = 3  # restarts within a window of metrics


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each unit that was restarted within the hour, and one a cause of containers."""
    yield from _history.joined(_elsewhere(case), _from_history(case))


def _elsewhere(case: Case) -> Iterator[Finding]:
    """What the other layers say of it."""
    for stood, states, one in _workload.found(case, "restarts"):
        yield _workload.finding("restart-loop", stood, states, one)
    killed = [(e, r) for e, r in _facts.bad(case, semconv.SYSTEM_OOM_KILLS) if r.of == "target"]
    ended = {
        r.subject.removeprefix("unit ") for _, r in _facts.bad(case, semconv.SYSTEM_UNIT_OOM_KILLS)
    }
    for evidence, reading in _facts.bad(case, semconv.SYSTEM_UNIT_RESTARTS):
        unit = reading.subject.removeprefix("unit ")
        once = reading.value <= 1
        single = "a single restart: whether it goes on so cannot be told yet"
        # Killed for memory: then that is the mechanism, and this is what it looks like.
        behind = bool(killed) or unit in ended
        yield _readings.finding(
            "restart-loop",
            f"systemd restarted {unit} {count(int(reading.value), 'time')} in the last hour",
            [(evidence, reading)],
            mechanism=reading.verdict == "critical" and not behind,
            extra=_readings.supports(killed),
            against=(Support(evidence.id, evidence.layer, single),) if once else (),
            next_commands=(
                f"journalctl -u {shlex.quote(unit)} --since -1h",
                f"systemctl status {shlex.quote(unit)}",
            ),
        )


def _from_history(case: Case) -> Iterator[Finding]:
    """A start time that moves forward again and again: not that of several processes that answer in turn."""
    for evidence, found in _history.histories(case):
        for again in found.changes:
            if again.kind != "restart" or again.count < _LOOP:
                continue
            supports = [
                again.what,
                *(c.what for c in found.changes if c.kind == "readiness" and c.name == again.name),
            ]
            yield _history.finding(
                "restart-loop",
                evidence,
                found,
                f"{again.what}: its start time moves forward each time",
                supports,
            )
