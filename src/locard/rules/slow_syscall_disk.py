"""Threads wait for the disk: in fsync, in a write or a read that blocks.

Pattern: storage is slow or throttled; whatever must be on it before an answer goes out waits.
Evidence: busy threads in state D or in fsync, with the file that they wait for; that the service is
  slow; the disk's own numbers.
Against: few of the busy threads do.
Next: latency and queue of that device; which other processes write to it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.facts import ThreadStates
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.headline import share
from locard.model.waits import kernel_work
from locard.rules import _waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.facts import ThreadState
    from locard.model.finding import Case

_SYNCS = frozenset({"fsync", "fdatasync", "sync_file_range", "msync", "sync", "syncfs"})
_LEAST_SHARE = 0.3  # of the observations of threads at work
_NOT_A_DISK = ("tcp ", "udp ", "unix ", "pipe", "socket")


def judge(case: Case) -> Iterator[Finding]:
    """One finding if threads at work mostly wait for storage."""
    trouble = _waits.trouble(case)
    for evidence, states in case.facts(ThreadStates):
        at_work = [s for s in states.states if kernel_work(s) == "busy"]
        waiting = [s for s in at_work if _waits_for_disk(s)]
        if len(waiting) < _waits.LEAST or len(waiting) < _LEAST_SHARE * len(at_work) or not trouble:
            continue
        calls = Counter(s.syscall or "the kernel" for s in waiting)
        files = Counter(s.waits_for for s in waiting if s.waits_for)
        call = calls.most_common(1)[0][0]
        where = f" ({files.most_common(1)[0][0]})" if files else ""
        says = (
            f"{len(waiting)} of {len(at_work)} observations of threads at work "
            f"({share(len(waiting), len(at_work))}) wait for storage, most in {call}{where}"
        )
        supports = (Support(evidence.id, Layer.KERNEL, says), *trouble[:2])
        yield Finding(
            rule="slow-syscall-disk",
            layer=Layer.KERNEL,
            role=Role.MECHANISM,
            severity=Severity.CRITICAL,
            title=f"Threads wait for the disk in {call}{where}",
            detail="; ".join(s.says for s in supports),
            supports=supports,
            next_commands=("iostat -x 1 3", "cat /proc/pressure/io"),
        )


def _waits_for_disk(state: ThreadState) -> bool:
    if state.syscall in _SYNCS:
        return True
    words = state.waits_for or ""
    return state.state == "D" and not words.startswith(_NOT_A_DISK)
