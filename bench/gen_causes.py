"""Draws logs of JSON lines in which several sets of one to three field=value pairs fail more often at once.

What a log is like is its shape: how many fields, of how many values, how uneven, how much the error rate
varies from minute to minute and from value to value, one innocent value that nearly all requests have, and
whether the failures last or come in single minutes. The same plan gives the same bytes.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

START = 1_763_812_800.0
_FEWEST = 150  # requests that carry a set while it fails, at least
_MOST_RATE = 0.9
_TRIES = 20_000
_MOST_OVERLAP = 0.2  # of the requests of a set that another set holds too
Set = dict[str, str]


@dataclass(frozen=True)
class Shape:
    """What logs are like: `values` of each field, and P(value k) falls as 1 / (k + 1) ** `uneven`."""

    name: str
    values: tuple[int, ...]
    uneven: float = 1.0
    requests: int = 20_000
    span_s: float = 1800.0
    base_rate: float = 0.005
    wander: float = (
        0.0  # variance of the factor on the error rate of each minute (gamma), by value of a field
    )
    dominant: float = 0.0  # share of the requests that have one more field's usual value
    bursts: int = 0  # single minutes in which the sets fail; 0: from the onset to the end


@dataclass(frozen=True)
class Plan:
    """What is planted: the sets, and how many of the requests of each fail beyond the usual."""

    seed: int
    shape: Shape
    sets: tuple[Set, ...]
    rates: tuple[float, ...]
    bad_s: tuple[tuple[float, float], ...]  # when: from, to


# Those that the search was written with, those that were looked at once, and those that never were.
OPEN = (
    Shape("plain", (6, 12, 7, 16, 5, 9)),
    Shape("varying", (6, 12, 7, 16, 5, 9), wander=0.1),
    Shape("one dominant value", (6, 12, 7, 16, 5, 9), dominant=0.9),
    Shape("bursts of a minute", (6, 12, 7, 16, 5, 9), requests=40_000, bursts=6),
)
HELD_OUT = (
    Shape("few fields of many values", (40, 25, 30), 0.8, 30_000),
    Shape("many fields of few values", (3, 4, 2, 5, 3, 6, 4, 3, 2, 8, 4, 3), 0.6, 15_000, 1200.0),
    Shape("varying, one dominant value", (10, 8, 20, 6), 1.2, 25_000, 3600.0, 0.008, 0.2, 0.95),
    Shape("bursts, varying", (5, 9, 14, 7, 4), 0.9, 60_000, 2700.0, 0.004, 0.1, 0.0, 8),
)
UNSEEN = (
    Shape("two fields of many values", (60, 35), 0.7, 30_000, 2400.0),
    Shape("even values, much varying", (5, 8, 6, 11, 7), 0.0, 24_000, 1500.0, 0.01, 0.3),
    Shape(
        "sixteen fields, a dominant value", (4, 3, 9, 5, 6, 2, 12, 7) * 2, 1.1, 18_000, dominant=0.8
    ),
    Shape("many bursts", (8, 6, 10, 4, 9, 3), 1.0, 50_000, 3600.0, 0.006, 0.05, 0.85, 10),
)


def plan(seed: int, shape: Shape, sets: int, excess: float) -> Plan:
    """`sets` sets of one to three pairs, each with about `excess` failed requests beyond the usual."""
    draw = random.Random(seed)
    if shape.bursts:
        step = (shape.span_s - 300) / shape.bursts
        firsts = [300 + step * (i + draw.uniform(0.05, 0.6)) for i in range(shape.bursts)]
        bad_s = tuple((60 * (s // 60), 60 * (s // 60) + 60) for s in firsts)
    else:
        bad_s = ((shape.span_s * draw.uniform(0.4, 0.65), shape.span_s),)
    traffic = shape.requests * sum(b - a for a, b in bad_s) / shape.span_s
    least = min(max(_FEWEST, excess / _MOST_RATE), traffic * 0.2)
    chosen: list[tuple[Set, float]] = []
    for _ in range(_TRIES):
        if len(chosen) == sets:
            break
        names = draw.sample(range(len(shape.values)), min(draw.randint(1, 3), len(shape.values)))
        one: Set = {}
        share = 1.0
        for number in sorted(names):
            value = draw.randrange(min(shape.values[number], 6))
            one[f"f{number}"] = f"{number}v{value}"
            share *= _shares(shape, number)[value]
        if share * traffic >= least and share < 0.4 and not _clash(shape, one, chosen):
            chosen.append((one, share))
    rates = tuple(min(_MOST_RATE, excess / (share * traffic)) for _, share in chosen)
    return Plan(seed, shape, tuple(one for one, _ in chosen), rates, bad_s)


def _clash(shape: Shape, one: Set, chosen: list[tuple[Set, float]]) -> bool:
    """Whether two sets are hard to part even in words: one holds the other, or much of it."""
    for other, _ in chosen:
        both = {**one, **other}
        if any(one.get(f, v) != v for f, v in other.items()):
            continue  # no request is in both
        share = 1.0
        for field in both:
            if field not in one or field not in other:
                number = int(field[1:])
                value = int(both[field].split("v")[1])
                share = min(share, _shares(shape, number)[value])
        if share > _MOST_OVERLAP or one.items() <= other.items() or other.items() <= one.items():
            return True
    return False


def _shares(shape: Shape, number: int) -> list[float]:
    weights = [(k + 1) ** -shape.uneven for k in range(shape.values[number])]
    return [w / sum(weights) for w in weights]


def write(path: Path, plan: Plan) -> None:
    """Write the log."""
    draw, shape = random.Random(plan.seed + 1), plan.shape
    edges = [list(accumulate(_shares(shape, i))) for i in range(len(shape.values))]
    names = [[f"{i}v{k}" for k in range(n)] for i, n in enumerate(shape.values)]
    minutes = int(shape.span_s // 60) + 1
    factors = [
        [_factor(draw, shape.wander) for _ in range(minutes)] for _ in range(shape.values[0])
    ]
    with path.open("w", encoding="utf-8") as file:
        for i in range(shape.requests):
            at = shape.span_s * (i + draw.random()) / shape.requests
            row: dict[str, object] = {"time": round(START + at, 3)}
            for number in range(len(shape.values)):
                value = draw.choices(names[number], cum_weights=edges[number])[0]
                row[f"f{number}"] = value
            if shape.dominant:
                row["kind"] = "usual" if draw.random() < shape.dominant else f"k{draw.randrange(4)}"
            rate = shape.base_rate * factors[int(str(row["f0"])[2:])][int(at // 60)]
            if any(a <= at < b for a, b in plan.bad_s):
                for one, extra in zip(plan.sets, plan.rates, strict=True):
                    if all(row[f] == v for f, v in one.items()):
                        rate += extra
            bad = draw.random() < rate
            row["status"] = 503 if bad else 200
            row["duration_ms"] = round(20 * draw.lognormvariate(0, 0.5), 2)
            row["trace_id"] = f"{draw.getrandbits(64):016x}"
            file.write(json.dumps(row) + "\n")


def _factor(draw: random.Random, variance: float) -> float:
    return draw.gammavariate(1 / variance, variance) if variance else 1.0
