"""Errors that come in short bursts again and again: the bad minutes against the good ones.

Counted from the first burst to the end they are diluted by the calm in between, or no change is seen at
all. They count as a change only if the errors in the bursts share something that sets them apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.logs.judge import before_after, correlate_counts, series
from locard.logs.judge.change import Change
from locard.logs.judge.correlates import correlates
from locard.model.log_facts import MeasureShape, Onset
from locard.stats.bursts import bursts, regular
from locard.stats.rise import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.logs.judge.events import Events
    from locard.logs.table.table import Table
    from locard.model.log_facts import Correlate, ShapeName
    from locard.stats.contrast import Counts


def judge(
    table: Table, events: Events, span: tuple[float, float], change: Change
) -> tuple[Change, tuple[Correlate, ...]] | None:
    """The change since the first burst, and what the errors in the bursts share.

    None where a change that lasts was found, where there are no bursts, or where nothing sets them
    apart.
    """
    if change.shape not in {"flat", "spike", "periodic"} or "latency" in change.changed:
        return None
    wide = series.width(span[1] - span[0], events.requests, least_s=events.stamp_s)
    bins = series.bins(table, span, wide, ["err"])
    found = bursts(bins.total, bins.counts[0])
    if not found:
        return None
    shape: ShapeName = "periodic" if regular(found) else "spike"
    onsets = [
        Onset(max(span[0], bins.edge(a - 1)), min(span[1], bins.edge(a + 1)), CONFIDENCE, a > 0)
        for a, _ in found
    ]
    ours = Change(
        changed=("errors",),
        bad_means=events.error_means,
        shape=shape,
        onset=onsets[0],
        before=(span[0], onsets[0].earliest) if onsets[0].baseline_seen else None,
        after=(max(span[0], bins.edge(found[0][0])), span[1]),
        end=bins.edge(found[0][1]),
        shapes=(_shape(bins, found, shape, onsets[0]),),
        further=tuple(onsets[1:]),
        bad=(("errors", "err", events.error_means),),
    )
    times = [(bins.edge(a), bins.edge(b)) for a, b in found]
    totals = before_after.mark_bursts(table, times, bins.width_s)
    shared = correlates(table, events, totals)
    if not shared:
        return None
    return ours, _since(table, events, shared, before_after.mark(table, ours))


def _since(
    table: Table, events: Events, shared: Sequence[Correlate], totals: Counts
) -> tuple[Correlate, ...]:
    """The correlates with what is counted since the first burst, as all else is that is shown."""
    carries = [correlate_counts.condition(events.groups, one.values) for one in shared]
    return tuple(
        replace(one, support=c.after_bad, lift=round(c.after_rate / totals.after_rate, 2))
        for one, c in zip(shared, before_after.counts_of(table, carries), strict=True)
    )


def _shape(
    bins: series.Bins, found: Sequence[tuple[int, int]], shape: ShapeName, onset: Onset
) -> MeasureShape:
    """The share of errors in the first burst, and that away from all of them."""
    near = {i for a, b in found for i in range(a - 1, b + 1)}
    calm = _share(bins, [i for i in range(len(bins.total)) if i not in near])
    first = _share(bins, list(range(*found[0])))
    return MeasureShape("errors", shape, onset, bins.edge(found[0][1]), calm, first)


def _share(bins: series.Bins, which: Sequence[int]) -> float | None:
    total = sum(bins.total[i] for i in which)
    return sum(bins.counts[0][i] for i in which) / total if total else None
