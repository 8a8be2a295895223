"""The kernel killed processes because memory ran out.

Pattern: a worker vanishes and is restarted; its requests fail, caches are cold, others take over.
Evidence: kills in the kernel's log of the last hour, the count of the target's own cgroup.
Against: kills outside the target's cgroups hit others, unless the host as a whole ran out.
Next: see the kernel's own report of who used what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import semconv
from locard.rules import _facts, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding


def judge(case: Case) -> Iterator[Finding]:
    """One finding if there were kills in the last hour, or of the target's cgroups at all."""
    recent = _facts.bad(case, semconv.SYSTEM_OOM_KILLS)
    mine = _facts.bad(case, semconv.CONTAINER_OOM_KILLS)
    if not recent and not mine:
        return
    hit = bool(mine) and bool(recent)
    title = (
        f"The OOM killer ended {recent[0][1].value:g} process(es) in the last hour"
        if recent
        else f"The OOM killer hit the target's cgroup {mine[0][1].value:g} time(s) since it exists"
    )
    yield _readings.finding(
        "oom-kill",
        title,
        (*recent, *mine),
        mechanism=hit,
        next_commands=("dmesg -T --level=err,warn,info",),
    )
