"""When a change began, as an interval, and which shape it has.

The record up to the end of the change is modelled as a share of bad requests `p0` that begins to
move to `p1` at the onset and needs `d` seconds for it: a step where `d` is 0, a ramp elsewhere.
For every onset and every `d` of a grid the likelihood is computed with the best `p0` and `p1`; the
posterior over the onset (flat prior) gives the interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from locard.stats.changes import merge_bins
from locard.stats.intervals import log_likelihood

if TYPE_CHECKING:
    from collections.abc import Sequence

_RAMPS = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5)  # of the time from onset to end
_MOST_ONSETS = 60
_RAMP_BINS = 150
_PRIOR_RAMP = 0.1  # before the data speak: most incidents begin at once
_FAR_BELOW = 12.0  # nats below the best: e-12 of its weight


@dataclass(frozen=True, slots=True)
class Begin:
    """Bin edges [earliest, latest] that hold the onset with the asked probability.

    `ramp` is how long the change took as a share of the time since (0: at once); `ramp_evidence`
    is by how many nats a gradual change explains the counts better than a sudden one.
    """

    earliest: float
    latest: float
    best: float
    ramp: float
    ramp_evidence: float


def locate(
    total: Sequence[int],
    bad: Sequence[int],
    dispersion: float = 1.0,
    confidence: float = 0.95,
) -> Begin | None:
    """The onset of a rise that lasts to the last bin, in bin edges (0 .. number of bins).

    None where fewer than two bins have data.
    """
    bins = len(total)
    if bins < 2 or not sum(bad):  # noqa: PLR2004 - an onset needs a before and an after
        return None
    steps = _step_likelihoods(total, bad, dispersion)
    top = max(steps)
    picks, stride = _promising(steps)
    few, factor = merge_bins(total, _RAMP_BINS)
    few_bad, _ = merge_bins(bad, _RAMP_BINS)
    ramps = {
        (at, part): _ramp_likelihood(few, few_bad, at / factor, part) / dispersion
        for at in picks
        for part in _RAMPS
    }
    best_ramp = max(ramps, key=ramps.__getitem__)
    gain = ramps[best_ramp] - top
    # One more parameter has to earn its keep (the usual half log of the count).
    gradual = gain > 0.5 * math.log(max(sum(total) / dispersion, 2.0))
    peak = max(top, ramps[best_ramp])
    # Both shapes speak for an onset: the interval has to hold whichever is true.
    weights = {at: math.exp(value - peak) for at, value in enumerate(steps)}
    sudden = sum(weights.values())
    for (at, _), value in ramps.items():
        weights[at] += _PRIOR_RAMP * stride * math.exp(value - peak) / len(_RAMPS)
    margin = stride if sum(weights.values()) > 2 * sudden else 1
    if gradual:
        weights = {at: weights[at] for at in picks}
    earliest, latest = _interval(weights, confidence)
    return Begin(
        earliest=max(0.0, earliest - margin),
        latest=min(float(bins), latest + margin),
        best=float(best_ramp[0] if gradual else steps.index(top)),
        ramp=best_ramp[1] if gradual else 0.0,
        ramp_evidence=gain,
    )


def _step_likelihoods(total: Sequence[int], bad: Sequence[int], dispersion: float) -> list[float]:
    """Log likelihood of a sudden rise at each bin edge 0 .. bins."""
    sum_n = list(accumulate(total, initial=0))
    sum_k = list(accumulate(bad, initial=0))
    all_n, all_k = sum_n[-1], sum_k[-1]
    flat = log_likelihood(all_k, all_n)
    values = []
    for n, k in zip(sum_n, sum_k, strict=True):
        rises = n > 0 and all_n > n and (all_k - k) * n > k * (all_n - n)
        value = log_likelihood(k, n) + log_likelihood(all_k - k, all_n - n) if rises else flat
        values.append(value / dispersion)
    return values


def _promising(steps: Sequence[float]) -> tuple[list[int], int]:
    """Onsets worth a closer look and their distance: a ramp begins before the best step."""
    top = max(steps)
    near = [i for i, v in enumerate(steps) if v > top - _FAR_BELOW]
    first, last = 1, max(near[-1], 1)
    stride = max(1, -(-(last - first + 1) // _MOST_ONSETS))
    return list(range(first, last + 1, stride)), stride


def _ramp_likelihood(total: Sequence[int], bad: Sequence[int], at: float, part: float) -> float:
    """Log likelihood of a rise that begins at edge `at` and takes `part` of the rest."""
    bins = len(total)
    length = max((bins - at) * part, 1e-9)
    whole = math.ceil(at)
    n0, k0 = sum(total[:whole]), sum(bad[:whole])
    p0 = (k0 + 0.5) / (n0 + 1.0)
    # Bins at the top are alike: they go in as one.
    top = min(max(math.ceil(at + length - 0.5), whole), bins)
    later = [((i + 0.5 - at) / length, total[i], bad[i]) for i in range(whole, top)]
    later.append((1.0, sum(total[top:]), sum(bad[top:])))
    rise = 0.0
    for _ in range(2):  # least squares, reweighted once by the variance that it implies
        above = below = 0.0
        for x, n, k in later:
            p = min(max(p0 + rise * x, 1e-4), 1 - 1e-4)
            weight = x / (p * (1 - p))
            above += weight * (k - n * p0)
            below += weight * n * x
        rise = max(0.0, above / below) if below else 0.0
    value = k0 * math.log(p0) + (n0 - k0) * math.log(1 - p0)
    for x, n, k in later:
        p = min(max(p0 + rise * x, 1e-9), 1 - 1e-9)
        value += k * math.log(p) + (n - k) * math.log(1 - p)
    return value


def _interval(weights: dict[int, float], confidence: float) -> tuple[float, float]:
    """The shortest run of edges around the most likely one that holds `confidence`."""
    whole = sum(weights.values())
    edges = sorted(weights)
    best = max(edges, key=weights.__getitem__)
    low = high = edges.index(best)
    held = weights[best]
    while held < confidence * whole and (low > 0 or high < len(edges) - 1):
        left = weights[edges[low - 1]] if low > 0 else -1.0
        right = weights[edges[high + 1]] if high < len(edges) - 1 else -1.0
        if left >= right:
            low -= 1
            held += left
        else:
            high += 1
            held += right
    return float(edges[low]), float(edges[high])
