"""The first sentence: the leading factor, else the best lead, else that nothing was found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.claims import licence, log_licences, processes
from locard.model.claim import Claim, figures
from locard.model.finding import Confidence, Role, Severity
from locard.model.log_state import judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.claims.record import Record
    from locard.model.claim import Licensed
    from locard.model.finding import Finding
    from locard.model.log_facts import LogSummary, MessageCount

_MOST = 2  # sentences
_LEADS_NOWHERE = frozenset({"cannot_tell", "threads_do", "some_say", "also_seen"})


def headline(record: Record) -> tuple[Licensed, ...]:
    """One sentence, two where the first says who is hit and the second what they wait for."""
    chosen: list[Licensed] = []
    for claim in _candidates(record):
        granted = licence.grant(claim, record)
        if granted.claim.kind in _LEADS_NOWHERE:
            continue
        chosen.append(granted)
        if len(chosen) == _MOST or granted.claim.kind == "factor":
            break
    if not chosen:
        chosen.append(licence.grant(_nothing(record), record))
    return tuple(chosen)


def also_seen(record: Record) -> Iterator[Claim]:
    """Findings about the surroundings that are worth a line, none of them the headline."""
    for found in record.findings:
        if found.role is Role.CONTEXT and found.severity is not Severity.INFO:
            yield replace(_finding("also_seen", found), slot="also_seen")


def _candidates(record: Record) -> Iterator[Claim]:
    by_id = {f.id: f for f in record.findings}
    leading = by_id.get(record.factors[0].finding) if record.factors else None
    mechanism = leading if leading is not None and leading.role is Role.MECHANISM else None
    if mechanism is not None and mechanism.confidence is not Confidence.WEAK:
        yield _finding("factor", mechanism)
    hit = next((f for f in _by_weight(record) if f.role is Role.SCOPE), None)
    if hit is not None and mechanism is None:
        yield _finding("who_is_hit", hit)
    lead = None if log_licences.calm(record) else processes.lead(record)
    if lead is not None:
        yield lead
    if mechanism is not None and mechanism.confidence is Confidence.WEAK:
        yield _finding("factor", mechanism)
    yield from _sayings(record)


def _sayings(record: Record) -> Iterator[Claim]:
    """What most of the bad requests of one log say."""
    for evidence, log in record.logs():
        if judge(log).incident and (said := _message(log)) is not None:
            yield _saying(said, log, evidence)
            return


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


def _saying(said: MessageCount, log: LogSummary, evidence: str) -> Claim:
    return Claim(
        "verdict",
        "bad_ones_say",
        said.template,
        figures(log=log.source, before=said.before, after=said.after, of=log.after_bad),
        (evidence,),
    )


def _nothing(record: Record) -> Claim:
    read = [s.layer.value for s in record.layers if s.status in {"ran", "partial"}]
    part = [s.layer.value for s in record.layers if s.status == "partial"]
    unread = [s.layer.value for s in record.layers if s.status in {"skipped", "no_data"}]
    return Claim(
        "verdict",
        "nothing_found",
        ", ".join(read),
        figures(unread=", ".join(unread), part=", ".join(part)),
        tuple(e.id for e in record.evidence if e.facts),
    )
