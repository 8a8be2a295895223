"""Bins with plainly more bad requests than is usual: bursts that come again, regularly or not.

A scan looks for one stretch, and many short bursts make it doubt itself: their spread looks like noise.
Here the usual rate and its spread are those of the median bin (Hampel 1974), which bursts do not move
while they are few.
"""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from locard.stats.intervals import excess_evidence, tail_bound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ALPHA = 0.005  # for all bins of one record together
FEWEST = 3  # bursts
_MOST_OF = 0.35  # of the bins are in bursts: else they are no exception
_FEWEST_BINS = 12
_MOST_BINS = 240
_LEAST_RATIO = 2.0  # of the usual rate
_FEWEST_BAD = 5  # in a burst
_LEAST_SHARE = 0.3  # of the largest burst's rate above the usual: a smaller one is another thing
_SCALED = 1.4826  # median absolute deviations are a standard deviation of a normal distribution

Bursts = list[tuple[int, int]]  # bins [start, end)


def bursts(total: Sequence[int], bad: Sequence[int]) -> Bursts:
    """The bursts in bins, at the width that shows them most plainly; empty if there are not enough."""
    best: tuple[float, Bursts] = (0.0, [])
    for factor in _factors(len(total)):
        few, few_bad = _wider(total, factor), _wider(bad, factor)
        evidence, found = _at(few, few_bad)
        if evidence > best[0]:
            cut = [(a * factor, min(b * factor, len(total))) for a, b in found]
            best = (evidence, cut)
    return best[1]


def regular(found: Bursts, most_spread: float = 0.25) -> bool:
    """Whether four bursts or more begin at regular distances."""
    gaps = [b[0] - a[0] for a, b in pairwise(found)]
    if len(gaps) < FEWEST:
        return False
    mean = sum(gaps) / len(gaps)
    return math.sqrt(sum((g - mean) ** 2 for g in gaps) / len(gaps)) < most_spread * mean


def _factors(bins: int) -> Iterator[int]:
    factor = max(1, -(-bins // _MOST_BINS))
    while bins // factor >= _FEWEST_BINS:
        yield factor
        factor *= 2


def _wider(counts: Sequence[int], factor: int) -> list[int]:
    return [sum(counts[i : i + factor]) for i in range(0, len(counts), factor)]


def _at(total: Sequence[int], bad: Sequence[int]) -> tuple[float, Bursts]:
    """The evidence in nats of all bursts at one width, and the bursts."""
    rates = [k / n for n, k in zip(total, bad, strict=True) if n]
    if len(rates) < _FEWEST_BINS:
        return 0.0, []
    usual = median(rates)
    # The median of low counts is often 0: then the mean of the lower half and the middle stands for it.
    lower = sorted(zip(rates, ((n, k) for n, k in zip(total, bad, strict=True) if n), strict=True))
    some = [pair for _, pair in lower[: math.ceil(0.65 * len(lower))]]
    mean = sum(k for _, k in some) / max(1, sum(n for n, _ in some))
    usual = max(usual, mean, 0.5 / sum(total))
    noise = _noise(total, bad, usual)
    judged: list[tuple[int, float, float]] = []
    for at, (n, k) in enumerate(zip(total, bad, strict=True)):
        if k < _FEWEST_BAD or k < _LEAST_RATIO * usual * n:
            continue
        evidence = excess_evidence(k, n, min(usual, 0.999)) / noise
        if tail_bound(evidence, len(total)) <= ALPHA:
            judged.append((at, evidence, k / n - usual))
    if not judged:
        return 0.0, []
    most = max(rise for *_, rise in judged)
    hot = [(at, evidence) for at, evidence, rise in judged if rise >= _LEAST_SHARE * most]
    found = _runs([at for at, _ in hot])
    if len(found) < FEWEST or len(hot) > _MOST_OF * len(rates):
        return 0.0, []
    return sum(evidence for _, evidence in hot), found


def _noise(total: Sequence[int], bad: Sequence[int], usual: float) -> float:
    """How much more the usual bins vary than independent requests would, 1 or more."""
    apart = [abs(k - n * usual) for n, k in zip(total, bad, strict=True) if n]
    spread = _SCALED * median(apart)
    expected = usual * sum(total) / max(1, len(apart))
    # Counts are whole: half of one is no spread.
    return max(1.0, max(0.0, spread - 0.5) ** 2 / expected) if expected else 1.0


def _runs(at: Sequence[int]) -> Bursts:
    found: Bursts = []
    for place in at:
        if found and found[-1][1] >= place:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    return found
