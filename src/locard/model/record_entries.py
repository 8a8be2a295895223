"""What the ledger holds beside evidence, findings and verdict: each kind of entry is a record here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locard.model.evidence import Identity, Ran
    from locard.model.place import Ground, Place


@dataclass(frozen=True, slots=True)
class PlaceOpened:
    """A session to a place opened: by which argv, and what was found there."""

    place: Place
    argv: tuple[str, ...]
    ground: Ground


@dataclass(frozen=True, slots=True)
class PlaceUnreached:
    """A session did not open, or broke."""

    place: Place
    why: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What was asked to find the target, its logs, its ports and its control groups."""

    place: str
    ran: tuple[Ran, ...]


@dataclass(frozen=True, slots=True)
class CommandStarted:
    """A command begins: written before anything of it runs."""

    probe: str
    place: str
    identity: Identity
    argv: tuple[str, ...]
    impact: str
    residue: tuple[str, ...]
    bound_s: float


@dataclass(frozen=True, slots=True)
class ResidueLeft:
    """What a command will leave at a place; written before it runs, and again if undoing failed."""

    probe: str
    place: str
    what: tuple[str, ...]
    undone: bool | None  # None: not tried yet
