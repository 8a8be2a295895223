"""What a window of series lets one claim where no log was read: what changed, when, who is affected and who is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.claims.ruling import Withheld, cannot_tell
from locard.model import history_words
from locard.model.claim import Claim, figures
from locard.model.metric_facts import MetricHistory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.claims.record import Record
    from locard.model.claim import Slot

_SHOWN = 4


def histories(record: Record) -> list[tuple[str, MetricHistory]]:
    """Every window that was read, with its evidence id."""
    return [(e.id, fact) for e, fact in record.case.facts(MetricHistory) if not fact.nothing]


def proposed(record: Record) -> Iterator[Claim]:
    """What the series say, of the first source that says something."""
    for evidence, found in histories(record)[:1]:
        for slot, words in _sentences(found):
            yield Claim(slot, "metrics_say", found.url, figures(says=words), (evidence,))


def _sentences(found: MetricHistory) -> Iterator[tuple[Slot, str]]:
    for words in history_words.verdict(found):
        yield "changed", words
    if found.onset is not None:
        yield "onset", f"{history_words.interval(found.onset).capitalize()}, by {found.onset_of}."
    moved = [s for s in found.signals if s.onset is not None]
    for signal in moved:
        for part in signal.parts[:_SHOWN]:
            yield "affected", f"{part}: {signal.signal} of {signal.metric}"
        for part in signal.unaffected[:_SHOWN]:
            yield "unaffected", f"{part}: {signal.signal} of {signal.metric}"


def metrics_say(claim: Claim, record: Record) -> Withheld | None:
    """The sentence is one that the series themselves give."""
    for evidence, found in histories(record):
        if (evidence,) == claim.evidence and (claim.slot, claim.text("says")) in set(
            _sentences(found)
        ):
            return None
    return cannot_tell(claim, "the series do not say so")
