"""A file is read or written in tiny pieces: each byte or line costs a system call.

Pattern: a loop reads or writes a file a few bytes at a time without a buffer; the time goes into system
  calls, not into the disk.
Evidence: hundreds of calls a second on one file that move less than 128 bytes each on average, against
  all other transfers of the target.
Against: tiny transfers in pipes, sockets and events are how threads wake each other: no file, no finding.
Next: read the code that reads that file; a buffer of 64 KiB saves nearly all of the calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.headline import share
from locard.model.kernel_words import size
from locard.model.wording import count
from locard.rules import _kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding
    from locard.model.kernel_facts import Row

_LEAST_RATE = 200.0  # calls a second on one file
_TINY = 128.0  # bytes a call on average
_TRANSFERS = frozenset(
    {"read", "write", "pread64", "pwrite64", "readv", "writev", "preadv", "pwritev", "preadv2", "pwritev2"}
)  # fmt: skip


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each file and direction."""
    for evidence, found in _kernel.calls(case):
        every = [r for r in found.files if r.result in _TRANSFERS and _kernel.kind(r) == "file"]
        for row in every:
            mean = (row.bytes or 0) / row.count if row.count else 0.0
            rate = _kernel.each_second(row, found.observed.seconds)
            if rate < _LEAST_RATE or mean >= _TINY:
                continue
            says = (
                f"{count(row.count, 'call')} of {row.result} on {row.what} in"
                f" {found.observed.seconds:.1f} s move {size(row.bytes or 0)}:"
                f" {share(row.count, sum(r.count for r in every))} of the calls on files,"
                f" {share(row.bytes or 0, sum(r.bytes or 0 for r in every))} of the bytes"
            )
            yield _kernel.finding(
                "unbuffered-io",
                case,
                f"{row.what} is {_verb(row)} {_piece(mean)} at a time, {rate:,.0f} times a second",
                [_kernel.support(evidence, says)],
                values=(("file", row.what),),
                next_commands=(f"locard trace off-cpu pid/{row.pid}",) if row.pid else (),
            )


def _verb(row: Row) -> str:
    return "read" if "read" in row.result else "written"


def _piece(mean: float) -> str:
    return "a byte" if mean <= 1.5 else f"{mean:.0f} bytes"  # noqa: PLR2004 - with an end of file among them
