"""Errors that rose for some requests only: too few of them to be seen among all.

Where the errors of the whole log show no onset, those of each value of the group fields are looked
at. The errors alone say in one aggregation which values are worth it; these are then judged
like the whole, with a p-value corrected for all values that were looked at. A rise counts only if the
errors after it share something that sets them apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.logs.judge import before_after, correlate_counts, series
from locard.logs.judge import change as changes
from locard.logs.judge.correlates import correlates
from locard.stats.changes import merge_bins
from locard.stats.contrast_search import FEWEST_BAD
from locard.stats.parts import promising, rose

if TYPE_CHECKING:
    from locard.logs.judge.change import Change
    from locard.logs.judge.events import Events
    from locard.logs.judge.series import Bins
    from locard.logs.table.table import Table
    from locard.stats.contrast import Pair

_BINS = 64  # for the first look
_MOST_FIELDS = 48  # the first ones are those with a known role
_FIELDS_A_SCAN = 16
_MOST_VALUES = 500  # those with the most errors
_CLOSER = 8  # values that are looked at with all requests
_LEAST = 8.0  # nats at the first look: half of what one value alone needs in the end


def judge(table: Table, events: Events, span: tuple[float, float]) -> Change | None:
    """The change of the part whose errors rose, dated by the requests that share what is affected."""
    wide = series.width(span[1] - span[0], events.requests, least_s=events.stamp_s)
    pair = _part(table, events, span, series.bins(table, span, wide, []))
    if pair is None:
        return None
    whose = correlate_counts.condition(events.groups, (pair,))
    change = changes.of_part(table, events, span, whose)
    if change.onset is None:
        return None
    shared = correlates(table, events, before_after.mark(table, change))
    if not shared:
        return None
    whose = " OR ".join(correlate_counts.condition(events.groups, one.values) for one in shared)
    nearer = changes.of_part(table, events, span, f"({whose})")
    # What has no past of its own (a new version) has risen for everyone.
    if nearer.onset is None or not nearer.onset.baseline_seen:
        return None
    return nearer if correlates(table, events, before_after.mark(table, nearer)) else None


def _part(table: Table, events: Events, span: tuple[float, float], bins: Bins) -> Pair | None:
    """The field and value whose errors rose most plainly, if any did beyond doubt."""
    few, factor = merge_bins(bins.total, _BINS)
    errors = _errors(table, events, span, (bins.width_s * factor, len(few)))
    pairs = [list(errors)[i] for i in promising(few, list(errors.values()), _CLOSER, _LEAST)]
    if not pairs:
        return None
    # count_if of nothing but nulls is null.
    whose = [
        f"coalesce({correlate_counts.condition(events.groups, (pair,))}, false)" for pair in pairs
    ]
    counted = series.bins(
        table, span, bins.width_s, [sql for one in whose for sql in (one, f"{one} AND err")]
    )
    judged = []
    for pair, total, bad in zip(pairs, counted.counts[::2], counted.counts[1::2], strict=True):
        kin = [counts for (field, _), counts in errors.items() if field == pair[0]]
        evidence = rose(total, bad, len(errors), few, (kin, list(errors.values())))
        if evidence is not None:
            judged.append((evidence, pair))
    return max(judged)[1] if judged else None


def _errors(
    table: Table, events: Events, span: tuple[float, float], grid: tuple[float, int]
) -> dict[Pair, list[int]]:
    """Errors a bin of each value with enough of them; `grid` is the width of a bin (s) and how many."""
    wide, many = grid
    fields = list(events.groups)[:_MOST_FIELDS]
    found: dict[Pair, list[int]] = {}
    for first in range(0, len(fields), _FIELDS_A_SCAN):
        names = fields[first : first + _FIELDS_A_SCAN]
        listed = [events.groups[name] for name in names]
        sets = ", ".join(f"(b, {c})" for c in listed)
        value = ", ".join(f"{c}::VARCHAR" for c in listed)
        rows = table.rows(
            f"""SELECT grouping({", ".join(listed)}) AS others, coalesce({value}) AS value, b, count(*),
                       sum(count(*)) OVER (PARTITION BY others, value) AS errors
                FROM (SELECT *, least(CAST(floor((t - ?) / ?) AS BIGINT), ?) AS b
                      FROM ev WHERE request AND err AND t >= ? AND t <= ?)
                GROUP BY GROUPING SETS ({sets}) HAVING coalesce({value}) IS NOT NULL
                QUALIFY errors >= {FEWEST_BAD} ORDER BY others, value, b""",  # noqa: S608 - names are ours
            [span[0], wide, many - 1, *span],
        )
        # `others` has a bit for each field that the row is not about, the first field's the highest.
        every = (1 << len(names)) - 1
        for others, text, at, n, _ in rows:
            pair = names[len(names) - (every ^ others).bit_length()], text
            found.setdefault(pair, [0] * many)[at] = n
    most = sorted(found, key=lambda pair: -sum(found[pair]))[:_MOST_VALUES]
    return {pair: found[pair] for pair in most}
