"""The table of events: every record with its time, its outcome, its duration and its groups.

`ev` has the columns `n` (line), `t` (Unix time in seconds at which the request began), `t_end` (that of
the record), `line` (whether the record is of a request), `request` (whether it counts as one: of several
with one id only one does), `err`, `dur` (ms), `tm` (the template of what it says), and a column a
group field (`g0`, `g1`, …). Texts that only few records are asked for stay in `raw`: join by `n`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.logs.ask.interpret import time_sql, took_sql
from locard.logs.fields.endpoints import endpoint_sql
from locard.logs.judge import error_test, extent, mined
from locard.logs.judge.group_fields import MOST_VALUES, GroupField, chosen
from locard.logs.table.sql_text import literal
from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.logs.fields.profile import FieldProfile
    from locard.logs.fields.roles import Roles
    from locard.logs.judge.error_test import ErrorTest
    from locard.logs.table.table import Table

_LATEST_S = 253_402_300_800.0  # the year 10000
_MOST_TEMPLATES = 8192
_LONGEST_MS = 1e11  # three years: longer ones are no durations
_FEWEST_BEFORE = 20  # requests, to say that it was better before the window
_TIMES_WORSE = 1.5
_LEAST_WORSE = 0.02  # of the requests fail
_LINES_OF_ONE = 5  # at most, of errors, that one failed request leaves
_ALL_DIFFERENT = 0.95  # ids among records; sketches are off by a few percent


@dataclass(frozen=True, slots=True)
class Events:
    """What `ev` holds. `groups` maps each group field to its column."""

    groups: dict[str, str]
    requests: int
    first: float | None
    last: float | None
    has_duration: bool
    error_means: str
    begins: bool  # `t` was moved from the end of each request to its start
    error: ErrorTest = error_test.UNTOLD
    own_requests: int = 0  # of locard itself: left out
    was_better: bool = False  # before the window that was asked for, which is all that is here
    stamp_s: float = (
        0.0  # the times are of whole seconds or minutes: nothing finer is known of them
    )


def build(
    table: Table,
    roles: Roles,
    fields: Sequence[FieldProfile],
    since_s: float | None,
    errors: ErrorTest | None = None,
) -> Events:
    """Make `ev` from `raw`; `errors` says what an error is where it shall not be found."""
    error = errors or error_test.found(roles, fields, table)
    grouped = chosen(table, fields, roles, error)
    groups = {f.name: f"g{i}" for i, f in enumerate(grouped)}
    duration = _duration(roles, table)
    begins = bool(roles.time and roles.duration and not roles.time_format.marks_start)
    time = time_sql(roles, table)
    table.db.execute("DROP TABLE IF EXISTS ev")  # of an earlier answer
    # Straight from the table, each different text is looked at once.
    picks = {groups[field.name]: _group(table, groups[field.name], field) for field in grouped}
    table.message = roles.message.column if roles.message else ""
    said = mined.templates(table)
    picks["tm"] = _template(table, said)
    table.db.execute(
        f"""
        CREATE OR REPLACE TABLE ev AS
        SELECT _n AS n, t_end - {"coalesce(dur, 0) / 1000" if begins else "0"} AS t, t_end,
               {_request(roles)} AS request, {_request(roles)} AS line, err, dur
               {"".join(", " + g for g in picks)}
        FROM (SELECT _n, {time} AS t_end, coalesce({error.sql}, false) AS err, {duration} AS dur,
                     {_there(roles.trace_id, table)} AS traced, {_there(roles.status, table)} AS has_status
                     {"".join(f", {sql} AS {g}" for g, sql in picks.items())}
              FROM {said.source})""",  # noqa: S608 - columns are ours
        error.parameters,
    )
    own = extent.leave_out_own(table)
    _leave_out_told_twice(table, roles)
    was_better = _keep_window(table, since_s)
    if roles.trace_id and (roles.status or roles.duration):
        _count_once(table, roles.trace_id)
    if roles.trace_id and roles.level and (roles.status or roles.duration):
        _errors_of_traces(table, roles.trace_id.column)
    requests, first, last, minutes, seconds = table.one(
        "SELECT count(*), min(t_end), max(t_end), bool_and(t_end % 60 = 0), bool_and(t_end % 1 = 0) "
        "FROM ev WHERE request"
    )
    return Events(
        groups=groups,
        requests=requests,
        first=first,
        last=last,
        has_duration=roles.duration is not None,
        error_means=error.means,
        begins=begins,
        error=error,
        own_requests=own,
        was_better=was_better,
        stamp_s=60.0 if minutes else 1.0 if seconds else 0.0,
    )


def _leave_out_told_twice(table: Table, roles: Roles) -> None:
    """Error lines without a status or a duration are no requests of their own where requests fail themselves.

    A failed request leaves its own line and some of the error: to count both would make a share of nothing.
    """
    has = [r.column for r in (roles.status, roles.duration) if r is not None]
    if not has:
        return
    lacking = " AND ".join(f"({column}) IS NULL" for column in has)
    bare = f"SELECT n FROM (FROM ev WHERE err AND request) JOIN raw ON n = _n WHERE {lacking}"  # noqa: S608 - columns are ours
    beside, errors = table.one(
        f"SELECT (SELECT count(*) FROM ({bare})), count(*) FROM ev WHERE err AND request"  # noqa: S608 - as above
    )
    if beside and errors - beside >= max(_FEWEST_BEFORE, beside / _LINES_OF_ONE):
        table.db.execute(f"UPDATE ev SET request = false, line = false WHERE n IN ({bare})")  # noqa: S608 - as above


def _there(item: FieldProfile | None, table: Table) -> str:
    """SQL of whether a record has it."""
    if item is None:
        return "false"
    kept = table.kept(item.column)
    if kept is None:
        return f"{item.column} IS NOT NULL"
    return f"{item.column}_kept > 0" if kept.kind == "codes" else f"{item.column}_kept IS NOT NULL"


def _duration(roles: Roles, table: Table) -> str:
    if roles.duration is None:
        return "CAST(NULL AS DOUBLE)"
    value = took_sql(roles, table)
    return f"CASE WHEN {value} >= 0 AND {value} < {_LONGEST_MS!r} THEN {value} END"


def _request(roles: Roles) -> str:
    """A record is a request if it has a status or a duration, where the log has such fields.

    An error that belongs to no request (no trace id to join it by) counts as one of its own.
    """
    has = [
        h
        for h, there in (("has_status", roles.status), ("dur IS NOT NULL", roles.duration))
        if there
    ]
    if not has:
        return "true"
    return "(" + " OR ".join([*has, "(err AND NOT traced)"]) + ")"


def _group(table: Table, group: str, field: GroupField) -> str:
    """SQL over `raw_kept` of a group's value, as a type of a byte or two instead of the text.

    The most frequent values are in it, the rest is null.
    """
    column, endpoint = field.column, field.endpoint
    if field.values:
        listed = ", ".join(map(literal, field.values))
        table.db.execute(f"CREATE OR REPLACE TYPE enum_{group} AS ENUM ({listed})")
        return _as_enum(group, column)
    kept, found = table.kept(column), table.endpoint(column) if endpoint else None
    shown = endpoint_sql(column) if endpoint else column
    if found is not None:
        variable, codes = found
        _make_enum(table, group, f"getvariable('{variable}')[code]", codes)
        return table.looked_up(variable, codes, "endpoint", _as_enum(group, "endpoint"))
    if kept is not None and kept.kind == "codes":
        text = table.looked_up(kept.dictionary, "code", column, shown)
        few = text.removesuffix("[code]") if kept.codes <= MOST_VALUES else ""
        _make_enum(table, group, text, f"{column}_kept", few=few)
        return table.lifted(column, _as_enum(group, shown))
    _make_enum(table, group, shown.replace(column, "code") if endpoint else "code", column)
    return _as_enum(group, shown)


def _as_enum(group: str, value: str) -> str:
    """SQL of a text as a value of its group's type, null if it is none of them.

    For each text that is none, TRY_CAST writes an error message that has all of them in it.
    """
    known = f"{value} IN (SELECT unnest(enum_range(NULL::enum_{group})))"
    return f"CASE WHEN {known} THEN CAST({value} AS enum_{group}) END"


def _template(table: Table, said: mined.Mined) -> str:
    """SQL over its source of the template of a record's message, as a type."""
    if not table.message:
        return said.code
    _make_enum(table, "tm", said.shown, said.code, most=_MOST_TEMPLATES, source=said.source)
    if not said.variable:
        return _as_enum("tm", said.code)
    return table.looked_up(said.variable, said.code, "template", _as_enum("tm", "template"))


def _make_enum(
    table: Table,
    group: str,
    shown: str,
    codes: str,
    *,
    most: int = MOST_VALUES,
    few: str = "",
    source: str = "raw_kept",
) -> None:
    """The type of a group; `shown` is SQL of the value that stands for a `code`.

    `few`: SQL of a list of all values, where there are not too many to need counting.
    """
    if few:
        table.db.execute(f"""
            CREATE OR REPLACE TYPE enum_{group} AS ENUM (
              SELECT DISTINCT v FROM (SELECT unnest({few}) AS v) WHERE v IS NOT NULL ORDER BY v)""")  # noqa: S608 - names are ours
        return
    table.db.execute(f"""
        CREATE OR REPLACE TYPE enum_{group} AS ENUM (
          SELECT v FROM (
            SELECT {shown} AS v, sum(n) AS many
            FROM (SELECT {codes} AS code, count(*) AS n FROM {source} GROUP BY code)
            WHERE code IS NOT NULL GROUP BY v HAVING v IS NOT NULL
            ORDER BY many DESC, v LIMIT {most}) ORDER BY v)""")  # noqa: S608 - names are ours


def _count_once(table: Table, trace: FieldProfile) -> None:
    """Of several request lines with one id only one counts: attempts, or what each service says.

    It is an error if one of them says so, and then the first that does counts, as it is nearest to the
    cause; else the longest. Not worth a look where about every record with an id has its own.
    """
    if trace.distinct > _ALL_DIFFERENT * trace.count:
        return
    lines = f"""SELECT n, dur, err, hash({trace.column}) AS id FROM ev JOIN raw ON n = _n
                WHERE request AND {trace.column} IS NOT NULL"""  # noqa: S608 - columns are ours
    table.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE several AS
        SELECT id, bool_or(err) AS bad,
               coalesce(min(n) FILTER (err), arg_max(n, coalesce(dur, 0))) AS keep
        FROM ({lines}) GROUP BY id HAVING count(*) > 1;
        CREATE OR REPLACE TEMP TABLE twice AS
        SELECT n, n = keep AS keeps, several.bad FROM several JOIN ({lines}) USING (id);
        UPDATE ev SET request = keeps, err = twice.bad
        FROM twice WHERE ev.n = twice.n;
        DROP TABLE several; DROP TABLE twice""")  # noqa: S608 - as above


def _errors_of_traces(table: Table, trace: str) -> None:
    """A request is an error too if another line of its trace is one."""
    table.db.execute(f"""
        UPDATE ev SET err = true
        WHERE request AND NOT err AND n IN (
          SELECT _n FROM raw WHERE {trace} IN (
            SELECT {trace} FROM raw JOIN ev ON _n = n WHERE err AND NOT request))""")  # noqa: S608


def _keep_window(table: Table, since_s: float | None) -> bool:
    """Drop records whose clock is far from all others, and those before the asked window.

    True where the requests that go with the window were better than those that stay.
    """
    (ends,) = table.one(
        f"SELECT quantile_cont(t_end, [0.01, 0.99]) FROM ev WHERE {table.thinned}"  # noqa: S608 - a number
    )
    (last,) = table.one("SELECT max(t_end) FROM ev")
    if ends is None or last is None:
        return False
    low, high = ends
    margin = (high - low) / 2 + 60
    from_, to = low - margin, high + margin
    better = False
    _say_far_ones(table, from_, to)
    if since_s is not None:
        # As much again before the window, for a baseline.
        begin = max(from_, min(last, to) - 2 * since_s)
        better = _was_better(table, (from_, begin, to))
        from_ = begin
    table.db.execute(
        "DELETE FROM ev WHERE t_end IS NULL OR t_end < ? OR t_end > ? OR isnan(t_end)", [from_, to]
    )
    return better


def _say_far_ones(table: Table, begin: float, end: float) -> None:
    """Say how many records have times that are far from all others: they are not judged."""
    far, bad, first, last = table.one(
        "SELECT count(*), count(*) FILTER (WHERE err), min(t_end), max(t_end) FROM ev "
        "WHERE isfinite(t_end) AND (t_end < $begin OR t_end > $end)",
        {"begin": begin, "end": end},
    )
    if far:
        times = [dt.datetime.fromtimestamp(t, dt.UTC) for t in (first, last) if 0 <= t < _LATEST_S]
        where = " and ".join(dict.fromkeys(f"{t:%Y-%m-%d %H:%M:%S} UTC" for t in times))
        ends = f" (the first and the last: {where})" if where else ""
        were = "is" if far == 1 else "are"
        table.note(
            f"{count(far, 'record')} ({bad:,} of them errors) {were} left out, as their times are far from all "
            f"others{ends}"
        )


def _was_better(table: Table, edges: tuple[float, float, float]) -> bool:
    """Whether far more fail, or half take far longer, between the last two times than between the first."""
    start, begin, stop = edges
    rows = {
        late: (n, bad, took)
        for late, n, bad, took in table.rows(
            "SELECT t_end >= $begin AS late, count(*), count_if(err), "  # noqa: S608 - a number
            f"quantile_cont({table.durations}, 0.5) "
            "FROM ev WHERE request AND t_end >= $start AND t_end <= $stop GROUP BY late",
            {"start": start, "begin": begin, "stop": stop},
        )
    }
    if len(rows) < 2 or min(n for n, *_ in rows.values()) < _FEWEST_BEFORE:  # noqa: PLR2004 - both
        return False
    (n0, bad0, took0), (n1, bad1, took1) = rows[False], rows[True]
    if bad1 / n1 >= max(_TIMES_WORSE * bad0 / n0, _LEAST_WORSE):
        return True
    return bool(took0 and took1 and took1 >= _TIMES_WORSE * took0)
