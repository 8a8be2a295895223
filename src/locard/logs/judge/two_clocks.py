"""Clocks that do not agree: times that jump back and forth by the same amount, or back once for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locard.logs.table.table import Table

_LINES = 50_000  # of the log's end: what is written now counts
_STEP_S = 900  # zones differ by quarters of an hour
_FEWEST = 5  # jumps in each direction
_SHARE = 0.001  # of the lines
_SLACK_S = 60.0  # how far a jump may be from a whole step


_BLOCK = 500  # lines
_BACK_S = (1500.0, 7500.0)  # clocks are put back by half an hour, an hour, or two


def put_back(table: Table) -> tuple[float, int, float] | None:
    """(time, line, seconds) where the written time falls back once and goes on from there, else None.

    That is how local time looks in autumn, or where somebody has set the clock: two stretches lie over each
    other then. Batches that come late fall back and return.
    """
    blocks = table.rows(
        f"""SELECT first, high, low, rest FROM (
              SELECT min(n) AS first, max(t_end) AS top, min(t_end) AS low,
                     max(top) OVER (ORDER BY first ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS high,
                     max(low) OVER (ORDER BY first ROWS BETWEEN 1 FOLLOWING AND 1 FOLLOWING) AS rest
              FROM ev WHERE t_end IS NOT NULL GROUP BY n // {_BLOCK})
            WHERE high - low >= {_BACK_S[0]!r} ORDER BY first LIMIT 4"""  # noqa: S608 - numbers
    )
    for first, *_ in blocks:
        found = table.rows(
            f"""SELECT n, t_end, m - t_end FROM (
                  SELECT n, t_end, max(t_end) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS m,
                         max(t_end) OVER (ORDER BY n ROWS BETWEEN CURRENT ROW AND 50 FOLLOWING) AS ahead
                  FROM ev WHERE n >= {first - _BLOCK} AND n < {first + 2 * _BLOCK} AND t_end IS NOT NULL)
                WHERE m - t_end BETWEEN {_BACK_S[0]!r} AND {_BACK_S[1]!r} AND ahead < m ORDER BY n LIMIT 1"""  # noqa: S608 - numbers
        )
        for line, at, back in found:
            (again,) = table.one(
                f"SELECT count(*) FROM ev WHERE n > {line} AND n < {line + 50} AND t_end >= {at + back / 2!r}"  # noqa: S608 - numbers
            )
            if not again:
                return at, line, back
    return None


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
