"""Quantiles as buckets tell them: the bounds between which they lie, and beyond the last one only that they do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from locard.model.headline import share as percent
from locard.model.history_words import amount

if TYPE_CHECKING:
    from locard.metrics.history import Floats
    from locard.metrics.measures import Buckets, Measure

_MOST_BOUNDS = 12  # that are shown


def latency_words(
    measure: Measure, span: tuple[int, int], *, changed: bool
) -> tuple[str, str, str]:
    """p50 and p99 before and after, and what the tail beyond the last bound can and cannot tell."""
    buckets = measure.buckets
    if buckets is None:
        return (
            "",
            "",
            "sum over count: there are no buckets, and quantiles of instances cannot be added",
        )
    begin, end = span
    early = np.nansum(buckets.cumulative[:, :begin], axis=1)
    late = np.nansum(buckets.cumulative[:, begin:end], axis=1)
    if not changed and late[-1] <= 0:
        late = early
    details = [_tail(measure, early, late)] if changed else []
    finite = [b for b in buckets.bounds if math.isfinite(b)]
    return (
        quantiles(buckets, early),
        quantiles(buckets, late),
        "; ".join(
            filter(
                None,
                (
                    *details,
                    f"bucket bounds: {', '.join(_seconds(b) for b in finite[:_MOST_BOUNDS])}{' …' if len(finite) > _MOST_BOUNDS else ''}"
                    if finite
                    else "",
                ),
            )
        ),
    )


def quantiles(buckets: Buckets, cumulative: Floats) -> str:
    """p50, p95 and p99 as the buckets tell them."""
    if cumulative.size == 0 or cumulative[-1] <= 0:
        return ""
    if len(buckets.bounds) > 1 and cumulative[0] >= 0.995 * cumulative[-1]:
        return f"all up to {_seconds(buckets.bounds[0])}, nothing finer can be told"
    return ", ".join(
        f"p{round(100 * q)} {bounded(buckets.bounds, cumulative, q)}" for q in (0.5, 0.95, 0.99)
    )


def bounded(bounds: tuple[float, ...], cumulative: Floats, q: float) -> str:
    """The bucket that holds a quantile, as words."""
    at = int(np.searchsorted(cumulative, q * cumulative[-1] - 1e-9))
    at = min(at, len(bounds) - 1)
    if math.isinf(bounds[at]):
        return f"> {_seconds(bounds[at - 1])}" if at else "not known"
    low = bounds[at - 1] if at else 0.0
    if not at or low <= 0:
        return f"≤ {_seconds(bounds[at])}"
    return f"{_seconds(low)} to {_seconds(bounds[at])}"


def _tail(measure: Measure, early: Floats, late: Floats) -> str:
    """How many lie beyond the last finite bound, and how long they take on average, from the sum."""
    buckets = measure.buckets
    assert buckets is not None  # noqa: S101 - who calls has looked
    if len(buckets.bounds) < 2 or late[-1] <= 0:  # noqa: PLR2004
        return ""
    over = late[-1] - late[-2]
    if over < 0.01 * late[-1]:
        return ""
    words = f"{percent(int(over), int(late[-1]))} take longer than {_seconds(buckets.bounds[-2])}, the last bound"
    if measure.sum is not None and early[-1] > 0 and early[-2] >= 0.98 * early[-1]:
        spent, total = float(np.nansum(measure.sum)), float(early[-1])
        quick = float(np.nansum(measure.sum[: _first(measure, early)])) / total
        rest = float(np.nansum(measure.sum)) - quick * (total + late[-1] - over)
        if spent and over > 0 and rest > over * buckets.bounds[-2]:
            words += f", about {_seconds(rest / over)} each (from the sum, if the others took as long as before)"
    return words


def _first(measure: Measure, early: Floats) -> int:
    """How many slots were added up to `early`."""
    assert measure.count is not None  # noqa: S101 - it has buckets
    return int(np.searchsorted(np.nancumsum(measure.count), early[-1] - 1e-6)) + 1


def _seconds(value: float) -> str:
    return amount(value, "s")
