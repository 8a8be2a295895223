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
from locard.model.kernel_words import duration
from locard.model.waits import kernel_work
from locard.model.wording import count
from locard.rules import _kernel, _waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.facts import ThreadState
    from locard.model.finding import Case

_SYNCS = frozenset({"fsync", "fdatasync", "sync_file_range", "msync", "sync", "syncfs"})
_LEAST_SHARE = 0.3  # of the observations of threads at work
_STORAGE_CALLS = _SYNCS | frozenset(
    {"read", "write", "pread64", "pwrite64", "readv", "writev", "preadv", "pwritev", "preadv2", "pwritev2",
     "ftruncate", "fallocate"}
)  # fmt: skip
_LEAST_CALLS = 3
_SLOW_S = 0.02  # on average: a spinning disk seeks in ten
_LEAST_TIME = 0.1  # of the time that was looked at
_NOT_A_DISK = ("tcp ", "udp ", "unix ", "pipe", "socket")


def judge(case: Case) -> Iterator[Finding]:
    """One finding if threads at work mostly wait for storage; else one for each file that was slow."""
    found = list(_from_states(case))
    yield from found or _from_calls(case)


def _from_calls(case: Case) -> Iterator[Finding]:
    """Calls on one file that are slow by their own count, and take much of the time."""
    for evidence, calls in _kernel.calls(case):
        for row in calls.files:
            took, seconds = row.total_s or 0.0, calls.observed.seconds
            if (
                _kernel.kind(row) not in {"file", "block device"}
                or row.result not in _STORAGE_CALLS
            ):
                continue
            if (
                row.count < _LEAST_CALLS
                or took < _LEAST_TIME * seconds
                or took < _SLOW_S * row.count
            ):
                continue
            device = row.detail.partition(", on ")[2].partition(",")[0]
            says = (
                f"{count(row.count, 'call')} of {row.result} on {row.what} took"
                f" {duration(took / row.count)} on average (median {duration(row.p50_s)}, longest"
                f" {duration(row.max_s)}), {duration(took)} of {seconds:.1f} s"
            )
            yield _kernel.finding(
                "slow-syscall-disk",
                case,
                f"{row.result} on {row.what} takes {duration(row.p50_s)}{f', on {device}' if device else ''}",
                [_kernel.support(evidence, says), *_seen(case, row.what)],
                values=(("file", row.what), ("call", row.result)),
                next_commands=(
                    f"locard trace fsync pid/{row.pid}",
                    f"locard trace disk-latency pid/{row.pid}",
                ),
            )


def _seen(case: Case, path: str) -> Iterator[Support]:
    """Threads that were seen waiting for that file."""
    for evidence, waits in _kernel.waits(case):
        here = [w for w in waits.threads if w.state == "D" and path in w.what]
        if here:
            top = max(here, key=lambda w: w.share)
            says = f"{top.thread} was seen in state D in {top.call} on it {share(top.share, 1.0)} of the time"
            yield _kernel.support(evidence, says)


def _from_states(case: Case) -> Iterator[Finding]:
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
