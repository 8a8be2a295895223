"""Intervals and tests for counts: exact where that is cheap, conservative elsewhere."""

from __future__ import annotations

import math

Z95 = 1.959963984540054


def wilson(hits: int, total: int, z: float = Z95) -> tuple[float, float]:
    """Wilson score interval of a share, both ends in 0..1; (0, 1) where there is no data."""
    if total <= 0:
        return (0.0, 1.0)
    share = hits / total
    centre = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return (max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale))


def xlogy(x: float, y: float) -> float:
    """`x * log(y)`, with 0 where x is 0."""
    return 0.0 if x == 0 else x * math.log(y)


def log_likelihood(hits: float, total: float) -> float:
    """Largest log likelihood of `hits` among `total` independent trials (no constant)."""
    if total <= 0:
        return 0.0
    return xlogy(hits, hits / total) + xlogy(total - hits, (total - hits) / total)


def excess_evidence(hits: float, total: float, expected_share: float) -> float:
    """How surprising it is to see that many hits or more, in nats.

    `exp(-value)` bounds the binomial tail from above (Chernoff), so it is a safe p-value at any
    count, however low. 0 where the hits do not exceed what was expected.
    """
    if total <= 0:
        return 0.0
    expected = min(max(expected_share, 1e-12), 1 - 1e-12)
    share = hits / total
    if share <= expected:
        return 0.0
    return xlogy(hits, share / expected) + xlogy(total - hits, (1 - share) / (1 - expected))


def binomial_tail(hits: int, total: int, share: float) -> float:
    """P(X >= hits) for `total` trials of probability `share`, exact."""
    if hits <= 0 or share >= 1:
        return 1.0
    if share <= 0 or hits > total:
        return 0.0
    log_p, log_q = math.log(share), math.log1p(-share)
    whole = math.lgamma(total + 1)
    tail = 0.0
    for k in range(hits, total + 1):
        ways = whole - math.lgamma(k + 1) - math.lgamma(total - k + 1)
        tail += math.exp(ways + k * log_p + (total - k) * log_q)
    return min(1.0, tail)


def difference_evidence(hits_a: float, total_a: float, hits_b: float, total_b: float) -> float:
    """How surprising two different shares are if there is one share, in nats (either way)."""
    both = log_likelihood(hits_a + hits_b, total_a + total_b)
    return max(0.0, log_likelihood(hits_a, total_a) + log_likelihood(hits_b, total_b) - both)


def tail_bound(evidence: float, tests: int = 1) -> float:
    """The p-value of so much evidence, corrected for the number of tests (Bonferroni)."""
    return min(1.0, max(tests, 1) * math.exp(-min(evidence, 700.0)))
