"""A container of the target ended with an error, and runs again or not.

Pattern: a run ends once (a fatal error, a signal, a pod that is evicted); what it had in flight is lost, and
  its log goes on in another file, so that the log of the present run says nothing of it.
Evidence: the state of the run before: exit code, reason, when; its last words.
Against: nothing is known of what was before it; one end in a long time may be routine.
Next: the log of the run before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.rules import _workload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding


def judge(case: Case) -> Iterator[Finding]:
    """One finding a cause, however many pods it hits."""
    for evidence, states, one in _workload.found(case, "ended", "evicted"):
        yield _workload.finding("container-ended", evidence, states, one)
