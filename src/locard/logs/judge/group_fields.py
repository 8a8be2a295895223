"""Which fields say who is hit: those with few values, and the frequent values of those with many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.logs.fields.times import NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.logs.fields.profile import FieldProfile
    from locard.logs.fields.roles import Roles
    from locard.logs.judge.error_test import ErrorTest
    from locard.logs.table.table import Table

MOST_GROUPS = 500
MOST_VALUES = 2000
_MOST_NUMBERS = 32
_MOST_CROWDED = 40  # fields with many values that are looked at
_FREQUENT = 200  # of their values are kept
_FEWEST_ERRORS = 5  # of a value, to be worth it
_NEVER = {"time", "duration", "trace_id", "message", "status", "level"}

# Fields that tell the outcome again: they would "explain" every error and say nothing.
_RESTATES = {"error", "err", "exception", "exc", "excinfo", "exctext", "stack", "stacktrace",
             "traceback", "outcome", "result", "success", "ok", "failed", "reason", "statustext",
             "statusmessage", "errorcode", "errortype", "errorkind", "errorclass", "severity",
             "level", "levelname", "status", "statuscode"}  # fmt: skip
_RESTATES_PARTS = {"error", "exception", "err", "exc"}


@dataclass(frozen=True, slots=True)
class GroupField:
    """A field of `ev`; `values` are those that are kept of one with too many, else empty."""

    name: str
    column: str
    endpoint: bool = False
    values: tuple[str, ...] = ()


def chosen(
    table: Table, fields: Sequence[FieldProfile], roles: Roles, error: ErrorTest
) -> list[GroupField]:
    """Fields whose values may say who is hit, and that do not tell the outcome again.

    Those with a known role come first, those with many values last. Of the latter the values are kept
    that are frequent among the errors, or in the whole log: one customer among a million.
    """
    usable = [
        f
        for f in fields
        if roles.role_of(f.name) not in _NEVER
        and f.name not in error.fields
        and (roles.role_of(f.name) == "endpoint" or not _restates(f.name))
    ]
    few = [f for f in usable if roles.role_of(f.name) == "endpoint" or not _unbounded(f)]
    named = [f for f in few if roles.role_of(f.name)]
    others = sorted((f for f in few if f not in named), key=lambda f: (-f.count, f.distinct))
    found = [
        GroupField(f.name, f.column, endpoint=roles.role_of(f.name) == "endpoint")
        for f in (named + others)[:MOST_GROUPS]
    ]
    crowded = [f for f in usable if f not in few and (_is_id(f.name) or not _is_measure(f))]
    crowded.sort(key=lambda f: (-f.count, f.name))
    return found + list(_frequent(table, crowded[:_MOST_CROWDED], error))


def _frequent(
    table: Table, fields: Sequence[FieldProfile], error: ErrorTest
) -> Iterator[GroupField]:
    """Those of the fields that have frequent values at all."""
    for item in fields:
        rows = table.rows(
            f"""SELECT v FROM (SELECT {item.column} AS v, count(*) AS n FROM raw_kept
                  WHERE {error.sql} AND {item.column} IS NOT NULL GROUP BY v)
                WHERE n >= {_FEWEST_ERRORS} ORDER BY n DESC, v LIMIT {_FREQUENT}""",  # noqa: S608 - columns are ours
            error.parameters,
        )
        seen = table.seen.get(item.column)
        often = [text for text, _ in seen.frequent] if seen is not None else []
        values = dict.fromkeys([v for (v,) in rows] + often)
        if values:
            yield GroupField(item.name, item.column, values=tuple(values)[:_FREQUENT])


def _restates(name: str) -> bool:
    parts = [p for p in name.lower().replace("-", "_").split(".") if p]
    plain = parts[-1].replace("_", "") if parts else ""
    words = {w for p in parts for w in p.split("_")}
    return plain in _RESTATES or bool(words & _RESTATES_PARTS)


def _unbounded(item: FieldProfile) -> bool:
    if item.distinct > MOST_VALUES or item.distinct > max(10, 0.2 * item.count):
        return True
    return item.distinct > _MOST_NUMBERS and _is_measure(item)


def _is_id(name: str) -> bool:
    """Whether numbers of that name say who somebody is."""
    return name.lower().rstrip("_").endswith("id")


def _is_measure(item: FieldProfile) -> bool:
    """Whether a field holds numbers: of many different ones none says who somebody is."""
    return sum(bool(NUMBER.fullmatch(v)) for v in item.values) > len(item.values) / 2
