"""How many lines a request has, before and after the onset: more than before are retries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.log_facts import Attempts

if TYPE_CHECKING:
    from locard.logs.judge.change import Change
    from locard.logs.table.table import Table

_MOST = 150_000  # lines on each side of the onset that are looked at


def count(table: Table, column: str, change: Change) -> Attempts | None:
    """Request lines and their different trace ids (`column`); None without a before."""
    if change.before is None:
        return None
    (b0, b1), (a0, a1) = change.before, change.after
    (middle,) = table.one("SELECT min(n) FROM ev WHERE line AND t >= ?", [a0])
    if middle is None:
        return None
    # Ids that are no texts need not be made some to be told apart.
    kept = table.kept(column)
    same = f"{column}_kept" if kept is not None and kept.kind != "codes" else column
    near = f"BETWEEN {middle - _MOST} AND {middle + _MOST}"
    row = table.one(
        f"""SELECT count(*) FILTER (NOT later), count(DISTINCT trace) FILTER (NOT later),
                   count(*) FILTER (later), count(DISTINCT trace) FILTER (later),
                   min(t) FILTER (NOT later), max(t) FILTER (later)
            FROM (SELECT t, t >= {a0!r} AS later, same_id AS trace
                  FROM (FROM ev WHERE n {near}) JOIN (SELECT _n, {same} AS same_id FROM raw_kept WHERE _n {near}) ON n = _n
                  WHERE line AND same_id IS NOT NULL
                    AND (t >= {b0!r} AND t < {b1!r} OR t >= {a0!r} AND t <= {a1!r}))"""  # noqa: S608 - the column is ours
    )
    if not row[1] or not row[3]:
        return None
    return Attempts(
        before_s=round(b1 - (row[4] if middle > _MOST else b0), 3),
        before_lines=row[0],
        before_traces=row[1],
        after_s=round((row[5] if middle + _MOST < table.lines else a1) - a0, 3),
        after_lines=row[2],
        after_traces=row[3],
    )
