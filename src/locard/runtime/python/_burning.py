"""Which processes use their CPU: by a few looks at the states of their threads, before they are profiled."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from locard.guard.command import Wait
from locard.model import thread_records

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.guard.command import Template
    from locard.model.evidence import Output
    from locard.probe import Step

LOOKS = 5
PAUSE_S = 0.15
_LEAST = 4  # looks at which a thread is on a CPU or waits for one


def burning(kernel: Template, pids: Sequence[int]) -> Generator[Step, Output, tuple[int, ...]]:
    """Those of the processes in which a thread runs at nearly every look, the busiest first; all in a dry run."""
    running: Counter[int] = Counter()
    for number in range(LOOKS):
        if number:
            yield Wait(PAUSE_S)
        output = yield kernel.fill(pid=tuple(pids))
        if output.exit_code is None and not output.stdout:
            return tuple(pids)
        records = list(thread_records.records(output.text))
        running.update({r["pid"] for r in records if r.get("state") == "R" and "pid" in r})
    return tuple(pid for pid, looks in running.most_common() if looks >= _LEAST)
