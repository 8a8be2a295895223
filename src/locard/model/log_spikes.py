"""Short bursts in an otherwise steady log: parts of it that are far slower, or fail far more, than it usually is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locard.model.log_facts import LogSummary, RatePoint

_TIMES = 3.0  # the usual p99
_LEAST_MS = 200.0  # above it
_LEAST_SHARE = 0.05  # of the requests of a part that fail, above what is usual
_FEWEST = 5  # requests in a part
_FEWEST_POINTS = 12


@dataclass(frozen=True, slots=True)
class Spikes:
    """How many there are, the worst against what is usual, and when the last one was (Unix time)."""

    measure: str  # "p99" in ms, or "errors" as a share
    count: int
    usual: float
    worst: float
    last: float


def found(log: LogSummary) -> Spikes | None:
    """The bursts of latency, else those of errors; None where there are none, or the log is too short."""
    points = [p for p in log.series if p.total >= _FEWEST]
    if len(points) < _FEWEST_POINTS:
        return None
    slow = [(p, p.p99_ms) for p in points if p.p99_ms is not None]
    usual = _middle([v for _, v in slow])
    high = [p for p, v in slow if v >= _TIMES * usual and v - usual >= _LEAST_MS]
    if high:
        return _spikes("p99", log, high, usual, max(p.p99_ms or 0.0 for p in high))
    rates = [(p, p.errors / p.total) for p in points]
    usual = _middle([r for _, r in rates])
    failing = [
        p
        for p, r in rates
        if r - usual >= _LEAST_SHARE and r >= _TIMES * usual and p.errors >= _FEWEST
    ]
    if failing:
        worst = max(p.errors / p.total for p in failing)
        return _spikes("errors", log, failing, usual, worst)
    return None


def _spikes(
    measure: str, log: LogSummary, high: list[RatePoint], usual: float, worst: float
) -> Spikes:
    """Neighbouring parts are one burst."""
    starts = {p.start for p in high}
    count, inside = 0, False
    for point in log.series:
        count += point.start in starts and not inside
        inside = point.start in starts
    return Spikes(measure, count, usual, worst, max(starts))


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0
