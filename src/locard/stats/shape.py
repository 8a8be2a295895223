"""Which shape has a series: flat, a ramp, a step or a rhythm?

Four families of curves are compared by their marginal likelihood, which needs no threshold and no
training: it is averaged over every place of the step and every period of the rhythm, so that many
tries cost what they should, and every coefficient pays the half log of the count (Schwarz 1978).
The noise may have values far out (see `robust`): they count little, in each family on its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean
from typing import TYPE_CHECKING

from locard.stats import robust

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Curve = Callable[[float], float]

_FEWEST = 8
_SIDE = 3  # fewer values on one side of a step are outliers, not a level
_CYCLES = 2.0  # fewer turns of a wave cannot be told from a slope
_PERIOD = 4.0  # bins; shorter waves cannot be told from noise
_ROUNDS = 6  # of expectation maximisation; the weights settle in three or four
_OUTLIER = 0.5  # likelier far out than not
# No shape is as likely beforehand as the three others together.
_FLAT = math.log(3)
_EXACT = 1e-9  # of the largest deviation: what rounding leaves
_TINY = 1e-12


class Kind(StrEnum):
    """The shapes that are told apart."""

    FLAT = "flat"
    RAMP = "ramp"
    STEP = "step"
    PERIODIC = "periodic"


@dataclass(frozen=True, slots=True)
class Shape:
    """The likeliest shape of a series."""

    kind: Kind
    probability: float  # beforehand 1/2 for flat, 1/6 for each of the others
    change: float  # ramp: last minus first; step: new minus old level; 0 otherwise
    at: int | None  # step: index of the first value on the new level
    period: float | None  # rhythm: in bins
    noise: float  # standard deviation around the shape
    outliers: tuple[int, ...]  # indices of values far out


@dataclass(frozen=True, slots=True)
class _Fit:
    kind: Kind
    squares: float  # weighted, around the curve
    terms: int  # beyond the mean
    curve: Curve
    prior: float = 0.0  # log, against the other members of the family
    change: float = 0.0
    at: int | None = None
    period: float | None = None


@dataclass(frozen=True, slots=True)
class _Winner:
    evidence: float
    fit: _Fit
    spread: float
    far: list[float]


@dataclass(frozen=True, slots=True)
class _Turns:
    period: float
    rate: float
    cos: list[float]
    sin: list[float]


def classify(values: Sequence[float | None], least_noise: float = 0.0) -> Shape | None:
    """The shape of evenly spaced values, `None` for a gap; `None` when there are too few.

    `least_noise` is the standard deviation that the values have at least, where that is known.
    """
    points = [(i, v) for i, v in enumerate(values) if v is not None and math.isfinite(v)]
    if len(points) < _FEWEST:
        return None
    xs, ys = [x for x, _ in points], [y for _, y in points]
    mean = fmean(ys)
    reach = max(abs(y - mean) for y in ys)
    if reach <= _TINY * abs(mean):
        return Shape(Kind.FLAT, 1.0, 0.0, None, None, 0.0, ())
    turns = _turns(xs)
    families: tuple[Callable[[list[float]], list[_Fit]], ...] = (
        lambda w: [_flat(ys, w)],
        lambda w: [_ramp(xs, ys, w)],
        lambda w: _steps(xs, ys, w),
        lambda w: [_wave(t, ys, w) for t in turns],
    )
    found = [_fitted(xs, ys, family, max(least_noise, reach * _EXACT)) for family in families]
    best = max(found, key=lambda f: f.evidence)
    whole = sum(math.exp(f.evidence - best.evidence) for f in found)
    fit = best.fit
    outliers = tuple(x for x, p in zip(xs, best.far, strict=True) if p > _OUTLIER)
    return Shape(fit.kind, 1 / whole, fit.change, fit.at, fit.period, best.spread, outliers)


def _fitted(
    xs: list[int], ys: list[float], family: Callable[[list[float]], list[_Fit]], least: float
) -> _Winner:
    """The best curve of a family, and the evidence for all of it together."""
    n = len(ys)
    weights, spread = [1.0] * n, 0.0
    far: list[float] = [0.0] * n
    fits: list[_Fit] = []
    scatter = 0.0
    for _ in range(_ROUNDS):
        fits = family(weights)
        best = min(fits, key=lambda f: f.squares)
        residuals = [y - best.curve(x) for x, y in zip(xs, ys, strict=True)]
        spread = max(least, spread or math.sqrt(fmean(r * r for r in residuals)))
        scatter = _flat(ys, weights).squares
        far = robust.far_out(residuals, spread)
        weights = robust.weights(far)
        squares = sum(w * r * r for w, r in zip(weights, residuals, strict=True))
        spread = max(least, math.sqrt(squares / n))
    each = [
        robust.log_likelihood([y - f.curve(x) for x, y in zip(xs, ys, strict=True)], spread)
        - _price(f.terms, n, max(f.squares, n * least * least) / max(scatter, n * least * least))
        + f.prior
        for f in fits
    ]
    top = max(each)
    evidence = top + math.log(fmean(math.exp(e - top) for e in each))
    return _Winner(evidence, min(fits, key=lambda f: f.squares), spread, far)


def _price(terms: int, count: int, left: float) -> float:
    """What a curve pays for its coefficients if it leaves this share of the scatter, in nats.

    The log likelihood at its best coefficients and noise, less the one that is averaged over both:
    coefficients as wide as one value tells of them, noise of any size (Zellner 1986; Liang and others
    2008, equation 6). Near to the half log of the count for each (Schwarz 1978), but right for few.
    """
    averaged = (count - 1 - terms) * math.log1p(count) - (count - 1) * math.log1p(count * left)
    return -(count * math.log(left) + averaged) / 2


def _mean(values: list[float] | list[int], weights: list[float]) -> float:
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


def _flat(ys: list[float], weights: list[float]) -> _Fit:
    mean = _mean(ys, weights)
    squares = sum(w * (y - mean) ** 2 for w, y in zip(weights, ys, strict=True))
    return _Fit(Kind.FLAT, squares, 0, lambda _: mean, prior=_FLAT)


def _ramp(xs: list[int], ys: list[float], weights: list[float]) -> _Fit:
    mean, middle = _mean(ys, weights), _mean(xs, weights)
    width = sum(w * (x - middle) ** 2 for w, x in zip(weights, xs, strict=True))
    lean = sum(w * (x - middle) * (y - mean) for w, x, y in zip(weights, xs, ys, strict=True))
    slope = lean / width
    squares = sum(w * (y - mean) ** 2 for w, y in zip(weights, ys, strict=True))

    def curve(x: float) -> float:
        return mean + slope * (x - middle)

    rise = slope * (xs[-1] - xs[0])
    return _Fit(Kind.RAMP, squares - slope * lean, 1, curve, change=rise)


def _steps(xs: list[int], ys: list[float], weights: list[float]) -> list[_Fit]:
    n, mean = len(xs), _mean(ys, weights)
    whole = sum(weights)
    scatter = sum(w * (y - mean) ** 2 for w, y in zip(weights, ys, strict=True))
    fits, mass, before = [], 0.0, 0.0
    for i, (x, y, w) in enumerate(zip(xs, ys, weights, strict=True)):
        if _SIDE <= i <= n - _SIDE:
            # `before` sums deviations from the mean, so the two levels follow from it alone.
            low, high = mean + before / mass, mean - before / (whole - mass)
            explained = before * before * whole / (mass * (whole - mass))
            # A level of which little is seen is less likely one: Beta(2, 2) over the record.
            prior = math.log(6 * i * (n - i) / (n * n))
            curve = _levels(x, low, high)
            fits.append(
                _Fit(Kind.STEP, scatter - explained, 1, curve, prior, change=high - low, at=x)
            )
        mass += w
        before += w * (y - mean)
    return fits


def _levels(at: int, low: float, high: float) -> Curve:
    return lambda x: low if x < at else high


def _turns(xs: list[int]) -> list[_Turns]:
    """Half a cycle over the record apart: neighbours overlap, nothing falls between them."""
    span = xs[-1] - xs[0] + 1
    found = []
    for half_cycles in range(round(2 * _CYCLES), int(2 * span / _PERIOD) + 1):
        rate = math.pi * half_cycles / span
        cos, sin = [math.cos(rate * x) for x in xs], [math.sin(rate * x) for x in xs]
        found.append(_Turns(2 * span / half_cycles, rate, cos, sin))
    return found


def _wave(turns: _Turns, ys: list[float], weights: list[float]) -> _Fit:
    rate = turns.rate
    mean = _mean(ys, weights)
    c0, s0 = _mean(turns.cos, weights), _mean(turns.sin, weights)
    cc = ss = cs = cy = sy = yy = 0.0
    for w, c, s, y in zip(weights, turns.cos, turns.sin, ys, strict=True):
        c1, s1, y1 = c - c0, s - s0, y - mean
        cc += w * c1 * c1
        ss += w * s1 * s1
        cs += w * c1 * s1
        cy += w * c1 * y1
        sy += w * s1 * y1
        yy += w * y1 * y1
    area = cc * ss - cs * cs
    # With gaps at the wrong places the two waves can fall together; then they explain nothing.
    a, b = ((ss * cy - cs * sy) / area, (cc * sy - cs * cy) / area) if area > _TINY else (0.0, 0.0)

    def curve(x: float) -> float:
        return mean + a * (math.cos(rate * x) - c0) + b * (math.sin(rate * x) - s0)

    return _Fit(Kind.PERIODIC, yy - a * cy - b * sy, 2, curve, period=turns.period)
