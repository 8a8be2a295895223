"""Has the share of bad requests risen in one of many groups, each with few bad requests?

A scan of every stretch costs the square of the bins, too much for hundreds of groups, so that a quick
look in few windows says which are worth it: windows of 1, 2, 4, … bins, each overlapping half of the
next, and all that reach to the end come near to every stretch at a cost of the bins alone (dyadic
intervals: Arias-Castro, Donoho and Huo 2005). Few bad requests tell little of how much a group varies
anyway; the groups together do, each about its own mean.
"""

from __future__ import annotations

import math
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from locard.stats.changes import INDEPENDENT, merge_bins, most_raised
from locard.stats.intervals import log_likelihood, tail_bound
from locard.stats.rise import ALPHA, SCAN_BINS, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FEWEST_BLOCKS = 8  # in the whole record


def windows(bins: int) -> list[tuple[int, int]]:
    """Windows [start, end) of bins that come near to every stretch which does not begin the record."""
    found = {(start, bins) for start in range(1, bins)}
    size = 1
    while size < bins:
        step = max(1, size // 2)
        found.update((i, min(i + size, bins)) for i in range(1, bins, step))
        size *= 2
    return sorted(found)


def promising(
    total: Sequence[int], bad: Sequence[Sequence[int]], most: int, least: float
) -> list[int]:
    """The groups whose bad requests depart most from the traffic of all in some window.

    `total` are all requests a bin, `bad` the bad ones a bin of each group. Gives the places in `bad` of
    at most `most` groups with `least` nats of evidence, those with the most first.
    """
    sum_n = list(accumulate(total, initial=0))
    all_n = sum_n[-1]
    tried = [
        (start, end, n, all_n - n)
        for start, end in windows(len(total))
        if 0 < (n := sum_n[end] - sum_n[start]) < all_n
    ]
    found: list[tuple[float, int]] = []
    for place, counts in enumerate(bad):
        sum_k = list(accumulate(counts, initial=0))
        all_k = sum_k[-1]
        flat = best = log_likelihood(all_k, all_n)
        for start, end, n, rest_n in tried:
            k = sum_k[end] - sum_k[start]
            if k * all_n > all_k * n:
                best = max(best, log_likelihood(k, n) + log_likelihood(all_k - k, rest_n))
        if best - flat >= least:
            found.append((flat - best, place))
    return [place for _, place in sorted(found)[:most]]


def noise(
    total: Sequence[int], peers: Sequence[Sequence[int]], edges: Sequence[float], bad: int
) -> float:
    """How much more a group with `bad` bad requests varies than independent ones would make it.

    1 for independent requests. Rates that wander by the same factor disturb a group the more, the
    more is counted: the variance is m + w m^2 of a mean m (negative binomial), and w is learnt from
    `peers`, the bad requests a bin of each group, by moments. Each is compared with its own mean
    between `edges` (shares of the record, 0..1), where all may change, in blocks of several sizes; the
    largest result counts, one standard error below, as the largest of several is too large.
    """
    bins = len(total)
    cuts = sorted({0, bins, *(round(edge * bins) for edge in edges)})
    worst = 1.0
    size = 1
    while size * _FEWEST_BLOCKS <= bins:
        beyond = squares = variance = 0.0
        for counts in peers:
            for start, end in pairwise(cuts):
                for mean, square in _blocks(total[start:end], counts[start:end], size):
                    beyond += square - mean
                    squares += mean * mean
                    variance += mean + 2 * mean * mean
        if squares:
            wander = (beyond - math.sqrt(variance)) / squares
            worst = max(worst, 1 + wander * bad * size / bins)
        size *= 2
    return worst


def _blocks(total: Sequence[int], bad: Sequence[int], size: int) -> Iterator[tuple[float, float]]:
    """For each block the expected count and the squared deviation of the one that was seen."""
    starts = range(0, len(total) - size + 1, size)
    counted = [(sum(total[i : i + size]), sum(bad[i : i + size])) for i in starts]
    all_n, all_k = sum(n for n, _ in counted), sum(k for _, k in counted)
    blocks = sum(n > 0 for n, _ in counted)
    if blocks < 2 or not all_k:  # noqa: PLR2004 - a mean and what deviates from it
        return
    for n, k in counted:
        if n:
            mean = n * all_k / all_n
            yield mean, (k - mean) ** 2 * blocks / (blocks - 1)


def rose(
    total: Sequence[int],
    bad: Sequence[int],
    tests: int,
    whole: Sequence[int],
    peers: Sequence[Sequence[Sequence[int]]],
) -> float | None:
    """The evidence in nats that the share of one group rose after a baseline; None if it is chance.

    `tests` is how many groups were looked at. `whole` are all requests a bin, and `peers` are several
    choices of groups to learn the noise from, each with the bad ones a bin of every group: those of
    the same field, as one may wander where others do not, and all.
    """
    few, few_bad = merge_bins(total, SCAN_BINS)[0], merge_bins(bad, SCAN_BINS)[0]
    found = most_raised(few, few_bad)
    if found is None or found[1] == 0:
        return None
    raw, start, end = found
    many = sum(few_bad)
    inside, inside_bad = sum(few[start:end]), sum(few_bad[start:end])
    outside, outside_bad = sum(few) - inside, many - inside_bad
    ratio = inside_bad / inside / max(outside_bad / outside, 1e-9)

    def sure(evidence: float) -> bool:
        chance = tail_bound(evidence, INDEPENDENT * len(few) * tests)
        return chance <= ALPHA and plain(evidence, ratio)

    if not sure(raw):
        return None  # without the noise of many peers
    edges = (start / len(few), end / len(few))
    own = noise(few, [few_bad], edges, many)
    evidence = raw / max(own, *(noise(whole, p, edges, many) for p in peers))
    return evidence if sure(evidence) else None
