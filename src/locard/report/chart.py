"""Small charts over time as SVG shapes; labels are HTML beside them, so that they stay legible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model.headline import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from locard.model.log_facts import LogSummary, RatePoint

_WIDTH, _HEIGHT = 1000.0, 100.0
_MOST_POINTS = 240


@dataclass(frozen=True, slots=True)
class Chart:
    """One series: SVG path data in a 1000 x 100 box, its top value in words, the onset's place.

    `onset_x` and `onset_width` are in the box's units, None where no onset is known.
    """

    label: str
    top: str
    path: str
    onset_x: float | None
    onset_width: float


def charts(log: LogSummary) -> tuple[Chart, ...]:
    """Error share, p99 latency and requests per second; those that have any value.

    Of a log that does not hold every request no share is drawn, but bad lines per second.
    """
    series = _thinned(log.series)
    if not series:
        return ()
    errors: tuple[str, Callable[[RatePoint], float | None], Callable[[float], str]] = (
        ("errors", lambda p: p.errors / p.total if p.total else None, lambda v: f"{100 * v:.1f} %")
        if log.claims_rates
        else ("bad lines", lambda p: p.errors / p.width_s, lambda v: f"{v:.2g}/s")
    )
    kinds = (
        errors,
        ("p99 latency", lambda p: p.p99_ms, milliseconds),
        ("requests", lambda p: p.total / p.width_s, lambda v: f"{v:.3g}/s"),
    )
    start, end = series[0].start, series[-1].start + series[-1].width_s
    x, width = _onset(log, start, end)
    out = []
    for label, value, name in kinds:
        values = [value(p) for p in series]
        top = max((v for v in values if v is not None), default=0.0)
        if top > 0:
            out.append(Chart(label, name(top), _path(values, top), x, width))
    return tuple(out)


def _thinned(series: tuple[RatePoint, ...]) -> tuple[RatePoint, ...]:
    """At most as many buckets as can be seen: neighbours are added up, p99 takes the worst."""
    per = -(-len(series) // _MOST_POINTS)
    if per <= 1:
        return series
    return tuple(_merged(series[i : i + per]) for i in range(0, len(series), per))


def _merged(points: tuple[RatePoint, ...]) -> RatePoint:
    first, last = points[0], points[-1]
    worst = [p.p99_ms for p in points if p.p99_ms is not None]
    return type(first)(
        start=first.start,
        width_s=last.start + last.width_s - first.start,
        total=sum(p.total for p in points),
        errors=sum(p.errors for p in points),
        p50_ms=first.p50_ms,
        p99_ms=max(worst) if worst else None,
    )


def _path(values: list[float | None], top: float) -> str:
    """Filled steps from the base line."""
    step = _WIDTH / len(values)
    parts = [f"M0 {_HEIGHT:g}"]
    for n, value in enumerate(values):
        y = _HEIGHT * (1 - (value or 0.0) / top)
        parts.append(f"L{n * step:.1f} {y:.1f}L{(n + 1) * step:.1f} {y:.1f}")
    return "".join(parts) + f"L{_WIDTH:g} {_HEIGHT:g}Z"


def _onset(log: LogSummary, start: float, end: float) -> tuple[float | None, float]:
    if log.onset is None or end <= start:
        return None, 0.0
    scale = _WIDTH / (end - start)
    x = min(_WIDTH, max(0.0, (log.onset.earliest - start) * scale))
    return x, max(2.0, (log.onset.latest - log.onset.earliest) * scale)
