"""Findings and contributing factors: conclusions that cite their evidence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence, Layer

F = TypeVar("F")


class Severity(StrEnum):
    """How bad it is for the users of the target."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Confidence(StrEnum):
    """How many independent sources agree, and what speaks against."""

    STRONG = "strong"
    MODERATE = "moderate"
    WEAK = "weak"


class Role(StrEnum):
    """What a finding is in the story: a mechanism that contributes, who is hit, or background."""

    MECHANISM = "mechanism"
    SCOPE = "scope"
    CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class Support:
    """One sentence for or against, and the evidence that says it."""

    evidence: str
    layer: Layer
    says: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's conclusion. `rule` is the pattern found, as the rule's file name with dashes.

    `explains` is the share (0..1) of the excess bad requests that it accounts for, None where
    that cannot be said. `next_commands` are complete command lines.
    """

    rule: str
    layer: Layer
    role: Role
    severity: Severity
    title: str
    detail: str
    supports: tuple[Support, ...]
    against: tuple[Support, ...] = ()
    explains: float | None = None
    values: tuple[tuple[str, str], ...] = ()  # field=value pairs it is about
    next_commands: tuple[str, ...] = ()
    id: str = ""

    @property
    def confidence(self) -> Confidence:
        """Layers that agree, less those that speak against: strong from two on.

        Moderate: one layer is left over and at least two sentences support it; weak: the rest.
        """
        layers = {s.layer for s in self.supports}
        score = len(layers) - len({s.layer for s in self.against})
        if score >= 2:  # noqa: PLR2004 - the definition above
            return Confidence.STRONG
        if score == 1 and len(self.supports) >= 2:  # noqa: PLR2004
            return Confidence.MODERATE
        return Confidence.WEAK

    @property
    def evidence(self) -> tuple[str, ...]:
        """The evidence ids it cites, each once, in order."""
        return tuple(dict.fromkeys(s.evidence for s in (*self.supports, *self.against)))


@dataclass(frozen=True, slots=True)
class ContributingFactor:
    """A ranked mechanism with what speaks for and against it. Not "root cause"."""

    rank: int
    rule: str
    finding: str
    title: str
    confidence: Confidence
    explains: float | None
    evidence_for: tuple[Support, ...]
    evidence_against: tuple[Support, ...]
    next_command: str | None


@dataclass(frozen=True, slots=True)
class Case:
    """What the rules may look at: the evidence so far and the moment of the investigation."""

    target: str
    now: float
    evidence: tuple[Evidence, ...]

    def facts(self, kind: type[F]) -> Iterator[tuple[Evidence, F]]:
        """All facts of one type, each with the evidence that it came from."""
        for item in self.evidence:
            for fact in item.facts:
                if isinstance(fact, kind):
                    yield item, fact
