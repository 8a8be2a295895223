"""Whether a log holds every request, or only its errors, a sample, or as much as a limit let through.

Where it does not, shares of bad requests say nothing about the service, and none is claimed.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from locard.logs.fields.levels import ERROR_WORDS
from locard.logs.judge import two_clocks
from locard.logs.table.sql_text import literal
from locard.model.log_facts import Coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.logs.fields.profile import FieldProfile
    from locard.logs.fields.roles import Roles
    from locard.logs.judge.events import Events
    from locard.logs.table.table import Table

_FEWEST = 30  # lines, before "only errors" is more than chance
_WARNINGS = ("warn", "warning", "w")
_SAMPLING = {"samplerate", "samplingrate", "samplingratio", "sampleratio", "samplingprobability", "sampled",
             "sampling"}  # fmt: skip
# What loggers and collectors say when they leave lines out.
_LEFT_OUT = re.compile(
    r"(?i)\b(suppressed|dropped|discarded|omitted|lost|skipped) \d+ (log )?(messages?|lines?|records?|entries)"
    r"|\b\d+ (log )?(messages?|lines?|records?|entries|callbacks) (were |was )?(suppressed|dropped|discarded|lost)"
    r"|begin to drop messages due to rate-limiting"
)
_LEAST_CAP = 10  # lines a second
_CAPPED_SHARE = 0.2  # of the busy seconds have exactly the most lines: no traffic does that
_FEWEST_SECONDS = 20
# A cut: the rest of the second is empty for far longer than it takes to write a line, each time differently.
_CUT_PACES, _LEAST_CUT_S, _LEAST_SPREAD_S = 3.0, 0.05, 0.02


def of(table: Table, roles: Roles, fields: Sequence[FieldProfile], events: Events) -> Coverage:
    """What the log covers, with the reason."""
    for found in (
        _only_errors(table, roles, events),
        _says_sampled(fields),
        _overlaid(table, roles),
        _says_left_out(table),
        _capped(table),
    ):
        if found is not None:
            return found
    return Coverage("whole", "")


def _only_errors(table: Table, roles: Roles, events: Events) -> Coverage | None:
    (lines, errors) = table.one("SELECT count(*), count_if(err) FROM ev")
    if lines < _FEWEST:
        return None
    if errors == lines:
        return Coverage("errors-only", "every line of it is an error")
    if (
        roles.level is None
        or events.error.by_text
        or (events.has_duration and roles.status is not None)
    ):
        return None
    words = ", ".join(literal(w) for w in (*ERROR_WORDS, *_WARNINGS))
    column = roles.level.column
    test = table.lifted(column, f"coalesce(lower({column}) IN ({words}), true)")
    (rest,) = table.one(f"SELECT count(*) FROM raw_kept WHERE NOT ({test})")  # noqa: S608 - quoted
    if not rest and roles.status is not None:
        # Lines of requests without a level, beside those of a log of errors: not all of them failed.
        status = roles.status.column
        (rest,) = table.one(
            "SELECT count(*) FROM (SELECT n FROM ev WHERE NOT err) JOIN raw ON n = _n "  # noqa: S608 - columns are ours
            f"WHERE {column} IS NULL AND {status} IS NOT NULL"
        )
    return None if rest else Coverage("errors-only", "no line of it is below a warning")


def _overlaid(table: Table, roles: Roles) -> Coverage | None:
    """Two stretches of time that lie over each other, as the clock of times without a zone was put back."""
    if roles.time is None or roles.time_format.zoned or roles.time_format.zone:
        return None
    found = two_clocks.put_back(table)
    if found is None:
        return None
    at, line, back = found
    to = dt.datetime.fromtimestamp(at, dt.UTC)
    return Coverage(
        "overlaid",
        f"its clock goes back by {back / 60:.0f} min at line {line + 1:,}, to {to:%H:%M}, as local time does in "
        "autumn; --log-tz reads both hours apart",
    )


def _says_sampled(fields: Sequence[FieldProfile]) -> Coverage | None:
    """A field that says so: 0.1, 1:10, false."""
    for item in fields:
        plain = "".join(c for c in item.name.lower() if c.isalpha())
        if plain in _SAMPLING or item.name.rpartition(".")[2].lower() in {"sample_rate", "sampled"}:
            values = {v.lower() for v in item.values}
            if values and not values <= {"1", "1.0", "true"}:
                return Coverage("sampled", f"{item.name} is {next(iter(sorted(values)))[:20]}")
    return None


def _says_left_out(table: Table) -> Coverage | None:
    # Of each template once: asked for in SQL, DuckDB would test every record.
    for (template,) in table.rows("SELECT DISTINCT tm FROM ev WHERE tm IS NOT NULL"):
        if _LEFT_OUT.search(re.sub(r"<\*>|#", "0", template)):
            return Coverage("rate-limited", f"it says {template[:60]!r}")
    return None


def _capped(table: Table) -> Coverage | None:
    """Many seconds with exactly the same number of lines, none with more, and each cut before its end.

    A logger or a load generator with an even pace writes as many lines in every second too, but
    writes them until the second ends. A limit lets the first ones through and nothing after these,
    sooner or later as the traffic is.
    """
    rows = table.rows(
        """WITH seconds AS (
             SELECT floor(t_end) AS s, count(*) AS lines, max(t_end) - floor(t_end) AS cut,
                    (max(t_end) - min(t_end)) / greatest(1, count(*) - 1) AS pace
             FROM ev WHERE t_end IS NOT NULL GROUP BY s)
           SELECT lines, count(*), quantile_cont(1 - cut, 0.5), quantile_cont(pace, 0.5), stddev_pop(cut)
           FROM seconds GROUP BY lines ORDER BY lines DESC"""
    )
    seconds = sum(row[1] for row in rows)
    if seconds < _FEWEST_SECONDS:
        return None
    most, at_most, rest, pace, spread = rows[0]
    if most < _LEAST_CAP or at_most < _CAPPED_SHARE * seconds or at_most == seconds:
        return None
    if rest < _CUT_PACES * pace or rest < _LEAST_CUT_S or spread < _LEAST_SPREAD_S:
        return None
    why = f"{at_most:,} seconds have exactly {most:,} lines, none more, and end {rest:.2g} s early"
    return Coverage("rate-limited", why)
