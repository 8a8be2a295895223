"""Where does a series change for good: in its level or in its slope?

The series is cut into segments of constant level, or of straight lines, by dynamic programming
(exact for every number of cuts), and the number of cuts is chosen by a penalised likelihood. Its
corrections were set on simulated series whose changes are known (bench/gen_series.py):

- the penalty is that of Zhang and Siegmund (2007), who pay for the search over all places;
- neighbouring values are not independent: what counts is the number of independent values that
  remain after the autocorrelation of the residuals, itself corrected for its small-sample bias, and
  drawn to "alike" where too few values tell;
- a change has to matter: noise of a tenth of the variance is added in the mind, so that segments
  are not piled up to follow a curve that nine tenths of the variance already describe. Few values
  carry no such pile, and less is added: a bend in twenty values may be plain to see;
- a curve that a parabola describes clearly better than lines that bend has no change.

Lone values far from their neighbours are drawn in beforehand, and a rhythm is taken out where each
third of the record has it as the other two do, so that neither makes a change. Gaps (`None`, not a
number) are skipped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import add
from statistics import fmean, median
from typing import TYPE_CHECKING

from locard.stats.bends import curves, joined, lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Cost = Callable[[int, int], float]

_IMMATERIAL = 0.1  # of the variance, of many values
_MANY = 80  # values: of so many half of that
_ALIKE = 5  # pairs of neighbours that are alike, added in the mind
_CLEARLY = 6.0  # twice nats: "strong" (Kass and Raftery 1995)
_SHORTEST = 0.03  # of the record: a shorter segment is an event, not a state
_FEWEST = 3  # values of a segment, and one more for a slope
_MOST_CUTS = 10
_POSITIVE = 2.0  # twice nats: less is "not worth more than a bare mention" (Kass and Raftery 1995)
_CHANCE = 30  # over so few values squared: what chance gains more (simulated, autocorrelated noise)
_PLACE = 2.0  # log n for the place of a cut, beside log n for each new coefficient
_NEAR = 3  # neighbours on either side
_FAR = 3.5  # robust standard deviations
_MAD = 1.4826
_MOST_RELATED = 0.99
_CYCLES = 4  # fewer turns are no rhythm yet
_SHORTEST_PERIOD = 4  # values; shorter ones cannot be told from noise
_THIRDS = 3
_UNTOLD = 0.4  # of the variance of a third, by the rhythm of the others
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Segments:
    """The index of the first value of each segment but the first, and how sure they are.

    `gain` is by how much the cuts improve the penalised log likelihood (twice nats, 0 where there
    is no cut). `sloped` says whether the segments are lines. `period` is that of the rhythm that
    was taken out, in values.
    """

    cuts: tuple[int, ...]
    gain: float
    sloped: bool
    period: int | None


def segment(series: Sequence[float | None]) -> Segments:
    """The lasting changes of one series.

    Time grows with the square of the length: some 0.1 s at 200 values.
    """
    known = [(i, v) for i, v in enumerate(series) if v is not None and math.isfinite(v)]
    row = _standard([v for _, v in known])
    if len(row) < 2 * _FEWEST:
        return Segments((), 0.0, sloped=False, period=None)
    row = _drawn_in(row)
    period, row = _without_rhythm(row)
    tried = [(gain, cuts, slope) for slope in (False, True) for gain, cuts in _gains(row, slope)]
    tried.append((_parabola(row) - _CLEARLY, [], True))
    enough = max(gain for gain, _, _ in tried) - _POSITIVE
    fewest = min(len(cuts) for gain, cuts, _ in tried if gain >= enough)
    gain, cuts, slope = max(t for t in tried if len(t[1]) == fewest)
    uncut = max(gain for gain, none, _ in tried if not none)
    if gain - uncut < _POSITIVE + (_CHANCE / len(row)) ** 2:
        return Segments((), 0.0, sloped=slope, period=period)
    cuts = joined(row, cuts) if slope else cuts
    return Segments(tuple(known[c][0] for c in cuts), gain - uncut, slope, period)


def segment_all(series: Sequence[Sequence[float | None]]) -> tuple[int, ...]:
    """The cuts of several series of equal length; those that lie close together are one.

    Each is judged on its own, so that one that follows a plain line costs the others nothing.
    """
    found = sorted((segment(s) for s in series), key=lambda s: -s.gain)
    near = math.ceil(_SHORTEST * len(series[0])) if series else 0
    cuts: list[int] = []
    for cut in (c for one in found for c in one.cuts):
        if all(abs(cut - other) >= near for other in cuts):
            cuts.append(cut)
    return tuple(sorted(cuts))


def _standard(values: Sequence[float]) -> list[float]:
    """Mean 0, variance 1; empty where nothing varies."""
    if not values:
        return []
    mean = fmean(values)
    spread = math.sqrt(fmean((v - mean) ** 2 for v in values))
    if spread <= _TINY * max(map(abs, values)):
        return []
    return [(v - mean) / spread for v in values]


def _drawn_in(values: list[float]) -> list[float]:
    """Values far from the median of their neighbours replaced by it (Hampel's filter)."""
    near = [median(values[max(0, i - _NEAR) : i + _NEAR + 1]) for i in range(len(values))]
    noise = _MAD * median(abs(v - m) for v, m in zip(values, near, strict=True))
    far = _FAR * math.sqrt(noise * noise + _IMMATERIAL)
    return [m if abs(v - m) > far else v for v, m in zip(values, near, strict=True)]


def _immaterial(n: int) -> float:
    """The noise that is added in the mind, in variances."""
    return _IMMATERIAL * n * n / (n * n + _MANY * _MANY)


def _gains(row: list[float], slope: bool) -> list[tuple[float, list[int]]]:
    """For every number of cuts the penalised gain over one flat segment, and the best cuts."""
    n = len(row)
    cost = _cost(row, slope=slope)
    found = []
    total, before = 0.0, 1.0
    for cuts in _cuttings(cost, n, max(_FEWEST + slope, math.ceil(_SHORTEST * n))):
        total -= (1 + slope + _PLACE if cuts else slope) * math.log(n)
        parts = lines(row, [0, *cuts, n], slope=slope)
        left = _mean_square(parts)
        total += _gain(parts, (1 + slope) * (len(cuts) + 1), before, left)
        before = left
        found.append((total, cuts))
    return found


def _parabola(row: list[float]) -> float:
    """The penalised gain of one smooth curve over one flat segment."""
    total, before = 0.0, 1.0
    for terms, rest in enumerate(curves(row, 2)[1:], 2):
        left = _mean_square([rest])
        total += _gain([rest], terms, before, left) - math.log(len(row))
        before = left
    return total


def _mean_square(parts: list[list[float]]) -> float:
    return sum(v * v for part in parts for v in part) / sum(map(len, parts))


def _gain(parts: list[list[float]], coefficients: int, before: float, left: float) -> float:
    """Twice the log likelihood that is won where so much variance was before, and so much is left."""
    more = _immaterial(sum(map(len, parts)))
    return _independent(parts, coefficients, left) * math.log((before + more) / (left + more))


def _cost(row: Sequence[float], *, slope: bool) -> Cost:
    """The squared error of one segment [a, b) around its mean or line, from running sums."""
    sums = list(accumulate(row, initial=0.0))
    squares = list(accumulate((v * v for v in row), initial=0.0))
    if not slope:
        return lambda a, b: max(0.0, squares[b] - squares[a] - (sums[b] - sums[a]) ** 2 / (b - a))
    moments = list(accumulate((i * v for i, v in enumerate(row)), initial=0.0))

    def cost(a: int, b: int) -> float:
        m = b - a
        level = sums[b] - sums[a]
        left = squares[b] - squares[a] - level * level / m
        lean = moments[b] - moments[a] - (a + b - 1) / 2 * level
        width = m * (m * m - 1) / 12
        return max(0.0, left - lean * lean / width) if width else 0.0

    return cost


def _cuttings(cost: Cost, n: int, shortest: int) -> list[list[int]]:
    """The best cuts for every number of them from none on (Bellman's segment neighbourhood)."""
    # ends[b][a] is the cost of [a, b), for every a that leaves it long enough
    ends = [[cost(a, b) for a in range(max(0, b - shortest + 1))] for b in range(n + 1)]
    best = [e[0] if e else math.inf for e in ends]
    back: list[list[int]] = []
    found: list[list[int]] = [[]]
    for cuts in range(1, _MOST_CUTS + 1):
        if (cuts + 1) * shortest > n:
            break
        new, origin = [math.inf] * (n + 1), [0] * (n + 1)
        for b in range((cuts + 1) * shortest, n + 1):
            tried = list(map(add, best, ends[b]))
            new[b] = min(tried)
            origin[b] = tried.index(new[b])
        back.append(origin)
        best = new
        at, places = n, []
        for origin in reversed(back):
            at = origin[at]
            places.append(at)
        found.append(places[::-1])
    return found


def _independent(parts: list[list[float]], coefficients: int, left: float) -> float:
    """How many independent values the residuals are worth, beside the immaterial noise.

    From the autocorrelation of neighbours, without the bias that fitting brings: every fitted
    coefficient lowers it by about (1 + r) / n, and its own estimate by 2 r / n (Kendall 1954,
    Marriott and Pope 1954). Of few values it is hardly known, and too low would be a false change: a
    few alike pairs are added.
    """
    n = sum(map(len, parts))
    squares = sum(v * v for part in parts for v in part)
    if squares <= _TINY:
        return float(n)
    raw = sum(a * b for part in parts for a, b in pairwise(part)) / squares
    related = max(0.0, (raw + coefficients / n) / max(0.1, 1 - (coefficients + 2) / n))
    related = min(_MOST_RELATED, (n * related + _ALIKE) / (n + _ALIKE))
    related *= left / (left + _immaterial(n))
    return n * (1 - related) / (1 + related)


def _without_rhythm(row: list[float]) -> tuple[int | None, list[float]]:
    """The proven period that repays its description best, and the series without it.

    Classical decomposition: what a running mean over one period leaves is averaged by phase. A rhythm
    that grows, drifts or has uneven turns is left in: what its mean leaves would be cut.
    """
    n = len(row)
    best: tuple[float, int, list[float]] = (_POSITIVE, 0, [])
    sums = list(accumulate(row, initial=0.0))
    for period in range(_SHORTEST_PERIOD, n // _CYCLES + 1):
        half = period // 2
        inner = range(half, n - half)
        rest = [row[i] - _running(sums, row, i, period) for i in inner]
        phases = [rest[(p - half) % period :: period] for p in range(period)]
        means = [fmean(p) for p in phases]
        total = sum(v * v for v in rest) / len(rest)
        left = total - sum(m * m * len(p) for m, p in zip(means, phases, strict=True)) / len(rest)
        if total <= _TINY:
            continue
        residual = [v - means[(i + half) % period] for i, v in enumerate(rest)]
        independent = _independent([residual], period, left)
        gain = independent * math.log((total + _TINY) / (left + _TINY)) - period * math.log(n)
        gain -= _PLACE * math.log(n // _CYCLES)  # so many periods were tried
        if gain > best[0] and _proven(rest, period):
            best = (gain, period, means)
    _, period, means = best
    if not period:
        return None, row
    level = fmean(means)
    return period, _standard([v - means[i % period] + level for i, v in enumerate(row)]) or row


def _proven(rest: list[float], period: int) -> bool:
    """Whether the means by phase of two thirds of the record tell the other third, whichever it is."""
    n = len(rest)
    for third in range(_THIRDS):
        start, end = third * n // _THIRDS, (third + 1) * n // _THIRDS
        means = [
            fmean([*rest[phase:start:period], *rest[end + (phase - end) % period :: period]])
            for phase in range(period)
        ]
        missed = sum((rest[i] - means[i % period]) ** 2 for i in range(start, end))
        if missed > _UNTOLD * sum(v * v for v in rest[start:end]):
            return False
    return True


def _running(sums: Sequence[float], row: Sequence[float], i: int, period: int) -> float:
    """The mean of one period around `i`; an even one takes half of either end."""
    half = period // 2
    if period % 2:
        return (sums[i + half + 1] - sums[i - half]) / period
    return (sums[i + half] - sums[i - half] + (row[i + half] - row[i - half]) / 2) / period
