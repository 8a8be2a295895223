"""What a licence may look at: the whole record of an investigation, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from locard.model.evidence import Layer, Status
from locard.model.facts import StackSamples, ThreadStates
from locard.model.log_facts import LogSummary
from locard.model.log_state import judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.finding import Case, ContributingFactor, Finding
    from locard.model.investigation import Activity, LayerState
    from locard.model.target import Target

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Record:
    """Evidence, what the rules made of it, and how far each layer was read.

    `target` is None and `layers` are empty where a log is all there is.
    """

    case: Case
    started: float  # Unix time at which the investigation began
    findings: tuple[Finding, ...] = ()
    factors: tuple[ContributingFactor, ...] = ()
    activities: tuple[Activity, ...] = ()
    layers: tuple[LayerState, ...] = ()
    target: Target | None = None
    partial: tuple[str, ...] = ()

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """All of it, in order."""
        return self.case.evidence

    def item(self, evidence_id: str) -> Evidence | None:
        """One piece of evidence by its id."""
        return next((e for e in self.evidence if e.id == evidence_id), None)

    def finding(self, finding_id: str) -> Finding | None:
        """One finding by its id."""
        return next((f for f in self.findings if f.id == finding_id), None)

    def logs(self) -> tuple[tuple[str, LogSummary], ...]:
        """Every log of the target with its evidence id, the one that tells most first."""
        logs = [(e.id, fact) for e, fact in self.case.facts(LogSummary)]
        return tuple(sorted(logs, key=lambda item: _telling(item[1])))

    def chosen_log(self) -> tuple[str, LogSummary] | None:
        """The log that shows a change, else one that is bad, else the first."""
        return next(iter(self.logs()), None)

    def stacks(self) -> Iterator[tuple[Evidence, StackSamples]]:
        """The stacks of the target, each with its evidence."""
        return self.case.facts(StackSamples)

    def states(self) -> Iterator[tuple[Evidence, ThreadStates]]:
        """The kernel's states of the target's threads, each with its evidence."""
        return self.case.facts(ThreadStates)

    def layer(self, layer: Layer) -> LayerState | None:
        """How far a layer was read."""
        return next((s for s in self.layers if s.layer is layer), None)

    def read_whole(self, layer: Layer) -> bool:
        """Whether every probe of a layer that applied gave all that it was asked for."""
        mine = [e for e in self.evidence if e.layer is layer]
        return bool(mine) and all(e.status is Status.OK for e in mine)


def _telling(log: LogSummary) -> tuple[bool, bool, bool, int]:
    """A change first, then what stands badly, then what can be judged at all, then the most records."""
    state = judge(log)
    untold = state.kind in {"untold", "empty"}
    return not log.changed, not state.incident, untold, -log.records
