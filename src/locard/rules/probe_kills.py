"""The kubelet ends a container because its liveness or startup probe fails.

Pattern: a probe that is too strict, or a service too slow to answer it, is ended and begins cold; under load
  the restarts spread.
Evidence: the kubelet's events: the probe's failure, and that it ends the container for it; restarts.
Against: events are kept for about an hour: older ones are not seen.
Next: describe the pod: the probe's time-out and threshold against how long it answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.rules import _workload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding


def judge(case: Case) -> Iterator[Finding]:
    """One finding a cause, however many pods it hits."""
    for evidence, states, one in _workload.found(case, "killed-by-probe"):
        yield _workload.finding("probe-kills", evidence, states, one)
