"""A raised share of bad requests as a whole: which shape, since when, until when, and what else.

Counts per bin go in; everything is in bin edges. Used for errors and for slow requests alike, by
whatever wing counts them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import add
from typing import TYPE_CHECKING

from locard.stats.changes import Stretch, dispersion, merge_bins, scan
from locard.stats.intervals import difference_evidence, log_likelihood
from locard.stats.onset import Begin, locate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.model.log_facts import ShapeName

SCAN_BINS = 200
ALPHA = 0.005  # for all scans of one record together
CONFIDENCE = 0.95
# The smaller a change, the more evidence it needs: noise that wanders for minutes looks like a small
# one. Twice the share needs 16 nats, 1.4 times 33. Below 1.2 times it is nobody's business.
_WEIGHT = 11.0  # evidence times the log of the ratio
LEAST_RATIO = 1.2
_SAME = 7.0  # nats: below, two stretches are not told apart
_FEWEST_BURSTS = 3
_REGULAR = 0.25
_FEWEST_BINS = 8  # of a part of the record that may hold one more onset


@dataclass(frozen=True, slots=True)
class Rise:
    """`begin` is None where no baseline was seen before it, `end` where it lasts."""

    shape: ShapeName
    begin: Begin | None
    end: int | None
    noise: float  # dispersion, see `changes.dispersion`


def significant(total: Sequence[int], bad: Sequence[int], tests: int) -> Stretch | None:
    """The most raised stretch in at most `SCAN_BINS` merged bins, if it is one beyond doubt."""
    found = scan(*_merged(total, bad)[:2], tests=tests)
    if found is None or found.p_value > ALPHA:
        return None
    ratio = found.share_in / max(found.share_out, 1e-9)
    return found if plain(found.evidence, ratio) else None


def plain(evidence: float, ratio: float) -> bool:
    """Whether so much evidence (nats) is enough for a share that is `ratio` times what it was."""
    return ratio >= LEAST_RATIO and evidence * math.log(ratio) >= _WEIGHT


def describe(total: Sequence[int], bad: Sequence[int]) -> Rise | None:
    """Onset, end and shape of the most raised stretch, however weak; None where there is none."""
    few, few_bad, factor = _merged(total, bad)
    stretch = scan(few, few_bad)
    if stretch is None:
        return None
    noise = dispersion(few, few_bad, stretch.edges)
    seen = _differs(few, few_bad, (0, stretch.start), stretch, noise)
    over = _differs(
        few, few_bad, (stretch.end, stretch.next_edge), stretch, noise
    ) and not _still_bad(few, few_bad, stretch)
    stop = min(stretch.end * factor, len(total)) if over else len(total)
    end = stop if over else None
    if not seen:
        return Rise("unknown", None, end, noise)
    begin = locate(total[:stop], bad[:stop], noise, CONFIDENCE)
    if begin is not None and begin.ramp:
        landing = _landing(total[:stop], bad[:stop], noise, begin)
        if landing is not None:
            begin = locate(total[:landing], bad[:landing], noise, CONFIDENCE)
    if begin is None:
        return None
    shape: ShapeName = "spike" if over else "ramp" if begin.ramp else "step"
    if over and _periodic(few, few_bad, stretch):
        shape = "periodic"
    return Rise(shape, begin, end, noise)


def further(total: Sequence[int], bad: Sequence[int], main: Rise) -> list[Rise]:
    """Other onsets: before the main one, during it if it is a step, and after its end.

    Each is judged in its part of the record alone, and only where that part shows its baseline.
    """
    if main.begin is None or main.shape == "periodic":
        return []
    found: list[Rise] = []
    parts = list(_parts(len(total), main))
    while parts:
        low, high = parts.pop()
        part, part_bad = total[low:high], bad[low:high]
        stretch = significant(part, part_bad, tests=3)
        if stretch is None or not stretch.baseline_seen:
            continue
        one = describe(part, part_bad)
        if one is None or one.begin is None:
            continue
        begin = Begin(
            one.begin.earliest + low,
            one.begin.latest + low,
            one.begin.best + low,
            one.begin.ramp,
            one.begin.ramp_evidence,
        )
        end = one.end + low if one.end is not None else high if high < len(total) else None
        found.append(Rise(one.shape, begin, end, one.noise))
        if one.end is not None and high - (end or high) > _FEWEST_BINS:
            parts.append((one.end + low + 1, high))  # there may be more behind it
    return sorted(found, key=lambda rise: rise.begin.best if rise.begin else 0.0)


def _parts(bins: int, main: Rise) -> Iterator[tuple[int, int]]:
    """Without the bins in which the main rise begins and ends: they hold some of both."""
    if main.begin is None:
        return
    stop = bins if main.end is None else main.end
    inner = (math.ceil(main.begin.latest) + 1, stop - (main.end is not None))
    parts = [(0, math.floor(main.begin.earliest) - 1), (stop + 1, bins)]
    if main.shape != "ramp":
        parts.append(inner)
    yield from ((low, high) for low, high in parts if high - low >= _FEWEST_BINS)


def _merged(total: Sequence[int], bad: Sequence[int]) -> tuple[list[int], list[int], int]:
    few, factor = merge_bins(total, SCAN_BINS)
    return few, merge_bins(bad, SCAN_BINS)[0], factor


def _landing(total: Sequence[int], bad: Sequence[int], noise: float, ramp: Begin) -> int | None:
    """Where the second of two steps begins, if two explain what looks like a ramp better."""
    few, few_bad, factor = _merged(total, bad)
    sum_n, sum_k = list(accumulate(few, initial=0)), list(accumulate(few_bad, initial=0))
    last = len(few)

    def value(start: int, end: int) -> float:
        return log_likelihood(sum_k[end] - sum_k[start], sum_n[end] - sum_n[start])

    heads, tails = [value(0, i) for i in range(last + 1)], [value(i, last) for i in range(last + 1)]
    one = max(map(add, heads, tails))
    two, second = max(
        (heads[a] + value(a, b) + tails[b], b) for b in range(2, last) for a in range(1, b)
    )
    # One place and one level more than a ramp has one length more.
    gain = (two - one) / noise - 0.5 * math.log(max(sum(few) / noise, 2.0))
    return second * factor if gain > ramp.ramp_evidence else None


def _differs(
    total: Sequence[int], bad: Sequence[int], part: tuple[int, int], stretch: Stretch, noise: float
) -> bool:
    """Whether the bins of `part` have data enough to say that they are not like the stretch."""
    n, k = sum(total[part[0] : part[1]]), sum(bad[part[0] : part[1]])
    n_in = sum(total[stretch.start : stretch.end])
    k_in = sum(bad[stretch.start : stretch.end])
    return difference_evidence(k, n, k_in, n_in) / noise > _SAME


def _still_bad(total: Sequence[int], bad: Sequence[int], stretch: Stretch) -> bool:
    """Whether what follows the stretch is better, but nearer to it than to the baseline."""
    n, k = (sum(x[stretch.end : stretch.next_edge]) for x in (total, bad))
    n0, k0 = sum(total[: stretch.start]), sum(bad[: stretch.start])
    if not n or not n0:
        return False
    return k / n > (stretch.share_in + k0 / n0) / 2


def _periodic(total: Sequence[int], bad: Sequence[int], stretch: Stretch) -> bool:
    """Whether the bad bins come in bursts at regular distances."""
    level = (stretch.share_in + stretch.share_out) / 2
    hot = [n > 0 and k > level * n for n, k in zip(total, bad, strict=True)]
    begins = [i for i, h in enumerate(hot) if h and (i == 0 or not hot[i - 1])]
    if len(begins) < _FEWEST_BURSTS + 1:
        return False
    gaps = [b - a for a, b in pairwise(begins)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((g - mean) ** 2 for g in gaps) / len(gaps)) ** 0.5
    return bool(spread < _REGULAR * mean)
