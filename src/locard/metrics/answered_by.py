"""Which process answered each of several scrapes of one page: the same, a new one, or several in turn.

A server of several worker processes without the client library's shared mode answers each scrape by
one of them, with that one's own counts. Two such pages cannot be subtracted, and nothing was restarted.
What tells: the start time of the process (or when its series were created) goes back and forth; after
a restart it only moves forward. Counts fall more than once.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Literal

from locard.metrics.families import kinds, rises_only
from locard.model.facts import AnsweredBy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.metrics.golden import Scrape
    from locard.metrics.text_format import Labels

START = "process_start_time_seconds"
MOST_SCRAPES = 5  # of one page: the two that are wanted, and three more where those do not fit
_SLACK_S = 5.0  # between the clock of the page and ours

_Counts = dict[tuple[str, "Labels"], float]


def doubtful(first: Scrape, second: Scrape) -> bool:
    """Whether two scrapes do not look like one process that went on."""
    return start_of(first) != start_of(second) or _fell(_counts(first), _counts(second))


def judge(scrapes: Sequence[Scrape]) -> AnsweredBy:
    """Who answered."""
    starts, counts = [start_of(s) for s in scrapes], [_counts(s) for s in scrapes]
    falls = sum(_fell(a, b) for a, b in itertools.pairwise(counts))
    known = [s for s in starts if s is not None]
    if len(known) < len(scrapes):  # no start times: only the counts can tell
        return AnsweredBy(_by_counts(falls), len(scrapes), ())
    different = tuple(sorted(set(known)))
    if len(different) == 1:
        return AnsweredBy("untold" if falls else "one", len(scrapes), different)
    if known == sorted(known):
        began_since = known[-1] >= scrapes[0].at - _SLACK_S
        return AnsweredBy("restarted" if began_since else "untold", len(scrapes), different)
    again = any(
        a != b and a in known[n + 2 :] for n, (a, b) in enumerate(itertools.pairwise(known))
    )
    shared = again and not falls and any(v > 0 for v in counts[-1].values())
    return AnsweredBy("shared" if shared else "in turn", len(scrapes), different)


def _by_counts(falls: int) -> Literal["one", "in turn", "untold"]:
    if not falls:
        return "one"
    return "in turn" if falls > 1 else "untold"


def start_of(scrape: Scrape) -> float | None:
    """When the process began (Unix seconds): by its own word, else when its first series was created."""
    said = [s.value for s in scrape.exposition.series if s.name == START and s.value > 0]
    if said:
        return min(said)
    kind = kinds(scrape.exposition)
    created = [s.value for s in scrape.exposition.series if kind[s.name, s.labels] == "created"]
    return min((v for v in created if v > 0), default=None)


def _counts(scrape: Scrape) -> _Counts:
    """What only rises while one process lives."""
    kind = kinds(scrape.exposition)
    found = {
        (s.name, s.labels): s.value
        for s in scrape.exposition.series
        if rises_only(s, kind[s.name, s.labels])
    }
    for base, by_labels in scrape.exposition.natives.items():
        if scrape.exposition.types.get(base) != "gaugehistogram":
            found.update({(base, labels): one.total for labels, one in by_labels.items()})
    return found


def _fell(then: _Counts, now: _Counts) -> bool:
    return any(now[key] < then[key] for key in then.keys() & now.keys())
