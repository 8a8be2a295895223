"""Whether a measure changed, since when, in which shape, from what to what: in words that hold.

Shares of requests are judged as counts (`stats.rise`), levels and means by how far they move beside how
far they move anyway (`stats.shifts`). A quantile beyond the last finite bound is only known to lie beyond.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from locard.metrics.affected import share_between
from locard.metrics.grid import onset_between
from locard.metrics.signal_of import median_of, signal_of
from locard.stats import rise
from locard.stats.bursts import bursts, regular
from locard.stats.courses import describe_change
from locard.stats.intervals import binomial_tail
from locard.stats.shifts import find_shifts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.metrics.grid import Grid
    from locard.metrics.measures import Measure
    from locard.model.metric_facts import Direction, MeasuredSignal, Shape
    from locard.stats.courses import Change

SCORE = 8.0  # usual spreads: what moves less is not told from what moves anyway
EXCESS = 1.0  # of what the baseline's largest move lets expect
LEAST_CHANGE = 0.1  # of what it was: less is nobody's business
_MOST_COUNTED = 14  # measures whose counts are scanned: each costs some 50 ms
_WORTH_A_SCAN = 3.0
_COUNTED_OUT = frozenset(
    {"pool", "fds", "threads", "connections", "replicas", "queue"}
)  # full is full
_CHANCE = 0.005  # of all places of a record together
_WIDE = 10  # slots of an interval that tells little
_ALIKE, _EVEN = 0.6, 0.25  # of a burst: one as high; of their distances, how much they may differ
_LEAD = 8  # slots of rest before the first burst
_AT_LIMIT = 0.95  # of it: full
_SELDOM = 0.2  # of the time: what was full as often before is no change


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A measure, what is said of it, and the slots [begin, end) in which it is changed."""

    measure: Measure
    signal: MeasuredSignal
    begin: int | None
    end: int | None


def judge_all(
    measures: Sequence[Measure], grid: Grid, first: int, restarts: dict[str, list[int]]
) -> list[Judged]:
    """Every measure; `first` is the slot from which on changes are looked for.

    `restarts` are the slots in which a pod or instance began anew: what fell then is no relief.
    """
    if not measures:
        return []
    rows = np.array([m.values for m in measures])
    floors = np.array([floor_of(m, grid) for m in measures])
    moved = find_shifts(rows, first, floors)
    order = sorted(
        range(len(measures)), key=lambda i: -_interest(measures[i], float(moved.score[i]))
    )
    scanned: set[int] = set()
    for i in order:
        if (
            measures[i].bad is not None
            and len(scanned) < _MOST_COUNTED
            and _worth(measures[i], float(moved.score[i]), first)
        ):
            scanned.add(i)
    found = []
    for i, one in enumerate(measures):
        level = (
            float(moved.score[i]),
            float(moved.excess[i]),
            int(moved.at[i]),
            int(moved.width[i]),
        )
        judged = _counted(one, grid) if i in scanned else None
        if judged is not None and one.signal == "latency":
            # Few beyond a wide bucket tell when less exactly than the mean of all.
            judged = _closer(judged, _level(one, grid, level, first), grid)
        if judged is None:
            judged = _filled_up(one, grid, first) or _before_restart(
                _level(one, grid, level, first), grid, first, restarts
            )
        found.append(judged)
    return found


def _closer(counted: Judged, level: Judged, grid: Grid) -> Judged:
    """The one whose onset is told more exactly, where the counts leave minutes open."""
    first, other = counted.signal.onset, level.signal.onset
    if first is None or other is None or level.signal.direction != "up":
        return counted
    wide = first.latest - first.earliest
    return level if wide > _WIDE * grid.step and other.latest - other.earliest < wide else counted


def _interest(measure: Measure, score: float) -> float:
    return score * {"errors": 3.0, "latency": 2.0}.get(measure.signal, 1.0)


def _worth(measure: Measure, score: float, first: int) -> bool:
    """Whether a scan may find something: much moved, or failures are there that were not."""
    assert measure.bad is not None  # noqa: S101 - who calls has looked
    late, early = np.nansum(measure.bad[first:]), np.nansum(measure.bad[:first])
    return score >= _WORTH_A_SCAN or (measure.signal == "errors" and bool(late + early > 0))


def floor_of(measure: Measure, grid: Grid) -> float:
    """The spread of one value that chance alone gives, or a hundredth of its level."""
    usual = float(np.nanmedian(measure.values)) if np.isfinite(measure.values).any() else 0.0
    least = 0.01 * abs(usual) + 1e-12
    if measure.signal == "latency" or (measure.sum is not None and measure.bad is None):
        # A mean of few requests is as wide as its slow ones make it, however rare these are.
        early = measure.values[: measure.values.size // 2]
        least = max(least, float(np.nanstd(early)) if np.isfinite(early).any() else 0.0)
    if measure.signal == "traffic" and measure.count is not None:
        mean = float(np.nanmean(measure.count)) if np.isfinite(measure.count).any() else 0.0
        return max(least, math.sqrt(max(mean, 1.0)) / grid.step)
    if measure.bad is not None and measure.total is not None:
        total = float(np.nanmean(measure.total)) if np.isfinite(measure.total).any() else 0.0
        bad = float(np.nanmean(measure.bad)) if np.isfinite(measure.bad).any() else 0.0
        if total > 0 and measure.signal != "latency":
            return max(least, math.sqrt(max(bad, 0.25)) / total)
    return least


# -- shares of counts ---------------------------------------------------------------------------


def _counted(measure: Measure, grid: Grid) -> Judged | None:
    """A share that rose, by its counts; None where that is not beyond doubt."""
    assert measure.total is not None  # noqa: S101 - who calls has looked
    assert measure.bad is not None  # noqa: S101 - as above
    whole = np.isfinite(measure.total) & np.isfinite(measure.bad)
    total = np.where(whole, np.rint(measure.total), 0).astype(int).tolist()
    bad = np.where(whole, np.rint(np.minimum(measure.bad, measure.total)), 0).astype(int).tolist()
    if rise.significant(total, bad, tests=_MOST_COUNTED) is None:
        return None
    found = rise.describe(total, bad)
    if found is None or found.begin is None:
        return None
    # Bin k holds what came between the samples k - 1 and k: its edges are those of time.
    begin = int(np.clip(round(found.begin.best), 0, grid.length - 1))
    end = found.end if found.end is not None else grid.length
    if found.end is not None and found.shape == "spike":
        begin, end = _trimmed(measure, begin, end)
        if _came_before(measure, begin, end):
            return None  # a rhythm that its baseline shows
    onset = onset_between(grid.time(found.begin.earliest - 1), grid.time(found.begin.latest - 1))
    if onset.latest - onset.earliest < grid.step or (end - begin == 1 and found.end is not None):
        onset = onset_between(grid.time(begin - 1), grid.time(begin))
    shape: Shape = found.shape if found.shape != "unknown" else "step"
    if shape == "step" and regular(
        bursts(total[max(0, begin - _LEAD) :], bad[max(0, begin - _LEAD) :])
    ):
        shape = "periodic"  # the last burst reaches to the end
    before, after = (
        share_between(measure, 0, math.floor(found.begin.earliest)),
        share_between(measure, begin, end),
    )
    signal = signal_of(
        measure, grid, "up", shape, onset,
        levels=(before, after), span=(begin, end), score=50.0, over=found.end is not None,
    )  # fmt: skip
    return Judged(measure, signal, begin, end)


def _came_before(measure: Measure, begin: int, end: int) -> bool:
    """Whether bursts as high and about as long belong to a rhythm that was there all along: a job of every hour.

    Three at even distances, the first in the first half of the record.
    """
    assert measure.total is not None  # noqa: S101 - it is a share
    assert measure.bad is not None  # noqa: S101 - as above
    high = share_between(measure, begin, end) or 0.0
    width = max(1, (end - begin) // 2)
    kernel = np.ones(width)
    total = np.convolve(np.nan_to_num(measure.total), kernel, "valid")
    bad = np.convolve(np.nan_to_num(measure.bad), kernel, "valid")
    hot = bad >= _ALIKE * high * np.maximum(total, 1.0)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], hot.astype(np.int8)])) > 0)
    apart = edges[np.concatenate([[True], np.diff(edges) > 2 * width])] if edges.size else edges
    gaps = np.diff(apart)
    even = gaps.size > 1 and float(np.std(gaps)) < _EVEN * float(np.mean(gaps))
    return even and bool(apart[0] < measure.values.size // 2)


def _trimmed(measure: Measure, begin: int, end: int) -> tuple[int, int]:
    """The slots of a spike in which its share is at least half of its highest."""
    assert measure.total is not None  # noqa: S101 - it is a share
    assert measure.bad is not None  # noqa: S101 - as above
    low = max(0, begin - 2)
    share = np.nan_to_num(measure.bad[low:end] / np.maximum(measure.total[low:end], 1.0))
    high = np.flatnonzero(share >= 0.5 * share.max()) if share.size else share
    return (low + int(high[0]), low + int(high[-1]) + 1) if high.size else (begin, end)


# -- levels -------------------------------------------------------------------------------------


def _level(
    measure: Measure, grid: Grid, moved: tuple[float, float, int, int], first: int
) -> Judged:
    score, excess, at, width = moved
    values = measure.values
    known = np.isfinite(values)
    if known[:first].sum() < 8 or known[first:].sum() < min(4, grid.length - first):  # noqa: PLR2004
        signal = signal_of(measure, grid, "no data" if not known.any() else "none", "unknown", None,
                         levels=(None, median_of(values)), span=(0, grid.length), score=0.0)  # fmt: skip
        return Judged(measure, signal, None, None)
    if measure.signal == "latency" and width == 1:
        score = 0.0  # a few slow ones of few requests: of a share of them the counts tell
    change = describe_change(values, at, width) if score >= SCORE and excess >= EXCESS else None
    if (
        change is not None
        and change.shape == "spike"
        and measure.signal == "latency"
        and _by_chance(measure, change)
    ):
        change = None
    if (
        change is not None and change.shape == "spike" and change.end is not None
        and measure.bad is not None and measure.total is not None
        and _came_before(measure, change.at, change.end)
    ):  # fmt: skip
        change = None
    if change is None or not _matters(measure, change.before, change.after):
        signal = signal_of(measure, grid, "none", "flat", None, levels=_steady(measure, first, grid),
                         span=(first, grid.length), score=score)  # fmt: skip
        return Judged(measure, signal, None, None)
    direction: Direction = "up" if change.after > change.before else "down"
    onset = onset_between(grid.time(change.earliest - 1), grid.time(change.latest))
    end = change.end if change.end is not None else grid.length
    signal = signal_of(
        measure, grid, direction, change.shape, onset, levels=(change.before, change.after),
        span=(change.at, end), score=score, over=change.end is not None,
    )  # fmt: skip
    return Judged(measure, signal, change.at, end)


def _filled_up(measure: Measure, grid: Grid, first: int) -> Judged | None:
    """What has reached its limit and stays there, and was not there before; None of others."""
    if measure.limit is None or measure.resource not in _COUNTED_OUT:
        return None
    with np.errstate(invalid="ignore"):
        use = measure.values / measure.limit
    known = np.flatnonzero(np.isfinite(use))
    late = known[known >= first]
    if late.size < 4 or known.size - late.size < 8:  # noqa: PLR2004
        return None
    full = use >= _AT_LIMIT
    below = np.flatnonzero(~full & np.isfinite(use))
    begin = int(below[-1]) + 1 if below.size else 0
    since = known[known >= begin]
    if since.size < 4 or begin < first or full[known[known < begin]].mean() > _SELDOM:  # noqa: PLR2004
        return None
    before, after = median_of(measure.values[:begin]), median_of(measure.values[begin:])
    signal = signal_of(measure, grid, "up", "step", onset_between(grid.time(begin - 1), grid.time(begin)),
                     levels=(before, after), span=(begin, grid.length), score=30.0)  # fmt: skip
    return Judged(measure, signal, begin, grid.length)


def _before_restart(
    judged: Judged, grid: Grid, first: int, restarts: dict[str, list[int]]
) -> Judged:
    """What grew until its process began anew, where the fall at the restart hides it."""
    measure = judged.measure
    if measure.resource not in {
        "rss",
        "working set",
        "memory",
        "heap",
        "fds",
        "threads",
        "goroutines",
        "cache",
    }:
        return judged
    if judged.signal.direction != "down" or judged.begin is None:
        return judged
    name = next((v for k, v in measure.subject if k == "pod"), "") or "/".join(
        v for k, v in measure.subject if k in {"job", "instance"}
    )
    cut = next((at for at in restarts.get(name, ()) if abs(at - (judged.begin or 0)) <= 2), None)  # noqa: PLR2004
    if cut is None:
        return judged
    values = measure.values.copy()
    values[cut - 1 :] = np.nan
    moved = find_shifts(values[None, :], min(first, cut // 2), np.array([floor_of(measure, grid)]))
    until = replace(measure, values=values)
    level = (
        float(moved.score[0]),
        float(moved.excess[0]),
        int(moved.at[0]),
        int(moved.width[0]),
    )
    grew = _level(until, grid, level, min(first, cut // 2))
    if grew.signal.direction != "up":
        return judged
    words = f"until it began anew at the end of it ({_amount(judged.signal.before)} → {_amount(judged.signal.after)})"
    signal = replace(grew.signal, ended=grid.time(cut), now=judged.signal.now, course=judged.signal.course,
                     detail="; ".join(filter(None, (grew.signal.detail, words))))  # fmt: skip
    return Judged(measure, signal, grew.begin, cut)


def _amount(value: float | None) -> str:
    return "?" if value is None else f"{value:.4g}"


def _steady(measure: Measure, first: int, grid: Grid) -> tuple[float | None, float | None]:
    """Levels before and after `first`: of a share all its counts, since the median of few errors is none."""
    if measure.bad is not None and measure.signal == "errors":
        return share_between(measure, 0, first), share_between(measure, first, grid.length)
    levels = median_of(measure.values[:first]), median_of(measure.values[first:])
    if measure.signal == "traffic" and 0.0 in levels and np.isfinite(measure.values).any():
        # Of a request now and then the median is none.
        return float(np.nanmean(measure.values[:first])), float(np.nanmean(measure.values[first:]))
    return levels


def _by_chance(measure: Measure, change: Change) -> bool:
    """Whether a short rise of a mean may be a few slow requests that fell together."""
    if measure.bad is None or measure.total is None:
        return False
    end = change.end if change.end is not None else measure.values.size
    n, k = (float(np.nansum(c[change.at : end])) for c in (measure.total, measure.bad))
    share = share_between(measure, 0, change.at) or 0.0
    tries = measure.values.size / max(1, end - change.at)
    return binomial_tail(int(k), max(1, int(n)), max(share, 1e-3)) * tries > _CHANCE


def _matters(measure: Measure, before: float, after: float) -> bool:
    if measure.limit is not None and np.isfinite(measure.limit).any():
        top = float(np.nanmedian(measure.limit))
        if top > 0 and abs(after - before) < 0.02 * top:
            return False
    return abs(after - before) >= LEAST_CHANGE * max(abs(before), abs(after) * 0.2, 1e-9)


def _turns_over(judged: Judged) -> bool:
    """Whether series of it begin or end where it seems to dip: instances that were replaced."""
    begin, end = judged.begin or 0, judged.end or 0
    for row in judged.measure.rows:
        known = np.flatnonzero(np.isfinite(row.values))
        if not known.size:
            continue
        edges = [
            e
            for e, inner in (
                (known[0], known[0] > _LEAD),
                (known[-1], known[-1] < row.values.size - _LEAD),
            )
            if inner
        ]
        if any(begin - _LEAD <= e <= end + _LEAD for e in edges):
            return True
    return False


def with_traffic_per_instance(judged: Judged) -> Judged:
    """Traffic that grew by another instance only is said so."""
    measure = judged.measure
    if measure.signal != "traffic" or judged.begin is None or measure.count is None:
        return judged
    if judged.signal.shape == "spike" and _turns_over(judged):
        signal = replace(judged.signal, direction="none", shape="flat", onset=None, ended=None,
                         detail="for a moment the sum misses series that began or ended there")  # fmt: skip
        return Judged(measure, signal, None, None)
    reporting = np.array([np.isfinite(r.values) for r in measure.rows if r.growth is not None]).sum(
        axis=0
    )
    before, after = reporting[: judged.begin], reporting[judged.begin :]
    if not before.size or not after.size or np.median(before) == np.median(after):
        return judged
    words = f"{int(np.median(before))} series report before, {int(np.median(after))} after"
    per = np.where(reporting > 0, measure.values / np.maximum(reporting, 1), np.nan)
    early, late = median_of(per[: judged.begin]), median_of(per[judged.begin :])
    if early and late and abs(late - early) < LEAST_CHANGE * early:
        signal = replace(judged.signal, direction="none", shape="flat", onset=None,
                         detail=f"the sum changed with the series that it is made of ({words}); each is as before")  # fmt: skip
        return Judged(measure, signal, None, None)
    return Judged(measure, replace(judged.signal, detail=words), judged.begin, judged.end)
