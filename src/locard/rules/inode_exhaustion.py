"""A file system that the target writes to has no inodes left, though there may be space.

Pattern: creating a file fails with ENOSPC while `df` shows free space: millions of small files
  (sessions, caches, mail) took all inodes.
Evidence: free inodes of the file systems that the target has open for writing; "No space left on
  device" in the log.
Against: there are inodes left, and the log tells of no write that failed.
Next: count files by folder.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.rules import _disk, _facts, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding

_OVER = 0.995
_MOST = 4


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each file system that has hardly an inode left, the fullest first."""
    bad = _facts.bad(case, semconv.SYSTEM_FILESYSTEM_INODES)
    bad.sort(key=lambda item: -item[1].value)
    said = tuple(_disk.messages(case))
    writes = "" if case.target.startswith("host/") else ", which the target writes to"
    for evidence, reading in bad[:_MOST]:
        where = shlex.quote(_disk.mount(reading))
        yield _readings.finding(
            "inode-exhaustion",
            f"{reading.value:.0%} of the inodes of {reading.subject} are used{writes}",
            [(evidence, reading)],
            mechanism=reading.value >= _OVER or (bool(said) and reading.verdict == "critical"),
            extra=said,
            next_commands=(f"df -i {where}", f"du -x --inodes --max-depth=2 {where}"),
        )
