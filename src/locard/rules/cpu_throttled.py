"""The kernel holds the target back: its cgroup used up its CPU quota.

Pattern: the threads of a cgroup use their quota early in a period (mostly 100 ms) and are stopped
  until the next one; whatever they do takes longer, while the host has CPU to spare.
Evidence: the share of periods in which the group, or one above it, was throttled between two
  readings of cpu.stat; logs in which requests got slower meanwhile.
Against: the group was throttled as much ever since it was made, so that it explains no change; the
  logs show no change of latency.
Next: see the quota and what uses it; raising it is a change for the usual process.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.evidence import Layer
from locard.model.finding import Support
from locard.model.log_facts import LogSummary
from locard.rules import _facts, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding

_AS_EVER = 0.8  # of the present share: a service that was always throttled as much


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the cgroup that is throttled most; all that are stand in its supports."""
    bad = _facts.bad(case, semconv.CONTAINER_CPU_THROTTLED)
    if not bad:
        return
    bad.sort(key=lambda item: -item[1].value)
    worst = bad[0][1]
    slower, same = _logs(case)
    against = (*_as_ever(case, worst.subject, worst.value), *(() if slower else same))
    group = worst.subject.removeprefix("cgroup ")
    yield _readings.finding(
        "cpu-throttled",
        f"The CPU quota of {worst.subject} stops it in {worst.value:.0%} of the periods",
        bad,
        mechanism=worst.verdict == "critical" and bool(slower) and not against,
        extra=slower,
        against=against,
        next_commands=(f"grep -s '' {shlex.quote(f'/sys/fs/cgroup{group}')}/cpu.*",),
    )


def _as_ever(case: Case, subject: str, share: float) -> Iterator[Support]:
    for evidence, reading in _facts.readings(case, semconv.CONTAINER_CPU_THROTTLED_LIFETIME):
        if reading.subject == subject and reading.value >= _AS_EVER * share:
            says = f"that is nothing new: {reading.value:.1%} {reading.detail}"
            yield Support(evidence.id, evidence.layer, says)


def _logs(case: Case) -> tuple[tuple[Support, ...], tuple[Support, ...]]:
    """What the logs say of latency: for and against."""
    slower, same = [], []
    for evidence, summary in case.facts(LogSummary):
        if "latency" in summary.changed:
            says = "requests got slower at the onset"
            slower.append(Support(evidence.id, Layer.LOGS, says))
        else:
            says = "the logs show no change of latency"
            same.append(Support(evidence.id, Layer.LOGS, says))
    return tuple(slower), tuple(same)
