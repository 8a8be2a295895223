"""Noise in which a few values are far out: most are normal, one in twenty is five times as wide.

The contaminated normal distribution of Box and Tiao (1968), fitted by expectation maximisation.
Where nothing is far out it costs next to nothing; where something is, it hardly counts.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHARE = 0.05
_WIDER = 5.0
_TAIL = _SHARE / _WIDER
_MOST = 700.0  # beyond, exp is 0


def far_out(residuals: Sequence[float], spread: float) -> list[float]:
    """The probability of each value to belong to the wide part."""
    found = []
    for r in residuals:
        z = min(r * r / (2 * spread * spread), _MOST * _WIDER * _WIDER)
        wide = _TAIL * math.exp(-z / (_WIDER * _WIDER))
        found.append(wide / ((1 - _SHARE) * math.exp(-min(z, _MOST)) + wide))
    return found


def weights(far: Sequence[float]) -> list[float]:
    """What each value weighs in least squares: the expected inverse variance."""
    return [1 - p * (1 - 1 / (_WIDER * _WIDER)) for p in far]


def log_likelihood(residuals: Sequence[float], spread: float) -> float:
    """In nats, without the constant."""
    total = 0.0
    for r in residuals:
        z = min(r * r / (2 * spread * spread), _MOST * _WIDER * _WIDER)
        wide = _TAIL * math.exp(-z / (_WIDER * _WIDER))
        total += math.log((1 - _SHARE) * math.exp(-min(z, _MOST)) + wide)
    return total - len(residuals) * math.log(spread)
