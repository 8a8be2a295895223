"""What the others wrote while one source of lines was silent, and what it said last."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.logs.table.sql_text import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.logs.fields.roles import Roles
    from locard.logs.judge.events import Events
    from locard.logs.table.table import Table
    from locard.model.log_facts import Silence

_MOST = 20
_TEXT_CHARS = 200


def counted(
    table: Table, events: Events, roles: Roles, silences: Sequence[Silence]
) -> tuple[Silence, ...]:
    """The silences of single sources with the counts of both sides; all others as they are."""
    message = roles.message.column if roles.message else "NULL"
    return tuple(
        _counted(table, events, events.groups[one.field], one, message)
        if one.field in events.groups and n < _MOST
        else one
        for n, one in enumerate(silences)
    )


def _counted(table: Table, events: Events, column: str, one: Silence, message: str) -> Silence:
    start = one.since.latest
    end = events.last if one.until is None else one.until
    if events.first is None or end is None or end <= start:
        return one
    length = min(end - start, start - events.first)
    own = f"CAST({column} AS VARCHAR) = {literal(one.value)}"
    mine, before, during = table.one(
        f"""SELECT count(*) FILTER (t_end < $start AND {own}),
                   count(*) FILTER (t_end < $start AND NOT {own}),
                   count(*) FILTER (t_end >= $start AND NOT {own})
            FROM ev WHERE request AND {column} IS NOT NULL
              AND t_end >= $from AND t_end < $to""",  # noqa: S608 - the value is quoted
        {"start": start, "from": start - length, "to": start + length},
    )
    last = table.rows(
        f"""SELECT left({message}, {_TEXT_CHARS}) FROM ev JOIN raw ON n = _n
            WHERE {own} AND t_end <= $start ORDER BY t_end DESC, n DESC LIMIT 1""",  # noqa: S608
        {"start": start},
    )
    return replace(
        one,
        own_before=mine,
        others_before=before,
        others_during=during,
        last_words=(last[0][0] or "") if last else "",
    )
