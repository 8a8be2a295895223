"""The target holds deleted files open, and their space does not come back.

Pattern: a log was rotated by deleting it, and the program writes on into the deleted file: `df` says
  full, `du` finds nothing; a restart or reopening gives the space back.
Evidence: the size of deleted files that processes of the target have open, against their file system.
Against: the file system has room: then it is waste, not yet a fault.
Next: list them; reopen the log or restart by the usual process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import reading_words, semconv
from locard.model.finding import Support
from locard.rules import _facts, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding

_FULL = 0.90


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the file system that loses most to them."""
    bad = _facts.bad(case, semconv.PROCESS_DELETED_FILES)
    if not bad:
        return
    bad.sort(key=lambda item: -item[1].value)
    worst = bad[0][1]
    space = [
        (e, r)
        for e, r in _facts.readings(case, semconv.SYSTEM_FILESYSTEM_UTILIZATION)
        if r.subject == worst.subject and r.verdict != "unknown"
    ]
    full = [pair for pair in space if pair[1].value >= _FULL]
    room = tuple(
        Support(e.id, e.layer, f"there is room: {reading_words.words(r)}")
        for e, r in space
        if r.value < _FULL
    )
    share = f", {worst.value / worst.limit:.0%} of it" if worst.limit else ""
    yield _readings.finding(
        "deleted-file-held",
        f"Deleted files that are still open take {worst.value / (1 << 20):.0f} MiB of "
        f"{worst.subject}{share}",
        bad,
        # Of a host each file system has one answer: that it is full, with these files in it.
        mechanism=bool(full) and not case.target.startswith("host/"),
        extra=_readings.supports(full),
        against=room,
        next_commands=("lsof +L1", *(f"ls -l /proc/{p}/fd" for p in _holders(bad)[:1])),
    )


def _holders(bad: list[_readings.Bad]) -> list[str]:
    words = bad[0][1].detail.partition("pid ")[2].split()
    return words[:1] if words and words[0].isdigit() else []
