"""The golden signals of one endpoint from two scrapes: what came between them, and all before.

Latency is in latency.py. Counters that fell were reset: what they hold is then new.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from locard.metrics import conventions
from locard.metrics.families import distributions, exemplars, kinds
from locard.metrics.latency import latency, risen
from locard.model.facts import GoldenSignal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.metrics.conventions import Subject
    from locard.metrics.text_format import Exposition, Labels

MAX_GAUGES = 40
MAX_TRACES = 3
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


@dataclass(slots=True)
class _Calls:
    """What was counted of one subject of one family: before the first scrape, and since."""

    before: float = 0.0
    now: float = 0.0
    before_bad: float = 0.0
    now_bad: float = 0.0
    status: bool = False
    traces: list[str] = field(default_factory=list)  # of failed calls


@dataclass(frozen=True, slots=True)
class Scrape:
    """One scrape and when it was taken (Unix seconds)."""

    at: float
    exposition: Exposition


def signals(
    first: Scrape, second: Scrape | None, own_path: str = "", *, anew: bool = False
) -> tuple[GoldenSignal, ...]:
    """All golden signals; with one scrape only, `now` is None and nothing is compared.

    What is counted of requests for `own_path`, the page itself, is left out: it is our own asking,
    and that of other scrapers. `anew`: the process was started between the scrapes, so that all
    that the second one counts is new.
    """
    first = _without(first, own_path)
    second = _without(second, own_path) if second else None
    found = [
        *latency(first, second, anew=anew),
        *_traffic_and_errors(first, second, anew=anew),
        *_saturation(first, second, anew=anew),
    ]
    # What the service serves stands before what it calls.
    return tuple(sorted(found, key=lambda s: ("kind", "client") in s.subject))


def _without(scrape: Scrape, path: str) -> Scrape:
    """A scrape without the series whose labels name a path."""
    bare = path.rstrip("/")
    if not bare:
        return scrape

    def names_it(labels: Labels) -> bool:
        return any(k in conventions.PATH_LABELS and v.rstrip("/") == bare for k, v in labels)

    page = scrape.exposition
    kept = tuple(s for s in page.series if not names_it(s.labels))
    natives = {
        base: {labels: one for labels, one in by_labels.items() if not names_it(labels)}
        for base, by_labels in page.natives.items()
    }
    return Scrape(scrape.at, replace(page, series=kept, natives=natives))


def _counts(scrape: Scrape | None) -> dict[tuple[str, Labels], float]:
    """Request counters, and the counts of histograms and summaries, by base name and labels."""
    found: dict[tuple[str, Labels], float] = {}
    if scrape is None:
        return found
    kind = kinds(scrape.exposition)
    for one in scrape.exposition.series:
        is_a = kind[one.name, one.labels]
        if not 0 <= one.value < math.inf or is_a in {"gauge", "gaugehistogram", "created", "info"}:
            continue
        suffix = next((s for s in ("_total", "_count") if one.name.endswith(s)), None)
        if suffix is not None or is_a == "counter":
            found[one.name.removesuffix(suffix or ""), one.labels] = one.value
    for base, by_labels in distributions(scrape.exposition).items():
        found.update({(base, labels): one.total for labels, one in by_labels.items()})
    return found


def _traffic_and_errors(
    first: Scrape, second: Scrape | None, *, anew: bool
) -> Iterator[GoldenSignal]:
    before, after = _counts(first), _counts(second)
    families: dict[tuple[str, Subject], _Calls] = {}
    traces = exemplars((second or first).exposition)
    for key in sorted(before.keys() | after.keys()):
        subject = conventions.subject(*key)
        if subject is None:
            continue
        calls = families.setdefault((key[0], subject), _Calls())
        then = before.get(key, 0.0)
        new = _increase(None if anew else before.get(key), after.get(key))
        calls.before += then
        calls.now += new
        calls.status = calls.status or conventions.has_status(key[1])
        if conventions.is_error(key[1]):
            calls.before_bad += then
            calls.now_bad += new
            calls.traces += [e.trace_id for e in traces.get(key, ())]
    window = _window(first, second, anew=anew)
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
                p_value=risen(share, count, was),
                detail=f"{int(calls.now_bad)} of {count} now, "
                f"{int(calls.before_bad)} of {int(calls.before)} before",
                exemplars=tuple(dict.fromkeys(calls.traces))[:MAX_TRACES],
            )


def _window(first: Scrape, second: Scrape | None, *, anew: bool) -> float:
    """The seconds in which came what is new."""
    if second is None:
        return 0.0
    uptime = _uptime(second) if anew else None
    return uptime if uptime is not None else second.at - first.at


def _increase(then: float | None, now: float | None) -> float:
    if now is None:
        return 0.0
    return now if then is None or now < then else now - then


def _uptime(first: Scrape) -> float | None:
    for one in first.exposition.series:
        if one.name == "process_start_time_seconds" and 0 < one.value < first.at:
            return first.at - one.value
    return None


def _saturation(first: Scrape, second: Scrape | None, *, anew: bool) -> Iterator[GoldenSignal]:
    then = {(s.name, s.labels): s.value for s in first.exposition.series}
    later = second.exposition if second else first.exposition
    now = {(s.name, s.labels): s.value for s in later.series}
    window = _window(first, second, anew=anew)
    for name, labels in sorted(now.keys() & then.keys()) if window > 0 else ():
        if name == "process_cpu_seconds_total":
            used = _increase(None if anew else then[name, labels], now[name, labels]) / window
            yield _gauge(name, labels, "{cpu}", before=None, now=used)
    gauges = 0
    limits = {(conventions.underscored(n), labels): value for (n, labels), value in now.items()}
    kind = kinds(later)
    for one in later.series:
        if kind[one.name, one.labels] not in {"gauge", "unknown"}:
            continue
        unit_and_limit = _gauge_limit(conventions.underscored(one.name), one.labels, limits)
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
    name: str, labels: Labels, now: dict[tuple[str, Labels], float]
) -> tuple[str, float | None] | None:
    """The unit and the limit of a gauge that says how full something is; else None."""
    if name in {"process_open_fds", "process_files_open_files"}:
        limits = ("process_max_fds", "process_files_max_files")
        return "{fd}", next((v for n in limits if (v := now.get((n, labels)))), None)
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
                    value = now.get(("_".join(candidate), labels))
                    if value and math.isfinite(value):
                        return "1", value
    return "1", None


_COUNTED = ("total", "bucket", "sum", "count", "created", "seconds", "milliseconds", "bytes")
