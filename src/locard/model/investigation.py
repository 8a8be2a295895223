"""One investigation as the reports read it: what was asked, run, found and concluded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from locard.model.facts import MetricsSummary, Readings
from locard.model.log_facts import LogSummary
from locard.model.place import Place
from locard.model.waits import Work  # noqa: TC001 - the codec asks for it

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.claim import Licensed
    from locard.model.evidence import Evidence, Identity, Layer
    from locard.model.finding import ContributingFactor, Finding
    from locard.model.place import Ground
    from locard.model.target import Target

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, as the command line said it. Durations in seconds."""

    ref: str
    logs: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    budget_s: float = 180.0
    window_s: float = 600.0
    allow: str = "samples"


@dataclass(frozen=True, slots=True)
class ProbeRun:
    """What became of one probe: it ran (and gave evidence), or was skipped, and why."""

    probe: str
    layer: Layer
    status: Literal["ok", "partial", "no_data", "failed", "skipped"]
    evidence: str | None = None
    headline: str = ""  # the answer in one line
    why: str = ""
    unlock: str = ""
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LayerState:
    """One layer in the order of the method."""

    layer: Layer
    status: Literal["ran", "partial", "skipped", "no_data"]
    probes: tuple[ProbeRun, ...]
    why: str = ""
    unlock: str = ""


@dataclass(frozen=True, slots=True)
class Activity:
    """What a share of the observed threads were doing, innermost frame of the application first.

    `observations` counts threads times rounds; `share` is of all that were at work. `work` is
    "unknown" where it cannot be told whether a thread waits for work or is in trouble.
    """

    what: str  # "waits for the answer of 127.0.0.1:9102", "waits for a lock", "runs", "idle"
    where: str  # function (file:line)
    work: Work
    observations: int
    share: float
    pids: tuple[int, ...]
    stack: tuple[str, ...]
    peer: str | None = None  # host:port of the far end that most of them wait for


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds since the process of locard began."""

    first_finding_s: float | None
    verdict_s: float


@dataclass(frozen=True, slots=True)
class Investigation:
    """Everything that a report may show. `partial` lists what was cut short, in words.

    `started` and `ended` are Unix time in seconds; `head` is the ledger's last hash, None where
    nothing could be recorded.
    """

    version: str
    incident: str
    ledger: str | None
    head: str | None
    question: Question
    target: Target
    identity: Identity
    started: float
    ended: float
    partial: tuple[str, ...]
    layers: tuple[LayerState, ...]
    evidence: tuple[Evidence, ...]
    findings: tuple[Finding, ...]
    contributing_factors: tuple[ContributingFactor, ...]
    activities: tuple[Activity, ...]
    claims: tuple[Licensed, ...]  # what the reports say of it, in the order of reading
    timings: Timings
    redacted: int
    place: str = "host/local"
    ground: Ground | None = None
    place_options: tuple[tuple[str, str], ...] = ()

    @property
    def at(self) -> Place:
        """The place with its options."""
        return Place(self.place, options=self.place_options)

    def logs(self) -> Iterator[tuple[Evidence, LogSummary]]:
        """The log summaries, each with its evidence."""
        return self._facts(LogSummary)

    def metrics(self) -> Iterator[tuple[Evidence, MetricsSummary]]:
        """The metrics summaries, each with its evidence."""
        return self._facts(MetricsSummary)

    def readings(self) -> Iterator[tuple[Evidence, Readings]]:
        """The readings of the checklist, each with its evidence."""
        return self._facts(Readings)

    def _facts(self, kind: type[F]) -> Iterator[tuple[Evidence, F]]:
        for item in self.evidence:
            for fact in item.facts:
                if isinstance(fact, kind):
                    yield item, fact
