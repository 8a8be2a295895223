"""The CPUs are full, and threads wait to run.

Pattern: hardly any idle time, a run queue longer than the CPUs, tasks stalled for a CPU (PSI).
Evidence: busy share between two readings of /proc/stat, run queue, CPU pressure; which processes of
  the target used how much of it.
Against: full CPUs without waiting threads are good use; load from other programs is named.
Next: see which threads and which code use the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.finding import Support
from locard.rules import _facts, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding

_WAITING = (semconv.SYSTEM_RUN_QUEUE, semconv.SYSTEM_CPU_PRESSURE)
_HOT = 0.2  # CPUs: below, a look at the threads of that process shows an idle one
_MOSTLY = 0.5  # of the busy time is the target's own


def judge(case: Case) -> Iterator[Finding]:
    """One finding if the CPUs are busy and something waits for them."""
    busy = [
        (e, r) for e, r in _facts.bad(case, semconv.SYSTEM_CPU_UTILIZATION) if "busy" in r.subject
    ]
    waiting = _facts.bad(case, *_WAITING)
    if not busy or not waiting:
        return
    worst = all(r.verdict == "critical" for _, r in (busy[0], *waiting)) and len(waiting) > 1
    used = list(_facts.readings(case, semconv.PROCESS_CPU_UTILIZATION))
    cpus = next((r.limit for _, r in used if r.limit), None)
    total = sum(r.value for _, r in used)
    extra: tuple[Support, ...] = ()
    against: tuple[Support, ...] = ()
    if used and cpus:
        says = f"the target's processes use {total:.2f} of {cpus:g} CPUs"
        support = Support(used[0][0].id, used[0][0].layer, says)
        own = total >= _MOSTLY * busy[0][1].value * cpus
        extra, against = ((support,), ()) if own else ((), (support,))
    top = max(used, key=lambda item: item[1].value, default=None)
    hot = top is not None and top[1].value >= _HOT
    pid = top[1].subject.removeprefix("pid ") if top and hot else None
    whose = f": the target uses {total:.2f} of {cpus:g}" if used and cpus else ""
    yield _readings.finding(
        "cpu-saturation",
        f"The CPUs are {busy[0][1].value:.0%} busy and threads wait to run{whose}",
        (*busy, *waiting),
        mechanism=worst and not against,
        extra=extra,
        against=against,
        next_commands=(
            f"top -H -b -n 1 -p {pid}" if pid else "ps -eo pid,ppid,ni,pcpu,args --sort=-pcpu",
        ),
    )
