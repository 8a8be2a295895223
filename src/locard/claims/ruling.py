"""What a licence answers: that a claim may be said, or what may be said instead, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from locard.model.claim import Claim, figures

if TYPE_CHECKING:
    from locard.claims.record import Record
    from locard.model.claim import Figure


class Withheld(NamedTuple):
    """What may be said instead, and why."""

    instead: Claim
    why: str


def cannot_tell(claim: Claim, why: str) -> Withheld:
    """The weakest claim of all: that it cannot be told, and why."""
    weaker = Claim(claim.slot, "cannot_tell", claim.subject, figures(why=why), claim.evidence)
    return Withheld(weaker, why)


def parts(claim: Claim) -> tuple[str, tuple[Figure, ...], tuple[str, ...]]:
    """Subject, figures and evidence, for a weaker claim about the same."""
    return claim.subject, claim.figures, claim.evidence


def said_as_is(_: Claim, __: Record) -> None:
    """A statement about the record itself (what was read, what is not known)."""
