"""Threads stall on memory: pages are read back from disk before they can go on.

Pattern: memory is short or a limit is near; code and data that were dropped or swapped out are read again
  and again, and threads sit in state D without a system call.
Evidence: threads seen in page faults (state D, no call); major faults by file, with their time.
Against: minor faults, which no disk is asked for; a few major ones at the start of a program.
Next: memory limit and pressure; what was evicted; swap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.headline import share
from locard.model.kernel_words import duration
from locard.model.wording import count, verb
from locard.rules import _kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding

_LEAST_SHARE = 0.1  # of a thread's time
_LEAST_LOOKS = 4
_LEAST_MAJOR = 20.0  # a second


def judge(case: Case) -> Iterator[Finding]:
    """One finding for what looks and counts agree on."""
    supports, files = [], ""
    for evidence, found in _kernel.waits(case):
        stalled = [w for w in found.threads if w.state == "D" and not w.call and "page" in w.doing]
        looks = sum(w.looks for w in stalled)
        worst = max((w.share for w in stalled), default=0.0)
        if looks >= _LEAST_LOOKS and worst >= _LEAST_SHARE:
            number = len({w.tid for w in stalled})
            threads, were = count(number, "thread"), verb(number, "was", "were")
            says = (
                f"{threads} of the target {were} seen in page faults that wait for a disk, one for"
                f" {share(worst, 1.0)} of the time"
            )
            supports.append(_kernel.support(evidence, says))
    for evidence, trace in _kernel.traces(case, "page-faults"):
        major = [r for r in trace.rows if r.result == "major"]
        number = sum(r.count for r in major)
        seconds = trace.observed.seconds
        if seconds <= 0 or number < _LEAST_MAJOR * seconds:
            continue
        top = max(major, key=lambda r: r.count)
        files = top.what
        took = f", {duration(sum(r.total_s or 0 for r in major))} in all" if top.total_s else ""
        says = f"{count(number, 'major fault')} in {seconds:.1f} s, most in {top.what}{took}"
        supports.append(_kernel.support(evidence, says))
    if supports:
        yield _kernel.finding(
            "page-fault-stalls",
            case,
            f"Threads wait for pages to be read back from disk{f', most of {files}' if files else ''}",
            supports,
            next_commands=("cat /proc/pressure/memory", "vmstat 1 5"),
        )
