"""Memory is short: on the host, or within the limit of the target's cgroup.

Pattern: little is available, or a cgroup's working set nears its limit; reclaim and swap slow
  everything that allocates, and an OOM kill is next. Or a cgroup is above its memory.high with nothing
  left to reclaim: it is held back until it stands still, and no kill ends that.
Evidence: MemAvailable, memory pressure (PSI), swap, working set against the cgroup's limit; memory.high
  with the count of times that it held the group back, and how long its tasks waited.
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

    from locard.model.facts import Reading
    from locard.model.finding import Case, Finding

_SHORT = (
    semconv.SYSTEM_MEMORY_AVAILABLE,
    semconv.CONTAINER_WORKING_SET,
    semconv.CONTAINER_MEMORY_HIGH,
    semconv.SYSTEM_MEMORY_PRESSURE,
)
_CALM = 5.0  # per cent: below, nobody waits
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
    held = [(e, r) for e, r in bad if r.name == semconv.CONTAINER_MEMORY_HIGH]
    bad = [*held, *(pair for pair in bad if pair not in held)]
    calm = [
        Support(e.id, e.layer, f"nobody waits for it: {reading_words.words(r)}")
        for e, r in _facts.readings(case, semconv.SYSTEM_MEMORY_PRESSURE)
        if r.verdict == "ok" and r.value < _CALM and r.subject == "system" and not pressed
    ]
    stalled = any(r.verdict == "critical" for r in pressed)
    yield _readings.finding(
        "memory-pressure",
        _title(bad[0][1]),
        (*bad, *_facts.bad(case, *_ALSO)),
        mechanism=stalled or bool(at_limit) or any(r.verdict == "critical" for _, r in held),
        extra=tuple(_has_room(case)) if _of_groups(bad) else (),
        against=tuple(calm),
        next_commands=(
            "ps -eo pid,rss,comm --sort=-rss",
            *(("systemd-cgtop --order=memory --iterations=1",) if held else ()),
            "cat /proc/meminfo /proc/pressure/memory",
        ),
    )


def _title(reading: Reading) -> str:
    if reading.name != semconv.CONTAINER_MEMORY_HIGH or reading.limit is None:
        return f"Memory is short: {reading_words.words(reading)}"
    high = reading_words.amount(reading.limit, reading.unit)
    return f"{reading.subject} is held back at its memory.high of {high}: {reading.detail}"


def _of_groups(bad: list[_readings.Bad]) -> bool:
    return all(r.subject.startswith("cgroup ") for _, r in bad)


def _has_room(case: Case) -> Iterator[Support]:
    """That the machine itself has memory, which is why nobody sees it there."""
    for evidence, reading in _facts.readings(case, semconv.SYSTEM_MEMORY_AVAILABLE):
        if reading.verdict == "ok":
            says = f"the machine itself has memory: {reading_words.words(reading)}"
            yield Support(evidence.id, evidence.layer, says)
