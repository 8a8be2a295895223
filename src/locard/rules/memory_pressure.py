"""Memory is short: on the host, or within the limit of the target's cgroup.

Pattern: little is available, or a cgroup's working set nears its limit; reclaim and swap slow
  everything that allocates, and an OOM kill is next.
Evidence: MemAvailable, memory pressure (PSI), swap, working set against the cgroup's limit.
Against: little available without pressure: the kernel may still reclaim without anyone waiting.
Next: see who holds the memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import reading_words, semconv
from locard.model.finding import Support
from locard.rules import _facts, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding

_SHORT = (
    semconv.SYSTEM_MEMORY_AVAILABLE,
    semconv.CONTAINER_WORKING_SET,
    semconv.SYSTEM_MEMORY_PRESSURE,
)
_ALSO = (semconv.SYSTEM_PAGING_UTILIZATION, semconv.SYSTEM_MEMORY_DIRTY)


def judge(case: Case) -> Iterator[Finding]:
    """One finding if something is short of memory."""
    bad = _facts.bad(case, *_SHORT)
    if not bad:
        return
    pressed = [r for e, r in bad if r.name == semconv.SYSTEM_MEMORY_PRESSURE]
    at_limit = [
        r for e, r in bad if r.name == semconv.CONTAINER_WORKING_SET and r.verdict == "critical"
    ]
    calm = [
        Support(e.id, e.layer, f"nobody waits for it: {reading_words.words(r)}")
        for e, r in _facts.readings(case, semconv.SYSTEM_MEMORY_PRESSURE)
        if r.verdict == "ok" and r.subject == "system" and not pressed
    ]
    stalled = any(r.verdict == "critical" for r in pressed)
    yield _readings.finding(
        "memory-pressure",
        f"Memory is short: {reading_words.words(bad[0][1])}",
        (*bad, *_facts.bad(case, *_ALSO)),
        mechanism=stalled or bool(at_limit),
        against=tuple(calm),
        next_commands=(
            "ps -eo pid,rss,comm --sort=-rss",
            "cat /proc/meminfo /proc/pressure/memory",
        ),
    )
