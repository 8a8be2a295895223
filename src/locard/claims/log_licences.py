"""Licences of what is said of a log: how it stands, since when, whom it hits and whom not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.claims.logs import kind_of, of_state
from locard.claims.ruling import Withheld, cannot_tell, parts
from locard.model import log_spread, log_state
from locard.model.claim import Claim
from locard.model.log_facts import LogSummary

if TYPE_CHECKING:
    from locard.claims.record import Record
    from locard.model.log_facts import AffectedValue

CALM = frozenset({"steady", "slight"})  # states that show that all is well


def log_stands(claim: Claim, record: Record) -> Withheld | None:
    """The log is judged to stand so (model/log_state.py): read enough, errors told, level not bad."""
    log = log_of(claim, record)
    if log is None:
        return cannot_tell(claim, "no log stands in the record")
    state = log_state.judge(log)
    if claim.kind in {kind_of(s) for s in (state, *state.further)}:
        return None
    why = "; ".join(state.why) or f"the log is {state.kind.replace('-', ' ')}"
    return Withheld(of_state(log, state, claim.evidence, claim.slot), why)


def onset_known(claim: Claim, record: Record) -> Withheld | None:
    """An interval with its confidence; without a baseline it is only "before"."""
    log = log_of(claim, record)
    if log is None or log.onset is None:
        return Withheld(Claim("onset", "onset_unknown", *parts(claim)), "no onset is recorded")
    if not log.onset.baseline_seen:
        why = "the record begins in the middle of it"
        return Withheld(Claim("onset", "onset_before", *parts(claim)), why)
    return None


def set_hit(claim: Claim, record: Record) -> Withheld | None:
    """The set stands among the correlates and explains a part of the excess beyond chance."""
    log = log_of(claim, record)
    named = ", ".join
    for item in log.correlates if log else ():
        if named(f"{f}={v}" for f, v in item.values) == claim.subject:
            return None if item.p_value <= 0.05 else cannot_tell(claim, "it may be chance")  # noqa: PLR2004
    return cannot_tell(claim, "the log's correlates do not name it")


def values_hit(claim: Claim, record: Record) -> Withheld | None:
    """Each value got worse beyond chance, by the test of the blast radius."""
    return None if _values(claim, record, "affected") else cannot_tell(claim, "it was not tested")


def values_spared(claim: Claim, record: Record) -> Withheld | None:
    """Each value had requests enough to exclude the rate of those that are hit."""
    values = _values(claim, record, "unaffected")
    hit = _values(claim, record, "affected")
    if not values:
        return cannot_tell(claim, "it was not tested")
    worst = min((v.after_rate for v in hit), default=None)
    if worst is not None and any(v.high >= worst for v in values):
        why = "too few requests to exclude the rate of those that are hit"
        return Withheld(_unknown(claim, {v.value: v.requests for v in values}), why)
    return None


def _unknown(claim: Claim, requests: dict[str, int]) -> Claim:
    """The same values as of a rate that is not known: with their requests in place of it."""
    counted = tuple(
        replace(f, value=float(requests.get(f.text, 0)), unit="requests")
        if f.name == "value"
        else f
        for f in claim.figures
    )
    return replace(claim, slot="unknown", kind="values_unknown", figures=counted)


def every_value_hit(claim: Claim, record: Record) -> Withheld | None:
    """A field that was tested, with requests enough, and none of its values spared."""
    log = log_of(claim, record)
    if log is None:
        return cannot_tell(claim, "no log stands in the record")
    spread = log_spread.spread(log)
    if spread.kind == "everyone":
        return None
    why = spread.why or "some values are spared"
    return Withheld(Claim(claim.slot, "spread_untold", *parts(claim)), why)


def log_alarm(claim: Claim, record: Record) -> Withheld | None:
    """The log holds lines that say that something broke."""
    log = log_of(claim, record)
    return None if log and log.alarms else cannot_tell(claim, "no line of the log says so")


def outcome_field(claim: Claim, record: Record) -> Withheld | None:
    """The field was found to say in other words that a request failed."""
    log = log_of(claim, record)
    known = {f"{o.field}={o.value}" for o in (log.outcomes if log else ())}
    return None if claim.subject in known else cannot_tell(claim, "it was not tested")


def log_begins(claim: Claim, record: Record) -> Withheld | None:
    """The log's own record has such a beginning, with what told it."""
    log = log_of(claim, record)
    at, part = claim.maybe("at"), claim.text("part")
    if any(b.at == at and b.part == part for b in (log.beginnings if log else ())):
        return None
    return cannot_tell(claim, "the log does not say where it begins")


def rest_for_everyone(claim: Claim, record: Record) -> Withheld | None:
    """What the correlates do not explain was tested as they were, and no set of values stands out."""
    log = log_of(claim, record)
    if log is None or log_spread.spread(log).kind in {"untested", "unknown"}:
        return cannot_tell(claim, "no field was there to test whom it hits")
    return None


def log_of(claim: Claim, record: Record) -> LogSummary | None:
    """The log that a claim is about, where its evidence holds it."""
    source = claim.text("log")
    for evidence, log in record.case.facts(LogSummary):
        if evidence.id in claim.evidence and source in {"", log.source}:
            return log
    return None


def _values(claim: Claim, record: Record, side: str) -> tuple[AffectedValue, ...]:
    log = log_of(claim, record)
    radius = next((r for r in (log.blast_radius if log else ()) if r.field == claim.subject), None)
    found: tuple[AffectedValue, ...] = getattr(radius, side) if radius else ()
    return found


def calm(record: Record) -> bool:
    """Whether the log shows that all is well."""
    logged = record.chosen_log()
    return logged is not None and log_state.judge(logged[1]).kind in CALM
