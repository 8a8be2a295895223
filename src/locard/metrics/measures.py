"""Golden signals over time from the series of a window, by the conventions of their names.

Counts of several series are added up slot by slot, and quantiles come of added buckets, never of other
quantiles. A slot in which a series has no sample is not taken for a slot without requests.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from locard.metrics import conventions, promql, saturation_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locard.metrics.grid import Grid, Row
    from locard.metrics.history import Floats, Labels
    from locard.model.metric_facts import Pairs, Resource

Signal = Literal["latency", "traffic", "errors", "saturation"]
SERVICE_LABELS = (
    "namespace", "job", "service", "service_name", "service.name", "application", "app", "cluster",
)  # fmt: skip
INSTANCE_LABELS = frozenset(
    [
        "instance",
        "pod",
        "pod_name",
        "container_id",
        "host",
        "hostname",
        "node",
        "uid",
        "replica",
        "worker",
        "pid",
        "container_name",
        "image",
        "id",
        "name_id",
        "service_instance_id",
        "service.instance.id",
        "exported_instance",
        "k8s_pod_name",
        "k8s.pod.name",
        "endpoint",
    ]
)
BOUNDS = frozenset({"le", "quantile"})
_RARE = 0.05  # a request is slow that takes longer than all but this share of those before
_SUFFIX = re.compile(r"[._](total|count|sum|bucket)$")


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """A classic histogram over time: `cumulative` (B, T) counts by upper bound in seconds or the unit."""

    bounds: tuple[float, ...]
    cumulative: Floats


@dataclass(slots=True, eq=False)
class Measure:
    """One measure of one subject over time, `values` (T,) as it is shown.

    `total` and `bad` (T,) are counts of requests where it is a share of them; `sum` (T,) and `count` (T,)
    those of a mean. `rows` are the series that it is made of.
    """

    signal: Signal
    metric: str
    subject: Pairs
    unit: str
    values: Floats
    query: str
    rows: list[Row]
    total: Floats | None = None
    bad: Floats | None = None
    sum: Floats | None = None
    count: Floats | None = None
    buckets: Buckets | None = None
    slow_over: float | None = None  # seconds: what `bad` took longer than
    resource: Resource = ""
    limit: Floats | None = None
    convention: str = ""
    detail: str = ""
    parts: dict[str, list[Row]] = field(default_factory=dict)


def base_of(name: str) -> str:
    """The family of a series: its name without _total, _count, _sum, _bucket."""
    return _SUFFIX.sub("", name)


def labels_without(labels: Labels, *left_out: Iterable[str]) -> Labels:
    """Labels but those."""
    gone = {name for names in left_out for name in names}
    return tuple(p for p in labels if p[0] not in gone)


def service_of(labels: Labels) -> Pairs:
    """The labels that say which service it is."""
    return tuple(p for p in labels if p[0] in SERVICE_LABELS)


def added(rows: list[Row]) -> Floats:
    """Growth of several counters, slot by slot; NaN where one that was there before has no sample."""
    stack = np.array([r.growth for r in rows])
    known = np.isfinite(stack)
    first = np.argmax(known, axis=1)
    last = stack.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    slots = np.arange(stack.shape[1])
    alive = (slots >= first[:, None]) & (slots <= last[:, None]) & known.any(axis=1)[:, None]
    missing = (alive & ~known).any(axis=0) | ~known.any(axis=0)
    return np.where(missing, np.nan, np.nansum(stack, axis=0))


def of_requests(grid: Grid) -> list[Measure]:
    """Latency, errors and traffic of every subject that the names tell of."""
    families: dict[str, list[Row]] = defaultdict(list)
    for row in grid.rows:
        families[base_of(row.series.name)].append(row)
    found: list[Measure] = []
    for base, rows in families.items():
        found += _calls(base, rows, grid)
    found += _only_errors(found, families)
    return found


def _calls(base: str, rows: list[Row], grid: Grid) -> Iterator[Measure]:
    counters = [r for r in rows if r.kind == "counter"]
    by_subject: dict[Pairs, list[Row]] = defaultdict(list)
    for row in counters:
        kind = conventions.call_kind(base, row.series.labels) or _timed(base, row)
        if kind is None:
            continue
        far = conventions.upstream(row.series.labels) if kind == "client" else ()
        by_subject[(("kind", kind), *service_of(row.series.labels), *far)].append(row)
    for subject, every in by_subject.items():
        buckets = [r for r in every if r.series.label("le")]
        counts = [r for r in every if _counts(r)]
        if buckets:
            yield from _slow(base, subject, buckets, every)
        elif (
            counts
            and conventions.seconds(base) is not None
            and any(r.series.name.endswith("_sum") for r in every)
        ):
            yield from _mean(base, subject, every)
        if counts:
            yield from _traffic(base, subject, counts, grid)


def _timed(base: str, row: Row) -> str | None:
    """What is timed but names no request: queries, jobs, steps. None where nothing is timed, or only waited."""
    timed = conventions.seconds(base) is not None and row.series.name.endswith(
        ("_bucket", "_sum", "_count")
    )
    if (
        not timed
        or saturation_table.conventions_of(base + "_sum", dict(row.series.labels)) is not None
    ):
        return None
    return "work"


def _counts(row: Row) -> bool:
    name = row.series.name
    return (
        not row.series.label("le")
        and not name.endswith(("_sum", "_bucket"))
        and row.growth is not None
    )


def _traffic(base: str, subject: Pairs, rows: list[Row], grid: Grid) -> Iterator[Measure]:
    total = added(rows)
    name = rows[0].series.name
    # A status of "all" tells none apart.
    status = any(
        conventions.has_status(tuple(p for p in r.series.labels if p[1] != "all")) for r in rows
    )
    failed = [r for r in rows if conventions.is_error(r.series.labels)]
    if len(failed) == len(rows):
        return  # only what failed is counted: no traffic, and no share
    yield Measure(
        "traffic", base, subject, "{request}/s", total / grid.step,
        promql.rate(name, _common(rows)), rows, count=total,
    )  # fmt: skip
    if status:
        bad = added(failed) if failed else np.where(np.isfinite(total), 0.0, np.nan)
        bad = np.where(np.isnan(bad) & np.isfinite(total), 0.0, bad)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(total > 0, np.minimum(bad, total) / total, np.nan)
        yield Measure(
            "errors", base, subject, "1", share, promql.share(name, _common(rows), failed), rows,
            total=total, bad=np.minimum(bad, total),
        )  # fmt: skip


def _only_errors(found: list[Measure], families: dict[str, list[Row]]) -> Iterator[Measure]:
    """Families that count nothing but failures, as a share of the requests of the same service."""
    for base, every in families.items():
        rows = [
            r
            for r in every
            if _counts(r) and r.kind == "counter" and conventions.call_kind(base, r.series.labels)
        ]
        if not rows or not all(conventions.is_error(r.series.labels) for r in rows):
            continue
        service = service_of(rows[0].series.labels)
        asked = [
            m
            for m in found
            if m.signal == "traffic" and service_of(m.subject) == service and service
        ]
        bad = added(rows)
        for one in asked[:1]:
            assert one.count is not None  # noqa: S101 - traffic has it
            with np.errstate(invalid="ignore", divide="ignore"):
                share = np.where(one.count > 0, np.minimum(bad, one.count) / one.count, np.nan)
            yield Measure(
                "errors", base, one.subject, "1", share,
                f"{promql.rate(rows[0].series.name, _common(rows))} / {one.query}",
                rows, total=one.count, bad=np.minimum(np.where(np.isnan(bad), 0.0, bad), one.count),
                detail=f"of the requests that {one.metric} counts",
            )  # fmt: skip


def _common(rows: list[Row]) -> Labels:
    """The label pairs that all have, without those of one instance or bucket."""
    shared = set(rows[0].series.labels)
    for row in rows[1:]:
        shared &= set(row.series.labels)
    return tuple(sorted(p for p in shared if p[0] not in BOUNDS and p[0] not in INSTANCE_LABELS))


def _slow(base: str, subject: Pairs, buckets: list[Row], every: list[Row]) -> Iterator[Measure]:
    scale = conventions.seconds(base)
    if scale is None:
        return
    by_bound: dict[float, list[Row]] = defaultdict(list)
    for row in buckets:
        try:
            by_bound[float(row.series.label("le"))].append(row)
        except ValueError:
            continue
    bounds = sorted(by_bound)
    # Series whose bounds differ cannot be added.
    sizes = {len(v) for v in by_bound.values()}
    if not bounds or not np.isinf(bounds[-1]) or len(sizes) > 1:
        return
    cumulative = np.maximum.accumulate(np.array([added(by_bound[b]) for b in bounds]), axis=0)
    sums = [r for r in every if r.series.name.endswith("_sum")]
    total, spent = cumulative[-1], added(sums) * scale if sums else None
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(total > 0, spent / total, np.nan) if spent is not None else None
    scaled = tuple(b * scale for b in bounds)
    at = _slow_bound(cumulative)
    bad = None if at is None else total - cumulative[at]
    shown = mean if mean is not None else bad
    if shown is None:
        return
    yield Measure(
        "latency", base, subject, "s", shown,
        promql.mean(base, _common(buckets)) if mean is not None else promql.quantile(base, _common(buckets)), every, total=total, bad=bad,
        sum=spent, count=total, buckets=Buckets(scaled, cumulative),
        slow_over=None if at is None else scaled[at],
    )  # fmt: skip


def _slow_bound(cumulative: Floats) -> int | None:
    """The lowest finite bound below which all but a few stay in the first half of the time."""
    half = cumulative[:, : max(1, cumulative.shape[1] // 2)]
    sums = np.nansum(half, axis=1)
    if sums[-1] <= 0:
        sums = np.nansum(cumulative, axis=1)
    if sums[-1] <= 0:
        return None
    over = 1 - sums[:-1] / sums[-1]
    fit = np.flatnonzero(over <= _RARE)
    return int(fit[0]) if fit.size else None


def _mean(base: str, subject: Pairs, every: list[Row]) -> Iterator[Measure]:
    scale = conventions.seconds(base) or 1.0
    sums = [r for r in every if r.series.name.endswith("_sum")]
    counts = [r for r in every if r.series.name.endswith("_count")]
    if not sums or not counts:
        return
    spent, count = added(sums) * scale, added(counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, spent / count, np.nan)
    yield Measure(
        "latency",
        base,
        subject,
        "s",
        mean,
        promql.mean(base, _common(sums)),
        every,
        sum=spent,
        count=count,
    )
