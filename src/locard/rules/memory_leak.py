"""The target's memory grows while locard looks.

Pattern: what is allocated is kept (a list at module level, a cache without bound, listeners never
  removed); the process grows with its traffic until the limit, then it is killed or swaps.
Evidence: private memory of each process at two moments of the look; the working set of its cgroup
  against the limit; kills for memory.
Against: it is far from any limit: a warm-up and a cache that fills grow as well.
Next: look again in a minute: a leak goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.evidence import Layer
from locard.model.facts import MemoryUse
from locard.model.finding import Finding, Role, Severity, Support
from locard.rules import _facts, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case

_LEAST_S = 1.0  # between the two readings
_LEAST_BYTES = 4 << 20
_LEAST_RATE = 1 << 20  # bytes a second
_LEAST_SHARE = 0.02  # of what it held
_NEAR = 0.8  # of the limit
_MIB = 1 << 20


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the process that grows fastest."""
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
    near = [
        (e, r)
        for e, r in _facts.readings(case, semconv.CONTAINER_WORKING_SET)
        if r.limit and r.value >= _NEAR * r.limit
    ]
    kills = [(e, r) for e, r in _facts.bad(case, semconv.SYSTEM_OOM_KILLS) if r.of == "target"]
    says = "it is far from any limit that was read; a cache that fills grows as well"
    mechanism = bool(near or kills)
    yield Finding(
        rule="memory-leak",
        layer=Layer.HOST,
        role=Role.MECHANISM if mechanism else Role.CONTEXT,
        severity=Severity.CRITICAL if mechanism else Severity.INFO,
        title=f"Memory grows: {_words(grown[0], seconds)}",
        detail="; ".join(s.says for s in supports),
        supports=(*supports, *_readings.supports([*near, *kills])),
        against=() if mechanism else (Support(evidence.id, Layer.HOST, says),),
        next_commands=(
            f"grep -E 'RssAnon|VmSwap' /proc/{grown[0][1]}/status",
            "ps -eo pid,rss,comm --sort=-rss",
        ),
    )


def _words(grown: tuple[int, int, int, int], seconds: float) -> str:
    more, pid, before, now = grown
    return (
        f"pid {pid} by {more / seconds / _MIB:.1f} MiB/s, {before / _MIB:.0f} to "
        f"{now / _MIB:.0f} MiB within {seconds:.1f} s"
    )
