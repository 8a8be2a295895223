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
from locard.model.headline import share
from locard.model.history_words import amount, signal_words
from locard.model.kernel_words import duration
from locard.model.wording import count
from locard.rules import _facts, _history, _kernel, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding

_WAITING = (semconv.SYSTEM_RUN_QUEUE, semconv.SYSTEM_CPU_PRESSURE)
_HOT = 0.2  # CPUs: below, a look at the threads of that process shows an idle one
_WAITED = "waited for a CPU"
_MOST_BUSY = 0.9  # of a limit
_HELD_UP = 0.2  # of the time that one thread waited for a CPU
_MOSTLY = 0.5  # of the busy time is the target's own


def judge(case: Case) -> Iterator[Finding]:
    """One finding if the CPUs are busy and something waits for them, by readings or by the run queue."""
    yield from _history.joined(_elsewhere(case), _from_history(case))


def _elsewhere(case: Case) -> Iterator[Finding]:
    """What the other layers say of it."""
    found = list(_from_readings(case))
    yield from found or _from_kernel(case)


def _from_kernel(case: Case) -> Iterator[Finding]:
    """Threads of the target that waited for a CPU, where no CPU limit explains it."""
    if _facts.bad(case, semconv.CONTAINER_CPU_THROTTLED):
        return
    for evidence, trace in _kernel.traces(case, "run-queue"):
        seconds = trace.observed.seconds
        limited = sum(r.total_s or 0.0 for r in trace.rows if r.result == "throttled")
        # What a limit stopped is cpu-throttled.
        waited = [
            r
            for r in trace.rows
            if r.what == _WAITED
            and r.threads is None  # of many threads together it shows nothing of one
            and (r.total_s or 0.0) - limited >= _HELD_UP * seconds
        ]
        others = [r for r in trace.rows if r.result == "ran instead" and "idle" not in r.what]
        if not waited or seconds < _kernel.LEAST_S:
            continue
        worst = max(waited, key=lambda r: r.total_s or 0.0)
        who = max(others, key=lambda r: r.total_s or 0.0, default=None)
        says = (
            f"{worst.thread} waited {duration(worst.total_s)} of {seconds:.1f} s for a CPU, in"
            f" {count(worst.count, 'wait')} (p99 {duration(worst.p99_s)}, longest {duration(worst.max_s)})"
        )
        supports = [_kernel.support(evidence, says)]
        if who is not None:
            words = f"{who.what} ran instead for {duration(who.total_s)} of that"
            supports.append(_kernel.support(evidence, words))
        yield _kernel.finding(
            "cpu-saturation",
            case,
            f"Threads wait to run: {worst.thread} for {share(worst.total_s or 0.0, seconds)} of the time"
            + (f", most behind {who.what}" if who is not None else ""),
            supports,
            next_commands=("top -H -b -n 1", "cat /proc/pressure/cpu"),
        )


def _from_readings(case: Case) -> Iterator[Finding]:
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


def _from_history(case: Case) -> Iterator[Finding]:
    """CPU that rose to its limit, or time in which something waited for a CPU that rose."""
    for evidence, found in _history.histories(case):
        for used in _history.risen(found, "cpu of limit", "cpu"):
            share = _history.share_of(used)
            waits = used.metric.endswith("waiting_seconds") and (used.after or 0.0) >= _HELD_UP
            usage = used.metric.endswith("cpu_usage") and (used.after or 0.0) >= _MOST_BUSY
            if not waits and not usage and (share is None or share < _MOST_BUSY):
                continue
            yield _history.finding(
                "cpu-saturation", evidence, found,
                f"CPU of {_history.name_of(used)} rose: {amount(used.before, used.unit)} → {amount(used.after, used.unit)}",
                [signal_words(used)], values=used.subject,
            )  # fmt: skip
