"""systemd starts a unit anew again and again.

Pattern: the service ends (out of memory, a crash, a failed check) and systemd starts it; what it held
  in memory is lost, requests in flight fail, and after a while it is the same.
Evidence: systemd's count of restarts and its own messages of the last hour, with how the unit ended;
  kills by the OOM killer in the kernel's log.
Against: a single restart is no loop yet; one without a failure may be meant.
Next: see what the unit said before it ended.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.finding import Support
from locard.model.wording import count
from locard.rules import _facts, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each unit that was restarted within the hour."""
    killed = [(e, r) for e, r in _facts.bad(case, semconv.SYSTEM_OOM_KILLS) if r.of == "target"]
    for evidence, reading in _facts.bad(case, semconv.SYSTEM_UNIT_RESTARTS):
        unit = reading.subject.removeprefix("unit ")
        once = reading.value <= 1
        single = "a single restart: whether it goes on so cannot be told yet"
        # Killed for memory: then that is the mechanism, and this is what it looks like.
        behind = bool(killed) or "oom-kill" in reading.detail
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
