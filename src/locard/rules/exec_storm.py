"""Short programs are started again and again: CPU that no process owns when one looks.

Pattern: a health check, a hook or an agent runs a shell line for each of many small things; top shows
  nothing, since each lives for milliseconds.
Evidence: programs started a second below one ancestor, by path, with their lives and CPU; failed
  attempts along PATH apart.
Against: forks without a program of their own; a few starts.
Next: which code starts them; a library call or one long-lived helper in their place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.kernel_words import duration
from locard.model.wording import count
from locard.rules import _kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding

_LEAST_RATE = 5.0  # programs a second
_LEAST = 10


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the target's descendants."""
    for evidence, trace in _kernel.traces(case, "exec"):
        started = [r for r in trace.rows if r.result == "ok"]
        number, seconds = sum(r.count for r in started), trace.observed.seconds
        if number < max(_LEAST, _LEAST_RATE * seconds):
            continue
        top = sorted(started, key=lambda r: -r.count)[:3]
        failed = sum(r.count for r in trace.rows if r.result.startswith("E"))
        shown = ", ".join(f"{r.what} ({r.count}, {duration(r.p50_s)} each)" for r in top)
        says = f"{count(number, 'program')} started in {seconds:.1f} s: {shown}"
        if failed:
            says += f"; {count(failed, 'attempt')} found no program"
        yield _kernel.finding(
            "exec-storm",
            case,
            f"{number / seconds:.0f} programs a second are started, most often {top[0].what}",
            [_kernel.support(evidence, says)],
            values=(("program", top[0].what),),
            next_commands=(f"locard trace exec pid/{_kernel.pid_of(top)}",) if top[0].pid else (),
        )
