"""Whether requests got slower, in which stretch of the log, and what slow means there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from locard.logs.judge import series
from locard.stats.changes import merge_bins
from locard.stats.intervals import difference_evidence
from locard.stats.rise import SCAN_BINS, significant

if TYPE_CHECKING:
    from locard.logs.judge.series import Bins
    from locard.logs.table.table import Table
    from locard.stats.changes import Stretch

_QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99)
_SLOWER = 1.5  # of the durations: below, nobody needs to be woken up
_HALF, _MUCH_SLOWER = 0.5, 1.2  # of the median, of p99
_SLOW_BASELINE = (0.9, 0.95, 0.99, 0.999)
_SLOW_MOST_BEFORE = 0.05
SCANS = 1 + len(_QUANTILES)  # for errors, and for each limit


def stretch(table: Table, span: tuple[float, float], wide: float) -> tuple[Stretch, Bins] | None:
    """The stretch in which requests got slower, by any of several limits."""
    (limits,) = table.one(
        f"SELECT quantile_cont(dur, {list(_QUANTILES)}) FROM ev "  # noqa: S608 - numbers
        f"WHERE request AND t >= ? AND t <= ? AND {table.thinned}",
        list(span),
    )
    if limits is None:
        return None
    # Only requests with a duration count: the others could not have been slow.
    conditions = ["dur IS NOT NULL", *(f"dur > {limit!r}" for limit in limits)]
    bins = series.bins(table, span, wide, conditions)
    timed = series.Bins(bins.start, bins.width_s, bins.counts[0], bins.counts[1:])
    best: Stretch | None = None
    for counts in timed.counts:
        found = significant(timed.total, counts, SCANS)
        if found is None or (best is not None and found.evidence <= best.evidence):
            continue
        if _slowdown(table, timed, found) >= _SLOWER:
            best = found
    return None if best is None or _got_faster(table, timed, best) else (best, timed)


def _got_faster(table: Table, bins: Bins, stretch: Stretch) -> bool:
    """Whether what changed is that most requests became faster, and the slowest hardly moved.

    By some limit the share of slow ones is then another, and nothing is slower than it was.
    """
    start, end = _times(bins, stretch)
    cut, stop = (start, end) if stretch.baseline_seen else (end, bins.edge(len(bins.total)))
    early, early_most, late, late_most = table.one(
        "SELECT quantile_cont(dur, 0.5) FILTER (t < $cut), quantile_cont(dur, 0.99) FILTER (t < $cut), "  # noqa: S608 - a number
        "quantile_cont(dur, 0.5) FILTER (t >= $cut), quantile_cont(dur, 0.99) FILTER (t >= $cut) "
        f"FROM ev WHERE request AND t <= $stop AND {table.thinned}",
        {"cut": cut, "stop": stop},
    )
    if not early or not late or not early_most or not late_most:
        return False
    return bool(late <= _HALF * early and late_most < _MUCH_SLOWER * early_most)


def _times(bins: Bins, stretch: Stretch) -> tuple[float, float]:
    """The time that a stretch of merged bins covers."""
    factor = merge_bins(bins.total, SCAN_BINS)[1]
    return bins.edge(stretch.start * factor), bins.edge(stretch.end * factor)


def _slowdown(table: Table, bins: Bins, stretch: Stretch) -> float:
    """By how much the slowest requests inside are slower than as many of the others.

    Half of the requests above the limit inside lie above this quantile: the typical one of them,
    compared with the same quantile outside. (The limit itself may lie anywhere between the usual
    durations and the slow ones, so it says nothing.)
    """
    level = min(max(1 - stretch.share_in / 2, 0.0), 1.0)
    start, end = _times(bins, stretch)
    now, usual = table.one(
        f"SELECT quantile_cont(dur, {level!r}) FILTER (t >= $s AND t < $e), "  # noqa: S608 - a number
        f"quantile_cont(dur, {level!r}) FILTER (NOT (t >= $s AND t < $e)) FROM ev "
        f"WHERE request AND {table.thinned}",
        {"s": start, "e": end},
    )
    return now / usual if usual and now is not None else math.inf


def limit(table: Table, bins: Bins, stretch: Stretch) -> float:
    """The limit (ms) above which few were before and most of the new slow ones are now."""
    start, end = _times(bins, stretch)
    outside = "NOT (t >= $s AND t < $e)" + (" AND t < $s" if stretch.baseline_seen else "")
    times = {"s": start, "e": end}
    timed = "FROM ev WHERE request AND dur IS NOT NULL"
    (quantiles,) = table.one(
        f"SELECT quantile_cont({table.durations}, {list(_SLOW_BASELINE)}) {timed} AND {outside}",
        times,
    )
    candidates = sorted({q * m for q in quantiles or () for m in (1.0, 1.5, 2.0, 3.0)})
    # A round limit reads better, and costs nothing.
    candidates = sorted({float(f"{c:.2g}") for c in candidates if c > 0}) or [0.0]
    picks = "".join(f", count_if(dur > {c!r})" for c in candidates)
    sides = dict.fromkeys((True, False), (0,) * (1 + len(candidates)))
    for inside, *many in table.rows(
        f"SELECT t >= $s AND t < $e AS inside, count(*){picks} {timed} "
        f"AND (t >= $s AND t < $e OR {outside}) GROUP BY inside",
        times,
    ):
        sides[inside] = tuple(many)
    counts = [n for both in zip(sides[False], sides[True], strict=True) for n in both]
    before, now = counts[:2]
    best, best_limit = -1.0, float(candidates[-1])
    for i, limit in enumerate(candidates):
        was, is_ = counts[2 + 2 * i : 4 + 2 * i]
        share = was / before if before else 0.0
        evidence = difference_evidence(was, before, is_, now)
        if share <= _SLOW_MOST_BEFORE and evidence > best:
            best, best_limit = evidence, float(limit)
    return best_limit
