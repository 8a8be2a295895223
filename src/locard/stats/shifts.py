"""How far each of many series moved, beside how far it moves anyway.

For each place the mean of the values after it is compared with the mean of those before it. The same
difference at every place of the baseline tells how large it is without any fault, whatever makes it so:
noise, a trend, a rhythm, values far out. All rows at once; means over a few widths, since a spike is short
and a leak is slow. The idea of judging a statistic by its own past is that of Brutlag (2000) and of
Netdata's metric correlations; the spread is the median absolute deviation (Hampel 1974).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

_MAD = 1.4826
_BEFORE = 4  # times the width: what is compared with
_LEAST_BEFORE = 8
_WIDTHS = (1, 4, 16, 48)
_KNOWN = 0.5  # of the values on either side have to be there
# By width, how many times the largest move of the baseline a move has to be: single values of heavy tails
# exceed all that was seen before now and then, means of many hardly.
_LARGER = {1: 4.0, 4: 2.5, 16: 2.0, 48: 1.7}
_MOST_OF_NOISE = 3.0  # spreads: the largest of some hundred independent values
_NEARLY = 0.7
_MOST_CELLS = 1_000_000  # values of the rows that are looked at together


@dataclass(frozen=True, slots=True, eq=False)
class Shifts:
    """Shapes (S,): one of each row.

    `at` is the index of the first value after the change; `score` is the change in units of its usual
    spread; `excess` is it over the largest that chance would add to the baseline's largest, so that from 1
    on it is told from what moves anyway. `width` is what saw it best.
    `before` and `after` are the means on either side. Rows without a baseline have score 0.
    """

    at: Ints
    score: Floats
    excess: Floats
    width: Ints
    before: Floats
    after: Floats


def find_shifts(
    rows: Floats, first: int, floor: Floats, *, widths: tuple[int, ...] = _WIDTHS
) -> Shifts:
    """The largest change of each row at or after index `first`; what lies before is the baseline.

    `rows` is (S, T), NaN where there is no data. `floor` (S,) is the least spread of one value that is
    taken for noise, in the unit of the row.
    """
    count, length = rows.shape
    per = max(1, _MOST_CELLS // max(length, 1))
    if count > per:
        parts = [
            find_shifts(rows[i : i + per], first, floor[i : i + per], widths=widths)
            for i in range(0, count, per)
        ]
        return Shifts(
            *(np.concatenate([getattr(p, name) for p in parts]) for name in Shifts.__slots__)
        )
    best = Shifts(
        np.zeros(count, np.intp), np.zeros(count), np.zeros(count), np.ones(count, np.intp),
        np.full(count, np.nan), np.full(count, np.nan),
    )  # fmt: skip
    known = np.isfinite(rows)
    wide = np.maximum(floor, _neighbours(rows[:, :first]))
    sums = np.concatenate(
        [np.zeros((count, 1)), np.cumsum(np.where(known, rows, 0.0), axis=1)], axis=1
    )
    seen = np.concatenate([np.zeros((count, 1)), np.cumsum(known, axis=1)], axis=1)
    reach = np.zeros(count)  # of the largest burst of the baseline: its height times its width
    for width in widths:
        back = max(_LEAST_BEFORE, _BEFORE * width)
        if width > max(1, (length - first) // 2) or back + 2 * width > first:
            continue
        # A single value is judged by its own kind: one burst of the baseline does not hide the next step.
        _widen(best, sums, seen, (floor if width == 1 else wide, reach), (width, back, first))
    return best


def _neighbours(quiet: Floats) -> Floats:
    """The spread of one value by how far neighbours differ, bursts included: no trend or rhythm widens it.

    Wide means overlap, so that the few of a baseline tell little of how far they move anyway.
    """
    if quiet.shape[1] < 3:  # noqa: PLR2004 - two differences
        return np.zeros(quiet.shape[0])
    apart = np.diff(quiet, axis=1)
    some = np.isfinite(apart).any(axis=1)
    found = np.zeros(quiet.shape[0])
    found[some] = np.sqrt(np.nanmean(apart[some] ** 2, axis=1) / 2)
    return found


def _widen(
    best: Shifts,
    sums: Floats,
    seen: Floats,
    noise: tuple[Floats, Floats],
    sizes: tuple[int, int, int],
) -> None:
    """Take the change at one width where it is the clearer one."""
    floor, reach = noise
    width, back, first = sizes
    length = sums.shape[1] - 1
    places = np.arange(back, length - width + 1)
    after_n = seen[:, places + width] - seen[:, places]
    before_n = seen[:, places] - seen[:, places - back]
    with np.errstate(invalid="ignore", divide="ignore"):
        after = (sums[:, places + width] - sums[:, places]) / after_n
        before = (sums[:, places] - sums[:, places - back]) / before_n
    gone = (after_n < max(1, _KNOWN * width)) | (before_n < _KNOWN * back)
    change = np.where(gone, np.nan, after - before)
    # Places whose window reaches into the time after `first` do not belong to the baseline.
    quiet = change[:, places + width <= first]
    late = places >= first - 1
    moved = change[:, late]
    if not quiet.shape[1] or not moved.shape[1]:
        return
    usable = (np.isfinite(quiet).sum(axis=1) >= _LEAST_BEFORE) & np.isfinite(moved).any(axis=1)
    if not usable.any():
        return
    rows = np.flatnonzero(usable)
    quiet, moved = quiet[rows], moved[rows]
    middle = np.nanmedian(quiet, axis=1)
    least = floor[rows] * np.sqrt(1 / width + 1 / back)
    spread = np.maximum(_MAD * np.nanmedian(np.abs(quiet - middle[:, None]), axis=1), least)
    away = np.abs(moved - middle[:, None])
    pick = np.nanargmax(away, axis=1)
    if width == 1:  # of several bursts the first that is nearly as high
        with np.errstate(invalid="ignore"):
            pick = np.argmax(away >= _NEARLY * np.nanmax(away, axis=1)[:, None], axis=1)
    size = away[np.arange(rows.size), pick]
    usual = np.maximum(np.nanmax(np.abs(quiet - middle[:, None]), axis=1), _MOST_OF_NOISE * least)
    # A burst that narrower means have seen moves a wide one too, wherever it lay.
    reach[rows] = np.maximum(reach[rows], (usual - _MOST_OF_NOISE * least) * width)
    usual = np.maximum(usual, reach[rows] / width) * _LARGER.get(width, 2.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(spread > 0, size / spread, 0.0)
        excess = np.where(usual > 0, size / usual, 0.0)
    # The clearest is what lies furthest beyond both its spread and all that was seen before.
    better = np.minimum(score, 8 * excess) > np.minimum(best.score[rows], 8 * best.excess[rows])
    chosen, picked = rows[better], places[late][pick[better]]
    best.at[chosen], best.width[chosen] = picked, width
    best.score[chosen], best.excess[chosen] = score[better], excess[better]
    best.before[chosen] = before[chosen][np.arange(chosen.size), picked - back]
    best.after[chosen] = after[chosen][np.arange(chosen.size), picked - back]
