"""From a table that an engine has filled to its sheet: which field means what, what holds numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from locard.logs.ask.log_view import Sheet
from locard.logs.fields.amounts import UNIT_MS, duration_sql
from locard.logs.fields.folds import with_folds
from locard.logs.fields.given_roles import given_for
from locard.logs.fields.meaning import Meaning
from locard.logs.fields.profile import profile
from locard.logs.fields.roles import assign
from locard.logs.fields.times import epoch_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.logs.ask.jq_stop import Stop
    from locard.logs.fields.profile import FieldProfile
    from locard.logs.fields.roles import Roles
    from locard.logs.table.table import Table

JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_IN_SAMPLE = 0.9  # of the sampled values must be numbers for a field to be counted whole
_MOST = 0.99  # of all its values
_SQL_NUMBERS = {"integers": "BIGINT", "doubles": "DOUBLE"}  # by how the scanner keeps them


def sheet_of(table: Table, source: str, stop: Stop | None = None) -> Sheet:
    """The sheet of a table that an engine has filled."""
    return Sheet(
        db=table.db,
        relation="raw_kept",
        source=source,
        meaning=meaning_of(table),
        lines=table.lines,
        records=table.records,
        skipped=tuple((item.reason, item.lines, item.sample) for item in table.skipped),
        partial=table.partial,
        engine=table.engine,
        stop=stop,
        first_odd=table.first_odd,
        stored={} if table.has_texts else table.stored,
    )


def meaning_of(table: Table) -> Meaning:
    """What the fields of a table mean: their roles, which of them are numbers, the last time."""
    fields = profile(table)
    roles = with_folds(assign(fields, table.records, given_for(fields, table.given)), table)
    found = Meaning(
        columns=dict(table.columns),
        raws=dict(table.raws),
        roles={r.role: r.field for r in reversed(roles.found)},
        role_of={r.field: r.role for r in roles.found},
        expressions=_expressions(roles, table),
        duration_unit=roles.duration_unit,
        numbers=_numbers(table, fields),
        truths=frozenset(f.name for f in fields if _only(f, {"true", "false"})),
    )
    time = found.time_sql()
    if time is None:
        return found
    # The latest but for a few: one broken clock must not say when the log ends.
    (last,) = table.one(
        f"SELECT quantile_disc(t, 0.999) FROM (SELECT {time} AS t FROM raw_kept) WHERE isfinite(t)"  # noqa: S608 - columns are ours
    )
    return replace(found, last=last)


def _expressions(roles: Roles, table: Table) -> dict[str, str]:
    """The SQL over `raw_kept` of each role that has one, as `Meaning` says."""
    found = {
        name: item.column
        for name in ("level", "status", "trace_id", "endpoint", "message")
        if (item := getattr(roles, name)) is not None
    }
    if roles.time:
        found["time"] = time_sql(roles, table)
    if roles.duration:
        found["duration"] = took_sql(roles, table)
    return found


def time_sql(roles: Roles, table: Table) -> str:
    """The time of a record, where there is one, over `raw_kept`: Unix time in seconds."""
    if roles.time is None:
        return "CAST(NULL AS DOUBLE)"
    column, written = roles.time.column, roles.time_format
    number = table.number(column)
    if number is not None and not written.zone:
        return number if written.kind == "iso" else f"{number} * {written.scale!r}"
    moment = epoch_sql(column, written)
    # Which hour of two is meant depends on the line, not on the text alone.
    return moment if written.folds else table.lifted(column, moment)


def took_sql(roles: Roles, table: Table) -> str:
    """The duration of a record, where there is one, over `raw_kept`: ms."""
    if roles.duration is None:
        return "CAST(NULL AS DOUBLE)"
    column, unit = roles.duration.column, roles.duration_unit
    number = table.number(column)
    if number is not None and unit != "written":
        return f"{number} * {UNIT_MS[unit]!r}"
    return table.lifted(column, duration_sql(column, unit))


def _only(item: FieldProfile, words: set[str]) -> bool:
    return bool(item.values) and words.issuperset(item.values)


def _numbers(table: Table, fields: Sequence[FieldProfile]) -> dict[str, str]:
    """The fields whose values are numbers, but for one in a hundred, each with the type that holds them."""
    likely = [
        f
        for f in fields
        if f.values
        and sum(bool(JSON_NUMBER.fullmatch(v)) for v in f.values) >= _IN_SAMPLE * len(f.values)
    ]
    kept = {f.name: table.kept(f.column) for f in likely}
    found = {n: _SQL_NUMBERS[k.kind] for n, k in kept.items() if k and k.kind in _SQL_NUMBERS}
    rest = [f for f in likely if f.name not in found]
    counts = _counted(table, rest, "TRY_CAST({0} AS DOUBLE) IS NOT NULL")
    rest = [f for f in rest if counts[f.name] >= _MOST * f.count]
    for kind in ("BIGINT", "HUGEINT"):  # whole numbers, if that is how the log writes all of them
        whole = _counted(table, rest, f"CAST(TRY_CAST({{0}} AS {kind}) AS VARCHAR) = {{0}}")
        found |= {f.name: kind for f in rest if whole[f.name] == counts[f.name]}
        rest = [f for f in rest if f.name not in found]
    return found | {f.name: "DOUBLE" for f in rest}


def _counted(table: Table, fields: Sequence[FieldProfile], test: str) -> dict[str, int]:
    """How many records pass a test of each field, `{0}` in its SQL."""
    if not fields:
        return {}
    tests = (table.lifted(f.column, test.format(f.column)) for f in fields)
    picks = ", ".join(f"count_if({test})" for test in tests)
    counts = table.one(f"SELECT {picks} FROM raw_kept")  # noqa: S608 - columns are ours
    return {f.name: n for f, n in zip(fields, counts, strict=True)}
