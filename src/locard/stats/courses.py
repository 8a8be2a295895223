"""The shape of one change whose place is roughly known: a step, a ramp or a spike, and its interval.

Least squares over a few hundred placements, all at once with numpy; `stats.course` does the same with
more care and at a hundred times the cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_BACK = 120  # values before the place that are looked at
_RETURNED = 0.35  # of the jump: nearer to where it was
_GAIN = 0.7  # of a step's squares: a ramp has to leave less
_SAME = 0.4  # of the move that was seen a lasting change has to have
_AGAIN, _REGULAR = 3, 0.25  # gaps between bursts, and how much they may differ
_LEAST_RAMP = 6  # values
_UNEXPLAINED = 2.0  # times the noise: what a step may leave


@dataclass(frozen=True, slots=True)
class Change:
    """`at` is the index of the first changed value; [earliest, latest] holds it; `end` where it is over."""

    shape: Literal["step", "ramp", "spike", "periodic"]
    at: int
    earliest: int
    latest: int
    before: float
    after: float
    end: int | None = None


def describe_change(values: Floats, at: int, width: int) -> Change | None:
    """The change near index `at` that a difference of means of `width` values saw; None without data."""
    low = max(0, at - max(_BACK, 8 * width))
    part, known = values[low:], np.isfinite(values[low:])
    where = np.flatnonzero(known)
    if where.size < 4:  # noqa: PLR2004 - a before and an after
        return None
    ys, near = part[where], int(np.searchsorted(where, at - low))
    reach = max(4, width)
    places = np.arange(max(2, near - reach), min(ys.size, near + reach + 1))
    if not places.size:
        return None
    horizon = _horizon(ys, near, width)
    step_at, step_left = _best_step(ys[:horizon], places[places < horizon])
    if step_at is None:
        return None
    before = float(np.median(ys[:step_at]))
    after = float(np.median(ys[step_at:horizon]))
    # Of neighbours, which a ramp hardly moves.
    noise = float(np.std(np.diff(ys[:step_at]))) / math.sqrt(2) if step_at > 2 else 0.0  # noqa: PLR2004
    end = low + int(where[horizon]) if horizon < ys.size else None
    if end is None and step_left > _UNEXPLAINED * noise * noise * ys.size:
        ramp = _best_ramp(ys, step_at)
        if ramp is not None and ramp[0] < _GAIN * step_left:
            _, begin, stop = ramp
            top = (
                float(np.median(ys[stop - 2 :]))
                if stop < ys.size - 2
                else float(np.median(ys[-3:]))
            )
            early = float(np.median(ys[:begin])) if begin else before
            spread = max(
                1, int((stop - begin) * min(0.5, 0.1 + 2 * noise / max(abs(top - early), 1e-12)))
            )
            return Change("ramp", low + int(where[begin]), low + int(where[max(0, begin - spread)]),
                          low + int(where[min(begin + spread, ys.size - 1)]), early, top)  # fmt: skip
    peak = float(np.mean(ys[near : near + max(1, width)]))
    level = float(np.median(ys[:near])) if near else before
    if abs(after - before) < _SAME * abs(peak - level):
        return _burst(ys, where + low, (near, width), (level, peak))
    jump = abs(after - before)
    # A step is placed to within a few noise variances over the squared jump (Hinkley 1970).
    slack = 0 if jump <= 0 else min(20, int(3 * (noise / jump) ** 2))
    first, last = max(0, step_at - slack), min(ys.size - 1, step_at + slack)
    return Change("spike" if end is not None else "step", low + int(where[step_at]),
                  low + int(where[first]), low + int(where[last]), before, after, end)  # fmt: skip


def _burst(
    ys: Floats, where: NDArray[np.intp], place: tuple[int, int], levels: tuple[float, float]
) -> Change:
    """What was seen is over soon: one burst, or several that come again at regular distances."""
    near, width = place
    level, peak = levels
    hot = (ys[near:] - level) * np.sign(peak - level) > 0.5 * abs(peak - level)
    begins = np.flatnonzero(np.diff(np.concatenate([[0], hot.astype(np.int8)])) > 0)
    gaps = np.diff(begins)
    again = gaps.size >= _AGAIN and float(np.std(gaps)) < _REGULAR * float(np.mean(gaps))
    at, before = int(where[near]), int(where[max(0, near - 1)])
    if again:
        return Change("periodic", at, before, at, level, peak)
    end = int(where[min(near + width, ys.size - 1)])
    return Change("spike", at, before, at, level, peak, end)


def _horizon(ys: Floats, near: int, width: int) -> int:
    """Where the values are back near what they were before, for good; their number where they are not."""
    level = float(np.median(ys[:near])) if near > 1 else float(ys[0])
    reach = max(1, width)
    peak = float(np.mean(ys[near : near + reach]))
    tail = ys[max(near + reach, ys.size - max(4, (ys.size - near) // 4)) :]
    if not tail.size or abs(float(np.median(tail)) - level) > _RETURNED * abs(peak - level):
        return int(ys.size)
    away = np.abs(ys[near:] - level) > 0.5 * abs(peak - level)
    last = np.flatnonzero(away)
    if not last.size or near + last[-1] + 1 > ys.size - 2:
        return int(ys.size)
    return int(near + last[-1] + 1)


def _best_step(ys: Floats, places: NDArray[np.intp]) -> tuple[int | None, float]:
    places = places[(places > 0) & (places < ys.size)]
    if not places.size:
        return None, 0.0
    sums, squares = (
        np.concatenate([[0.0], np.cumsum(ys)]),
        np.concatenate([[0.0], np.cumsum(ys * ys)]),
    )
    n = ys.size
    left = squares[places] - sums[places] ** 2 / places
    right = (squares[n] - squares[places]) - (sums[n] - sums[places]) ** 2 / (n - places)
    cost = left + right
    best = int(np.argmin(cost))
    return int(places[best]), float(cost[best])


def _best_ramp(ys: Floats, at: int) -> tuple[float, int, int] | None:
    """(squares that are left, first index, last index) of a line between two levels: roughly, then closely."""
    n = ys.size
    begins = np.linspace(1, max(1, min(at + 2, n - _LEAST_RAMP)), 30)
    stops = np.linspace(min(at + 2, n - 1), n - 1, 12)
    best = _closest_ramp(ys, begins, stops)
    if best is None:
        return None
    wide, tall = n / 30, n / 12
    begins = np.linspace(max(1.0, best[1] - wide), best[1] + wide, 12)
    stops = np.linspace(max(2.0, best[2] - tall), min(n - 1.0, best[2] + tall), 8)
    return min(filter(None, (best, _closest_ramp(ys, begins, stops))), default=None)


def _closest_ramp(ys: Floats, begins: Floats, stops: Floats) -> tuple[float, int, int] | None:
    pairs = [
        (int(b), int(e)) for b in np.unique(begins.astype(int)) for e in np.unique(stops.astype(int))
        if e - b >= _LEAST_RAMP
    ]  # fmt: skip
    if not pairs:
        return None
    first, last = np.array(pairs).T
    xs = np.arange(ys.size, dtype=float)
    lines = np.clip((xs[None, :] - first[:, None]) / (last - first)[:, None], 0.0, 1.0)
    lines -= lines.mean(axis=1, keepdims=True)
    centred = ys - ys.mean()
    gained = (lines @ centred) ** 2 / np.maximum((lines * lines).sum(axis=1), 1e-12)
    pick = int(np.argmax(gained))
    return float(centred @ centred - gained[pick]), *pairs[pick]
