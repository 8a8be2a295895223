"""Whether errors or latency changed, when, and in which shape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from locard.logs import series
from locard.model.facts import Onset, Outcome, ShapeName
from locard.stats.changes import Stretch, dispersion, merge_bins, scan
from locard.stats.intervals import difference_evidence
from locard.stats.onset import locate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.logs.events import Events
    from locard.logs.series import Bins
    from locard.logs.table import Table

_QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99)
_SCAN_BINS = 200
_SCANS = 1 + len(_QUANTILES)
_ALPHA = 0.005  # for all scans of one log together
# The smaller a change, the more evidence it needs: noise that wanders for minutes looks like a small
# one. Twice the share needs 16 nats, 1.4 times 33. Below 1.2 times it is nobody's business.
_WEIGHT = 11.0  # evidence times the log of the ratio
_LEAST_RATIO = 1.2
_SLOWER = 1.5  # of the durations: below, nobody needs to be woken up
_SLOW_BASELINE = (0.9, 0.95, 0.99, 0.999)
_SLOW_MOST_BEFORE = 0.05
_SAME = 7.0  # nats: below, two stretches are not told apart
_CONFIDENCE = 0.95
_FEWEST_BURSTS = 3
_REGULAR = 0.25


@dataclass(frozen=True, slots=True)
class Change:
    """What the time series says. `end` is when it was over, None if it lasts.

    `before` and `after` are the times [from, to) whose requests are compared; the onset's own
    interval belongs to neither.
    """

    changed: tuple[Outcome, ...]
    bad_means: str
    shape: ShapeName
    onset: Onset | None
    before: tuple[float, float] | None
    after: tuple[float, float]
    end: float | None = None


def judge(table: Table, events: Events, span: tuple[float, float]) -> Change:
    """Find the change, mark the slow and the bad requests in `ev`, and date it."""
    wide = series.width(span[1] - span[0], events.requests)
    errors = _errors(series.bins(table, span, wide, ["err"]))
    slow = _latency(table, span, wide) if events.has_duration else None
    if errors and slow and not _overlap(errors, slow[0]):
        if errors.evidence >= slow[0].evidence:
            slow = None
        else:
            errors = None
    changed: tuple[Outcome, ...] = ()
    if errors:
        changed += ("errors",)
    means, condition = events.error_means, "err"
    if slow:
        changed += ("latency",)
        stretch, merged = slow
        limit, ratio = _slow_limit(table, merged, stretch)
        slow_means = f"slower than {limit:.4g} ms ({ratio:.1%} were before)"
        means = f"{means}, or {slow_means}" if errors else slow_means
        condition = f"{'err OR ' if errors else ''}coalesce(dur > {limit!r}, false)"
        table.db.execute(f"UPDATE ev SET bad = ({condition})")  # noqa: S608 - built above
    if not changed:
        return Change((), means, "flat", None, None, span)
    return _date(table, span, wide, changed, means)


def _errors(bins: Bins) -> Stretch | None:
    return _scan(bins, bins.counts[0])


def _merged(bins: Bins, counts: list[int]) -> tuple[list[int], list[int], int]:
    total, factor = merge_bins(bins.total, _SCAN_BINS)
    return total, merge_bins(counts, _SCAN_BINS)[0], factor


def _scan(bins: Bins, counts: list[int]) -> Stretch | None:
    total, bad, _ = _merged(bins, counts)
    found = scan(total, bad, tests=_SCANS)
    if found is None or found.p_value > _ALPHA:
        return None
    ratio = found.share_in / max(found.share_out, 1e-9)
    enough = ratio >= _LEAST_RATIO and found.evidence * math.log(ratio) >= _WEIGHT
    return found if enough else None


def _overlap(one: Stretch, two: Stretch) -> bool:
    return one.start < two.end and two.start < one.end


def _latency(table: Table, span: tuple[float, float], wide: float) -> tuple[Stretch, Bins] | None:
    """The stretch in which requests got slower, by any of several limits."""
    picks = ", ".join(f"quantile_cont(dur, {q})" for q in _QUANTILES)
    limits = table.one(
        f"SELECT {picks} FROM ev WHERE request AND t >= ? AND t <= ?",  # noqa: S608 - numbers
        list(span),
    )
    if limits[0] is None:
        return None
    # Only requests with a duration count: the others could not have been slow.
    conditions = ["dur IS NOT NULL", *(f"dur > {limit!r}" for limit in limits)]
    bins = series.bins(table, span, wide, conditions)
    timed = series.Bins(bins.start, bins.width_s, bins.counts[0], bins.counts[1:])
    best: Stretch | None = None
    for counts in timed.counts:
        found = _scan(timed, counts)
        if found is None or (best is not None and found.evidence <= best.evidence):
            continue
        if _slowdown(table, timed, found) >= _SLOWER:
            best = found
    return None if best is None else (best, timed)


def _times(bins: Bins, stretch: Stretch) -> tuple[float, float]:
    """The time that a stretch of merged bins covers."""
    factor = merge_bins(bins.total, _SCAN_BINS)[1]
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
        f"quantile_cont(dur, {level!r}) FILTER (NOT (t >= $s AND t < $e)) FROM ev WHERE request",
        {"s": start, "e": end},
    )
    return now / usual if usual and now is not None else math.inf


def _slow_limit(table: Table, bins: Bins, stretch: Stretch) -> tuple[float, float]:
    """The limit (ms) above which few were before and most of the new slow ones are now."""
    start, end = _times(bins, stretch)
    outside = "request AND dur IS NOT NULL AND NOT (t >= $s AND t < $e)"
    if stretch.baseline_seen:
        outside += " AND t < $s"
    times = {"s": start, "e": end}
    picks = ", ".join(f"quantile_cont(dur, {q})" for q in _SLOW_BASELINE)
    quantiles = table.one(f"SELECT {picks} FROM ev WHERE {outside}", times)  # noqa: S608 - numbers
    known = [q for q in quantiles if q is not None]
    candidates = sorted({q * m for q in known for m in (1.0, 1.5, 2.0, 3.0)})
    # A round limit reads better, and costs nothing.
    candidates = sorted({float(f"{c:.2g}") for c in candidates if c > 0}) or [0.0]
    inside = "t >= $s AND t < $e"
    picks = "".join(
        f", count(*) FILTER (dur > {c!r} AND {outside}), count(*) FILTER (dur > {c!r} AND {inside})"
        for c in candidates
    )
    counts = table.one(
        f"SELECT count(*) FILTER ({outside}), count(*) FILTER ({inside}){picks} "  # noqa: S608 - numbers
        "FROM ev WHERE request AND dur IS NOT NULL",
        times,
    )
    before, now = counts[:2]
    best, best_limit, best_share = -1.0, candidates[-1], 0.0
    for i, limit in enumerate(candidates):
        was, is_ = counts[2 + 2 * i : 4 + 2 * i]
        share = was / before if before else 0.0
        evidence = difference_evidence(was, before, is_, now)
        if share <= _SLOW_MOST_BEFORE and evidence > best:
            best, best_limit, best_share = evidence, limit, share
    return best_limit, best_share


def _date(
    table: Table, span: tuple[float, float], wide: float, changed: tuple[Outcome, ...], means: str
) -> Change:
    """Onset and shape from the final definition of bad."""
    bins = series.bins(table, span, wide, ["bad"])
    total, bad, factor = _merged(bins, bins.counts[0])
    stretch = scan(total, bad)
    if stretch is None:
        return Change((), means, "flat", None, None, span)
    noise = dispersion(total, bad, (stretch.start, stretch.end))
    seen = _differs(total, bad, (0, stretch.start), stretch, noise)
    over = _differs(total, bad, (stretch.end, stretch.bins), stretch, noise) and not _still_bad(
        total, bad, stretch
    )
    end_bin = min(stretch.end * factor, len(bins.total)) if over else len(bins.total)
    end = bins.edge(end_bin) if over else None
    stop = span[1] if end is None else end
    if not seen:
        onset = Onset(span[0], span[0], _CONFIDENCE, baseline_seen=False)
        shape: ShapeName = "unknown"
        before = (end, span[1]) if end is not None else None
        return Change(changed, means, shape, onset, before, (span[0], stop), end)
    found = locate(bins.total[:end_bin], bins.counts[0][:end_bin], noise, _CONFIDENCE)
    if found is None:
        return Change((), means, "flat", None, None, span)
    earliest, latest = bins.edge(found.earliest), bins.edge(found.latest)
    if not found.ramp and wide > series.width(0.0, 1 << 40):
        earliest, latest = _refine(table, (span[0], stop), (earliest, latest), noise)
    shape = "spike" if over else "ramp" if found.ramp else "step"
    if over and _periodic(total, bad, stretch):
        shape = "periodic"
    onset = Onset(max(earliest, span[0]), min(latest, stop), _CONFIDENCE)
    return Change(
        changed, means, shape, onset, (span[0], onset.earliest), (onset.latest, stop), end
    )


def _differs(
    total: Sequence[int], bad: Sequence[int], part: tuple[int, int], stretch: Stretch, noise: float
) -> bool:
    """Whether the bins of `part` have data enough to say that they are not like the stretch."""
    n, k = sum(total[part[0] : part[1]]), sum(bad[part[0] : part[1]])
    n_in = sum(total[stretch.start : stretch.end])
    k_in = sum(bad[stretch.start : stretch.end])
    return difference_evidence(k, n, k_in, n_in) / noise > _SAME


def _still_bad(total: Sequence[int], bad: Sequence[int], stretch: Stretch) -> bool:
    """Whether what follows the stretch is better, but nearer to it than to the baseline."""
    n, k = sum(total[stretch.end :]), sum(bad[stretch.end :])
    n0, k0 = sum(total[: stretch.start]), sum(bad[: stretch.start])
    if not n or not n0:
        return False
    return k / n > (stretch.share_in + k0 / n0) / 2


def _refine(
    table: Table, span: tuple[float, float], near: tuple[float, float], noise: float
) -> tuple[float, float]:
    """The onset of a sudden change again, in narrow bins around the coarse interval."""
    margin = max(near[1] - near[0], 1.0)
    low, high = max(span[0], near[0] - margin), min(span[1], near[1] + margin)
    (requests,) = table.one(
        "SELECT count(*) FROM ev WHERE request AND t >= ? AND t <= ?", [low, high]
    )
    narrow = series.width(high - low, requests, 400)
    fine = series.bins(table, (low, high), narrow, ["bad"])
    n0, k0 = table.one(
        "SELECT count(*), count(*) FILTER (bad) FROM ev WHERE request AND t >= ? AND t < ?",
        [span[0], low],
    )
    n1, k1 = table.one(
        "SELECT count(*), count(*) FILTER (bad) FROM ev WHERE request AND t > ? AND t <= ?",
        [high, span[1]],
    )
    # What lies outside goes in as one bin at each end.
    found = locate([n0, *fine.total, n1], [k0, *fine.counts[0], k1], noise, _CONFIDENCE)
    if found is None or found.ramp:
        return near
    earliest = fine.edge(max(found.earliest - 1, 0))
    latest = fine.edge(min(found.latest - 1, len(fine.total)))
    return (earliest, latest) if earliest < latest else near


def _periodic(total: Sequence[int], bad: Sequence[int], stretch: Stretch) -> bool:
    """Whether the bad bins come in bursts at regular distances."""
    level = (stretch.share_in + stretch.share_out) / 2
    hot = [n > 0 and k > level * n for n, k in zip(total, bad, strict=True)]
    begins = [i for i, h in enumerate(hot) if h and (i == 0 or not hot[i - 1])]
    if len(begins) < _FEWEST_BURSTS + 1:
        return False
    gaps = [b - a for a, b in pairwise(begins)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((g - mean) ** 2 for g in gaps) / len(gaps)) ** 0.5
    return bool(spread < _REGULAR * mean)
