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
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.evidence import Layer
from locard.model.finding import Support
from locard.model.history_words import percent, signal_words
from locard.model.log_facts import LogSummary
from locard.rules import _facts, _history, _kernel, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.finding import Case, Finding

_HELD_UP = 0.1  # of the time that was looked at
_AS_EVER = 0.8  # of the present share: a service that was always throttled as much
_FEW = 0.3  # of the present share: then it is new
_COVERS = 1.25  # times the seconds since the onset: counters that hold less know nothing older


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the cgroup that is throttled most; all that are stand in its supports."""
    yield from _history.joined(_elsewhere(case), _from_history(case))


def _elsewhere(case: Case) -> Iterator[Finding]:
    """What the other layers say of it."""
    bad = _facts.bad(case, semconv.CONTAINER_CPU_THROTTLED)
    if not bad:
        yield from _from_kernel(case)
        return
    bad.sort(key=lambda item: -item[1].value)
    worst = bad[0][1]
    slower, same = _logs(case)
    before = _before(case, worst.subject, worst.value)
    new, ever = _judged(before, worst.value)
    against = (*ever, *(() if slower else same))
    group = worst.subject.removeprefix("cgroup ")
    yield _readings.finding(
        "cpu-throttled",
        f"The CPU quota of {worst.subject} stops it in {worst.value:.0%} of the periods",
        bad,
        mechanism=(worst.verdict == "critical" or bool(new)) and bool(slower) and not against,
        extra=(*new, *slower),
        against=against,
        next_commands=(f"grep -s '' {shlex.quote(f'/sys/fs/cgroup{group}')}/cpu.*",),
    )


def _from_kernel(case: Case) -> Iterator[Finding]:
    """What cpu.stat says beside the run queue of the target's threads."""
    for evidence, trace in _kernel.traces(case, "run-queue"):
        for row in trace.rows:
            held, seconds = row.total_s or 0.0, trace.observed.seconds
            if row.result != "throttled" or held < _HELD_UP * seconds:
                continue
            says = f"{row.what} stopped its threads {row.count} times, for {held:.2f} s in {seconds:.1f} s"
            yield _kernel.finding(
                "cpu-throttled",
                case,
                f"The {row.what} stops the target: {row.count} times in {seconds:.1f} s",
                [_kernel.support(evidence, says)],
                next_commands=("cat /sys/fs/cgroup/cpu.stat",),
            )


@dataclass(frozen=True, slots=True)
class _Before:
    """How much the group was throttled before the onset; `share` is None if it had no quota then."""

    evidence: Evidence
    share: float | None
    words: str


def _before(case: Case, subject: str, now: float) -> _Before | None:
    """What the counters hold less what came since the onset, at the present share.

    Periods are counted only under a quota: counters that reach back no further than the onset say
    that the quota was set then, and nothing of the time before.
    """
    found = [
        (e, r)
        for e, r in _facts.readings(case, semconv.CONTAINER_CPU_THROTTLED_LIFETIME)
        if r.subject == subject
    ]
    if not found:
        return None
    evidence, ever = found[0]
    counted = next(
        (
            r.value
            for _, r in _facts.readings(case, semconv.CONTAINER_CPU_QUOTA_TIME)
            if r.subject == subject
        ),
        None,
    )
    words = f"{ever.value:.1%} {ever.detail}"
    since = _since_onset(case)
    if counted is None or since is None:
        return _Before(evidence, ever.value, words)
    if counted <= _COVERS * since:
        says = f"its counters reach back {counted:.0f} s, the onset was {since:.0f} s ago"
        return _Before(evidence, None, says)
    share = (ever.value * counted - now * since) / (counted - since)
    return _Before(evidence, max(0.0, share), words)


def _since_onset(case: Case) -> float | None:
    """Seconds since the earliest onset in the logs."""
    onsets = [s.onset.earliest for _, s in case.facts(LogSummary) if s.onset is not None]
    return max(0.0, case.now - min(onsets)) if onsets else None


def _judged(before: _Before | None, now: float) -> tuple[tuple[Support, ...], tuple[Support, ...]]:
    """For: it began with the onset. Against: it was as much ever."""
    if before is None:
        return (), ()
    id_, layer = before.evidence.id, before.evidence.layer
    if before.share is None:
        return (Support(id_, layer, f"the quota is as new as the onset: {before.words}"),), ()
    if before.share >= _AS_EVER * now:
        return (), (Support(id_, layer, f"that is nothing new: {before.words}"),)
    if before.share <= _FEW * now:
        says = f"before the onset it was stopped in {before.share:.1%} of the periods"
        return (Support(id_, layer, says),), ()
    return (), ()


def _logs(case: Case) -> tuple[tuple[Support, ...], tuple[Support, ...]]:
    """What the logs say of latency: for and against."""
    slower = tuple(
        Support(evidence.id, Layer.LOGS, "requests got slower at the onset")
        for evidence, summary in case.facts(LogSummary)
        if "latency" in summary.changed
    )
    return slower, tuple(_facts.steady_logs(case, "the logs are steady: no change of latency"))


def _from_history(case: Case) -> Iterator[Finding]:
    """Periods that were throttled more from an onset on; the use of the limit is what hides it."""
    for evidence, found in _history.histories(case):
        for held in _history.risen(found, "throttled"):
            if (held.after or 0.0) < _HELD_UP:
                continue
            supports = [signal_words(held)]
            supports += [
                signal_words(s)
                for s in _history.risen(found, "throttled time")
                if _history.same_thing(s.subject, held.subject)
            ][:1]
            supports += [c.what for c in found.changes if c.kind == "limit" and "quota" in c.what][
                :1
            ]
            use = next(
                (
                    s
                    for s in found.signals
                    if s.resource == "cpu of limit" and _history.same_thing(s.subject, held.subject)
                ),
                None,
            )
            if use is not None and (share := _history.share_of(use)) is not None:
                supports.append(
                    f"used CPU is {percent(share)} of the limit, which hides it: a quota stops bursts"
                )
            of = f", {held.scope}" if " of " in held.scope else ""
            yield _history.finding(
                "cpu-throttled", evidence, found,
                f"The CPU quota stops {_history.name_of(held)} in {percent(held.after)} of the periods, {percent(held.before)} before{of}",
                supports, values=held.subject,
            )  # fmt: skip
