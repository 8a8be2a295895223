"""The target's memory grows while locard looks.

Pattern: what is allocated is kept (a list at module level, a cache without bound, listeners never
  removed); the process grows with its traffic until the limit, then it is killed or swaps.
Evidence: objects of one type that got more in each interval between several looks and stayed, with the module or
  class that holds them through containers without a bound (locard heap); private memory of each process at two
  moments of the look; the working set of its cgroup against the limit; kills for memory.
Against: it is far from any limit: a warm-up and a cache that fills grow as well; a short look; a young process.
Next: look again in a minute: a leak goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import heap_words, semconv
from locard.model.evidence import Layer
from locard.model.facts import MemoryUse, RuntimeCoverage
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.heap_facts import HeapGrowth
from locard.model.history_words import amount, percent, signal_words
from locard.model.moments import moment
from locard.rules import _facts, _history, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.facts import Reading
    from locard.model.finding import Case
    from locard.model.heap_facts import Holding

_LEAST_S = 1.0  # between the two readings
_LEAST_BYTES = 4 << 20
_LEAST_TYPED = 1 << 20  # of what grows by type
_LEAST_RATE = 1 << 20  # bytes a second
_LEAST_SHARE = 0.02  # of what it held
_NEAR = 0.8  # of the limit
_LEAST_GROWN = 0.2  # of what it was, over hours
_MIB = 1 << 20
_LEAST_LOOKS = 3  # two cannot tell steady growth from a step
_SHORT_S = 60.0  # a look that is shorter cannot tell a leak from what fills up
_YOUNG_S = 120.0  # a process that may still warm up


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each process whose growing type has a holder, else for the process that grows fastest."""
    yield from _history.joined(_elsewhere(case), _from_history(case))


def _elsewhere(case: Case) -> Iterator[Finding]:
    """What the other layers say of it."""
    typed = list(_typed(case))
    yield from typed or _of_processes(case)


def _typed(case: Case) -> Iterator[Finding]:
    """What grows by type, and who holds it."""
    pressed = _pressed(case)
    for evidence, heap in case.facts(HeapGrowth):
        if len(heap.looks) < _LEAST_LOOKS:
            continue
        first = heap_words.leading(heap)
        if first is None and heap.compared and not heap.collector_on:
            yield from _garbage(evidence, heap)
        if first is None or first.holding is None or not heap.compared:
            continue
        others = [t for t in heap_words.steady(heap) if t is not first]
        chain = heap_words.chain(first.holding, first.name)
        says = [
            f"{heap_words.headline(heap)}, in each of {len(heap.looks) - 1} intervals",
            f"held by {chain}",
        ]
        supports = [Support(evidence.id, evidence.layer, words) for words in says]
        with_it = [heap_words.grown(t) for t in others if heap_words.is_own(t.name) or t.through]
        also = f"; {', '.join(with_it[:3])} as well" if with_it else ""
        yield Finding(
            rule="memory-leak",
            layer=evidence.layer,
            role=Role.MECHANISM,
            severity=Severity.CRITICAL if pressed else Severity.WARNING,
            title=f"Memory grows: {heap_words.grown(first)}, held by {_holder(first.holding)}{also}",
            detail="; ".join((*says, heap_words.memory(heap))),
            supports=(*supports, *_of_process(case, heap.pid), *_readings.supports(pressed)),
            against=tuple(_against(evidence, heap, first.holding)),
            next_commands=(f"locard heap pid/{heap.pid} --for 2m",),
        )


def _garbage(evidence: Evidence, heap: HeapGrowth) -> Iterator[Finding]:
    """What holds one another only, while nothing collects it."""
    types = sorted((t for t in heap.types if heap_words.waits(t)), key=lambda t: -t.per_s)
    types.sort(key=lambda t: not heap_words.is_own(t.name))
    if not types:
        return
    names = ", ".join(heap_words.grown(t) for t in types[:3])
    says = (f"{names}, held by one another only", heap_words.collector(heap))
    against = "a program that calls gc.collect() itself frees them then"
    yield Finding(
        rule="memory-leak",
        layer=evidence.layer,
        role=Role.MECHANISM,
        severity=Severity.WARNING,
        title=f"Memory grows: {names} hold one another while the garbage collector is off",
        detail="; ".join((*says, heap_words.memory(heap))),
        supports=tuple(Support(evidence.id, evidence.layer, words) for words in says),
        against=(Support(evidence.id, evidence.layer, against),),
        next_commands=(f"locard heap pid/{heap.pid} --for 2m",),
    )


def _holder(holding: Holding) -> str:
    """The last container of a chain, the instance that has it, and what names it."""
    root = heap_words.root(holding)
    at = [n for n, s in enumerate(holding.steps) if s.items is not None]
    if not at:
        return root
    container, *above = holding.steps[at[-1] :]
    owner = next((f" in {heap_words.step(s)}," for s in above if s.attribute), "")
    return f"{heap_words.step(container)}{owner or ' of'} {root}"


def _of_process(case: Case, pid: int) -> Iterator[Support]:
    """The private memory of one process at two moments, where it grew."""
    uses = [
        (evidence, use.at, process.private)
        for evidence, use in case.facts(MemoryUse)
        for process in use.processes
        if process.pid == pid
    ]
    if len(uses) > 1:
        (_, then, before), (evidence, at, now) = (
            min(uses, key=lambda u: u[1]),
            max(uses, key=lambda u: u[1]),
        )
        if at - then >= _LEAST_S and now - before >= _LEAST_TYPED:
            words = _words((now - before, pid, before, now), at - then)
            yield Support(evidence.id, Layer.HOST, f"private memory grew: {words}")


def _against(evidence: Evidence, heap: HeapGrowth, holding: Holding) -> Iterator[Support]:
    never_full = any(s.cache and s.most is None for s in holding.steps)
    if heap.seconds < _SHORT_S and not never_full:
        says = f"seen over {heap.seconds:.0f} s: what fills up to a bound looks the same until then"
        yield Support(evidence.id, evidence.layer, says)
    if holding.root == "frame":
        says = f"a variable of {holding.name} holds it: it ends with that function"
        yield Support(evidence.id, evidence.layer, says)
    if heap.age_s < _YOUNG_S:
        says = f"the process was {heap.age_s:.0f} s old: a warm-up looks the same"
        yield Support(evidence.id, evidence.layer, says)


def _pressed(case: Case) -> list[tuple[Evidence, Reading]]:
    """Memory near its limit, kills for memory."""
    near = [
        (e, r)
        for e, r in _facts.readings(case, semconv.CONTAINER_WORKING_SET)
        if r.limit and r.value >= _NEAR * r.limit
    ]
    kills = [(e, r) for e, r in _facts.bad(case, semconv.SYSTEM_OOM_KILLS) if r.of == "target"]
    return [*near, *kills]


def _of_processes(case: Case) -> Iterator[Finding]:
    """The process that grows fastest."""
    uses = sorted(case.facts(MemoryUse), key=lambda pair: pair[1].at)
    if len(uses) < 2:  # noqa: PLR2004 - then and now
        return
    (_, first), (evidence, last) = uses[0], uses[-1]
    seconds = last.at - first.at
    then = {p.pid: p.private for p in first.processes}
    grown = [
        (p.private - then[p.pid], p.pid, then[p.pid], p.private)
        for p in last.processes
        if p.pid in then
        and p.private - then[p.pid] >= max(_LEAST_BYTES, _LEAST_SHARE * then[p.pid])
    ]
    grown = [g for g in grown if seconds >= _LEAST_S and g[0] / seconds >= _LEAST_RATE]
    if not grown:
        return
    grown.sort(reverse=True)
    supports = [Support(evidence.id, Layer.HOST, _words(g, seconds)) for g in grown[:4]]
    pressed = _pressed(case)
    says = "it is far from any limit that was read; a cache that fills grows as well"
    mechanism = bool(pressed)
    yield Finding(
        rule="memory-leak",
        layer=Layer.HOST,
        role=Role.MECHANISM if mechanism else Role.CONTEXT,
        severity=Severity.CRITICAL if mechanism else Severity.INFO,
        title=f"Memory grows: {_words(grown[0], seconds)}",
        detail="; ".join(s.says for s in supports),
        supports=(*supports, *_readings.supports(pressed)),
        against=() if mechanism else (Support(evidence.id, Layer.HOST, says),),
        next_commands=(
            *_by_type(case, grown[0][1]),
            f"grep -E 'RssAnon|VmSwap' /proc/{grown[0][1]}/status",
            "ps -eo pid,rss,comm --sort=-rss",
        ),
    )


def _by_type(case: Case, pid: int) -> Iterator[str]:
    """What tells of which type it is, where that is known to be read."""
    processes = (p for _, c in case.facts(RuntimeCoverage) for p in c.processes)
    if any(p.pid == pid and p.runtime.startswith("CPython 3") for p in processes):
        yield f"locard heap pid/{pid} --for 1m"


def _words(grown: tuple[int, int, int, int], seconds: float) -> str:
    more, pid, before, now = grown
    return (
        f"pid {pid} by {more / seconds / _MIB:.1f} MiB/s, {before / _MIB:.0f} to "
        f"{now / _MIB:.0f} MiB within {seconds:.1f} s"
    )


def _from_history(case: Case) -> Iterator[Finding]:
    """What a process itself holds grew steadily: page cache and working set alone are no leak."""
    for evidence, found in _history.histories(case):
        for grown in _history.risen(found, "rss", "heap", "memory"):
            before, after = grown.before or 0.0, grown.after or 0.0
            if grown.shape != "ramp" or after < before * (1 + _LEAST_GROWN):
                continue
            share = _history.share_of(grown)
            supports = [signal_words(grown)]
            supports += [signal_words(s) for s in _history.risen(found, "memory stalls")][:1]
            if grown.ended:
                supports.append(f"it ended at {moment(grown.ended)}: {grown.detail}")
            near = f", {percent(share)} of the limit" if share is not None else ""
            yield _history.finding(
                "memory-leak", evidence, found,
                f"Memory grows: {grown.metric} of {_history.name_of(grown)} from {amount(before, grown.unit)} to {amount(after, grown.unit)}{near}",
                supports, values=grown.subject,
                against=() if share is None or share >= _NEAR else ("it is far from its limit: what fills a cache grows as well",),
            )  # fmt: skip
