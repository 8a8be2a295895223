"""Finds the fields of each role: dialects first, then by name and value, each with its reason."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.logs.fields.role_names import ROLES, name_rank
from locard.logs.fields.value_finding import by_value
from locard.logs.lines.line_format import Dialect, Pick, dialects
from locard.model.errors import UsageError
from locard.model.log_reading import FieldRole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from locard.logs.fields.profile import FieldProfile

_OVERLAP = 1.02  # fields that stand in for each other are seldom in one record
_MOST_SOURCES = 48  # fields of one role


@dataclass(frozen=True, slots=True)
class RoleSource:
    """One field of a role: where it counts (an SQL condition), and what its dialect says of it."""

    item: FieldProfile
    reason: str = ""
    pick: Pick | None = None
    condition: str = ""
    markers: int = 0  # records that can be of the dialect, where there is a condition

    @property
    def count(self) -> int:
        """How many records can have it."""
        return min(self.item.count, self.markers) if self.condition else self.item.count


class RoleFinder:
    """Picks fields by role; a field is taken once."""

    def __init__(self, fields: list[FieldProfile], records: int, given: Mapping[str, str]) -> None:
        """Raises UsageError where a given role or field does not exist."""
        self.fields = fields
        self.records = records
        self.found: list[FieldRole] = []
        self._given = {role: self._named(role, name) for role, name in given.items()}
        self._by_name = {f.name: f for f in fields}
        self._dialects = [
            (name, d) for name, d in dialects() if all(m in self._by_name for m in d.markers)
        ]
        self._taken = {f.name for f in self._given.values()}
        self._claimed = self._claims()
        self.values_count = False  # whether values alone may tell a role
        self.of_requests = False  # whether fields of requests are known

    def _claims(self) -> dict[str, set[str]]:
        """The roles that dialects give fields which all records have: they have no other."""
        claimed: dict[str, set[str]] = {}
        for _, dialect in self._dialects:
            if any(self._by_name[m].count < self.records for m in dialect.markers):
                continue
            for role in dialect.roles:
                for pick in dialect.picks(role):
                    claimed.setdefault(pick.field, set()).add(role)
        return claimed

    def _named(self, role: str, name: str) -> FieldProfile:
        if role not in ROLES:
            raise UsageError(
                f"there is no role {role!r}", f"roles are {', '.join(ROLES)}", "Pick one of these."
            )
        for item in self.fields:
            if item.name == name:
                return item
        close = difflib.get_close_matches(name, [f.name for f in self.fields], 3)
        known = ", ".join(close or sorted(f.name for f in self.fields)[:8]) or "none"
        raise UsageError(f"the log has no field {name!r}", f"it has {known}", "Pick one of these.")

    def given(self, role: str) -> FieldProfile | None:
        """The field that the user gave for a role."""
        return self._given.get(role)

    def sources(
        self, role: str, names: tuple[str, ...], fits: Callable[[FieldProfile], object]
    ) -> list[RoleSource]:
        """The fields of a role, the best first: those that stand in for each other."""
        given = self._given.get(role)
        if given is not None:
            return [RoleSource(given, "it was given")]
        chosen: list[RoleSource] = []
        for name, dialect in self._dialects:
            source = self._of_dialect(role, name, dialect)
            if source is not None and source.item.name not in self._taken:
                chosen.append(source)
        # What is a dialect's own in its records may mean the same, written otherwise, in the others.
        self._taken.update(s.item.name for s in chosen if not s.condition)
        shared: dict[str, int] = {}
        for source in chosen:
            shared[source.item.name] = max(shared.get(source.item.name, 0), source.count)
        room = self.records * _OVERLAP - sum(shared.values())
        for item in self._by_rank(role, names, fits):
            if len(chosen) >= _MOST_SOURCES:
                break
            more = item.count - shared.get(item.name, 0)
            if chosen and item.name not in shared and not _stands_in(item, room):
                continue
            chosen.append(RoleSource(item))
            room -= more
        if not chosen and self.values_count:
            chosen += self._by_value(role)
        self._taken.update(s.item.name for s in chosen)
        return chosen

    def _by_value(self, role: str) -> list[RoleSource]:
        free = [
            f
            for f in self.fields
            if f.name not in self._taken and role in self._claimed.get(f.name, {role})
        ]
        found = by_value(role, free, self.records, of_requests=self.of_requests)
        return [RoleSource(found, "its values alone, as no name says it")] if found else []

    def _of_dialect(self, role: str, name: str, dialect: Dialect) -> RoleSource | None:
        found = ((p, self._by_name.get(p.field)) for p in dialect.picks(role))
        pick, item = next(((p, i) for p, i in found if i is not None), (None, None))
        if pick is None or item is None:
            return None
        markers = [self._by_name[m] for m in dialect.markers if m != item.name]
        everywhere = all(m.count >= self.records for m in markers)
        condition = "" if everywhere else " AND ".join(f"{m.column} IS NOT NULL" for m in markers)
        reason = f"records of {name.replace('-', ' ')} keep it there"
        return RoleSource(
            item, reason, pick, condition, min((m.count for m in markers), default=item.count)
        )

    def default_level(self) -> list[str]:
        """SQL of the level that dialects leave out."""
        return [
            f"CASE WHEN {self._by_name[d.markers[0]].column} IS NOT NULL THEN '{d.default_level}' END"
            for _, d in self._dialects
            if d.default_level
        ]

    def column(self, name: str) -> str | None:
        """The column of a field, if the log has it."""
        item = self._by_name.get(name)
        return item.column if item else None

    def _by_rank(
        self, role: str, names: tuple[str, ...], fits: Callable[[FieldProfile], object]
    ) -> list[FieldProfile]:
        ranked = []
        for item in self.fields:
            if role not in self._claimed.get(item.name, {role}):
                continue
            rank = None if item.name in self._taken else name_rank(item.name, names)
            if rank is None or not fits(item):
                continue
            # A field in most records beats a better name in few.
            ranked.append(((item.count < self.records / 2, rank, -item.count), item))
        return [item for _, item in sorted(ranked, key=lambda pair: pair[0])]

    def first(
        self, role: str, names: tuple[str, ...], fits: Callable[[FieldProfile], object]
    ) -> FieldProfile | None:
        """The best field of a role, alone."""
        found = self.sources(role, names, fits)
        for other in found[1:]:
            self._taken.discard(other.item.name)
        return self.note(role, found[:1], lambda _: "") if found else None

    def note(
        self, role: str, sources: Sequence[RoleSource], why: Callable[[RoleSource], str]
    ) -> FieldProfile:
        """Write down which fields have a role, and why. Returns the first."""
        for source in sources:
            if any((r.role, r.field) == (role, source.item.name) for r in self.found):
                continue
            values = dict.fromkeys(v[:24] for v in source.item.values)
            shown = why(source) or f"values like {', '.join(list(values)[:2])}"
            reason = f"{source.reason or 'its name'}, and {shown}"
            self.found.append(FieldRole(role, source.item.name, reason))
        return sources[0].item


def _stands_in(item: FieldProfile, room: float) -> bool:
    """Whether a further field of a role takes the place of the others, and stands not beside them.

    What was before a record is there for all, and counts where the record says nothing itself.
    """
    return item.count <= room or item.name.startswith("prefix.")
