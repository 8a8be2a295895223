"""The licences: which claim the evidence carries, and which weaker one stands in where it does not.

This is the one place that decides: the table at its end names the function that every kind needs. A
renderer prints what `grant` returned and nothing else; a kind without a licence cannot be said at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from locard.claims import log_licences, metrics, process_licences, verdict_licences
from locard.claims.ruling import Withheld, cannot_tell, said_as_is
from locard.model import log_state
from locard.model.claim import Claim, Licensed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from locard.claims.record import Record

_STEPS = 6  # from a claim to the weakest one that stands in for it


class UnlicensedError(Exception):
    """A claim of a kind that has no licence: a bug, found by the tests."""


def grant(claim: Claim, record: Record) -> Licensed:
    """The claim if the evidence carries it, else what it does carry; raises UnlicensedError."""
    now, reasons = claim, list[str]()
    for _ in range(_STEPS):
        licence = LICENCES.get(now.kind)
        if licence is None:
            raise UnlicensedError(f"{now.kind!r} has no licence")
        withheld = _uncited(now, record) or licence(now, record)
        if withheld is None:
            stronger = claim.kind if now is not claim else ""
            return Licensed(now, licence.__name__, stronger, "; ".join(reasons))
        now = withheld.instead
        reasons.append(withheld.why)
    raise UnlicensedError(f"{claim.kind!r} finds no claim that stands in for it")


def grant_all(claims: Iterable[Claim], record: Record) -> tuple[Licensed, ...]:
    """Each claim as far as it may be said."""
    return tuple(grant(claim, record) for claim in claims)


def _uncited(claim: Claim, record: Record) -> Withheld | None:
    """Whatever is said of the target rests on evidence that exists and said something."""
    if claim.kind in _NEEDS_NO_EVIDENCE:
        return None
    items = [record.item(i) for i in claim.evidence]
    if items and all(i is not None and (i.facts or i.ran) for i in items):
        return None
    why = "no evidence is cited for it" if not items else "the evidence cited holds no fact"
    return cannot_tell(claim, why)


_NEEDS_NO_EVIDENCE = frozenset(
    {"cannot_tell", "layer_skipped", "layer_no_data", "no_logs", "nothing_among_read", "nothing_in_steady_log", "logs_unread",
     "onset_unknown", "nothing_found"}
)  # fmt: skip
LICENCES: dict[str, Callable[[Claim, Record], Withheld | None]] = {
    "cannot_tell": said_as_is,
    "no_logs": said_as_is,
    "logs_unread": said_as_is,
    **{
        f"log_{kind.replace('-', '_')}": log_licences.log_stands
        for kind in get_args(log_state.StateKind)
    },
    "metrics_say": metrics.metrics_say,
    "bad_means": said_as_is,
    "log_read": said_as_is,
    "log_begins": log_licences.log_begins,
    "outcome_field": log_licences.outcome_field,
    "rest_for_everyone": log_licences.rest_for_everyone,
    "log_alarm": log_licences.log_alarm,
    "spread_untold": said_as_is,
    "log_holds_part": said_as_is,
    "onset_known": log_licences.onset_known,
    "onset_before": said_as_is,
    "onset_unknown": said_as_is,
    "set_hit": log_licences.set_hit,
    "values_hit": log_licences.values_hit,
    "values_spared": log_licences.values_spared,
    "values_unknown": said_as_is,
    "every_value_hit": log_licences.every_value_hit,
    "threads_lead": process_licences.leads,
    "threads_do": process_licences.threads_seen,
    "threads_rest": said_as_is,
    "every_thread_idle": process_licences.every_thread_idle,
    "no_thread_busy": said_as_is,
    "process_condition": process_licences.process_recorded,
    "target_ended": process_licences.process_recorded,
    "factor": verdict_licences.factor,
    "who_is_hit": verdict_licences.also_seen,
    "also_seen": verdict_licences.also_seen,
    "bad_ones_say": verdict_licences.bad_ones_say,
    "some_say": said_as_is,
    "lines_say": said_as_is,
    "nothing_found": verdict_licences.nothing_found,
    "nothing_in_steady_log": said_as_is,
    "nothing_among_read": said_as_is,
    "layer_healthy": verdict_licences.layer_healthy,
    "layer_nothing_found": said_as_is,
    "layer_unusual": said_as_is,
    "layer_skipped": verdict_licences.layer_unread,
    "layer_no_data": verdict_licences.layer_unread,
}
