"""Pods run and are not ready: no traffic is sent to them.

Pattern: the readiness probe fails (a dependency, a warm-up, an overload), and the service's other pods carry
  its share; where none is ready, nobody answers.
Evidence: the container runs and its status says that it is not ready; the probe's own failure in the events.
Against: a container that has just started is not ready either.
Next: describe the pod: which probe, and what it got.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.rules import _workload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding


def judge(case: Case) -> Iterator[Finding]:
    """One finding a cause, however many pods it hits."""
    for evidence, states, one in _workload.found(case, "not-ready"):
        yield _workload.finding("pod-not-ready", evidence, states, one)
