"""Two clocks in one stream: lines whose times jump back and forth by the same amount."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locard.logs.table.table import Table

_LINES = 50_000  # of the log's end: what is written now counts
_STEP_S = 900  # zones differ by quarters of an hour
_FEWEST = 5  # jumps in each direction
_SHARE = 0.001  # of the lines
_SLACK_S = 60.0  # how far a jump may be from a whole step


def said(table: Table) -> str | None:
    """What to say where two loggers disagree about the time, else None.

    Only whole quarters of an hour count, in both directions about equally often: that is how a zone
    that one of them leaves out looks. A late batch of lines jumps but once.
    """
    found = table.rows(
        f"""WITH jumps AS (
            SELECT t_end - lag(t_end) OVER (ORDER BY n) AS d
            FROM (SELECT n, t_end FROM ev ORDER BY n DESC LIMIT {_LINES})),
        steps AS (
            SELECT round(d / {_STEP_S}) AS step, count(*) AS jumps FROM jumps
            WHERE abs(d) >= {_STEP_S} - {_SLACK_S} AND abs(d - round(d / {_STEP_S}) * {_STEP_S}) <= {_SLACK_S}
            GROUP BY 1)
        SELECT up.step, least(up.jumps, down.jumps) AS both_ways, (SELECT count(*) FROM jumps)
        FROM steps up JOIN steps down ON down.step = -up.step
        WHERE up.step > 0 ORDER BY both_ways DESC LIMIT 1"""  # noqa: S608 - numbers
    )
    if not found:
        return None
    step, jumps, lines = found[0]
    if jumps < max(_FEWEST, _SHARE * lines):
        return None
    minutes = int(step) * _STEP_S // 60
    apart = f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
    return (
        f"two clocks: the times jump {apart} back and forth ({jumps:,} times in {lines:,} lines), as where "
        "one logger leaves out its zone: onset and shape are not to be trusted"
    )
