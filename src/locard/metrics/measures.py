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
    from locard.metrics.saturation_table import Convention
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
_BOUNDS = frozenset({"le", "quantile"})
_NO_LIMIT = 1e15  # a limit so high is none: 2^63 in cgroup v1
_OVER, _SELDOM = 1.05, 0.02  # times a limit, of the time: then it is none
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


def all_measures(grid: Grid) -> list[Measure]:
    """Latency, errors, traffic, saturation: every subject that the names tell of."""
    families: dict[str, list[Row]] = defaultdict(list)
    for row in grid.rows:
        families[base_of(row.series.name)].append(row)
    found: list[Measure] = []
    for base, rows in families.items():
        found += _calls(base, rows, grid)
    found += _only_errors(found, families)
    found += _saturation(grid)
    return found


# -- requests -----------------------------------------------------------------------------------


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
    return tuple(sorted(p for p in shared if p[0] not in _BOUNDS and p[0] not in INSTANCE_LABELS))


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


# -- what is full -------------------------------------------------------------------------------


def _saturation(grid: Grid) -> Iterator[Measure]:
    groups: dict[tuple[Convention, str, Pairs], list[Row]] = defaultdict(list)
    for row in grid.rows:
        known = saturation_table.conventions_of(row.series.name, dict(row.series.labels))
        if known is not None and row.kind != "moment":
            # One line for each thing that can be full: a pool, a container, a process.
            groups[known, base_of(row.series.name), _thing(row, known)].append(row)
    by_name: dict[str, list[Row]] = defaultdict(list)
    for row in grid.rows:
        by_name[saturation_table.plain(row.series.name)].append(row)
    for (known, base, thing), rows in groups.items():
        measure = _filled(known, base, thing, rows, (by_name, grid))
        if measure is not None:
            yield measure


def _thing(row: Row, known: Convention) -> Pairs:
    """The labels of what is full: several memory pools of one heap are one."""
    gone = {"le", "quantile", "id", "cause", "action", "gc"} | {
        n for w, _ in known.where for n in w.split("|")
    }
    if row.series.label("id").startswith("/") and not any(
        row.series.label(n) for n in ("pod", "container", "name")
    ):
        gone -= {"id"}  # a control group without another name: its parent is another one
    return labels_without(row.series.labels, gone)


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """What is used, over time, and how PromQL asks for it."""

    values: Floats
    query: str
    sum: Floats | None = None
    count: Floats | None = None


def _filled(
    known: Convention,
    base: str,
    thing: Pairs,
    rows: list[Row],
    around: tuple[dict[str, list[Row]], Grid],
) -> Measure | None:
    by_name, grid = around
    labels = _common_all(rows)
    level = _used(known, base, rows, labels, grid)
    if level is None:
        return None
    if known.over:
        return _share_of(known, base, thing, rows, by_name)
    limit, query = _limited(known, rows, by_name, level.query, labels)
    if not _is_limit(level.values, limit):
        limit, query = None, level.query
    return Measure("saturation", base, thing, known.unit, level.values, query, rows, sum=level.sum, count=level.count,
                   resource=_without_limit(known.resource, limit), limit=limit, convention=known.source)  # fmt: skip


def _used(
    known: Convention, base: str, rows: list[Row], labels: Labels, grid: Grid
) -> _Level | None:
    name = rows[0].series.name
    if known.form == "mean":
        spent = [r for r in rows if r.series.name.endswith("_sum")]
        calls = [r for r in rows if r.series.name.endswith("_count")]
        if not spent or not calls:
            return None
        sums, counts = added(spent) * (conventions.seconds(base) or 1.0), added(calls)
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.where(counts > 0, sums / counts, np.nan)
        return _Level(values, promql.mean(base, labels), sums, counts)
    if known.form == "rate":
        return (
            None
            if rows[0].growth is None
            else _Level(added(rows) / grid.step, promql.rate(name, labels))
        )
    stack = np.array([r.values for r in rows])
    values = np.where(np.isfinite(stack).any(axis=0), np.nansum(stack, axis=0), np.nan)
    return _Level(values, promql.selector(name, labels))


def _share_of(
    known: Convention, base: str, thing: Pairs, rows: list[Row], by_name: dict[str, list[Row]]
) -> Measure | None:
    """One counter as a share of another: periods that were throttled of all."""
    whole = _matching(known.over, rows[0], by_name)
    if not whole:
        return None
    labels, of, bad = _common_all(rows), added(whole), added(rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(of > 0, bad / of, np.nan)
    query = (
        f"{promql.rate(rows[0].series.name, labels)} / {promql.rate(whole[0].series.name, labels)}"
    )
    return Measure("saturation", base, thing, "1", values, query, rows, total=of, bad=np.minimum(bad, of),
                   resource=known.resource, convention=known.source)  # fmt: skip


def _limited(
    known: Convention, rows: list[Row], by_name: dict[str, list[Row]], query: str, labels: Labels
) -> tuple[Floats | None, str]:
    """The limit over time, where there is one, and the query with it."""
    limits = _matching(known.limit, rows[0], by_name, known.limit_where) if known.limit else []
    if not limits:
        return None, query
    stack = np.array([r.values for r in limits])
    # Heaps have a limit for each of their pools; of others the same one is told more than once.
    top = (
        np.nansum(stack, axis=0)
        if known.limit_where
        else np.where(np.isfinite(stack), stack, -np.inf).max(axis=0)
    )
    limit = np.where(np.isfinite(top) & (top > 0) & (top < _NO_LIMIT), top, np.nan)
    if known.resource == "cpu of limit":
        period = _matching("container_spec_cpu_period", rows[0], by_name)
        limit /= period[0].values if period else 100_000.0
    query = f"{query} / {promql.selector(limits[0].series.name, labels)}"
    return (limit if np.isfinite(limit).any() else None), query


def _is_limit(values: Floats, limit: Floats | None) -> bool:
    """Whether a limit holds what it is said to hold: of a heap one pool alone may have one."""
    if limit is None:
        return False
    both = np.isfinite(values) & np.isfinite(limit)
    return bool(both.any()) and bool((values[both] <= _OVER * limit[both]).mean() > 1 - _SELDOM)


def _without_limit(resource: Resource, limit: Floats | None) -> Resource:
    return "cpu" if resource == "cpu of limit" and limit is None else resource


def _common_all(rows: list[Row]) -> Labels:
    shared = set(rows[0].series.labels)
    for row in rows[1:]:
        shared &= set(row.series.labels)
    return tuple(sorted(p for p in shared if p[0] not in _BOUNDS))


def _matching(
    pattern: str, row: Row, by_name: dict[str, list[Row]], where: tuple[tuple[str, str], ...] = ()
) -> list[Row]:
    """The series of another metric about the same thing: equal in every label that both have."""
    own = dict(row.series.labels)
    found = []
    for name, rows in by_name.items():
        if not re.fullmatch(pattern, name):
            continue
        for other in rows:
            theirs = dict(other.series.labels)
            shared = [
                k for k in theirs if k in own and k not in {"state", "job", "cause", "action"}
                and (k != "id" or own[k].startswith("/"))
            ]  # fmt: skip
            if (
                all(theirs[k] == own[k] for k in shared)
                and saturation_table.fits(where, theirs)
                and (shared or not theirs)
            ):
                found.append(other)
    return found
