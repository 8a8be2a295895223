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


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the file system with the fewest inodes left."""
    bad = _facts.bad(case, semconv.SYSTEM_FILESYSTEM_INODES)
    if not bad:
        return
    bad.sort(key=lambda item: -item[1].value)
    worst = bad[0][1]
    said = tuple(_disk.messages(case))
    where = shlex.quote(_disk.mount(worst))
    yield _readings.finding(
        "inode-exhaustion",
        f"{worst.value:.0%} of the inodes of {worst.subject} are used, which the target writes to",
        bad,
        mechanism=worst.value >= _OVER or (bool(said) and worst.verdict == "critical"),
        extra=said,
        next_commands=(f"df -i {where}", f"du -x --inodes --max-depth=2 {where}"),
    )
