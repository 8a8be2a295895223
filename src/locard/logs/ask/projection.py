"""Which fields a question reads, and the log with these alone.

Of a large log of JSON lines a sample, drawn from all of it, says which fields there are and what they
mean; then the whole log is read, every line is checked, and only the fields that the question needs
are kept. Where the whole shows what the sample did not (a field that may mean what is asked for), all
fields are read, as they are of a small log and of one of text.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.logs.fields.given_roles import given_for
from locard.logs.fields.meaning import Meaning
from locard.logs.fields.profile import profiled
from locard.logs.fields.role_names import NAMES, is_id, name_rank
from locard.logs.fields.roles import assign
from locard.logs.input.log_source import Source, open_source
from locard.logs.scan import native_engine
from locard.logs.table.table import DEEPEST, MOST_FIELDS, SAMPLE_CHARS, Seen
from locard.model.errors import LocardError
from locard.where.syntax import fields_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from locard.logs.fields.profile import FieldProfile
    from locard.logs.input.log_source import Wants
    from locard.logs.table.table import Table
    from locard.where.syntax import Node

LARGE = 4 << 20  # bytes; reading all of a smaller log takes no time
_PIECES = 16
_PIECE_BYTES = 48 << 10
_COLUMN = re.compile(r"\bc\d+\b")


@dataclass(frozen=True, slots=True)
class Reads:
    """The fields of a question as they are written, the roles that it needs besides, and whether it
    looks for a request by any id.
    """  # noqa: D205 - one sentence

    names: tuple[str, ...]
    roles: tuple[str, ...] = ()
    ids: bool = False
    whole: bool = False  # the records that are found are shown with all of their fields

    @classmethod
    def of(
        cls,
        where: Node | None,
        names: Iterable[str],
        *,
        times: bool,
        errors: bool,
        ids: bool,
        whole: bool = False,
    ) -> Reads:
        """Of the parts of a question; `errors`: it counts them, `times`: it is about some time."""
        asked = [] if where is None else [field.name for field in fields_of(where)]
        roles = (*(("time",) if times else ()), *(("status", "level") if errors else ()))
        return cls((*asked, *names), roles, ids, whole)


@dataclass(frozen=True, slots=True)
class Plan:
    """The fields to be read, with what a sample of the log says of those that are asked for."""

    fields: tuple[str, ...]
    found: dict[str, str | None]  # each name of the question, and what it is the name of
    roles: dict[str, tuple[str, ...]]  # each role that counts, and the fields that have it
    known: frozenset[str]


def planned(name: str, wants: Wants | None, reads: Reads, given: Mapping[str, str]) -> Plan | None:
    """What to read of a large plain file; None of any other, and where all fields have to be read."""
    # A pipe is not opened for a sample: closing it again would end its writer.
    if not native_engine.available() or not os.path.isfile(name):  # noqa: PTH113 - a name may be no path
        return None
    sample = _sample(name, wants)
    if sample is None:
        return None
    fields, keys, records = _profiled(sample)
    if not records:
        return None
    roles = assign(fields, records, given_for(fields, given))
    parts = {"level": roles.level, "status": roles.status, "trace_id": roles.trace_id,
             "endpoint": roles.endpoint, "message": roles.message, "time": roles.time,
             "duration": roles.duration}  # fmt: skip
    meaning = Meaning(
        columns={f.name: f.column for f in fields},
        roles={r.role: r.field for r in reversed(roles.found)},
        role_of={r.field: r.role for r in roles.found},
        expressions={role: item.column for role, item in parts.items() if item is not None},
    )
    return plan(meaning, keys, reads)


def _profiled(sample: bytes) -> tuple[list[FieldProfile], frozenset[str], int]:
    """The profile of the fields of some lines of JSON, all their keys, and how many records they are."""
    from locard._native import Scanner  # noqa: PLC0415 - it need not be there

    read = Scanner(most_fields=MOST_FIELDS, deepest=DEEPEST, sample_chars=SAMPLE_CHARS, mines=True)
    read.read(sample)
    read.take()
    fields = []
    for i, (name, column, *_, codes, _raw) in enumerate(read.fields):
        count, samples = read.values(i)
        if count:
            distinct = codes or read.sketch(i)[0]
            fields.append(profiled(name, column, Seen(count, distinct, samples, [])))
    return sorted(fields, key=lambda f: f.name), frozenset(read.keys), read.records


def _sample(name: str, wants: Wants | None) -> bytes | None:
    """Some lines from all over a large plain file; None of any other."""
    try:
        source = open_source(name, wants)
    except LocardError:
        return None  # reading it says what is wrong
    try:
        if type(source) is not Source or source.size is None or source.size < LARGE:
            return None
        return _drawn(source.fd, source.size)
    finally:
        source.close()


def _drawn(fd: int, size: int) -> bytes:
    parts = []
    for i in range(_PIECES):
        at = i * (size - _PIECE_BYTES) // (_PIECES - 1)
        piece = os.pread(fd, _PIECE_BYTES, at)
        begin = piece.find(b"\n") + 1 if at else 0
        parts.append(piece[begin : piece.rfind(b"\n") + 1])
    return b"".join(parts)


def plan(meaning: Meaning, keys: frozenset[str], reads: Reads) -> Plan:
    """What to read of the log by what the fields of a sample mean; `keys` are all that it has."""
    found = {name: meaning.find(name) for name in reads.names}
    roles = [role for role in reads.roles if role in meaning.roles]
    for what in found.values():
        role = meaning.role_of.get(what or "", what if what in meaning.roles else None)
        if role:
            roles.append(role)
    ids = {name for name in meaning.columns if is_id(name)} if reads.ids else set()
    if reads.ids and "trace_id" in meaning.roles:
        roles.append("trace_id")
    names = _behind(meaning, [*filter(None, found.values())], roles)
    # A name that the sample has not may be a field all the same, or lie in one.
    asked = {plain for name in reads.names for plain in (name, name.removeprefix("."))}
    if roles:
        names |= _markers(meaning)
    return Plan(
        tuple(sorted(names | ids | asked)),
        found,
        {role: _fields_of(meaning, role) for role in roles},
        keys,
    )


def needed(meaning: Meaning, reads: Reads) -> frozenset[str] | None:
    """The fields that a question reads of a log whose meaning is known; None where a name is unknown."""
    found = [meaning.find(name) for name in reads.names]
    names = [what for what in found if what is not None]
    if len(names) < len(found):
        return None
    roles = [role for role in reads.roles if role in meaning.roles]
    roles += [meaning.role_of[what] for what in names if what in meaning.role_of]
    roles += [what for what in names if what not in meaning.columns]
    ids = {name for name in meaning.columns if is_id(name)} if reads.ids else set()
    arrays = set(meaning.raws) if any(map(meaning.json, names)) else set()
    return frozenset(_behind(meaning, names, roles) | ids | arrays)


def _behind(meaning: Meaning, names: list[str], roles: list[str]) -> set[str]:
    """The fields that the SQL of some fields and roles reads."""
    by_column = {column: name for name, column in meaning.columns.items()}
    sql = [meaning.columns[name] for name in names if name in meaning.columns]
    sql += [meaning.expressions[role] for role in roles if role in meaning.expressions]
    found = {by_column[c] for part in sql for c in _COLUMN.findall(part) if c in by_column}
    for role in roles:
        found.update(_fields_of(meaning, role))
    return found


def _markers(meaning: Meaning) -> set[str]:
    """The fields that tell which logger has written a record, of those that are there."""
    from locard.logs.lines.line_format import dialects  # noqa: PLC0415 - not before it is needed

    known = [d for _, d in dialects() if all(m in meaning.columns for m in d.markers)]
    return {marker for dialect in known for marker in dialect.markers}


def _fields_of(meaning: Meaning, role: str) -> tuple[str, ...]:
    return tuple(sorted(f for f, r in meaning.role_of.items() if r == role))


def holds(plan: Plan, table: Table, meaning: Meaning) -> bool:
    """Whether the log that was read by a plan means what the sample said."""
    if any(_may_mean(name, plan) for name in table.keys - plan.known) or table.fields_left_out:
        return False
    if any(what is not None and meaning.find(name) != what for name, what in plan.found.items()):
        return False
    return all(_fields_of(meaning, role) == fields for role, fields in plan.roles.items())


def _may_mean(name: str, plan: Plan) -> bool:
    """Whether a field that the sample lacks may have a role that counts, or say how to read one."""
    if any(name_rank(name, NAMES[role]) is not None for role in plan.roles):
        return True
    return is_id(name) and "trace_id" in plan.roles
