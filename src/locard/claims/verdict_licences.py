"""Licences of verdicts: factors, what the bad ones say, that nothing was found, how far it was read."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from locard.claims.log_licences import calm, log_of
from locard.claims.ruling import Withheld, cannot_tell, parts
from locard.model.claim import Claim, figures
from locard.model.evidence import Layer, Status
from locard.model.finding import Role, Severity
from locard.model.wording import contradicts_itself, count

if TYPE_CHECKING:
    from locard.claims.record import Record
    from locard.model.finding import Finding

_LEAST_SAYING = 3  # bad requests that say the same
_LEAST_SHARE = 0.5  # of the bad requests, that say it


def factor(claim: Claim, record: Record) -> Withheld | None:
    """A finding of the rules that is a mechanism and cites what it rests on."""
    found = _finding(claim, record)
    if found is None or not found.supports:
        return cannot_tell(claim, "no rule found it")
    if contradicts_itself(found.title):
        return cannot_tell(claim, "its numbers contradict its words")
    if found.role is Role.CONTEXT:
        return Withheld(Claim("also_seen", "also_seen", *parts(claim)), "it is background")
    return None


def also_seen(claim: Claim, record: Record) -> Withheld | None:
    """A finding that is about the surroundings, or too weak to lead."""
    return None if _finding(claim, record) else cannot_tell(claim, "no rule found it")


def bad_ones_say(claim: Claim, record: Record) -> Withheld | None:
    """A message that is new or more frequent since the onset, on a good part of the bad requests.

    Error lines that belong to no request can be more than these: then they are no share of them.
    """
    log = log_of(claim, record)
    after = claim.number("after")
    if log is None or after < _LEAST_SAYING or after < _LEAST_SHARE * log.after_bad:
        why = "few say it" if after < _LEAST_SAYING else "most of the bad ones do not say it"
        return Withheld(Claim(claim.slot, "some_say", *parts(claim)), why)
    if after > log.after_bad:
        return Withheld(Claim(claim.slot, "lines_say", *parts(claim)), "they are not all requests")
    return None


def nothing_found(claim: Claim, record: Record) -> Withheld | None:
    """Logs that are known to be steady and good, and every layer read whole, with nothing in it."""
    lacking = []
    logs = record.chosen_log()
    if logs is None:
        lacking.append("no log was read")
    elif not calm(record):
        lacking.append("the log does not show that all is well")
    for state in record.layers:
        if state.status in {"skipped", "no_data"} and state.layer is not Layer.METRICS:
            lacking.append(f"{state.layer}: not read")
        elif state.status == "partial":
            lacking.append(f"{state.layer}: read in part")
    if any(f.severity is not Severity.INFO and f.role is not Role.CONTEXT for f in record.findings):
        lacking.append("rules found something")
    if lacking:
        kind = "nothing_in_steady_log" if calm(record) else "nothing_among_read"
        return Withheld(Claim("verdict", kind, *parts(claim)), "; ".join(lacking))
    return None


def layer_healthy(claim: Claim, record: Record) -> Withheld | None:
    """Every probe of the layer gave its answer, and none of the readings is bad or unknown."""
    items = [i for e in claim.evidence if (i := record.item(e))]
    verdicts = Counter(
        r.verdict for i in items for fact in i.facts for r in getattr(fact, "readings", ())
    )
    bad, unknown = verdicts["warning"] + verdicts["critical"], verdicts["unknown"]
    if bad:
        weaker = Claim(
            claim.slot, "layer_unusual", claim.subject, figures(readings=bad), claim.evidence
        )
        return Withheld(weaker, f"{count(bad, 'reading')} out of the usual")
    if unknown or any(i.status is not Status.OK for i in items):
        why = f"{count(unknown, 'reading')} unknown" if unknown else "it was read in part"
        return Withheld(Claim(claim.slot, "layer_nothing_found", *parts(claim)), why)
    return None


def layer_unread(claim: Claim, record: Record) -> Withheld | None:
    """The record has that layer as skipped, or without data."""
    for state in record.layers:
        if state.layer.value == claim.subject and state.status in {"skipped", "no_data"}:
            return None
    return cannot_tell(claim, "the record has that layer as read")


def _finding(claim: Claim, record: Record) -> Finding | None:
    return record.finding(claim.text("finding"))
