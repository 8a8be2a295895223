"""The buckets of native histograms: their bounds, and sums of their counts by number.

Bucket n ends at base^n, base being 2^(2^-schema). Counts are events, each bucket for itself.
"""

from __future__ import annotations

import math
import sys

Buckets = tuple[tuple[int, float], ...]  # number and count, rising by number

_MAX_EXPONENT = 1024  # 2 to it is beyond the largest float, which stands for it


def bound_of(schema: int, number: int) -> float:
    """The upper bound of a bucket: base to its number, infinity beyond the largest float."""
    try:
        if schema <= 0:
            exponent, rest = number << -schema, 0.0
        else:
            exponent, rest = number >> schema, (number & ((1 << schema) - 1)) / (1 << schema)
        if exponent == _MAX_EXPONENT and not rest:
            return sys.float_info.max
        return math.ldexp(2.0**rest, exponent)
    except OverflowError:
        return math.inf if number > 0 else 0.0


def coarser(buckets: Buckets, by: int) -> Buckets:
    """Each 2^by neighbours in one bucket."""
    if by <= 0:
        return buckets
    found: dict[int, float] = {}
    for n, count in buckets:
        to = ((n - 1) >> by) + 1
        found[to] = found.get(to, 0.0) + count
    return tuple(sorted(found.items()))


def added(one: Buckets, other: Buckets) -> Buckets:
    """Both together, number by number."""
    found = dict(one)
    for n, count in other:
        found[n] = found.get(n, 0.0) + count
    return tuple(sorted(found.items()))


def left(now: Buckets, then: Buckets) -> Buckets | None:
    """What came into each bucket; None where one holds less than before."""
    found = added(now, tuple((n, -count) for n, count in then))
    return None if any(c < 0 for _, c in found) else tuple((n, c) for n, c in found if c)
