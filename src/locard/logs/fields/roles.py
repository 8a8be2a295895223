"""Which field means what: found by its name and confirmed by its values, with the reason.

A stream of several formats may keep one meaning in several fields. Then the role's column is an SQL
expression that takes it from whichever field a record has, in one unit.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from locard.logs.fields.amounts import (
    UNIT_MS,
    duration_sql,
    duration_unit,
    is_duration,
    is_written_duration,
)
from locard.logs.fields.given_roles import LOG_ZONE
from locard.logs.fields.levels import (
    is_level,
    level_sql,
    named_level_sql,
    names_level,
    numbering_of,
    numbering_words,
)
from locard.logs.fields.role_finding import RoleFinder, RoleSource
from locard.logs.fields.role_names import (
    DURATION,
    ENDPOINT,
    GROUPS,
    LEVEL,
    MESSAGE,
    ROLES,
    STATUS,
    TIME,
    TRACE,
)
from locard.logs.fields.times import SCALES, TimeFormat, epoch_sql, mostly, time_format
from locard.logs.table.sql_text import literal
from locard.model.errors import UsageError
from locard.model.log_reading import FieldRole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from locard.logs.fields.profile import FieldProfile

__all__ = [
    "ROLES",
    "UNIT_MS",
    "Roles",
    "TimeFormat",
    "assign",
    "duration_unit",
    "time_format",
]  # fmt: skip

_PATH = re.compile(r"(https?://[^\s]+|/[^\s]*|[A-Z]{3,7} /[^\s]*( HTTP/[\d.]+)?)")
_ISO_TIME = TimeFormat("iso")
_MOSTLY_NAMED = 0.5  # of the messages
_LEVELS_NAMED = 2  # at least: how many is not counted


@dataclass(frozen=True, slots=True)
class Roles:
    """The fields with a meaning; None where the log has no such field.

    `column` of each is a column of `raw`, or an SQL expression over its columns.
    """

    found: tuple[FieldRole, ...]
    time: FieldProfile | None = None
    time_format: TimeFormat = _ISO_TIME
    level: FieldProfile | None = None
    level_in: str = (
        ""  # the field whose texts name the level, where no field has it, or always the same
    )
    status: FieldProfile | None = None
    duration: FieldProfile | None = None
    duration_unit: str = "ms"
    trace_id: FieldProfile | None = None
    endpoint: FieldProfile | None = None
    message: FieldProfile | None = None

    def role_of(self, name: str) -> str | None:
        """The role of a field, if it has one."""
        return next((r.role for r in self.found if r.field == name), None)


def assign(
    fields: Sequence[FieldProfile], records: int, given: Mapping[str, str] | None = None
) -> Roles:
    """The role of each field that has one; `given` (role to field name) comes before all else.

    Raises UsageError where a given role or field does not exist or cannot be what it shall be.
    """
    given = dict(given or {})
    zone = given.pop(LOG_ZONE, "")
    finder = RoleFinder(list(fields), records, given)
    time, written = _time(finder, zone)
    duration, unit = _duration(finder)
    status = _status(finder)
    level = _level(finder)
    endpoint = _endpoint(finder)
    trace = _trace(finder)
    message = _plain(finder, "message", MESSAGE, lambda _: True)
    named = _named_level(finder, message, level)
    for role, names in GROUPS.items():
        finder.first(role, names, functools.partial(_is_group, role))
    finder.values_count = True
    if time is None:
        time, written = _time(finder, zone)
    endpoint = endpoint or _endpoint(finder)
    finder.of_requests = endpoint is not None or finder.column("method") is not None
    if duration is None:
        duration, unit = _duration(finder)
    status = status or _status(finder)
    trace = trace or _trace(finder)
    if named is None and level is None:
        level = _level(finder)
    return Roles(
        found=tuple(finder.found),
        time=time,
        time_format=written,
        level=named or level,
        level_in=message.name if named and message else "",
        status=status,
        duration=duration,
        duration_unit=unit,
        trace_id=trace,
        endpoint=endpoint,
        message=message,
    )


def _plain(
    finder: RoleFinder,
    role: str,
    names: tuple[str, ...],
    fits: Callable[[FieldProfile], object],
) -> FieldProfile | None:
    """The fields of a role whose texts need no translation, as one."""
    found = finder.sources(role, names, fits)
    if not found:
        return None
    finder.note(role, found, lambda _: "")
    return merged(found, [_where(s, s.item.column) for s in found])


def merged(sources: Sequence[RoleSource], columns: Sequence[str]) -> FieldProfile:
    """The first field, with a column that takes each record's value from where it is."""
    first = sources[0].item
    if len(columns) == 1 and columns[0] == first.column:
        return first
    return replace(
        first,
        column=columns[0] if len(columns) == 1 else f"coalesce({', '.join(columns)})",
        count=sum(s.count for s in sources),
        distinct=max(s.item.distinct for s in sources),
    )


def _status(finder: RoleFinder) -> FieldProfile | None:
    return _plain(finder, "status", STATUS, _is_status)


def _endpoint(finder: RoleFinder) -> FieldProfile | None:
    return _plain(finder, "endpoint", ENDPOINT, lambda f: mostly(f, _PATH.fullmatch))


def _trace(finder: RoleFinder) -> FieldProfile | None:
    return _plain(finder, "trace_id", TRACE, lambda f: f.distinct > 1 or f.count == 1)


_Key = tuple[str, str]


def _key(source: RoleSource) -> _Key:
    """One field may be two sources, of a dialect and of the records of no dialect."""
    return source.item.name, source.condition


def _some_written(source: RoleSource) -> bool:
    return any(v[-1:].isalpha() or ":" in v for v in source.item.values)


def _where(source: RoleSource, sql: str) -> str:
    return f"CASE WHEN {source.condition} THEN {sql} END" if source.condition else sql


def _time(finder: RoleFinder, zone: str) -> tuple[FieldProfile | None, TimeFormat]:
    sources = finder.sources("time", TIME, lambda f: time_format(f) is not None)
    formats: dict[_Key, TimeFormat] = {}
    for source in sources:
        written = time_format(source.item)
        if written is None and source.pick is not None and finder.given("time") is None:
            written = TimeFormat("mixed")  # a dialect says that they are times
        if source.pick is not None and source.pick.scale:
            written = TimeFormat("epoch", SCALES[source.pick.scale])
        if written is None:
            raise UsageError(
                f"the field {source.item.name!r} holds no times",
                f"its values are like {source.item.values[0]!r}"
                if source.item.values
                else "it is empty",
                "A time is ISO 8601, Unix time or as in access logs.",
            )
        formats[_key(source)] = replace(
            written, zone=zone if written.kind in {"iso", "forms", "mixed"} else ""
        )
    if not sources:
        return None, _ISO_TIME
    finder.note("time", sources, lambda s: formats[_key(s)].words())
    plus = next((s for s in sources if s.pick and s.pick.plus), None)
    first = formats[_key(sources[0])]
    easy = first.kind != "mixed"
    if len(sources) == 1 and plus is None and not sources[0].condition and easy:
        return sources[0].item, first
    columns = []
    for source in sources:
        sql = epoch_sql(source.item.column, formats[_key(source)])
        if source.pick is not None and source.pick.plus:
            name, scale = source.pick.plus
            extra = finder.column(name)
            if extra:
                sql += f" + coalesce(TRY_CAST({extra} AS DOUBLE), 0) * {SCALES[scale]!r}"
        columns.append(_where(source, f"({sql})"))
    both = TimeFormat(
        "epoch",
        zoned=all(f.zoned for f in formats.values()),
        marks_start=first.marks_start,
    )
    return merged(sources, columns), both


def _duration(finder: RoleFinder) -> tuple[FieldProfile | None, str]:
    sources = finder.sources("duration", DURATION, is_duration)
    if not sources:
        return None, "ms"
    units: dict[_Key, tuple[str, str]] = {}
    for source in sources:
        unit = duration_unit(source.item)
        if source.pick is not None and source.pick.scale and unit[0] != "written":
            unit = source.pick.scale, f"it is in {source.pick.scale} there"
        units[_key(source)] = unit
    finder.note("duration", sources, lambda s: units[_key(s)][1])
    first = units[_key(sources[0])][0]
    some = any(map(_some_written, sources))
    if len(sources) == 1 and not sources[0].condition and not some:
        return sources[0].item, first
    columns = [
        _where(s, duration_sql(s.item.column, units[_key(s)][0], some_written=_some_written(s)))
        for s in sources
    ]
    return merged(sources, columns), "ms"


def _level(finder: RoleFinder) -> FieldProfile | None:
    sources = finder.sources("level", LEVEL, is_level)
    if not sources:
        return None
    finder.note("level", sources, lambda s: numbering_words(_numbering(s)))
    distances = any(re.search(r"[a-z][+-]\d+$", v.lower()) for s in sources for v in s.item.values)
    defaults = finder.default_level()
    numbers = any(map(_numbering, sources))
    words = any(s.pick and s.pick.words for s in sources)
    if len(sources) == 1 and not numbers and not distances and not defaults and not words:
        return sources[0].item
    columns = [_where(s, _level_word(s)) for s in sources]
    return merged(sources, [*columns, *defaults])


def _level_word(source: RoleSource) -> str:
    """SQL of a level as a word, by what the words of its dialect mean."""
    word = level_sql(source.item.column, _numbering(source))
    if source.pick is None or not source.pick.words:
        return word
    cases = " ".join(
        f"WHEN {literal(own)} THEN {literal(level)}" for own, level in source.pick.words.items()
    )
    return f"CASE lower({source.item.column}) {cases} ELSE {word} END"


def _named_level(
    finder: RoleFinder, message: FieldProfile | None, level: FieldProfile | None
) -> FieldProfile | None:
    """The levels that messages name, where no field has one, or the same for every line of a stream."""
    if message is None or finder.given("level") or (level is not None and level.distinct > 1):
        return None
    named = [v for v in message.values if names_level(v)]
    if len(named) <= _MOSTLY_NAMED * len(message.values):
        return None
    name = level.name if level else "level"
    if level is None:
        finder.found.append(FieldRole("level", name, f"{message.name} names it at its head"))
    return replace(
        message, name=name, column=named_level_sql(message.column), distinct=_LEVELS_NAMED
    )


def _numbering(source: RoleSource) -> str | None:
    if source.pick is not None:
        return source.pick.numbering if any(v.isdigit() for v in source.item.values) else None
    return numbering_of(source.item)


def _is_group(role: str, item: FieldProfile) -> bool:
    """Whether a field's values tell groups apart; the host of a header is what was asked for, no instance."""
    if role == "instance" and "header" in item.name.lower():
        return False
    return item.distinct <= max(50, 0.5 * item.count) and not is_written_duration(item)


def _is_status(item: FieldProfile) -> bool:
    return mostly(item, lambda v: re.fullmatch(r"[1-5]\d\d(\.0)?", v))
