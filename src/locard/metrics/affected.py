"""Who is affected: label values whose own share is raised, and those with requests enough to say that theirs is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from locard.metrics import conventions
from locard.model.headline import share as percent
from locard.stats.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.metrics.grid import Row
    from locard.metrics.measures import Measure

_SHOWN = 6
_MOST_PARTS = 200  # values of a label: more are no parts


def share_between(measure: Measure, low: int, high: int) -> float | None:
    """What is bad of all in the slots [low, high); None without requests."""
    total, bad = measure.total, measure.bad
    assert total is not None  # noqa: S101 - it is a share
    assert bad is not None  # noqa: S101 - as above
    n = float(np.nansum(np.where(np.isfinite(bad), total, np.nan)[low:high]))
    return float(np.nansum(bad[low:high])) / n if n > 0 else None


def affected_parts(
    measure: Measure, span: tuple[int, int]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Label values whose own share is raised, and those with requests enough to say that theirs is not."""
    if measure.signal != "errors" or measure.total is None:
        return _slow_parts(measure, span)
    begin, end = span
    overall = share_between(measure, begin, end) or 0.0
    affected: list[str] = []
    spared: list[str] = []
    for key, values in _keys(measure.rows).items():
        for value, rows in values.items():
            bad = sum(_grown(r, begin, end) for r in rows if conventions.is_error(r.series.labels))
            total = sum(_grown(r, begin, end) for r in rows)
            _sort_part(f"{key}={value}", (bad, total), overall, (affected, spared))
    return _first(affected), _first(spared)


def _first(parts: list[str]) -> tuple[str, ...]:
    """The first few, and how many more there are."""
    more = len(parts) - _SHOWN
    return (*parts[:_SHOWN], *((f"and {more} more",) if more > 0 else ()))


def _slow_parts(measure: Measure, span: tuple[int, int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if measure.signal != "latency" or measure.slow_over is None or measure.bad is None:
        return (), ()
    begin, end = span
    overall = share_between(measure, begin, end) or 0.0
    affected: list[str] = []
    spared: list[str] = []
    buckets = [r for r in measure.rows if r.series.label("le")]
    for key, values in _keys(buckets).items():
        for value, rows in values.items():
            total = sum(
                _grown(r, begin, end) for r in rows if r.series.label("le") in {"+Inf", "Inf"}
            )
            below = sum(_grown(r, begin, end) for r in rows if _is_bound(r, measure))
            _sort_part(f"{key}={value}", (total - below, total), overall, (affected, spared))
    return _first(affected), _first(spared)


def _is_bound(row: Row, measure: Measure) -> bool:
    scale = conventions.seconds(measure.metric) or 1.0
    try:
        return abs(float(row.series.label("le")) * scale - (measure.slow_over or 0.0)) < 1e-9  # noqa: PLR2004
    except ValueError:
        return False


def _grown(row: Row, begin: int, end: int) -> float:
    return float(np.nansum(row.growth[begin:end])) if row.growth is not None else 0.0


def _keys(rows: Sequence[Row]) -> dict[str, dict[str, list[Row]]]:
    """Labels that split the series into a few parts."""
    found: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        for key, value in row.series.labels:
            found.setdefault(key, {}).setdefault(value, []).append(row)
    return {
        key: values
        for key, values in found.items()
        if 1 < len(values) <= _MOST_PARTS
        and key not in {"le", "quantile"}
        and not conventions.has_status(((key, ""),))
    }


def _sort_part(
    name: str, counts: tuple[float, float], overall: float, into: tuple[list[str], list[str]]
) -> None:
    bad, total = max(0.0, counts[0]), counts[1]
    if total < 1:
        return
    low, high = wilson(int(min(bad, total)), int(max(total, 1)))
    if low >= 0.5 * overall and bad >= 3:  # noqa: PLR2004
        into[0].append(f"{name} ({percent(int(bad), int(total))} of {int(total):,})")
    elif high < 0.5 * overall:
        into[1].append(f"{name} ({int(total):,} requests, {percent(int(bad), int(total))})")
