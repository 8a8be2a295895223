"""What the threads of the target do, as claims: the lead of most busy ones, the rest, the idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.claim import Claim, figures
from locard.model.evidence import Layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.claims.record import Record
    from locard.model.claim import Slot
    from locard.model.investigation import Activity

_SHOWN = 3
_WORTH_A_LINE = 0.05  # of the busy observations


def proposed(record: Record) -> Iterator[Claim]:
    """What most busy threads do first; where none is busy, that all are idle."""
    cites = sources(record)
    busy = [a for a in record.activities if a.work == "busy" and not a.idle]
    if not busy:
        if record.activities:
            yield _idle(record, cites)
        return
    for n, activity in enumerate(busy[:_SHOWN]):
        yield _activity("doing", "threads_do" if n else "threads_lead", activity, cites)
    rest = sum(a.share for a in busy[_SHOWN:])
    if rest > _WORTH_A_LINE:
        yield Claim("doing", "threads_rest", "busy threads", figures(share=rest), cites)


def lead(record: Record) -> Claim | None:
    """What most busy threads do, as a verdict; None where no thread was seen busy."""
    busy = [a for a in record.activities if a.work == "busy" and not a.idle]
    return _activity("verdict", "threads_lead", busy[0], sources(record)) if busy else None


def sources(record: Record) -> tuple[str, ...]:
    """The evidence that says what threads do."""
    live = {Layer.RUNTIME, Layer.KERNEL}
    return tuple(e.id for e in record.evidence if e.layer in live and e.facts)


def _activity(slot: Slot, kind: str, activity: Activity, cites: tuple[str, ...]) -> Claim:
    return Claim(
        slot,
        kind,
        activity.what,
        figures(
            share=activity.share,
            observations=activity.observations,
            where=activity.where,
        ),
        cites,
    )


def _idle(record: Record, cites: tuple[str, ...]) -> Claim:
    return Claim(
        "doing",
        "every_thread_idle",
        "every thread",
        figures(
            observations=sum(a.observations for a in record.activities),
            unknown=sum(a.observations for a in record.activities if a.work == "unknown"),
        ),
        cites,
    )
