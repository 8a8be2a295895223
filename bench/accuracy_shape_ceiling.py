"""How well can the shapes be told at all? The best classifier that knows how they were made.

Control charts are drawn as Alcock and Manolopoulos (1999) describe: 60 values of a level, noise
evenly spread over +-6, and a slope of 0.2 to 0.5, a shift of 7.5 to 20 in the middle third, or a sine of
amplitude and period 10 to 15. The classifier knows all of that, and how the charts were disturbed,
but not the level, which the data set has taken out. It weighs every curve of a grid by its likelihood,
so nothing that does not know more can be right more often.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Series = list[float | None]
    Disturb = Callable[[Series, float, random.Random], Series]

LENGTH = 60
NOISE = 12 / 12**0.5  # standard deviation of the even spread
STEP = 0.5  # of the grid of values
REACH = 136  # grid steps from 0 to either end
LEVELS = range(-6, 7, 2)  # grid steps around the best level
KINDS = ("flat", "periodic", "ramp up", "ramp down", "step up", "step down")


def curve(kind: str, size: float, when: float) -> list[float]:
    """The chart without noise."""
    sign = -1 if kind.endswith("down") else 1
    if kind == "periodic":
        return [size * math.sin(2 * math.pi * t / when) for t in range(1, LENGTH + 1)]
    if kind.startswith("ramp"):
        return [sign * size * t for t in range(1, LENGTH + 1)]
    return [sign * size * (t >= when) for t in range(1, LENGTH + 1)]


def ranges(kind: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """From where to where size and place are drawn."""
    if kind == "periodic":
        return (10, 15), (10, 15)
    if kind.startswith("ramp"):
        return (0.2, 0.5), (0, 0)
    return ((0, 0) if kind == "flat" else (7.5, 20)), (LENGTH / 3, 2 * LENGTH / 3)


def draw(kind: str, rng: random.Random) -> Series:
    """One chart."""
    size, when = (rng.uniform(*r) for r in ranges(kind))
    return [c + rng.uniform(-6, 6) for c in curve(kind, size, when)]


def grid(kind: str) -> list[list[int]]:
    """Curves that stand for all of a kind, in steps of the grid, mean taken out."""
    cells = {"flat": (1, 1), "periodic": (5, 20), "ramp": (12, 1), "step": (8, 20)}
    points = []
    for (low, high), n in zip(ranges(kind), cells[kind.split(maxsplit=1)[0]], strict=True):
        points.append([low + (high - low) * (i + 0.5) / n for i in range(n)])
    return [[round(v / STEP) for v in curve(kind, s, w)] for s in points[0] for w in points[1]]


def surprise(names: set[str]) -> list[float]:
    """Log density of the noise at every tenth from 0 on."""
    extra = NOISE * 3**0.5 if "louder" in names else 0.01
    spike = [(5 + 5 * (i + 0.5) / 24) * NOISE for i in range(24)] if "spikes" in names else []

    def plain(e: float) -> float:
        return (math.erf((e + 6) / extra / 2**0.5) - math.erf((e - 6) / extra / 2**0.5)) / 24

    table = []
    for tenth in range(2 * REACH * 5):
        e = tenth / 10
        p = plain(e)
        if spike:
            far = sum(plain(e - s) + plain(e + s) for s in spike) / (2 * len(spike))
            p = 0.95 * p + 0.05 * far
        table.append(math.log(p + 1e-12))
    return table


def likeliest(values: Series, shapes: dict[str, list[list[int]]], table: list[float]) -> str:
    """The kind with the largest marginal likelihood."""
    seen = [(i, v) for i, v in enumerate(values) if v is not None]
    inner = sorted(v for _, v in seen)[3:-3]  # spikes aside
    level = sum(inner) / len(inner)
    steps = [STEP * k for k in range(-REACH, REACH + 1)]
    rows = [
        [table[min(len(table) - 1, int(abs(v - level - s) * 10))] for s in steps] for _, v in seen
    ]
    best, answer = -math.inf, ""
    for kind, curves in shapes.items():
        each = []
        for start in range(LENGTH - len(values) + 1):
            places = [i + start for i, _ in seen]
            for one in curves:
                at = [one[i] for i in places]
                middle = REACH - round(sum(at) / len(at))
                each += [
                    sum(row[a + middle + up] for row, a in zip(rows, at, strict=True))
                    for up in LEVELS
                ]
        top = max(each)
        value = top + math.log(sum(math.exp(e - top) for e in each) / len(each))
        if value > best:
            best, answer = value, kind
    return answer


def ceiling(changes: Sequence[Disturb], each: int = 50) -> float:
    """Share of right answers over `each` charts of every kind."""
    rng = random.Random(1)
    shapes = {kind: grid(kind) for kind in KINDS}
    table = surprise({c.__name__ for c in changes})
    right = 0
    for kind in KINDS * each:
        values = draw(kind, rng)
        for change in changes:
            values = change(values, NOISE, rng)
        right += likeliest(values, shapes, table) == kind
    return right / (each * len(KINDS))
