"""Everything that is said of one investigation, in the order in which people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.claims import layers, licence, logs, metrics, processes, verdict
from locard.model.claim import Claim
from locard.model.evidence import Layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.claims.record import Record
    from locard.model.claim import Licensed


def claimed(record: Record) -> tuple[Licensed, ...]:
    """The verdict first, then what changed, when, who, what the threads do, and how far it was read."""
    return (*verdict.headline(record), *licence.grant_all(_proposed(record), record))


def _proposed(record: Record) -> Iterator[Claim]:
    logged = record.chosen_log()
    if logged is None and metrics.histories(record):
        yield from metrics.proposed(record)
    elif logged is None:
        state = record.layer(Layer.LOGS)
        looked = state is not None and state.status != "skipped"
        yield Claim("changed", "logs_unread" if looked else "no_logs", "the logs")
    else:
        yield from logs.proposed(logged[1], logged[0], record.started)
        for evidence, log in record.logs()[1:]:
            yield from logs.beside(log, evidence)
    yield from processes.proposed(record)
    yield from verdict.also_seen(record)
    yield from layers.proposed(record)
