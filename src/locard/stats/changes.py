"""Has the share of bad requests changed over time, and between which bins?

The input are counts per bin, never rates: a short first or last bin, or one with little traffic,
then weighs what it holds and can fake nothing. The scan looks for one stretch of bins whose share
exceeds the share outside it; a stretch up to the last bin is a change that lasts. The evidence is
a log likelihood ratio in nats, divided by the dispersion that neighbouring bins show anyway, and
its p-value is corrected for every stretch that was tried.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from locard.stats.intervals import log_likelihood, tail_bound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The mean of a chi-squared variable (1 degree of freedom) below its upper quartile.
_TRIMMED_MEAN = 0.3680
_TRIM = 0.25
_FEWEST_BENDS = 8
_FEWEST_BLOCKS = 6
# Stretches overlap, so far fewer than bins^2 / 2 of them are independent. Four to a bin keeps the
# p-value above what simulated records without a change give (tests/stats/test_changes.py).
INDEPENDENT = 4
_GAP = 0.2  # of the evidence, for a quiet time within an event: there may be several
_QUIET = 0.1  # of the way from the share outside to the one inside
_AS_PLAIN = 0.5  # of the evidence; with less, hills of wandering noise would pass for events


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bins [start, end) with a higher share of bad requests than the others have."""

    start: int
    end: int
    bins: int
    share_in: float
    share_out: float
    evidence: float  # nats, after division by the dispersion
    p_value: float  # corrected for all stretches tried
    edges: tuple[int, ...] = ()  # its own and those of other events, in order

    @property
    def next_edge(self) -> int:
        """Where the next event begins, or the record ends."""
        return next((edge for edge in self.edges if edge > self.end), self.bins)

    @property
    def lasts(self) -> bool:
        """Whether it reaches the end of the record."""
        return self.end == self.bins

    @property
    def baseline_seen(self) -> bool:
        """Whether there are bins before it."""
        return self.start > 0


def dispersion(total: Sequence[int], bad: Sequence[int], edges: Sequence[int] = ()) -> float:
    """How much more the share varies from bin to bin than independent requests would make it.

    1 for independent requests. Neighbouring blocks are compared at several block sizes and the
    largest result counts, so that slow noise is seen too; blocks never reach over one of `edges`,
    where a change is known, and the largest quarter of the differences is left out.
    """
    pooled = sum(bad) / max(sum(total), 1)
    if not 0 < pooled < 1:
        return 1.0
    cuts = [0, *edges, len(total)]
    parts = [(total[i:j], bad[i:j]) for i, j in pairwise(cuts) if j > i]
    worst = 1.0
    size = 1
    while True:
        bends = [b for n, k in parts for b in _bends(n, k, size)]
        if len(bends) < _FEWEST_BENDS:
            return worst
        kept = sorted(bends)[: int(len(bends) * (1 - _TRIM))]
        worst = max(worst, sum(kept) / len(kept) / _TRIMMED_MEAN)
        size *= 2


def _bends(total: Sequence[int], bad: Sequence[int], size: int) -> Iterator[float]:
    """Squared second differences against what chance gives: a straight trend adds nothing."""
    blocks = [
        (sum(total[i : i + size]), sum(bad[i : i + size]))
        for i in range(0, len(total) - size + 1, size)
    ]
    for (n1, k1), (n2, k2), (n3, k3) in zip(blocks, blocks[1:], blocks[2:], strict=False):
        if not n1 or not n2 or not n3:
            continue
        local = (k1 + k2 + k3) / (n1 + n2 + n3)
        bend = k1 / n1 - 2 * k2 / n2 + k3 / n3
        chance = local * (1 - local) * (1 / n1 + 4 / n2 + 1 / n3)
        yield bend**2 / chance if chance else 0.0


def slow_noise(total: Sequence[int], bad: Sequence[int], edges: Sequence[int]) -> float:
    """As `dispersion`, but for noise that wanders slowly: blocks against the mean of their part.

    A busy machine makes latency wander for many bins at a time; such a hill is no incident. A
    gradual change counts as noise here too, so this guards detection and is not for dating it. As
    there, the largest quarter is left out: one more event is no noise.
    """
    cuts = [0, *edges, len(total)]
    parts = [(total[i:j], bad[i:j]) for i, j in pairwise(cuts) if j > i]
    worst = 1.0
    size = 1
    while True:
        squares: list[float] = []
        free = 0
        for n, k in parts:
            found = list(_residuals(n, k, size))
            squares += found
            free += max(0, len(found) - 1)
        if free < _FEWEST_BLOCKS:
            return worst
        kept = sorted(squares)[: int(len(squares) * (1 - _TRIM))]
        scale = len(squares) / free / len(kept)
        worst = max(worst, sum(kept) * scale / _TRIMMED_MEAN)
        size *= 2


def _residuals(total: Sequence[int], bad: Sequence[int], size: int) -> Iterator[float]:
    """Squared deviations of blocks from the share of the whole, in units of chance."""
    all_n, all_k = sum(total), sum(bad)
    if not 0 < all_k < all_n:
        return
    share = all_k / all_n
    for i in range(0, len(total) - size + 1, size):
        n, k = sum(total[i : i + size]), sum(bad[i : i + size])
        if n:
            yield (k - n * share) ** 2 / (n * share * (1 - share))


def merge_bins(counts: Sequence[int], most: int) -> tuple[list[int], int]:
    """Neighbouring bins added up so that at most `most` remain; gives them and the factor."""
    factor = max(1, -(-len(counts) // most))
    merged = [sum(counts[i : i + factor]) for i in range(0, len(counts), factor)]
    return merged, factor


def scan(total: Sequence[int], bad: Sequence[int], tests: int = 1) -> Stretch | None:
    """The stretch with the most evidence for a raised share; None where no bin has any.

    `total` and `bad` have one entry a bin. Time grows with the square of their length: merge to a
    few hundred bins first. `tests` is how many such scans the caller makes.
    """
    bins = len(total)
    most = most_raised(total, bad)
    if most is None:
        return None
    apart, edges = _events(total, bad, most)
    best, start, end = apart
    n, k = sum(total[start:end]), sum(bad[start:end])
    # What belongs to another event is neither inside nor outside of this one.
    rest = [(i, j) for i, j in pairwise((0, *edges, bins)) if not _is_hot(total, bad, apart, i, j)]
    rest_n = sum(sum(total[i:j]) for i, j in rest)
    rest_k = sum(sum(bad[i:j]) for i, j in rest)
    evidence = best / max(dispersion(total, bad, edges), slow_noise(total, bad, edges))
    return Stretch(
        start=start,
        end=end,
        bins=bins,
        share_in=k / n,
        share_out=rest_k / rest_n if rest_n else (sum(bad) - k) / (sum(total) - n),
        evidence=evidence,
        p_value=tail_bound(evidence, INDEPENDENT * bins * tests),
        edges=edges,
    )


_Found = tuple[float, int, int]  # evidence in nats, start, end


def _is_hot(total: Sequence[int], bad: Sequence[int], event: _Found, start: int, end: int) -> bool:
    """Whether the share of a part is nearer to that of the event than to that of all."""
    n, k = sum(total[start:end]), sum(bad[start:end])
    n_in, k_in = sum(total[event[1] : event[2]]), sum(bad[event[1] : event[2]])
    return bool(n) and k / n > (k_in / n_in + sum(bad) / sum(total)) / 2


def _events(
    total: Sequence[int], bad: Sequence[int], most: _Found
) -> tuple[_Found, tuple[int, ...]]:
    """The first event of the most raised stretch, and the edges of all that are as plain.

    The best stretch may hold several events with quiet times between them: those are no noise.
    """
    found = [_against(total, bad, most, event[1:]) for event in _apart(total, bad, most)]
    edges = {*_another(total, bad, most), *(edge for _, *ends in found for edge in ends)}
    plainest = max(value for value, *_ in found)
    first = next(event for event in found if event[0] >= _AS_PLAIN * plainest)
    return first, tuple(sorted(edges))


def _apart(total: Sequence[int], bad: Sequence[int], event: _Found) -> Iterator[_Found]:
    """The events that a stretch is made of, in the order of time."""
    gap = _gap(total, bad, event)
    if gap is None:
        yield event
        return
    _, start, end = event
    for part in ((start, gap[0]), (gap[1], end)):
        yield from _apart(total, bad, _against(total, bad, event, part))


def _gap(total: Sequence[int], bad: Sequence[int], event: _Found) -> tuple[int, int] | None:
    """A quiet time inside of an event that plainly tells two of them apart."""
    value, start, end = event
    rest_n, rest_k = sum(total) - sum(total[start:end]), sum(bad) - sum(bad[start:end])
    outside = (rest_k + 0.5) / (rest_n + 1.0)
    inside = sum(bad[start:end]) / sum(total[start:end])
    if not outside < inside < 1:
        return None
    # The run of bins that is most like the outside and least like the event (Kadane's algorithm).
    bad_weight, good_weight = math.log(outside / inside), math.log((1 - outside) / (1 - inside))
    best, low, high = 0.0, 0, 0
    running, begin = 0.0, start
    for i in range(start, end):
        running += bad[i] * bad_weight + (total[i] - bad[i]) * good_weight
        if running <= 0:
            running, begin = 0.0, i + 1
        elif running > best:
            best, low, high = running, begin, i + 1
    if best < _GAP * value or low == start or high == end:
        return None
    # A hill of noise has its dales as well; a quiet time is as good as what lies outside.
    share = sum(bad[low:high]) / sum(total[low:high])
    return (low, high) if share <= outside + _QUIET * (inside - outside) else None


def _against(
    total: Sequence[int], bad: Sequence[int], event: _Found, part: tuple[int, int]
) -> _Found:
    """A part of an event against what lies outside of the whole event."""
    _, start, end = event
    n, k = sum(total[part[0] : part[1]]), sum(bad[part[0] : part[1]])
    rest_n = sum(total) - sum(total[start:end])
    rest_k = sum(bad) - sum(bad[start:end])
    flat = log_likelihood(k + rest_k, n + rest_n)
    return log_likelihood(k, n) + log_likelihood(rest_k, rest_n) - flat, *part


def most_raised(total: Sequence[int], bad: Sequence[int]) -> tuple[float, int, int] | None:
    """Evidence in nats (for independent requests), start and end of the best stretch."""
    bins = len(total)
    all_n, all_k = sum(total), sum(bad)
    if bins < 2 or all_k in {0, all_n}:  # noqa: PLR2004 - a change needs two sides
        return None
    sum_n = list(accumulate(total, initial=0))
    sum_k = list(accumulate(bad, initial=0))
    flat = log_likelihood(all_k, all_n)
    best: tuple[float, int, int] | None = None
    for start in range(bins):
        if not bad[start]:
            continue  # a stretch that begins with a clean bin is never the best one
        for end in range(start + 1, bins + 1):
            if end < bins and not bad[end - 1]:
                continue  # and one that ends with one only if the record ends there
            n = sum_n[end] - sum_n[start]
            k = sum_k[end] - sum_k[start]
            rest_n, rest_k = all_n - n, all_k - k
            if not rest_n or k * rest_n <= rest_k * n:
                continue
            value = log_likelihood(k, n) + log_likelihood(rest_k, rest_n) - flat
            if value > (best[0] if best else 0.0):
                best = value, start, end
    return best


def _another(
    total: Sequence[int], bad: Sequence[int], most: tuple[float, int, int]
) -> tuple[int, ...]:
    """The edges of a second event nearly as plain as the best one: it is not noise either."""
    value, start, end = most
    found = []
    for low, high in ((0, start), (end, len(total))):
        other = most_raised(total[low:high], bad[low:high])
        if other is not None and other[0] >= _AS_PLAIN * value:
            found.append((other[0], low + other[1], low + other[2]))
    return max(found)[1:] if found else ()
