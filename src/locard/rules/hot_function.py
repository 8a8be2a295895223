"""Busy threads burn CPU in one function: the code itself is slow, nothing that it waits for.

Pattern: a computation takes long, and each worker that runs it is gone for everyone else meanwhile.
Evidence: most busy observations run in one function of the application; its share of the samples of a profile, with
  what may be chance; processes that use a CPU each; requests that wait to be accepted, or that got slower.
Against: the processes use little CPU.
Next: a profile of that process; what changed in that function or in its input.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.headline import share
from locard.model.stacks import application_frame, short_path
from locard.rules import _facts, _kernel, _waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case
    from locard.rules._waits import Seen

_LEAST_SHARE = 0.5  # of the busy observations
_LEAST_SAMPLES = 20  # of a profile
_BUSY_CPUS = 0.4  # CPUs that they use together; on a machine that is full they get no more


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the function in which most of what is busy computes."""
    seen = _waits.busy(case)
    places: Counter[tuple[str, str]] = Counter()
    for one in seen:
        if (
            one.stack is not None
            and one.stack.active
            and (frame := application_frame(one.stack.frames))
        ):
            places[_facts.enclosing(frame.function), frame.file] += 1
    if not places:
        return
    (function, file), count = places.most_common(1)[0]
    often = count >= _waits.LEAST and count >= _LEAST_SHARE * len(seen)
    # A few looks at who is busy also meet who waits for its turn: a profile has the larger share of the CPU.
    if not often and not any(_profiled(case, function, file)):
        return
    trouble = _waits.trouble(case)
    burning = list(_burning(case, seen, function))
    if not (trouble and burning):
        return
    first = next(s for s in seen if s.stack is not None)
    place = f"{function} ({_facts.short(file)})"
    says = (
        f"{count} of {len(seen)} observations of busy threads ({share(count, len(seen))}) run in "
        f"{place}"
    )
    sampled = _sampled(case, function, file)
    supports = [Support(first.evidence, first.layer, says), *sampled, *burning, *trouble[:2]]
    yield Finding(
        rule="hot-function",
        layer=first.layer,
        role=Role.MECHANISM,
        severity=Severity.CRITICAL,
        title=f"Busy threads burn CPU in {place}",
        detail="; ".join(s.says for s in supports),
        supports=tuple(supports),
        values=((semconv.CODE_FILE, file), (semconv.CODE_FUNCTION, function)),
        next_commands=tuple(
            command
            for pid in [s.pid for s in seen if s.stack and s.stack.active][:1]
            for command in (
                f"locard profile pid/{pid} --for 10s",
                _facts.watch_command(pid, file, function),
            )
        ),
    )


def _sampled(case: Case, function: str, file: str) -> Iterator[Support]:
    """The function's share of a profile of who is on a CPU, with the interval that chance leaves (95 %)."""
    name = f"{function} ({short_path(file)}:"
    for evidence, trace in _kernel.traces(case, "profile"):
        total = round(sum(s.value for s in trace.stacks))
        hits = round(
            sum(s.value for s in trace.stacks if any(f.startswith(name) for f in s.frames))
        )
        if hits and total >= _LEAST_SAMPLES:
            low, high = _by_chance(hits, total)
            says = (
                f"{hits:,} of {total:,} samples ({share(hits, total)}, by chance {low:.0%} to {high:.0%}) of a profile"
                f" of {trace.observed.seconds:.1f} s are in it or in what it calls"
            )
            yield Support(evidence.id, evidence.layer, says)


def _profiled(case: Case, function: str, file: str) -> Iterator[bool]:
    """For each profile that computes mostly in a function itself: True."""
    name = f"{function} ({short_path(file)}:"
    for _, trace in _kernel.traces(case, "profile"):
        total = sum(s.value for s in trace.stacks)
        own = sum(s.value for s in trace.stacks if s.frames[-1].startswith(name))
        if total >= _LEAST_SAMPLES and own >= _LEAST_SHARE * total:
            yield True


def _by_chance(hits: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; rules import no statistics."""
    z2 = 1.96**2
    middle, spread = hits + z2 / 2, 1.96 * math.sqrt(hits * (total - hits) / total + z2 / 4)
    return (middle - spread) / (total + z2), (middle + spread) / (total + z2)


def _burning(case: Case, seen: list[Seen], function: str) -> Iterator[Support]:
    """The CPU of the processes that were seen in it."""
    pids = {
        s.pid
        for s in seen
        if s.stack
        and s.stack.active
        and (frame := application_frame(s.stack.frames))
        and _facts.enclosing(frame.function) == function
    }
    used = [
        (e, r)
        for e, r in _facts.readings(case, semconv.PROCESS_CPU_UTILIZATION)
        if r.subject.removeprefix("pid ").isdigit() and int(r.subject.removeprefix("pid ")) in pids
    ]
    total = sum(r.value for _, r in used)
    if used and total >= _BUSY_CPUS:
        names = ", ".join(f"{r.subject}: {r.value:.2f}" for _, r in used[:4])
        yield Support(
            used[0][0].id, used[0][0].layer, f"these processes use {total:.2f} CPUs ({names})"
        )
