"""Many targets or places asked at once: each by itself, and what sets one apart from its peers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locard.model.investigation import Investigation


@dataclass(frozen=True, slots=True)
class Member:
    """One target at one place. Either `found` is there, or `why` says why it could not be looked at."""

    ref: str
    place: str
    found: Investigation | None = None
    what: str = ""
    why: str = ""
    next_step: str = ""
    options: tuple[tuple[str, str], ...] = ()  # of its place

    @property
    def workload(self) -> bool:
        """Whether it is a workload of a cluster as a whole, its logs, and none of its containers."""
        kind, _, rest = self.place.partition("/")
        return kind not in {"host", "container"} and "/" not in rest


@dataclass(frozen=True, slots=True)
class Difference:
    """What one member has that its peers have not.

    `value` and `typical` are in `unit`; for a finding or a text they stand in `says` alone.
    `of` members could be compared; `shared` of them have the same as this one.
    """

    member: str
    what: str  # the reading, finding or fact
    says: str
    score: float  # how far out, in robust standard deviations; infinite for what no other has
    of: int
    shared: int = 1
    value: float | None = None
    typical: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Fleet:
    """All members, outliers first, and what sets them apart; `compared` says over how many."""

    incident: str
    ledger: str | None
    members: tuple[Member, ...]
    differences: tuple[Difference, ...]
    compared: int
    not_compared: str = ""  # why no comparison was made
    partial: tuple[str, ...] = ()
    unrecorded: str = ""  # why the record ends before the end; `ledger` is None then
    left: tuple[str, ...] = ()  # what stays behind at some place, in words
