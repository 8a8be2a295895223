"""The hypervisor takes CPU time from this machine: a noisy neighbour, or credits used up.

Pattern: a share of the time in which this machine wanted to run goes to others; everything on it
  gets slower at once, with no cause inside.
Evidence: the steal share between two readings of /proc/stat; over 5 % is a noisy neighbour.
Against: nothing here can tell how the other machines of the same host fare.
Next: look at a few more seconds of it; move the load or ask the provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import semconv
from locard.rules import _facts, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding


def judge(case: Case) -> Iterator[Finding]:
    """One finding if the share that is stolen is bad."""
    bad = [
        (e, r) for e, r in _facts.bad(case, semconv.SYSTEM_CPU_UTILIZATION) if "steal" in r.subject
    ]
    if bad:
        reading = bad[0][1]
        yield _readings.finding(
            "cpu-steal",
            f"{reading.value:.0%} of the CPU time is stolen by the hypervisor",
            bad,
            mechanism=reading.verdict == "critical",
            next_commands=("vmstat 1 5",),
        )
