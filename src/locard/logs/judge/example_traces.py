"""Requests to look at: a typical bad one and the extreme one, each by its trace id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.log_facts import ExampleTrace

if TYPE_CHECKING:
    from locard.logs.table.table import Table


def traces(table: Table, column: str) -> tuple[ExampleTrace, ...]:
    """The bad requests since the onset with a middling and with the longest duration, the first one too.

    `column` is that of the trace id.
    """
    rows = table.rows(
        """WITH hit AS (SELECT n, dur, median(dur) OVER () AS middle FROM compared WHERE later AND bad)
           (SELECT 'typical' AS why, n, dur FROM hit WHERE dur IS NOT NULL ORDER BY abs(dur - middle), n LIMIT 3)
           UNION ALL (SELECT 'slowest', n, dur FROM hit WHERE dur IS NOT NULL ORDER BY dur DESC, n LIMIT 3)
           UNION ALL (SELECT 'first', n, dur FROM hit ORDER BY n LIMIT 3)"""
    )
    if not rows:
        return ()
    listed = ", ".join(str(n) for _, n, _ in rows)
    # Asked for NULL, DuckDB would make a text of every id in the log first.
    ids = dict(table.rows(f"SELECT _n, {column} FROM raw WHERE _n IN ({listed})"))  # noqa: S608 - numbers
    found: dict[str, ExampleTrace] = {}
    for why in ("typical", "slowest", "first"):
        for kind, n, took in rows:
            if kind == why and ids.get(n) and all(e.trace_id != ids[n] for e in found.values()):
                took_ms = None if took is None else round(took, 3)
                found.setdefault(why, ExampleTrace(why, ids[n], took_ms))
    return tuple(found.values())
