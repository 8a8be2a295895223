"""What several logs that were read together have in common: the same error, and where it was seen to begin.

A service that nobody changed and that fails alike says of a rollout elsewhere that it did not bring it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model.moments import moment
from locard.model.wording import shorten
from locard.model.workload_trouble import names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.model.log_facts import LogSummary
    from locard.model.workload import WorkloadStates

    Read = tuple[LogSummary, WorkloadStates | None]

_FEWEST = 3  # bad ones of each log that say it
_SHOWN = 3
_LONGEST = 120
_VARIABLE = re.compile(r"<\*>|#|[0-9]+")


def sentences(logs: Sequence[Read]) -> Iterator[str]:
    """One for each error that two logs or more have, the most frequent first; times as moments."""
    by_template: dict[str, list[tuple[int, str, Read]]] = {}
    for log, states in logs:
        for item in log.messages:
            if item.after > item.before and item.after >= _FEWEST:
                key = _VARIABLE.sub("#", item.template)
                by_template.setdefault(key, []).append((item.after, item.template, (log, states)))
    common = [
        every for every in by_template.values() if len({r[0].source for _, _, r in every}) > 1
    ]
    common.sort(key=lambda every: -sum(n for n, _, _ in every))
    for every in common[:_SHOWN]:
        yield _sentence(every[0][1], [r for _, _, r in every])


def _sentence(template: str, logs: list[Read]) -> str:
    same = f"{names(log.source for log, _ in logs)} say the same: “{shorten(template, _LONGEST)}”."
    seen = [log for log, _ in logs if log.onset is not None and log.onset.baseline_seen]
    if not seen:
        return f"{same} In none of them was its beginning seen."
    first = min(seen, key=lambda log: log.onset.latest if log.onset else 0.0)
    onset = first.onset
    if onset is None:
        return same
    text = f"{same} In {first.source} it began between {moment(onset.earliest)} and {moment(onset.latest)}."
    return text + "".join(_not_by(log, states, onset.latest) for log, states in logs)


def _not_by(log: LogSummary, states: WorkloadStates | None, onset: float) -> str:
    """What was rolled out later than that, and so did not bring it."""
    if states is None or len(states.versions) < 2:  # noqa: PLR2004 - one is no rollout
        return ""
    since = states.versions[-1].since
    if since is None or since <= onset:
        return ""
    return f" {log.source} was rolled out at {moment(since)}, after that: it was there before."
