"""Which shape has a series: flat, a ramp, a step or a rhythm?

Four linear models are compared by their Bayes factors against a flat line under Zellner's
unit-information prior, which needs no threshold and no training. Where a model has a place (the
step) or a period (the rhythm), the evidence is averaged over all of them, so that many tries cost
what they should. Lone values far from the winner are then left out and the models compared anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Curve = Callable[[float], float]

_FEWEST = 8
_SIDE = 3  # fewer values on one side of a step are outliers, not a level
_CYCLES = 2.0  # fewer turns of a wave cannot be told from a slope
_PERIOD = 4.0  # bins; shorter waves cannot be told from noise
_FAR = 3.5  # robust standard deviations: one in 2000 normal values
_ROUNDS = 4
_MAD = 1.4826
# No shape is as likely beforehand as the three others together: their number is paid for.
_SHARE = -math.log(3)
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
    outliers: tuple[int, ...]  # indices left out


@dataclass(frozen=True, slots=True)
class _Fit:
    kind: Kind
    explained: float  # R squared
    terms: int  # beyond the mean
    curve: Curve
    change: float = 0.0
    at: int | None = None
    period: float | None = None


_Points = list[tuple[int, float]]


def classify(values: Sequence[float | None]) -> Shape | None:
    """The shape of evenly spaced values, `None` for a gap; `None` when there are too few."""
    points = [(i, v) for i, v in enumerate(values) if v is not None and math.isfinite(v)]
    left_out: set[int] = set()
    if len(points) < _FEWEST:
        return None
    fit, probability = _winner(points)
    for _ in range(_ROUNDS):
        kept = [p for p in points if p[0] not in left_out]
        far = _far(points, kept, fit)
        if far == left_out or len(points) - len(far) < _FEWEST:
            break
        left_out = far
        fit, probability = _winner([p for p in points if p[0] not in far])
    kept = [p for p in points if p[0] not in left_out]
    noise = math.sqrt(sum((y - fit.curve(x)) ** 2 for x, y in kept) / len(kept))
    return Shape(
        fit.kind, probability, fit.change, fit.at, fit.period, noise, tuple(sorted(left_out))
    )


def _far(points: _Points, kept: _Points, fit: _Fit) -> set[int]:
    spread = _MAD * median(abs(y - fit.curve(x)) for x, y in kept)
    # What rounding leaves of an exact fit has no outliers.
    if spread <= _TINY * max(abs(y) for _, y in kept):
        return set()
    return {x for x, y in points if abs(y - fit.curve(x)) > _FAR * spread}


def _winner(points: _Points) -> tuple[_Fit, float]:
    mean = fmean(y for _, y in points)
    flat = _Fit(Kind.FLAT, 0.0, 0, lambda _: mean)
    scatter = sum((y - mean) ** 2 for _, y in points)
    if scatter <= len(points) * (_TINY * mean) ** 2:
        return flat, 1.0
    families = [[flat], list(_ramp(points, mean, scatter))]
    families += [list(_steps(points, mean, scatter)), list(_waves(points, mean, scatter))]
    weighed = [
        (_evidence(f, len(points)) + (_SHARE if f[0].terms else 0.0), max(f, key=_explained))
        for f in families
        if f
    ]
    best, fit = max(weighed, key=lambda pair: pair[0])
    return fit, 1 / sum(math.exp(evidence - best) for evidence, _ in weighed)


def _explained(fit: _Fit) -> float:
    return fit.explained


def _evidence(fits: list[_Fit], n: int) -> float:
    """Log Bayes factor against the flat line, averaged over the family."""
    each = [
        (n - 1 - f.terms) / 2 * math.log1p(n)
        - (n - 1) / 2 * math.log1p(n * max(0.0, 1 - f.explained))
        for f in fits
    ]
    top = max(each)
    return top + math.log(fmean(math.exp(e - top) for e in each))


def _ramp(points: _Points, mean: float, scatter: float) -> Iterator[_Fit]:
    middle = fmean(x for x, _ in points)
    width = sum((x - middle) ** 2 for x, _ in points)
    slope = sum((x - middle) * (y - mean) for x, y in points) / width
    rise = slope * (points[-1][0] - points[0][0])

    def curve(x: float) -> float:
        return mean + slope * (x - middle)

    yield _Fit(Kind.RAMP, slope * slope * width / scatter, 1, curve, change=rise)


def _steps(points: _Points, mean: float, scatter: float) -> Iterator[_Fit]:
    n, before = len(points), 0.0
    for i, (x, y) in enumerate(points):
        if _SIDE <= i <= n - _SIDE:
            # `before` sums deviations from the mean, so the two levels follow from it alone.
            low, high = mean + before / i, mean - before / (n - i)
            explained = before * before * n / (i * (n - i)) / scatter
            yield _Fit(Kind.STEP, explained, 1, _levels(x, low, high), high - low, at=x)
        before += y - mean


def _levels(at: int, low: float, high: float) -> Curve:
    return lambda x: low if x < at else high


def _waves(points: _Points, mean: float, scatter: float) -> Iterator[_Fit]:
    span = points[-1][0] - points[0][0] + 1
    # Half a cycle over the record apart: neighbours overlap, nothing falls between them.
    for half_cycles in range(round(2 * _CYCLES), int(2 * span / _PERIOD) + 1):
        yield _wave(points, mean, scatter, 2 * span / half_cycles)


def _wave(points: _Points, mean: float, scatter: float, period: float) -> _Fit:
    turn = 2 * math.pi / period
    n = len(points)
    cos, sin = [math.cos(turn * x) for x, _ in points], [math.sin(turn * x) for x, _ in points]
    c0, s0 = sum(cos) / n, sum(sin) / n
    cc = sum((c - c0) ** 2 for c in cos)
    ss = sum((s - s0) ** 2 for s in sin)
    cs = sum((c - c0) * (s - s0) for c, s in zip(cos, sin, strict=True))
    cy = sum((c - c0) * (y - mean) for c, (_, y) in zip(cos, points, strict=True))
    sy = sum((s - s0) * (y - mean) for s, (_, y) in zip(sin, points, strict=True))
    area = cc * ss - cs * cs
    # With gaps at the wrong places the two waves can fall together; then they explain nothing.
    a, b = ((ss * cy - cs * sy) / area, (cc * sy - cs * cy) / area) if area > _TINY else (0.0, 0.0)

    def curve(x: float) -> float:
        return mean + a * (math.cos(turn * x) - c0) + b * (math.sin(turn * x) - s0)

    return _Fit(Kind.PERIODIC, (a * cy + b * sy) / scatter, 2, curve, period=period)
