"""One judged measure as it is told: levels, words, scope, who is affected, the course."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from locard.metrics import conventions, promql
from locard.metrics.affected import affected_parts
from locard.metrics.quantiles import latency_words
from locard.model.metric_facts import Course, MeasuredSignal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.metrics.grid import Grid, Row
    from locard.metrics.history import Floats
    from locard.metrics.measures import Measure
    from locard.model.log_facts import Onset
    from locard.model.metric_facts import Direction, Shape

_POINTS, MOST_POINTS = 120, 1000  # of what stayed, of what changed
_NOW = 4  # slots
_MOST_SCORE = 1000.0  # more is not clearer


def signal_of(
    measure: Measure, grid: Grid, direction: Direction, shape: Shape, onset: Onset | None, *,
    levels: tuple[float | None, float | None], span: tuple[int, int], score: float, over: bool = False,
) -> MeasuredSignal:  # fmt: skip
    """The signal of a measure; `levels` before and after, `span` the slots in which it is changed."""
    begin, end = span
    before, after = levels
    changed = onset is not None
    affected, unaffected = (
        affected_parts(measure, span) if changed and direction == "up" else ((), ())
    )
    words = (
        latency_words(measure, span, changed=changed)
        if measure.signal == "latency"
        else ("", "", "")
    )
    count = 0
    for counts in (measure.bad if measure.signal == "errors" else measure.count,):
        if counts is not None:
            count = int(np.nansum(counts[begin:end] if changed else counts))
    shown = (before, after)
    if measure.signal == "latency" and measure.sum is not None and measure.count is not None:
        low = 0, begin
        shown = _mean(measure, *low), _mean(measure, begin, end)
        if not changed:
            shown = _mean(measure, 0, begin), _mean(measure, begin, grid.length)
    return MeasuredSignal(
        signal=measure.signal,
        metric=measure.metric,
        subject=measure.subject,
        unit=measure.unit,
        direction=direction,
        shape=shape,
        onset=onset,
        before=shown[0],
        after=shown[1],
        now=median_of(measure.values[-_NOW:]),
        count=count,
        before_words=words[0],
        after_words=words[1],
        resource=measure.resource,
        limit=median_of(measure.limit[-_NOW:]) if measure.limit is not None else None,
        detail="; ".join(
            filter(None, (words[2], measure.detail, *_born(measure, span, changed=changed)))
        ),
        scope=_scope(measure.rows),
        query=_query(measure, span, changed=changed),
        course=course_of(measure.values, grid, MOST_POINTS if changed else _POINTS),
        ended=grid.time(end) if over else None,
        parts=affected,
        unaffected=unaffected,
        score=round(min(float(score), _MOST_SCORE), 1),
    )


def _mean(measure: Measure, low: int, high: int) -> float | None:
    assert measure.sum is not None  # noqa: S101 - who calls has looked
    assert measure.count is not None  # noqa: S101 - as above
    n = float(np.nansum(measure.count[low:high]))
    return float(np.nansum(measure.sum[low:high])) / n if n > 0 else None


def _query(measure: Measure, span: tuple[int, int], *, changed: bool) -> str:
    """What gives the numbers that are shown; of a burst that PromQL's rate does not see, the counters themselves."""
    begin, end = span
    born = changed and any(
        r.born is not None and begin <= r.born < end and r.held > 0 for r in measure.rows
    )
    if born and measure.signal == "errors":
        failed = [r for r in measure.rows if conventions.is_error(r.series.labels)]
        if failed:
            return promql.total(failed[0].series.name, failed)
    return measure.query


def course_of(values: Floats, grid: Grid, most: int = MOST_POINTS) -> Course:
    """At most as many points as can be seen: means of neighbours, and of a short peak its height."""
    per = max(1, -(-values.size // most))
    points: list[float | None] = []
    for i in range(0, values.size, per):
        part = values[i : i + per]
        part = part[np.isfinite(part)]
        points.append(float(f"{part[np.argmax(np.abs(part - part.mean()))] if per > 1 and part.size else part.mean():.6g}")
                      if part.size else None)  # fmt: skip
    return Course(grid.start, grid.step * per, tuple(points))


def _scope(rows: Sequence[Row]) -> str:
    instances = {r.series.label("instance") or r.series.label("pod") for r in rows} - {""}
    words = f"{len(rows)} series"
    return f"{words} of {len(instances)} instances" if len(instances) > 1 else words


def _born(measure: Measure, span: tuple[int, int], *, changed: bool) -> Iterator[str]:
    """What was counted from 0 since it appeared on a target that was up, with PromQL's answer beside it."""
    if not changed or measure.signal != "errors" or measure.bad is None:
        return
    begin, end = span
    born = [r for r in measure.rows if r.born is not None and begin <= r.born < end and r.held > 0]
    held = sum(r.held for r in born if _is_bad(r, measure))
    if held:
        rest = float(np.nansum(measure.bad[begin:end])) - held
        yield (
            f"{held:g} of them are what {len(born)} new series held when they appeared on targets that had been "
            f"scraped before, counted from 0; PromQL's increase() says {max(0.0, rest):g}"
        )


def _is_bad(row: Row, measure: Measure) -> bool:
    return conventions.is_error(row.series.labels) or bool(measure.detail)


def median_of(values: Floats) -> float | None:
    """The median of what is known; None where nothing is."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else None
