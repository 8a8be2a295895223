"""What an investigation works with: who listens, where it is recorded, who drives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from locard.model.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.guard.budget import Budget
    from locard.guard.gate import Gate
    from locard.guard.redact import Redactor
    from locard.investigate.drive import Driver
    from locard.ledger.store import Ledger
    from locard.model.evidence import Evidence, Layer
    from locard.model.facts import Fact
    from locard.model.finding import Finding
    from locard.model.target import Skip
    from locard.transport.session import Session


class Listener(Protocol):
    """Who is told of the progress, in the order of the method."""

    def began(self, layer: Layer, probe: str) -> None:
        """A probe begins."""

    def grew(self, layer: Layer, probe: str, headline: str) -> None:
        """A stream has given more: what it says so far."""

    def grown(self, facts: Sequence[Fact], lines: str) -> None:
        """New lines of a stream and what they say, of a probe each of whose lines says something of its own (BY_LINE)."""

    def stored(self, evidence: Evidence, headline: str, *, recorded: bool) -> None:
        """Its evidence is safe in the ledger (or, not `recorded`, only in memory)."""

    def skipped(self, layer: Layer, probe: str, skip: Skip) -> None:
        """A probe was not run."""

    def found(self, finding: Finding) -> None:
        """A rule found something that it had not found before."""

    def waits(self, text: str) -> None:
        """What is waited for, where that takes longer than a moment."""

    def warned(self, text: str) -> None:
        """Something that the user should know at once."""


@dataclass(slots=True)
class Record:
    """The ledger of an incident while it is written; once that fails, the results go on without it.

    Several investigations of one incident write into the same one.
    """

    ledger: Ledger | None
    listener: Listener
    problem: str = ""  # why nothing is recorded any more

    def write(self, kind: str, body: object, outputs: tuple[bytes, ...] = ()) -> int:
        """Append one entry; its number in the ledger, 0 where it could not be written."""
        if self.ledger is None:
            return 0
        try:
            return self.ledger.append(kind, body, outputs).seq
        except StateError as error:
            self.ledger.close()
            self.ledger = None
            self.problem = f"not recorded from here on: {error.what}: {error.why}"
            self.listener.warned(f"{error} Going on without the record.")
            return 0


@dataclass(frozen=True, slots=True)
class Means:
    """What an investigation works with. `home` is this machine's session."""

    gate: Gate
    budget: Budget
    redactor: Redactor
    record: Record
    listener: Listener
    driver: Driver
    session: Session
    home: Session
    began: float  # Unix time at which the process of locard began
    judge_at_once: bool = True  # each time something is learned: not where many are looked at
