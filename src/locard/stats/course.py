"""How a measure went: flat, a step, a ramp, a spike or a rhythm; since when; from what to what.

Lasting changes come from `segments`, which knows autocorrelation; what it leaves uncut is named by
the Bayes factors of `shape`, if they are sure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING

from locard.stats import shape
from locard.stats.segments import segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.model.log_facts import ShapeName

_SURE = 0.99
_CONFIDENCE = 0.95
_FAR = 6.0  # standard deviations of a lone spike: one in a billion
_RETURNED = 0.5  # of the jump: nearer to where it was than to where it went
_MAD = 1.4826
_ANSCOMBE = 0.375
_FEW = 5.0  # counts a bin: below, chance is not nearly normal
MOST_BINS = 100  # the cost grows with the square


@dataclass(frozen=True, slots=True)
class Course:
    """Indices are edges: a change at 5 lies between the values 4 and 5.

    `earliest` and `latest` hold the onset with 95 %; None where there is none, or where a ramp or
    a rhythm covers the whole record. `before` and `after` are levels, `peak` that of a spike.
    """

    shape: ShapeName
    earliest: float | None
    latest: float | None
    before: float
    after: float
    peak: float | None = None
    period: float | None = None
    more: tuple[int, ...] = ()  # further changes
    end: float | None = None  # of a spike: where it is over


def of_counts(counts: Sequence[int | None]) -> Course | None:
    """The course of counts per bin, levels as counts per bin; None where there are too few.

    Bins are added up until chance alone is nearly normal, then made to vary by 1 wherever they are
    (Anscombe 1948). A bin that lies outside the record has to be left out, one without data None.
    """
    known = [n for n in counts if n is not None]
    if not sum(known):
        return None
    factor = max(1, -(-len(counts) // MOST_BINS), math.ceil(_FEW * len(known) / sum(known)))
    merged: list[float | None] = []
    for i in range(0, len(counts) - factor + 1, factor):
        part = [n for n in counts[i : i + factor] if n is not None]
        merged.append(2 * math.sqrt(sum(part) + _ANSCOMBE) if len(part) == factor else None)
    found = describe(merged, least_noise=1.0)
    if found is None:
        return None

    def back(value: float | None) -> float | None:
        return None if value is None else max(0.0, (value / 2) ** 2 - _ANSCOMBE) / factor

    def edge(value: float | None) -> float | None:
        return None if value is None else value * factor

    return Course(
        found.shape,
        edge(found.earliest),
        edge(found.latest),
        back(found.before) or 0.0,
        back(found.after) or 0.0,
        back(found.peak),
        edge(found.period),
        tuple(c * factor for c in found.more),
        edge(found.end),
    )


def describe(values: Sequence[float | None], least_noise: float = 0.0) -> Course | None:
    """The course of evenly spaced values; None where there are too few to have one.

    `least_noise` is the standard deviation that chance alone gives, if known.
    """
    kind = shape.classify(values, least_noise)
    if kind is None:
        return None
    found = segment(values)
    level = _level(values)
    wave = kind.kind is shape.Kind.PERIODIC and kind.probability >= _SURE
    if found.cuts and not (wave and not found.period and _better(values, found.cuts, kind)):
        return _cut(values, found.cuts, sloped=found.sloped, period=found.period)
    if wave or found.period:
        return Course("periodic", None, None, level, level, period=found.period or kind.period)
    if kind.probability < _SURE or kind.kind is shape.Kind.FLAT:
        return _spike(values, kind, least_noise) or Course("flat", None, None, level, level)
    if kind.kind is shape.Kind.STEP and kind.at is not None:
        return _cut(values, (kind.at,), sloped=False)
    half = kind.change / 2
    return Course("ramp", None, None, level - half, level + half)


def _better(values: Sequence[float | None], cuts: tuple[int, ...], wave: shape.Shape) -> bool:
    """Whether a wave describes the values better than levels do (Schwarz's criterion)."""
    squares, n = 0.0, 0
    for a, b in pairwise([0, *cuts, len(values)]):
        known = [v for v in values[a:b] if v is not None]
        middle = fmean(known) if known else 0.0
        squares += sum((v - middle) ** 2 for v in known)
        n += len(known)
    if not squares:
        return False
    cost = (2 * len(cuts) + 1 - 3) * math.log(n)
    return n * math.log(wave.noise**2) < n * math.log(squares / n) + cost


def _level(values: Sequence[float | None]) -> float:
    known = [v for v in values if v is not None and math.isfinite(v)]
    return median(known) if known else math.nan


def _cut(
    values: Sequence[float | None],
    cuts: tuple[int, ...],
    *,
    sloped: bool,
    period: float | None = None,
) -> Course:
    edges = [0, *cuts, len(values)]
    levels = [_level(values[a:b]) for a, b in pairwise(edges)]
    first, last = levels[0], levels[-1]
    peak = max(levels[1:], key=lambda v: abs(v - first))
    low, high = _interval(values, edges[0], cuts[0], edges[2], sloped=sloped)
    more = cuts[1:]
    if len(levels) > 2 and abs(last - first) < _RETURNED * abs(peak - first):  # noqa: PLR2004
        return Course(
            "spike", low, high, first, last, peak=peak, period=period, more=more[1:], end=cuts[-1]
        )
    if sloped and _gradual(values, cuts[0], edges[2]):
        return Course("ramp", low, high, first, last, period=period, more=more)
    return Course("step", low, high, first, last, period=period, more=more)


def _gradual(values: Sequence[float | None], at: int, end: int) -> bool:
    """Whether the values from the cut to the next move further along than at the cut itself."""
    third = max(1, (end - at) // 3)
    before, early, late = (
        _level(values[max(0, at - third) : at]),
        _level(values[at : at + third]),
        _level(values[end - third : end]),
    )
    return abs(late - early) > abs(early - before)


def _interval(
    values: Sequence[float | None], start: int, cut: int, end: int, *, sloped: bool
) -> tuple[float, float]:
    """The edges that hold the change with 95 %: its posterior between the neighbouring changes.

    Normal noise of the level before and after, its variance raised by the autocorrelation.
    """
    known = [(i, v) for i, v in enumerate(values[start:end], start) if v is not None]
    left = [v for i, v in known if i < cut]
    right = [v for i, v in known if i >= cut]
    if sloped or not left or not right:
        margin = max(1.0, (end - start) * (1 - _CONFIDENCE) / 2)
        return max(float(start), cut - margin), min(float(end), cut + margin)
    low, high = fmean(left), fmean(right)
    rest = [v - low for v in left] + [v - high for v in right]
    variance = fmean(r * r for r in rest)
    if variance <= 0:
        return cut - 1.0, cut + 1.0
    related = sum(a * b for a, b in pairwise(rest)) / (variance * len(rest))
    related = min(0.9, max(0.0, related))
    noise = variance * (1 + related) / (1 - related)
    scores = {cut: 0.0}
    for step, stop in ((-1, start), (1, end)):
        score = 0.0
        for i in range(cut - (step < 0), stop, step):
            value = values[i]
            if value is not None:
                score += step * ((value - high) ** 2 - (value - low) ** 2) / (2 * noise)
            scores[i if step < 0 else i + 1] = score
    top = max(scores.values())
    weights = sorted(((math.exp(s - top), i) for i, s in scores.items()), reverse=True)
    held, edges, whole = 0.0, [], sum(w for w, _ in weights)
    for weight, i in weights:
        edges.append(i)
        held += weight
        if held >= _CONFIDENCE * whole:
            break
    # The bin in which it happens may lie on either side of the cut.
    return max(float(start), min(edges) - 1.0), min(float(end), max(edges) + 1.0)


def _spike(values: Sequence[float | None], kind: shape.Shape, least_noise: float) -> Course | None:
    """A few values far out in one direction, side by side."""
    level = _level(values)
    noise = max(kind.noise, least_noise)
    far = {i: v for i in kind.outliers if (v := values[i]) is not None}
    far = {i: v for i, v in far.items() if noise > 0 and abs(v - level) > _FAR * noise}
    if not far:
        return None
    top = max(far, key=lambda i: abs(far[i] - level))
    start, end = top, top + 1
    while start - 1 in far:
        start -= 1
    while end in far:
        end += 1
    return Course("spike", max(0.0, start - 1.0), start + 1.0, level, level, peak=far[top], end=end)
