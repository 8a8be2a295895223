"""What keeps the log threw lines away, because they came faster than it lets through.

Pattern: a burst of lines (retries, a stack trace in a loop) reaches the rate limit of journald; what the
  unit says after that, its errors above all, is not in the log, which looks calm.
Evidence: journald's own count of suppressed lines; the unit's limit, and as many lines in its interval
  with a full stop in the middle of the burst.
Against: of a small limit, a unit may have said all that it had to say.
Next: ask the unit itself, or where it logs besides the journal. A higher limit helps the next time only.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from locard.model import log_holes
from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.log_facts import LogSummary
from locard.model.moments import moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case
    from locard.model.log_holes import LogHole


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each log with a hole; the one that counts for how things stand now."""
    for evidence, log in case.facts(LogSummary):
        hole = log_holes.last(log.holes)
        if hole is None:
            continue
        says = log_holes.sentence(hole, moment)
        asked = tuple(Support(evidence.id, Layer.LOGS, e) for e in hole.evidence)
        doubt = "a limit of so few lines is reached by chance, too"
        unit = shlex.quote(hole.unit)
        yield Finding(
            rule="log-lines-lost",
            layer=Layer.LOGS,
            role=Role.CONTEXT,
            severity=Severity.WARNING,
            title=says.partition(". ")[0].rstrip("."),
            detail=says,
            supports=(*(Support(evidence.id, Layer.LOGS, _told(h)) for h in log.holes), *asked),
            against=(Support(evidence.id, Layer.LOGS, doubt),) if hole.how == "likely" else (),
            next_commands=(
                "journalctl -u systemd-journald --grep Suppressed",
                *(
                    (f"systemctl show -p LogRateLimitBurst,LogRateLimitIntervalUSec {unit}",)
                    if hole.unit
                    else ()
                ),
            ),
        )


def _told(hole: LogHole) -> str:
    until = "" if hole.until is None else f" until {moment(hole.until)}"
    return f"from {moment(hole.since)} on{until}: {log_holes.why(hole)}"
