"""How many lines a request has, before and after the onset: more than before are retries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.facts import Attempts

if TYPE_CHECKING:
    from locard.logs.change import Change
    from locard.logs.table import Table

_MOST = 200_000  # request lines that are looked at: whole traces, drawn by the hash of their id


def count(table: Table, column: str, change: Change) -> Attempts | None:
    """Request lines and their different trace ids (`column`); None without a before."""
    if change.before is None:
        return None
    (b0, b1), (a0, a1) = change.before, change.after
    (requests,) = table.one("SELECT count(*) FROM ev WHERE line")
    every = max(1, requests // _MOST)
    row = table.one(
        f"""SELECT count(*) FILTER (NOT later), count(DISTINCT trace) FILTER (NOT later),
                   count(*) FILTER (later), count(DISTINCT trace) FILTER (later)
            FROM (SELECT t >= {a0!r} AS later, hash({column}) AS trace FROM ev JOIN raw ON n = _n
                  WHERE line AND {column} IS NOT NULL
                    AND (t >= {b0!r} AND t < {b1!r} OR t >= {a0!r} AND t <= {a1!r}))
            WHERE trace % {every} = 0"""  # noqa: S608 - the column is ours
    )
    if not row[1] or not row[3]:
        return None
    before, after = change.before, change.after
    return Attempts(
        before_s=round(before[1] - before[0], 3),
        before_lines=row[0],
        before_traces=row[1],
        after_s=round(after[1] - after[0], 3),
        after_lines=row[2],
        after_traces=row[3],
    )
