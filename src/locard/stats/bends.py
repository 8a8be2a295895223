"""Lines that bend: where two of them meet, and whether a smooth curve needs no bend at all."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIDE = 3  # values on either side of a bend
_NEAR = 0.2  # of both segments: so far from the cut the bend is looked for
_LEAST_NEAR = 5
_TINY = 1e-12


def lines(row: Sequence[float], edges: Sequence[int], *, slope: bool) -> list[list[float]]:
    """What each segment leaves of its values around its mean, or its line."""
    parts = []
    for a, b in pairwise(edges):
        mean, middle = fmean(row[a:b]), (a + b - 1) / 2
        width = sum((i - middle) ** 2 for i in range(a, b))
        lean = sum((i - middle) * row[i] for i in range(a, b)) / width if slope and width else 0.0
        parts.append([row[i] - mean - lean * (i - middle) for i in range(a, b)])
    return parts


def curves(row: Sequence[float], degree: int) -> list[list[float]]:
    """What the polynomials up to a degree leave, from the flat one on."""
    n = len(row)
    places = [2 * i / (n - 1) - 1 for i in range(n)]
    columns = [[x**power for x in places] for power in range(degree + 1)]
    return _left(row, columns)


def joined(row: Sequence[float], cuts: Sequence[int]) -> list[int]:
    """The cuts, each moved to where its two lines meet, if lines that meet describe the values as well.

    As well: within one coefficient's price (Schwarz 1978). Two lines that need not meet leave the place of
    a bend open over many values.
    """
    edges = [0, *cuts, len(row)]
    for k in range(1, len(edges) - 1):
        start, cut, end = edges[k - 1 : k + 2]
        part = row[start:end]
        n = len(part)
        apart = sum(v * v for p in lines(part, [0, cut - start, n], slope=True) for v in p)
        near = max(_LEAST_NEAR, math.ceil(n * _NEAR))
        places = range(max(_SIDE, cut - start - near), min(n - _SIDE, cut - start + near) + 1)
        best, at = min((_meeting(part, place), place) for place in places)
        if n * math.log((best + _TINY) / (apart + _TINY)) < math.log(n):
            edges[k] = start + at
    return edges[1:-1]


def _meeting(part: Sequence[float], at: int) -> float:
    """The squared error around two lines that meet at a place."""
    n = len(part)
    columns = [
        [1.0] * n,
        [float(min(0, i - at)) for i in range(n)],
        [float(max(0, i - at)) for i in range(n)],
    ]
    return sum(v * v for v in _left(part, columns)[-1])


def _left(row: Sequence[float], columns: list[list[float]]) -> list[list[float]]:
    """What the best combination of the first one, two, three … columns leaves (Gram and Schmidt)."""
    rest, found = list(row), []
    used: list[tuple[list[float], float]] = []
    for column in columns:
        new = column
        for other, size in used:
            share = sum(map(float.__mul__, new, other)) / size
            new = [a - share * b for a, b in zip(new, other, strict=True)]
        size = sum(map(float.__mul__, new, new))
        if size > _TINY:
            used.append((new, size))
            share = sum(map(float.__mul__, rest, new)) / size
            rest = [a - share * b for a, b in zip(rest, new, strict=True)]
        found.append(rest)
    return found
