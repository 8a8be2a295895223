"""From the record to the conclusions: the same function serves the live run and the replay."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from locard import catalogue
from locard.claims.record import Record
from locard.claims.story import claimed
from locard.investigate import activities, factors
from locard.model.evidence import Layer, Status
from locard.model.finding import Case, Finding, Severity
from locard.model.investigation import Investigation, LayerState, ProbeRun, Question, Timings
from locard.model.log_facts import LogSummary
from locard.model.place import Place, typed_at
from locard.model.wording import with_flags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from locard.model.claim import Licensed
    from locard.model.evidence import Evidence, Identity
    from locard.model.place import Ground
    from locard.model.target import Target

    Judge = Callable[[Case], Iterator[Finding]]

_SEVERITY = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True, slots=True)
class Opened:
    """The first entry of an investigation in the ledger."""

    version: str
    incident: str
    question: Question
    target: Target
    identity: Identity
    started: float
    place: str = "host/local"
    ground: Ground | None = None
    layers: tuple[Layer, ...] = tuple(Layer)  # that were asked
    place_options: tuple[tuple[str, str], ...] = ()

    @property
    def at(self) -> Place:
        """The place with its options."""
        return Place(self.place, options=self.place_options)


@dataclass(frozen=True, slots=True)
class Closed:
    """Its last entry."""

    ended: float
    partial: tuple[str, ...]
    timings: Timings
    redacted: int
    verdict: tuple[Licensed, ...] = ()  # what the record was closed with


def judge(case: Case) -> tuple[Finding, ...]:
    """What every rule of the catalogue finds, most severe first, numbered f1, f2 and so on."""
    found: list[Finding] = []
    for entry in catalogue.entries("rule"):
        found.extend(cast("Judge", entry.load().judge)(case))
    found.sort(key=lambda f: (_SEVERITY.index(f.severity), f.rule, f.title))
    logs = [log for _, log in case.facts(LogSummary) if log.flags]
    return tuple(replace(_findable(f, logs), id=f"f{n}") for n, f in enumerate(found, 1))


def _findable(found: Finding, logs: Sequence[LogSummary]) -> Finding:
    """The finding with commands that read each source as it was read."""
    commands = found.next_commands
    for log in logs:
        commands = tuple(with_flags(c, log.source, log.flags) for c in commands)
    return replace(found, next_commands=commands)


def conclude(
    opened: Opened,
    closed: Closed,
    runs: Sequence[ProbeRun],
    evidence: Sequence[Evidence],
    *,
    ledger: str | None,
    head: str | None,
) -> Investigation:
    """The investigation with its findings, factors and activities; pure but for importing rules."""
    case = Case(opened.target.ref, closed.ended, tuple(evidence))
    findings = tuple(
        replace(f, next_commands=tuple(typed_at(c, opened.at) for c in f.next_commands))
        for f in judge(case)
    )
    ranked = factors.ranked(findings)
    doing = activities.observed(case)
    layers = tuple(_layer(layer, runs) for layer in opened.layers)
    record = Record(
        case, opened.started, findings, ranked, doing, layers, opened.target, closed.partial
    )
    return Investigation(
        version=opened.version,
        incident=opened.incident,
        ledger=ledger,
        head=head,
        question=opened.question,
        target=opened.target,
        identity=opened.identity,
        place=opened.place,
        place_options=opened.place_options,
        ground=opened.ground,
        started=opened.started,
        ended=closed.ended,
        partial=closed.partial,
        layers=layers,
        evidence=tuple(evidence),
        findings=findings,
        contributing_factors=ranked,
        activities=doing,
        claims=claimed(record),
        timings=closed.timings,
        redacted=closed.redacted,
    )


def _layer(layer: Layer, runs: Iterable[ProbeRun]) -> LayerState:
    mine = tuple(r for r in runs if r.layer is layer)
    states = {r.status for r in mine}
    if Status.FAILED.value in states and not states & {Status.PARTIAL.value, Status.OK.value}:
        whys = dict.fromkeys(r.headline or r.why for r in mine if r.status == Status.FAILED.value)
        return LayerState(layer, "no_data", mine, "; ".join(filter(None, whys)))
    if states & {Status.PARTIAL.value, Status.FAILED.value}:
        return LayerState(layer, "partial", mine)
    if Status.OK.value in states:
        return LayerState(layer, "ran", mine)
    if Status.NO_DATA.value in states:
        return LayerState(layer, "no_data", mine)
    reasons = list(dict.fromkeys(r.why for r in mine if r.why))
    unlocks = list(dict.fromkeys(r.unlock for r in mine if r.unlock))
    return LayerState(
        layer, "skipped", mine, "; ".join(reasons) or "no probe of it ran", "; ".join(unlocks)
    )
