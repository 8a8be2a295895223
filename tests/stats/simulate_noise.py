"""Noise as services make it: neighbours are alike, and some values are far out."""

from __future__ import annotations


def related(rng, count, alike=0.0, *, heavy=False):
    """First-order autoregressive noise of standard deviation 1; `heavy`: Student's t, 3 degrees."""
    value, values = 0.0, []
    for _ in range(count + 50):
        step = rng.gauss(0, 1)
        if heavy:
            step /= rng.gammavariate(1.5, 2 / 3) ** 0.5 * 3**0.5
        value = alike * value + step * (1 - alike * alike) ** 0.5
        values.append(value)
    return values[50:]
