"""How full things are over time: what is used, beside the limit that belongs to it, by the table of conventions."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from locard.metrics import conventions, promql, saturation_table
from locard.metrics.measures import BOUNDS, Measure, added, base_of, labels_without

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.metrics.grid import Grid, Row
    from locard.metrics.history import Floats, Labels
    from locard.metrics.saturation_table import Convention
    from locard.model.metric_facts import Pairs, Resource

_NO_LIMIT = 1e15  # a limit so high is none: 2^63 in cgroup v1
_OVER, _SELDOM = 1.05, 0.02  # times a limit, of the time: then it is none


def of_resources(grid: Grid) -> Iterator[Measure]:
    """How full everything is that the table of conventions knows, each thing by itself."""
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
    if not _is_limit(level.values, limit, rate=known.form == "rate"):
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


def _is_limit(values: Floats, limit: Floats | None, *, rate: bool) -> bool:
    """Whether a limit holds what it is said to hold: of a heap one pool alone may have one.

    A quota holds over its periods, which no scrape meets: a rate is judged by its mean.
    """
    if limit is None:
        return False
    both = np.isfinite(values) & np.isfinite(limit)
    if rate:
        return bool(both.any()) and bool(values[both].mean() <= _OVER * limit[both].mean())
    return bool(both.any()) and bool((values[both] <= _OVER * limit[both]).mean() > 1 - _SELDOM)


def _without_limit(resource: Resource, limit: Floats | None) -> Resource:
    return "cpu" if resource == "cpu of limit" and limit is None else resource


def _common_all(rows: list[Row]) -> Labels:
    shared = set(rows[0].series.labels)
    for row in rows[1:]:
        shared &= set(row.series.labels)
    return tuple(sorted(p for p in shared if p[0] not in BOUNDS))


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
