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
from locard.model.history_words import percent, signal_words
from locard.rules import _disk, _facts, _history, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.facts import Reading
    from locard.model.finding import Case, Finding

_OVER = 0.995  # nothing fits any more
_MOST = 4
_LEFT = 0.1  # of its size, in metrics, falling


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each file system that is full, the fullest first."""
    yield from _history.joined(_elsewhere(case), _from_history(case))


def _elsewhere(case: Case) -> Iterator[Finding]:
    """What the other layers say of it."""
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


def _from_history(case: Case) -> Iterator[Finding]:
    """Free space that fell to hardly any."""
    for evidence, found in _history.histories(case):
        for free in found.signals:
            share = _history.share_of(free)
            fell = (
                free.resource == "disk free" and free.onset is not None and free.direction == "down"
            )
            if not fell or share is None or share > _LEFT:
                continue
            known = dict(free.subject)
            where = (
                known.get("mountpoint")
                or known.get("persistentvolumeclaim")
                or known.get("device", "")
            )
            yield _history.finding(
                "disk-full", evidence, found, f"The file system {where} of {known.get('instance', '?')} has {percent(share)} left",
                [signal_words(free)], values=free.subject,
            )  # fmt: skip
