"""A pod is ready and not in turn.

Pattern: a probe fails now and then (a slow answer, a dependency it asks, a restart); the pod leaves its service and
  comes back, its requests move to the others and back.
Evidence: how often kube_pod_status_ready fell within the window; restarts of the same pod.
Against: where its container restarts each time, that is the mechanism and this its consequence.
Next: the pod's events and its probe: kubectl describe pod.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from locard.model.finding import Role
from locard.rules import _history

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each pod whose readiness came and went several times."""
    for evidence, found in _history.histories(case):
        for flap in found.changes:
            if flap.kind != "readiness":
                continue
            loops = [c.what for c in found.changes if c.kind == "restart" and c.name == flap.name]
            one = _history.finding(
                "readiness-flapping", evidence, found, f"Pod {flap.what}", [flap.what], against=loops[:1],
                role=Role.CONTEXT if loops else Role.MECHANISM,
            )  # fmt: skip
            space = f" -n {shlex.quote(flap.namespace)}" if flap.namespace else ""
            yield replace(
                one, next_commands=(f"kubectl describe pod {shlex.quote(flap.name)}{space}",)
            )
