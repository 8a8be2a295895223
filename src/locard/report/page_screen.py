"""One page of metrics on one screen: each subject's traffic, errors and latency now, and how full things are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import history_words, metrics_words
from locard.model.facts import EndpointCoverage, MetricsSummary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.facts import GoldenSignal

_SUBJECTS, _GAUGES = 12, 12
_ORDER = ("traffic", "errors", "latency")
_QUANTILES = ("p50", "p90", "p99", "mean")
_ASIDE = frozenset({"statistic", "kind"})


def lines(found: object) -> Iterator[str] | None:
    """The lines of a MetricsSummary or of pages that gave none; None for any other fact."""
    if isinstance(found, EndpointCoverage):
        return iter(())  # the headline says it
    return _lines(found) if isinstance(found, MetricsSummary) else None


def _lines(found: MetricsSummary) -> Iterator[str]:
    if found.window_s:
        yield f"{found.url}, {found.series:,} series; `now` is the {found.window_s:.1f} s between two scrapes, `before` all since the start"
    else:
        yield f"{found.url}, {found.series:,} series; scraped once: only `before`, all since the start, is known"
    yield ""
    groups: dict[tuple[str, tuple[tuple[str, str], ...]], list[GoldenSignal]] = {}
    for signal in found.signals:
        if signal.signal != "saturation":
            subject = tuple(p for p in signal.subject if p[0] != "statistic")
            groups.setdefault((signal.metric, subject), []).append(signal)
    for (metric, subject), every in list(groups.items())[:_SUBJECTS]:
        kind = dict(subject).get("kind", "")
        labels = ", ".join(f"{k}={v}" for k, v in subject if k not in _ASIDE)
        yield f"{metric} ({', '.join(filter(None, (kind, labels)))})"
        for signal in sorted(every, key=_place):
            yield from _told(signal)
    if len(groups) > _SUBJECTS:
        yield f"and {len(groups) - _SUBJECTS} more, in -o json"
    full = [s for s in found.signals if s.signal == "saturation" and s.now is not None]
    if full:
        yield "how full it is now:"
    for signal in full[:_GAUGES]:
        limit = (
            f" of {signal.limit:,.6g} ({signal.now / signal.limit:.0%})"
            if signal.limit and signal.now is not None
            else ""
        )
        labels = ", ".join(f"{k}={v}" for k, v in signal.subject if k not in _ASIDE)
        unit = "" if signal.unit == "1" else signal.unit
        yield f"  {signal.metric}{f' ({labels})' if labels else ''}: {history_words.amount(signal.now, unit)}{limit}"
    if len(full) > _GAUGES:
        yield f"  and {len(full) - _GAUGES} more, in -o json"


def _place(signal: GoldenSignal) -> tuple[int, int]:
    statistic = dict(signal.subject).get("statistic", "")
    return _ORDER.index(signal.signal), _QUANTILES.index(
        statistic
    ) if statistic in _QUANTILES else len(_QUANTILES)


def _told(signal: GoldenSignal) -> Iterator[str]:
    statistic = dict(signal.subject).get("statistic", "")
    if statistic == "share_over":
        if signal.limit is not None and signal.now is not None:
            yield f"  slower than {signal.limit:g} s: {signal.now:.1%} now, {_share(signal.before)} before"
        return
    if signal.signal == "errors":
        yield f"  errors: {_share(signal.now)} now, {_share(signal.before)} before ({signal.detail})"
        return
    unit = signal.unit.replace("{request}", "requests")
    now = metrics_words.value(signal.now, signal.now_in, unit)
    before = metrics_words.value(signal.before, signal.before_in, unit)
    trace = f", trace {signal.exemplars[0]}" if signal.exemplars else ""
    yield f"  {signal.signal} {statistic}".rstrip() + f": {now} now, {before} before{trace}"


def _share(value: float | None) -> str:
    return "unknown" if value is None else history_words.percent(value)
