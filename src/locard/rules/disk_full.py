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

    from locard.model.facts import Reading
    from locard.model.finding import Case, Finding

_OVER = 0.995  # nothing fits any more
_MOST = 4


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each file system that is full, the fullest first."""
    bad = _facts.bad(case, semconv.SYSTEM_FILESYSTEM_UTILIZATION)
    bad.sort(key=lambda item: -item[1].value)
    said = tuple(_disk.messages(case))
    for evidence, reading in bad[:_MOST]:
        full = reading.value >= _OVER and reading.verdict == "critical"
        held = [
            h for h in _facts.bad(case, semconv.PROCESS_DELETED_FILES)
            if h[1].subject == reading.subject
        ]  # fmt: skip
        where = shlex.quote(_disk.mount(reading))
        yield _readings.finding(
            "disk-full",
            _title(case, reading),
            [(evidence, reading)],
            mechanism=full or (bool(said) and reading.verdict == "critical"),
            extra=(*said, *_readings.supports(held)),
            next_commands=(
                *(("lsof +L1",) if held else ()),
                f"df -h {where}",
                f"du -xh --max-depth=2 {where}",
            ),
        )


def _title(case: Case, reading: Reading) -> str:
    writes = "" if case.target.startswith("host/") else " that the target writes to"
    whom = " for ordinary users" if "kept in reserve" in reading.detail else ""
    return f"The file system {reading.subject}{writes} is {reading.value:.0%} full{whom}"
