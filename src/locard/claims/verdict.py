"""The first sentence: the leading factor, else the best lead, else that nothing was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.claims import licence, processes
from locard.model.claim import Claim, figures
from locard.model.finding import Role, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.claims.record import Record
    from locard.model.claim import Licensed
    from locard.model.finding import Finding
    from locard.model.log_facts import LogSummary, MessageCount

_MOST = 2  # sentences


def headline(record: Record) -> tuple[Licensed, ...]:
    """One sentence, two where the first says who is hit and the second what they wait for."""
    chosen: list[Licensed] = []
    for claim in _candidates(record):
        granted = licence.grant(claim, record)
        if granted.instead_of and chosen:
            continue
        if granted.instead_of and granted.claim.kind in {"cannot_tell", "threads_do", "some_say"}:
            continue
        chosen.append(granted)
        if len(chosen) == _MOST or granted.claim.kind == "factor":
            break
    if not chosen:
        chosen.append(licence.grant(_nothing(record), record))
    return tuple(chosen)


def _candidates(record: Record) -> Iterator[Claim]:
    by_id = {f.id: f for f in record.findings}
    first = by_id.get(record.factors[0].finding) if record.factors else None
    if first is not None and licence.strong(first):
        yield _finding("factor", first)
    hit = next((f for f in _by_weight(record) if f.role is Role.SCOPE), None)
    calm = _calm(record)
    if hit is not None and first is None:
        yield _finding("who_is_hit", hit)
    lead = None if calm else processes.lead(record)
    if lead is not None:
        yield lead
    if first is not None and not licence.strong(first):
        yield _finding("factor", first)
    logged = record.chosen_log()
    if logged is not None and logged[1].changed and (said := _message(logged[1])) is not None:
        yield _saying("verdict", said, logged[1], logged[0])


def _calm(record: Record) -> bool:
    """Whether the log shows that all is well: then busy threads are the usual work."""
    logged = record.chosen_log()
    if logged is None:
        return False
    return licence.grant(licence.claim_of_log(logged), record).claim.kind == "log_unchanged"


def _by_weight(record: Record) -> list[Finding]:
    order = list(Severity)
    return sorted(
        (f for f in record.findings if f.severity is not Severity.INFO),
        key=lambda f: (not f.values, order.index(f.severity)),
    )


def _finding(kind: str, found: Finding) -> Claim:
    return Claim(
        "verdict",
        kind,
        found.rule,
        figures(
            finding=found.id,
            title=found.title,
            confidence=found.confidence.value,
            explains=found.explains,
        ),
        tuple(dict.fromkeys(s.evidence for s in found.supports)),
    )


def _message(log: LogSummary) -> MessageCount | None:
    """The message that most of the bad requests carry and few did before."""
    new = [m for m in log.messages if m.after > m.before]
    return max(new, key=lambda m: m.after, default=None)


def _saying(slot: str, said: MessageCount, log: LogSummary, evidence: str) -> Claim:
    return Claim(
        slot,  # type: ignore[arg-type]
        "bad_ones_say",
        said.example,
        figures(before=said.before, after=said.after, of=log.after_bad),
        (evidence,),
    )


def _nothing(record: Record) -> Claim:
    read = [s.layer.value for s in record.layers if s.status in {"ran", "partial"}]
    unread = [s.layer.value for s in record.layers if s.status in {"skipped", "no_data"}]
    return Claim(
        "verdict",
        "nothing_found",
        ", ".join(read),
        figures(unread=", ".join(unread)),
        tuple(e.id for e in record.evidence if e.facts),
    )
