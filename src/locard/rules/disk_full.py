"""A file system that the target writes to is full, or nearly.

Pattern: writes fail with ENOSPC: uploads, logs, temporary files, the database's journal; what only
  reads goes on as if nothing were.
Evidence: free space of the file systems that the target has open for writing; "No space left on
  device" in the log; deleted files that it still holds.
Against: there is space left, and the log tells of no write that failed.
Next: see what takes the space, and what is deleted but still open.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.rules import _disk, _facts, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding

_OVER = 0.995  # nothing fits any more


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the fullest file system; all that are full stand in its supports."""
    bad = _facts.bad(case, semconv.SYSTEM_FILESYSTEM_UTILIZATION)
    said = tuple(_disk.messages(case))
    if not bad:
        return
    bad.sort(key=lambda item: -item[1].value)
    worst = bad[0][1]
    held = _facts.bad(case, semconv.PROCESS_DELETED_FILES)
    extra = (*said, *_readings.supports([h for h in held if h[1].subject == worst.subject]))
    where = shlex.quote(_disk.mount(worst))
    yield _readings.finding(
        "disk-full",
        f"The file system {worst.subject} that the target writes to is {worst.value:.0%} full",
        bad,
        mechanism=worst.value >= _OVER or (bool(said) and worst.verdict == "critical"),
        extra=extra,
        next_commands=(
            *(("lsof +L1",) if held else ()),
            f"df -h {where}",
            f"du -xh --max-depth=2 {where}",
        ),
    )
