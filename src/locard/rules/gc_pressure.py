"""The garbage collector takes much of the time.

Pattern: the heap is nearly full, or much garbage is made: the collector runs ever longer, and requests wait meanwhile.
Evidence: the share of time in collections, by the runtime's own metrics, before and after; the heap after a collection.
Against: a share that is as high as ever explains no change.
Next: what fills the heap: locard heap, or the runtime's own histogram of classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.history_words import percent, signal_words
from locard.rules import _history

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding

_MUCH = 0.1  # of the time


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each process whose share of time in collections rose to much."""
    for evidence, found in _history.histories(case):
        for spent in _history.risen(found, "gc"):
            if (spent.after or 0.0) < _MUCH:
                continue
            supports = [signal_words(spent)]
            supports += [
                signal_words(s)
                for s in _history.risen(found, "heap")
                if _history.same_thing(s.subject, spent.subject)
            ][:1]
            yield _history.finding(
                "gc-pressure", evidence, found,
                f"Garbage collection takes {percent(spent.after)} of the time of {_history.name_of(spent)}, {percent(spent.before)} before",
                supports, values=spent.subject,
            )  # fmt: skip
