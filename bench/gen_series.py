"""Draws series whose lasting changes are known: of the kinds that people annotate, and noise without any.

`DEVELOPMENT` kinds were looked at while the rules were made; the shapes and noises of `HELD_OUT` were
written down before and not looked at meanwhile. Every kind draws its length, sizes, places and noise anew; scale
and offset are drawn too. A planted change is one that people would see: at least two and a half
standard deviations of the noise, or a bend that leads away from the old line by as much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

Noise = list[float]


@dataclass(frozen=True)
class Drawn:
    """A series and the indices of its changes."""

    values: list[float]
    cuts: tuple[int, ...]


def white(rng: random.Random, n: int) -> Noise:
    """Independent, normal."""
    return [rng.gauss(0, 1) for _ in range(n)]


def related(rng: random.Random, n: int, alike: float) -> Noise:
    """First-order autoregressive."""
    value, out = rng.gauss(0, 1), []
    for _ in range(n):
        value = alike * value + rng.gauss(0, 1) * math.sqrt(1 - alike * alike)
        out.append(value)
    return out


def heavy(rng: random.Random, n: int, freedom: float = 3.0) -> Noise:
    """Student's t."""
    return [
        rng.gauss(0, 1) / math.sqrt(rng.gammavariate(freedom / 2, 2 / freedom))
        / math.sqrt(freedom / (freedom - 2))
        for _ in range(n)
    ]  # fmt: skip


def laplace(rng: random.Random, n: int) -> Noise:
    """Two-sided exponential."""
    return [rng.expovariate(math.sqrt(2)) * rng.choice((-1, 1)) for _ in range(n)]


def moving(rng: random.Random, n: int) -> Noise:
    """A moving average over three."""
    raw = white(rng, n + 2)
    return [(raw[i] + raw[i + 1] + raw[i + 2]) / math.sqrt(3) for i in range(n)]


def swinging(rng: random.Random, n: int) -> Noise:
    """Second-order autoregressive with a damped swing."""
    a, b, values = 0.9, -0.5, [0.0, 0.0]
    for _ in range(n + 50):
        values.append(a * values[-1] + b * values[-2] + rng.gauss(0, 1))
    return [v / 1.45 for v in values[-n:]]


def places(rng: random.Random, n: int, count: int, least: int) -> list[int]:
    """So many, at least so far from each other and from the ends."""
    while True:
        found = sorted(rng.sample(range(least, n - least + 1), count))
        if all(b - a >= least for a, b in pairwise(found)):
            return found


def scaled(rng: random.Random, values: list[float], cuts: list[int]) -> Drawn:
    """In units that nobody chose."""
    size, offset = 10 ** rng.uniform(-3, 6), rng.uniform(-3, 30)
    return Drawn([size * (v + offset) for v in values], tuple(cuts))


def levels(
    rng: random.Random, n: int, cuts: list[int], noise: Noise, size: tuple[float, float]
) -> list[float]:
    """Steps of so many standard deviations, from and to."""
    level, out = 0.0, []
    for i in range(n):
        if i in cuts:
            level += rng.choice((-1, 1)) * rng.uniform(*size)
        out.append(level + noise[i])
    return out


def bent(
    rng: random.Random, n: int, cuts: list[int], noise: Noise, share: tuple[float, float]
) -> list[float]:
    """A line that bends; the noise is a share of the range. Each bend is plain to see."""
    while True:
        slopes = [rng.choice((0.0, rng.uniform(-2, 2))) for _ in range(len(cuts) + 1)]
        if all(abs(b - a) >= 1.0 for a, b in pairwise(slopes)):
            break
    value, out, part = 0.0, [], 0
    for i in range(n):
        part += i in cuts
        value += slopes[part] / n
        out.append(value)
    size = (max(out) - min(out)) * rng.uniform(*share)
    return [v + size * e for v, e in zip(out, noise, strict=True)]


def wave(rng: random.Random, n: int, period: float) -> list[float]:
    """A rhythm of any form: three harmonics, height 1."""
    parts = [(rng.gauss(0, 1) / k, rng.uniform(0, 6.3), k) for k in (1, 2, 3)]
    raw = [
        sum(a * math.sin(2 * math.pi * k * i / period + p) for a, p, k in parts) for i in range(n)
    ]
    size = max(map(abs, raw))
    return [v / size for v in raw]


# Development


def steps(rng: random.Random) -> Drawn:
    """One to four steps."""
    n = rng.randint(100, 400)
    cuts = places(rng, n, rng.randint(1, 4), n // 12)
    noise = rng.choice((white(rng, n), related(rng, n, 0.4), heavy(rng, n)))
    return scaled(rng, levels(rng, n, cuts, noise, (2.5, 6)), cuts)


def bends(rng: random.Random) -> Drawn:
    """A trend with one or two bends."""
    n = rng.randint(40, 300)
    cuts = places(rng, n, rng.randint(1, 2), n // 6)
    noise = rng.choice((white(rng, n), related(rng, n, 0.6)))
    return scaled(rng, bent(rng, n, cuts, noise, (0.01, 0.07)), cuts)


def short_bends(rng: random.Random) -> Drawn:
    """A short trend with one or two bends."""
    n = rng.randint(18, 36)
    cuts = places(rng, n, rng.randint(1, 2), 5)
    noise = rng.choice((white(rng, n), related(rng, n, 0.5)))
    return scaled(rng, bent(rng, n, cuts, noise, (0.005, 0.06)), cuts)


def short_steps(rng: random.Random) -> Drawn:
    """A short series with a step."""
    n = rng.randint(18, 36)
    cuts = places(rng, n, rng.randint(1, 2), 5)
    return scaled(rng, levels(rng, n, cuts, white(rng, n), (4, 9)), cuts)


def short_trend(rng: random.Random) -> Drawn:
    """A short line, and nothing else."""
    n = rng.randint(12, 36)
    noise = rng.choice((white(rng, n), related(rng, n, 0.5)))
    lean = rng.uniform(0, 0.6)
    return scaled(rng, [lean * i + v for i, v in enumerate(noise)], [])


def few_trend(rng: random.Random) -> Drawn:
    """So few values that a weak gain is chance."""
    n = rng.randint(12, 17)
    noise = rng.choice((white(rng, n), related(rng, n, 0.6)))
    lean = rng.uniform(0, 0.5)
    return scaled(rng, [lean * i + v for i, v in enumerate(noise)], [])


def seasonal(rng: random.Random) -> Drawn:
    """A rhythm, on a line or growing with it, no change."""
    n, period = rng.randint(80, 400), rng.choice((7, 12, 12, 24))
    high, lean = rng.uniform(1, 6), rng.uniform(0, 10)
    grows = rng.choice((0.0, rng.uniform(0, 2)))
    turn = wave(rng, n, period)
    return scaled(
        rng,
        [
            high * (1 + grows * i / n) * turn[i] + lean * i / n + v
            for i, v in enumerate(white(rng, n))
        ],
        [],
    )


def seasonal_step(rng: random.Random) -> Drawn:
    """A rhythm with a step as high as the rhythm at least."""
    n, period = rng.randint(100, 400), rng.choice((7, 12, 12, 24))
    cuts = places(rng, n, 1, n // 5)
    high = rng.uniform(1, 4)
    turn, noise = wave(rng, n, period), white(rng, n)
    base = levels(rng, n, cuts, noise, (max(2.5, high), max(2.5, high) * 2))
    return scaled(rng, [b + high * t for b, t in zip(base, turn, strict=True)], cuts)


def counts_step(rng: random.Random) -> Drawn:
    """Counts with one to three steps by a factor."""
    n = rng.randint(60, 300)
    cuts = places(rng, n, rng.randint(1, 3), n // 8)
    mean, values = 10 ** rng.uniform(0.8, 2), []
    for i in range(n):
        if i in cuts:
            mean = max(4.0, mean * rng.choice((0.4, 0.5, 2, 2.5)))
        values.append(max(0.0, round(mean + math.sqrt(mean) * rng.gauss(0, 1))))
    return Drawn(values, tuple(cuts))


def walk(rng: random.Random) -> Drawn:
    """Slow noise that people leave alone: autoregressive, 0.8 to 0.9."""
    n = rng.randint(100, 400)
    return scaled(rng, related(rng, n, rng.uniform(0.8, 0.9)), [])


def loose_rhythm(rng: random.Random) -> Drawn:
    """A swing whose turns are never the same length: no rhythm that could be taken out, no change."""
    n, period = rng.randint(150, 600), rng.uniform(15, 60)
    phase, values = 0.0, []
    height = 1.0
    for _ in range(n):
        phase += 2 * math.pi / period * rng.lognormvariate(0, 0.4)
        height += 0.05 * (1 - height) + 0.1 * rng.gauss(0, 1)
        values.append(height * math.sin(phase) + 0.1 * rng.gauss(0, 1))
    return scaled(rng, values, [])


def uneven_rhythm(rng: random.Random) -> Drawn:
    """A rhythm whose cycles are as long as each other and of unequal height, with eras of high ones."""
    n, period = rng.randint(150, 800), rng.randint(6, 60)
    turn, heights = wave(rng, n, period), related(rng, n // period + 2, rng.uniform(0, 0.8))
    return scaled(
        rng,
        [
            math.exp(0.5 * heights[i // period]) * (1 + turn[i]) + 0.1 * v
            for i, v in enumerate(white(rng, n))
        ],
        [],
    )


def curve(rng: random.Random) -> Drawn:
    """A long smooth rise that grows by a constant factor, without a corner."""
    n, rate = rng.randint(60, 300), rng.uniform(0.3, 1.5)
    noise = rng.choice((white(rng, n), related(rng, n, 0.6)))
    return scaled(rng, [math.exp(rate * i / n) + 0.05 * v for i, v in enumerate(noise)], [])


def outliers(rng: random.Random) -> Drawn:
    """Steps and lone values far out."""
    drawn = steps(rng)
    values = list(drawn.values)
    reach = max(values) - min(values)
    for i in rng.sample(range(len(values)), max(1, len(values) // 60)):
        values[i] += rng.choice((-1, 1)) * reach * rng.uniform(1, 3)
    return Drawn(values, drawn.cuts)


def louder(rng: random.Random) -> Drawn:
    """Only the noise changes, by at most a factor of three: no new level."""
    n = rng.randint(80, 300)
    at, more = rng.randint(n // 4, 3 * n // 4), rng.uniform(1.5, 3)
    return scaled(rng, [v * (more if i >= at else 1) for i, v in enumerate(white(rng, n))], [])


def long_steps(rng: random.Random) -> Drawn:
    """A thousand values with two to six steps."""
    n = rng.randint(700, 1000)
    cuts = places(rng, n, rng.randint(2, 6), n // 15)
    return scaled(rng, levels(rng, n, cuts, related(rng, n, rng.uniform(0, 0.5)), (2.5, 7)), cuts)


# Held out: other forms, other noise


def excursion(rng: random.Random) -> Drawn:
    """Away and back to the old level."""
    n = rng.randint(60, 350)
    a, b = places(rng, n, 2, n // 8)
    size, noise = rng.choice((-1, 1)) * rng.uniform(3, 7), rng.choice((moving, laplace))(rng, n)
    return scaled(rng, [noise[i] + size * (a <= i < b) for i in range(n)], [a, b])


def broken_trend(rng: random.Random) -> Drawn:
    """A line that falls or jumps and goes on."""
    n = rng.randint(50, 300)
    (at,) = places(rng, n, 1, n // 5)
    lean, jump = rng.uniform(-4, 4), rng.choice((-1, 1)) * rng.uniform(4, 9)
    noise = rng.choice((moving, laplace, swinging))(rng, n)
    return scaled(rng, [lean * i / n + jump * (i >= at) + noise[i] for i in range(n)], [at])


def plateau(rng: random.Random) -> Drawn:
    """Level, a climb, level again."""
    n = rng.choice((rng.randint(20, 40), rng.randint(40, 250)))
    a, b = places(rng, n, 2, max(5, n // 5))
    noise, share = laplace(rng, n), rng.uniform(0.005, 0.04)
    sign = rng.choice((-1, 1))
    return scaled(
        rng, [sign * min(1, max(0, (i - a) / (b - a))) + share * noise[i] for i in range(n)], [a, b]
    )


def tent(rng: random.Random) -> Drawn:
    """Up and down again, short or long."""
    n = rng.choice((rng.randint(18, 30), rng.randint(30, 250)))
    (at,) = places(rng, n, 1, max(5, n // 4))
    sign, noise, share = rng.choice((-1, 1)), laplace(rng, n), rng.uniform(0.005, 0.06)
    return scaled(
        rng,
        [
            sign * (i / at if i < at else (n - i) / (n - at)) + share * noise[i] for i in range(n)
        ],
        [at],
    )  # fmt: skip


def short_excursion(rng: random.Random) -> Drawn:
    """Twenty to thirty-five values, away and back."""
    n = rng.randint(20, 35)
    a, b = places(rng, n, 2, 5)
    size, noise = rng.choice((-1, 1)) * rng.uniform(5, 12), laplace(rng, n)
    return scaled(rng, [noise[i] + size * (a <= i < b) for i in range(n)], [a, b])


def few_curve(rng: random.Random) -> Drawn:
    """Some fifteen values along a mild curve: no corner anywhere."""
    n = rng.randint(12, 17)
    bow, share = rng.uniform(-0.5, 0.5), rng.uniform(0.05, 0.2)
    noise = laplace(rng, n)
    return scaled(
        rng, [(i / n) + bow * (i / n) * (1 - i / n) + share * noise[i] for i in range(n)], []
    )


def few_noise(rng: random.Random) -> Drawn:
    """Some fifteen values of noise with neighbours alike."""
    n = rng.randint(12, 17)
    return scaled(rng, rng.choice((moving, laplace, swinging))(rng, n), [])


def bursts(rng: random.Random) -> Drawn:
    """A rhythm of sharp peaks of uneven height."""
    n, period = rng.randint(200, 800), rng.randint(20, 60)
    sharp, values = rng.uniform(3, 8), []
    height, last = 1.0, 0
    for i in range(n):
        if i // period != last:
            last, height = i // period, rng.lognormvariate(0, 0.5)
        values.append(height * max(0.0, math.sin(math.pi * (i % period) / period)) ** sharp)
    return scaled(rng, [v + 0.05 * e for v, e in zip(values, white(rng, n), strict=True)], [])


def growing_rhythm(rng: random.Random) -> Drawn:
    """A rhythm that grows with its trend, and noise with it."""
    n, period = rng.randint(100, 400), rng.choice((4, 12, 24, 52))
    turn, noise, rate = wave(rng, n, period), laplace(rng, n), rng.uniform(0.3, 1.2)
    high = rng.uniform(0.05, 0.25)
    return scaled(
        rng,
        [(1 + rate * i / n) * (1 + high * turn[i] + 0.03 * noise[i]) for i in range(n)],
        [],
    )


def rhythm_step(rng: random.Random) -> Drawn:
    """A rhythm that grows, with a fall or a rise by more than its height."""
    n, period = rng.randint(100, 300), rng.choice((7, 12, 24))
    (at,) = places(rng, n, 1, n // 5)
    turn, noise, high = wave(rng, n, period), moving(rng, n), rng.uniform(0.5, 2.5)
    jump = rng.choice((-1, 1)) * rng.uniform(1.2, 2.5) * max(high, 2)
    grows = rng.uniform(0, 0.7)
    return scaled(
        rng,
        [
            jump * (i >= at) + high * (1 + grows * i / n) * turn[i] + noise[i] for i in range(n)
        ],
        [at],
    )  # fmt: skip


def over_counts(rng: random.Random) -> Drawn:
    """Counts that scatter more than chance, one or two steps by a factor."""
    n = rng.randint(50, 250)
    cuts = places(rng, n, rng.randint(1, 2), n // 6)
    mean, more, values = 10 ** rng.uniform(1.2, 2.5), rng.uniform(8, 30), []
    for i in range(n):
        if i in cuts:
            mean *= rng.choice((0.35, 2.8))
        values.append(float(round(rng.gammavariate(more, mean / more))))
    return Drawn(values, tuple(cuts))


def swing(rng: random.Random) -> Drawn:
    """A damped swing, no change."""
    return scaled(rng, swinging(rng, rng.randint(60, 400)), [])


def long_heavy(rng: random.Random) -> Drawn:
    """A long series with heavy tails and three to six steps."""
    n = rng.randint(600, 900)
    cuts = places(rng, n, rng.randint(3, 6), n // 14)
    return scaled(rng, levels(rng, n, cuts, heavy(rng, n, 2.5), (3, 8)), cuts)


def accelerating(rng: random.Random) -> Drawn:
    """A short rise that sets in at once and accelerates: flat, then steep."""
    n = rng.randint(20, 45)
    (at,) = places(rng, n, 1, 7)
    noise, share, power = laplace(rng, n), rng.uniform(0.005, 0.04), rng.uniform(0.8, 1.3)
    return scaled(
        rng, [max(0, (i - at) / (n - at)) ** power + share * noise[i] for i in range(n)], [at]
    )


DEVELOPMENT: Mapping[str, Callable[[random.Random], Drawn]] = {
    f.__name__: f
    for f in (steps, bends, short_bends, short_steps, short_trend, few_trend, seasonal, seasonal_step,
              loose_rhythm, uneven_rhythm, curve, counts_step, walk, outliers, louder, long_steps)
}  # fmt: skip
HELD_OUT: Mapping[str, Callable[[random.Random], Drawn]] = {
    f.__name__: f
    for f in (excursion, broken_trend, plateau, tent, short_excursion, few_curve, few_noise, bursts,
              growing_rhythm, rhythm_step, over_counts, swing, long_heavy, accelerating)
}  # fmt: skip
