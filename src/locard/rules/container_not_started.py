"""A container of the target has not started, so that its log is empty and nothing of it serves.

Pattern: no node takes the pod, an image is not there, a ConfigMap, Secret or volume is missing, a quota
  lets no pod be made, or an init container ends with an error and nothing behind it runs.
Evidence: the states and conditions of the pods, as the API server has them; events that complain of them;
  the last line of the init container that fails.
Against: a container that is only just being made waits too: the first seconds are not counted.
Next: describe the pod; mend what is named and the kubelet tries again by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.rules import _workload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding

_KINDS = ("no-pods", "unscheduled", "not-started", "init-fails", "init-runs")


def judge(case: Case) -> Iterator[Finding]:
    """One finding a cause, however many pods it hits."""
    for evidence, states, one in _workload.found(case, *_KINDS):
        yield _workload.finding("container-not-started", evidence, states, one)
