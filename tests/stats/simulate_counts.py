"""Counts per bin as independent requests give them."""

from __future__ import annotations

import math


def poisson(rng, mean):
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def bins(rng, count, mean, share_of):
    """Totals and bad ones of `count` bins; `share_of(i)` is the share of bad ones in bin i."""
    total = [poisson(rng, mean) for _ in range(count)]
    bad = [sum(rng.random() < share_of(i) for _ in range(n)) for i, n in enumerate(total)]
    return total, bad
