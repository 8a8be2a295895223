"""Has something that wrote steadily stopped?

Counts per bin go in. A silence has to be longer than chance allows at the rate seen before, bursts
included, and several times as long as any pause that the source made before.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from locard.stats.intervals import tail_bound

if TYPE_CHECKING:
    from collections.abc import Sequence

ALPHA = 0.001
_LONGER = 3.0  # than the longest pause before
_FEWEST = 20  # lines, before "steadily" means anything
_FEWEST_BINS = 2
_LEAST_SHARE = 0.03  # of the record


@dataclass(frozen=True, slots=True)
class Pause:
    """Bins [start, end) without a line; `end` None: up to the end of the record."""

    start: int
    end: int | None
    per_bin: float  # lines, in the time before
    p_value: float  # corrected for the number of tests


def silence(counts: Sequence[int], tests: int = 1) -> Pause | None:
    """The silence that is too long for chance; None where there is none."""
    runs, at = [], 0
    for empty, group in groupby(counts, key=lambda n: n == 0):
        length = len(list(group))
        if empty and at:
            runs.append((length, at))
        at += length
    if not runs:
        return None
    runs.sort(reverse=True)
    length, start = runs[0]
    other = runs[1][0] if len(runs) > 1 else 0
    first = next(i for i, n in enumerate(counts) if n)
    before = list(counts[first:start])
    lines = sum(before)
    if lines < _FEWEST or length < max(_FEWEST_BINS, _LEAST_SHARE * len(counts)):
        return None
    if length < _LONGER * (other + 1):
        return None
    rate = lines / len(before)
    spread = sum((n - rate) ** 2 for n in before) / max(1, len(before) - 1)
    bursts = max(1.0, spread / rate)
    # As many places for such a run as there are bins.
    p_value = tail_bound(rate * length / bursts, len(counts) * tests)
    if p_value > ALPHA:
        return None
    end = start + length
    return Pause(start, end if end < len(counts) else None, rate, min(p_value, 1.0))
