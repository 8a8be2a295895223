"""What the answers rest on: how many requests and errors, by what errors are told, the pace of the lines."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from locard.logs.table.sql_text import literal
from locard.model.log_facts import Extent

if TYPE_CHECKING:
    from locard.logs.fields.profile import FieldProfile
    from locard.logs.fields.roles import Roles
    from locard.logs.judge.error_test import ErrorTest
    from locard.logs.judge.events import Events
    from locard.logs.table.table import Table
    from locard.model.log_facts import ErrorSource

_MOST_DIFFERENT = 100
_AGENT = re.compile(r"(^|http|request|headers?|clients?)(useragent|agent|ua)(original|name)?$")
_OWN = r"locard(/[0-9][^ ]*)?"  # what transport/_http_get sends


def leave_out_own(table: Table) -> int:
    """Take the lines of what locard itself asked out of `ev`; how many these were."""
    columns = [c for name, c in table.columns.items() if _AGENT.search(_plain(name))]
    if not columns:
        return 0
    own = " OR ".join(
        f"(starts_with({c}, 'locard') AND regexp_full_match({c}, {literal(_OWN)}))" for c in columns
    )
    if not table.one(f"SELECT bool_or({own}) FROM raw")[0]:  # noqa: S608 - columns are ours
        return 0
    (before,) = table.one("SELECT count(*) FROM ev")
    table.db.execute(f"DELETE FROM ev WHERE n IN (SELECT _n FROM raw WHERE {own})")  # noqa: S608 - as above
    (after,) = table.one("SELECT count(*) FROM ev")
    return int(before - after)


def measure(table: Table, roles: Roles, events: Events, since_s: float | None) -> Extent:
    """The extent of what is in `ev`; `since_s` is the window that was asked for."""
    requests, errors = table.one(
        "SELECT count(*), count(*) FILTER (WHERE err) FROM ev WHERE request"
    )
    (last_line,) = table.one("SELECT max(t_end) FROM ev")
    typical, longest = _gaps(table)
    asked = events.last - since_s if since_s is not None and events.last is not None else None
    return Extent(
        requests=requests,
        errors=errors,
        errors_by=_told_by(roles, events.error),
        levels=_different(table, roles.level) if roles.level else 0,
        statuses=_different(table, roles.status) if roles.status else 0,
        zoned=roles.time is None or roles.time_format.zoned,
        read_at=round(time.time(), 3),
        asked_from=asked,
        last_line=last_line,
        typical_gap_s=typical,
        longest_gap_s=longest,
        beside=_beside(table, roles),
        own_requests=events.own_requests,
    )


def _told_by(roles: Roles, error: ErrorTest) -> tuple[ErrorSource, ...]:
    if error.asked:
        return ("asked",)
    if error.by_text:
        return ("text",)
    found: list[ErrorSource] = []
    if roles.status:
        found.append("status")
    if roles.level:
        found.append("level")
    if not found and error.sql != "false":
        found.append("field")
    return tuple(found)


def _beside(table: Table, roles: Roles) -> bool:
    """Whether most errors have neither status nor duration, where the log has such fields."""
    has = [r.column for r in (roles.status, roles.duration) if r is not None]
    if not has:
        return False
    lacking = " AND ".join(f"({c}) IS NULL" for c in has)
    errors, beside = table.one(
        f"SELECT count(*), count_if({lacking}) FROM (FROM ev WHERE err AND request) JOIN raw ON n = _n"  # noqa: S608 - columns are ours
    )
    return bool((beside or 0) > errors / 2)


def _different(table: Table, item: FieldProfile) -> int:
    """How many different values a role's fields have, up to a hundred."""
    column = item.column
    if column in table.columns.values() and item.distinct:
        return min(item.distinct, _MOST_DIFFERENT)
    (count,) = table.one(
        f"SELECT count(*) FROM (SELECT DISTINCT {column} AS v FROM raw "  # noqa: S608 - columns are ours
        f"WHERE {column} IS NOT NULL LIMIT {_MOST_DIFFERENT})"
    )
    return int(count)


def _gaps(table: Table) -> tuple[float | None, float | None]:
    """The median and the longest gap between lines, of the last so many where there are very many."""
    median, longest = table.one(
        """SELECT quantile_cont(gap, 0.5), max(gap) FROM (
             SELECT t_end - lag(t_end) OVER (ORDER BY t_end) AS gap FROM (
               SELECT t_end FROM ev ORDER BY t_end DESC LIMIT 100000))"""
    )
    return tuple(None if v is None else round(v, 4) for v in (median, longest))  # type: ignore[return-value]


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
