"""A container ends and is started again, again and again.

Pattern: it crashes at its start or soon after, and the kubelet waits longer before each new try
  (CrashLoopBackOff, which is how it waits and not why).
Evidence: how its runs ended (exit code, reason), how many there were, the last words of one of them.
Against: many restarts long ago and a long run since then are no loop.
Next: the log of the run before; the exit code and its last line say why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.rules import _workload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding


def judge(case: Case) -> Iterator[Finding]:
    """One finding a cause, however many pods it hits."""
    for evidence, states, one in _workload.found(case, "restarts"):
        yield _workload.finding("restart-loop", evidence, states, one)
