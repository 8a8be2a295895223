"""The golden signals of one endpoint from two scrapes: what came between them, and all before.

Quantiles come from bucket counts that are added up, never from averaged quantiles, and the bounds
of the bucket they rest on are shown. Counters that fell were reset: what they hold is then new.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from locard.metrics import conventions
from locard.metrics.text_format import Exposition, Histogram, Labels, Series, histograms
from locard.model import wording
from locard.model.facts import GoldenSignal
from locard.stats.intervals import binomial_tail

if TYPE_CHECKING:
    from collections.abc import Iterator

QUANTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
RARE = 0.05  # a call is slow that takes longer than all but this share of the calls before
# What had hardly happened before has an unknown rate, but for "rare".
LEAST_SHARE = 0.005
MAX_SUBJECTS = 50
MAX_GAUGES = 40
_IN_USE = frozenset(
    {
        "active", "acquired", "backlog", "busy", "checkedout", "depth", "flight", "inflight",
        "inuse", "pending", "progress", "queue", "queued", "use", "used", "waiting",
    }
)  # fmt: skip
_RESOURCE = frozenset(
    {
        "conn", "connection", "connections", "executor", "handlers", "pool", "queue", "requests",
        "sessions", "task", "tasks", "thread", "threads", "worker", "workers",
    }
)  # fmt: skip
_LIMITS = ("max", "limit", "capacity", "size", "maximum")

Subject = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Calls:
    """What was counted of one subject of one family: before the first scrape, and since."""

    before: float = 0.0
    now: float = 0.0
    before_bad: float = 0.0
    now_bad: float = 0.0
    status: bool = False


@dataclass(frozen=True, slots=True)
class Scrape:
    """One scrape and when it was taken (Unix seconds)."""

    at: float
    exposition: Exposition


def signals(first: Scrape, second: Scrape | None, own_path: str = "") -> tuple[GoldenSignal, ...]:
    """All golden signals; with one scrape only, `now` is None and nothing is compared.

    What is counted of requests for `own_path`, the page itself, is left out: it is our own asking,
    and that of other scrapers.
    """
    first = _without(first, own_path)
    second = _without(second, own_path) if second else None
    found = [
        *_latency(first, second),
        *_traffic_and_errors(first, second),
        *_saturation(first, second),
    ]
    # What the service serves stands before what it calls.
    return tuple(sorted(found, key=lambda s: ("kind", "client") in s.subject))


def _without(scrape: Scrape, path: str) -> Scrape:
    """A scrape without the series whose labels name a path."""
    bare = path.rstrip("/")
    if not bare:
        return scrape
    kept = tuple(
        s
        for s in scrape.exposition.series
        if not any(k in conventions.PATH_LABELS and v.rstrip("/") == bare for k, v in s.labels)
    )
    return Scrape(scrape.at, replace(scrape.exposition, series=kept))


def _subject(name: str, labels: Labels) -> Subject | None:
    kind = conventions.call_kind(name, labels)
    if kind is None:
        return None
    far = conventions.upstream(labels) if kind == "client" else ()
    return (("kind", kind), *far)


def _latency(first: Scrape, second: Scrape | None) -> Iterator[GoldenSignal]:
    before = histograms(first.exposition.series)
    after = histograms(second.exposition.series) if second else {}
    for base in sorted(before.keys() | after.keys()):
        scale = conventions.seconds(base)
        if scale is None:
            continue
        earlier, later = before.get(base, {}), after.get(base, {})
        subjects: dict[Subject, list[Histogram | None]] = {}
        for labels in sorted(earlier.keys() | later.keys()):
            subject = _subject(base, labels)
            if subject is None:
                continue
            pair = subjects.setdefault(subject, [None, None])
            pair[0] = _add(pair[0], earlier.get(labels))
            if labels in later:
                pair[1] = _add(pair[1], later[labels].minus(earlier.get(labels)))
        for subject, (then, now) in _busiest(subjects):
            yield from _distribution(base, subject, scale, then, now)


def _add(one: Histogram | None, other: Histogram | None) -> Histogram | None:
    if one is None or other is None:
        return one or other
    return one.plus(other) or one


def _busiest(
    subjects: dict[Subject, list[Histogram | None]],
) -> list[tuple[Subject, list[Histogram | None]]]:
    every = sorted(subjects.items(), key=lambda s: -sum(h.total for h in s[1] if h))
    return every[:MAX_SUBJECTS]


def _distribution(
    base: str, subject: Subject, scale: float, then: Histogram | None, now: Histogram | None
) -> Iterator[GoldenSignal]:
    count = int(now.total) if now else 0
    for word, q in QUANTILES:
        yield GoldenSignal(
            signal="latency",
            metric=base,
            subject=(*subject, ("statistic", word)),
            unit="s",
            before=_scaled(then.quantile(q) if then else None, scale),
            now=_scaled(now.quantile(q) if now else None, scale),
            count=count,
            detail=_bounds(then, now, q, scale),
        )
    yield GoldenSignal(
        signal="latency",
        metric=base,
        subject=(*subject, ("statistic", "mean")),
        unit="s",
        before=_scaled(then.mean if then else None, scale),
        now=_scaled(now.mean if now else None, scale),
        count=count,
        detail=f"sum over count, {wording.count(int(then.total) if then else 0, 'event')} before",
    )
    bound = _slow_bound(then)
    if then is not None and bound is not None:
        before, over = then.over(bound), now.over(bound) if now else None
        yield GoldenSignal(
            signal="latency",
            metric=base,
            subject=(*subject, ("statistic", "share_over")),
            unit="1",
            before=before,
            now=over,
            count=count,
            limit=bound * scale,
            p_value=_risen(over, count, before),
            detail=f"share of calls over {bound * scale:g} s, {wording.count(int(then.total), 'event')} before",
        )


def _risen(now: float | None, count: int, before: float | None) -> float | None:
    """How likely so high a share is by chance; None where there is nothing to compare."""
    if now is None or before is None or not count:
        return None
    return binomial_tail(round(now * count), count, max(before, LEAST_SHARE))


def _slow_bound(then: Histogram | None) -> float | None:
    """The lowest bucket bound that all but a few of the earlier calls stayed below."""
    if then is None:
        return None
    for bound in then.bounds[:-1]:
        share = then.over(bound)
        if share is not None and share <= RARE:
            return bound
    return None


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale


def _bounds(then: Histogram | None, now: Histogram | None, q: float, scale: float) -> str:
    said = []
    for word, one in (("before", then), ("now", now)):
        found = one.bucket(q) if one else None
        if found is not None:
            low, high = found[0] * scale, found[1] * scale
            top = f"{low:g} s and more" if math.isinf(high) else f"{low:g} to {high:g} s"
            said.append(f"{word} in the bucket {top}")
    return ", ".join(said)


def _counts(scrape: Scrape | None) -> dict[tuple[str, Labels], float]:
    """Request counters, and the counts of histograms and summaries, by base name and labels."""
    found: dict[tuple[str, Labels], float] = {}
    for one in scrape.exposition.series if scrape else ():
        for suffix in ("_total", "_count"):
            if one.name.endswith(suffix) and math.isfinite(one.value):
                found[one.name.removesuffix(suffix), one.labels] = one.value
    return found


def _traffic_and_errors(first: Scrape, second: Scrape | None) -> Iterator[GoldenSignal]:
    before, after = _counts(first), _counts(second)
    families: dict[tuple[str, Subject], _Calls] = {}
    for key in sorted(before.keys() | after.keys()):
        subject = _subject(*key)
        if subject is None:
            continue
        calls = families.setdefault((key[0], subject), _Calls())
        then, new = before.get(key, 0.0), _increase(before.get(key), after.get(key))
        calls.before += then
        calls.now += new
        calls.status = calls.status or conventions.has_status(key[1])
        if conventions.is_error(key[1]):
            calls.before_bad += then
            calls.now_bad += new
    window = second.at - first.at if second else 0.0
    uptime = _uptime(first)
    for (base, subject), calls in families.items():
        count = int(calls.now)
        yield GoldenSignal(
            signal="traffic",
            metric=base,
            subject=subject,
            unit="{request}/s",
            before=calls.before / uptime if uptime else None,
            now=calls.now / window if window > 0 else None,
            count=count,
            detail=f"{int(calls.before)} before",
        )
        if calls.status:
            was = calls.before_bad / calls.before if calls.before > 0 else None
            share = calls.now_bad / calls.now if calls.now > 0 else None
            yield GoldenSignal(
                signal="errors",
                metric=base,
                subject=subject,
                unit="1",
                before=was,
                now=share,
                count=count,
                p_value=_risen(share, count, was),
                detail=f"{int(calls.now_bad)} of {count} now, "
                f"{int(calls.before_bad)} of {int(calls.before)} before",
            )


def _increase(then: float | None, now: float | None) -> float:
    if now is None:
        return 0.0
    return now if then is None or now < then else now - then


def _uptime(first: Scrape) -> float | None:
    for one in first.exposition.series:
        if one.name == "process_start_time_seconds" and 0 < one.value < first.at:
            return first.at - one.value
    return None


def _saturation(first: Scrape, second: Scrape | None) -> Iterator[GoldenSignal]:
    then = {(s.name, s.labels): s.value for s in first.exposition.series}
    later = second.exposition if second else first.exposition
    now = {(s.name, s.labels): s.value for s in later.series}
    window = second.at - first.at if second else 0.0
    for name, labels in sorted(now.keys() & then.keys()) if window > 0 else ():
        if name == "process_cpu_seconds_total":
            used = _increase(then[name, labels], now[name, labels]) / window
            yield _gauge(name, labels, "{cpu}", before=None, now=used)
    gauges = 0
    for one in later.series:
        unit_and_limit = _gauge_limit(one, now)
        if unit_and_limit is None or gauges >= MAX_GAUGES or not math.isfinite(one.value):
            continue
        gauges += 1
        unit, limit = unit_and_limit
        earlier = then.get((one.name, one.labels))
        yield _gauge(one.name, one.labels, unit, before=earlier, now=one.value, limit=limit)


def _gauge(
    name: str,
    labels: Labels,
    unit: str,
    *,
    before: float | None,
    now: float,
    limit: float | None = None,
) -> GoldenSignal:
    return GoldenSignal("saturation", name, labels, unit, before, now, 0, limit)


def _gauge_limit(
    one: Series, now: dict[tuple[str, Labels], float]
) -> tuple[str, float | None] | None:
    """The unit and the limit of a gauge that says how full something is; else None."""
    name = one.name
    if name in {"process_open_fds", "process_files_open_files"}:
        limits = ("process_max_fds", "process_files_max_files")
        return "{fd}", next((v for n in limits if (v := now.get((n, one.labels)))), None)
    if name in {"process_threads", "jvm_threads_live_threads", "go_goroutines"}:
        return "{thread}", None
    if name == "process_resident_memory_bytes":
        return "By", None
    parts = name.split("_")
    words = frozenset(parts)
    if not (words & _IN_USE and words & _RESOURCE) or parts[-1] in {*_LIMITS, *_COUNTED}:
        return None
    for at, word in enumerate(parts):
        if word in _IN_USE:
            for limit in _LIMITS:
                for candidate in (
                    [*parts[:at], limit, *parts[at + 1 :]],
                    [*parts[:at], *parts[at + 1 :], limit],
                    [*parts, limit],
                    [*parts[:at], limit],
                ):
                    value = now.get(("_".join(candidate), one.labels))
                    if value and math.isfinite(value):
                        return "1", value
    return "1", None


_COUNTED = ("total", "bucket", "sum", "count", "created", "seconds", "milliseconds", "bytes")
