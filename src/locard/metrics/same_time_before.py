"""A change that came at the same time the day before as well is a rhythm, not an incident."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from locard.metrics.measures import base_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.metrics.history import Series
    from locard.model.metric_facts import ChangedFamily, MeasuredSignal, MetricHistory

DAY_S = 86_400.0
_ALIKE = 0.5  # of today's change: yesterday's was of its kind
_AROUND_S = 1200.0
_DEMOTED = 0.1


def told_by_yesterday(found: MetricHistory, before: Sequence[Series]) -> MetricHistory:
    """The same, with what changed alike a day before marked and put last."""
    if not before:
        return found
    signals = tuple(_signal(s, before) for s in found.signals)
    changed = sorted((_family(c, before) for c in found.changed), key=lambda c: -c.score)
    changed = [replace(c, rank=n) for n, c in enumerate(changed, 1)]
    return replace(found, signals=signals, changed=tuple(changed))


def _signal(signal: MeasuredSignal, before: Sequence[Series]) -> MeasuredSignal:
    if signal.onset is None or signal.signal not in {"traffic", "saturation"}:
        return signal
    if not _alike(signal.metric, signal.onset.latest, (signal.before, signal.after), before):
        return signal
    words = "; ".join(
        filter(None, (signal.detail, "as at the same time the day before: a daily rhythm"))
    )
    return replace(signal, direction="none", shape="periodic", onset=None, detail=words)


def _family(family: ChangedFamily, before: Sequence[Series]) -> ChangedFamily:
    if family.onset is None or family.what == "mean":
        return family
    if not _alike(family.metric, family.onset.latest, (family.before, family.after), before):
        return family
    return replace(
        family, note="as at the same time the day before", score=round(family.score * _DEMOTED, 4)
    )


def _alike(
    metric: str, at: float, levels_now: tuple[float | None, float | None], before: Sequence[Series]
) -> bool:
    """Whether the level moved the same way a day before, by half as much relative to where it was."""
    low, high = levels_now
    if low is None or high is None:
        return False
    levels = []
    for one in before:
        if base_of(one.name) != base_of(metric):
            continue
        values = one.values
        if one.name.endswith(("_total", "_count")) or base_of(one.name) != one.name:
            grown = np.diff(values)
            times, values = one.times[1:], np.where(grown < 0, values[1:], grown)
        else:
            times = one.times
        then = at - DAY_S
        early = values[(times >= then - _AROUND_S) & (times < then)]
        late = values[(times >= then) & (times <= then + _AROUND_S)]
        if early.size > 3 and late.size > 3:  # noqa: PLR2004
            levels.append((float(np.nanmean(early)), float(np.nanmean(late))))
    if not levels:
        return False
    early_sum, late_sum = sum(e for e, _ in levels), sum(v for _, v in levels)
    today, then_change = (
        (high - low) / max(abs(low), 1e-12),
        (late_sum - early_sum) / max(abs(early_sum), 1e-12),
    )
    return (then_change > 0) == (today > 0) and abs(then_change) >= _ALIKE * abs(today)
