"""What was done or happened, read from the series: restarts, new instances, limits, workers, gaps, rules."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from locard.metrics import alerts, promql
from locard.metrics.grid import target_of
from locard.model.metric_facts import MetricChange
from locard.stats.courses import describe_change
from locard.stats.shifts import find_shifts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from locard.metrics.grid import Grid, Row
    from locard.metrics.history import History, Series

_STARTS = ("process_start_time_seconds", "container_start_time_seconds")
LIMIT = re.compile(
    r"(_limit|_limits|_quota|_max|_capacity|_maximum|spec_replicas|_desired|_config_)"
)
NO_LIMIT = re.compile(
    r"(_total|_count|_sum|_bucket|_seconds_max|_duration.*_max|_millis_max|_timeseries)$"
)
_EARLY = 4  # slots: what is there by then was there all the time
_GAP = 3  # slots without a sample of a target that is there before and after
_MONITORS = ("kube_",)
_FLAPS = 3
_UNSEEN = 40  # samples


def all_events(grid: Grid, history: History) -> list[MetricChange]:
    """Everything of the window, in the order of time."""
    found = [
        *_workers(grid), *_starts(grid), *_targets(grid, history), *_limits(grid), *_gaps(grid), *_rules(grid, history), *_readiness(grid), *_versions(grid),
    ]  # fmt: skip
    return sorted(found, key=lambda c: c.at)


def _workers(grid: Grid) -> Iterator[MetricChange]:
    """How many processes answer for one target, and when that changed."""
    for target, series in grid.workers.items():
        name = "/".join(filter(None, target))
        alive = processes_alive(series)[
            :-_UNSEEN
        ]  # of the last ones it is not known how long they go on
        if alive.size < 2 * _UNSEEN:
            continue
        moved = find_shifts(alive[None, :], alive.size // 8 or 1, np.array([0.5]), widths=(4, 16))
        change = (
            describe_change(alive, int(moved.at[0]), int(moved.width[0]))
            if moved.score[0] > 0
            else None
        )
        if change is None or abs(change.after - change.before) < 1:
            continue
        yield MetricChange(
            float(series.times[change.at]), "workers",
            f"{name}: about {change.before:.0f} processes answer in turn before, about {change.after:.0f} after, "
            "told by their start times",
            promql.selector(series.name, series.labels),
        )  # fmt: skip


def processes_alive(series: Series) -> NDArray[np.float64]:
    """How many start times are in use at each sample: from the first to the last time that each was seen."""
    alive = np.zeros(series.values.size)
    for value in np.unique(series.values):
        where = np.flatnonzero(series.values == value)
        alive[where[0] : where[-1] + 1] += 1
    return alive


def _starts(grid: Grid) -> Iterator[MetricChange]:
    """Start times that moved forward: restarts, together where they come again and again."""
    for row in grid.named(*_STARTS):
        known = np.flatnonzero(np.isfinite(row.values))
        moved = known[1:][np.diff(row.values[known]) > 1.0]
        if not moved.size:
            continue
        labels = row.series.labels
        name = (
            row.series.label("pod")
            or row.series.label("container")
            or "/".join(filter(None, target_of(row.series)))
        )
        times = "restarted" if moved.size == 1 else f"restarted {moved.size} times"
        every = f", every {np.median(np.diff(moved)) * grid.step:.0f} s" if moved.size > 2 else ""  # noqa: PLR2004
        yield MetricChange(
            grid.time(int(moved[0])),
            "restart",
            f"{name} {times}{every}",
            promql.selector(row.series.name, labels),
            name,
            int(moved.size),
        )


def restarted_slots(grid: Grid) -> dict[str, list[int]]:
    """The slots in which a pod (by its name) or a target (job/instance) got a new start time."""
    found: dict[str, list[int]] = {}
    for row in grid.named(*_STARTS):
        known = np.flatnonzero(np.isfinite(row.values))
        moved = known[1:][np.diff(row.values[known]) > 1.0]
        name = row.series.label("pod") or "/".join(filter(None, target_of(row.series)))
        found.setdefault(name, []).extend(int(i) for i in moved)
    return found


def _life(seen: NDArray[np.bool_]) -> tuple[int, int]:
    where = np.flatnonzero(seen)
    return (int(where[0]), int(where[-1])) if where.size else (0, -1)


def failing_targets(grid: Grid) -> dict[tuple[str, ...], int | None]:
    """Targets whose last scrapes failed, with the slot since when; those that answered have None."""
    found: dict[tuple[str, ...], int | None] = {}
    for row in grid.named("up"):
        known = np.flatnonzero(np.isfinite(row.values))
        fine = known[row.values[known] > 0]
        last = int(known[-1]) if known.size else -1
        down = known.size > 0 and row.values[last] == 0
        found[target_of(row.series)] = (int(fine[-1]) + 1 if fine.size else 0) if down else None
    return found


def _targets(grid: Grid, history: History) -> Iterator[MetricChange]:
    """Targets that came or went while others of their job were there."""
    jobs: dict[str, list[tuple[tuple[str, ...], int, int]]] = defaultdict(list)
    for target, seen in grid.up.items():
        first, last = _life(seen)
        if last >= 0 and any(target):
            jobs[target[0]].append((target, first, last))
    monitors = _monitors(history)
    newest = max((last for every in jobs.values() for _, _, last in every), default=0)
    for every in jobs.values():
        came = [t for t in every if t[1] > _EARLY]
        failing = {t for t, begun in failing_targets(grid).items() if begun is not None}
        went = [t for t in every if t[2] < newest - _EARLY and t[0] not in failing]
        old = [t for t in every if t[1] <= _EARLY]
        if not old:
            continue
        for target, first, _ in came:
            left = next(
                (
                    w
                    for w in went
                    if w[0] != target and abs(w[2] - first) < max(20, grid.length // 8)
                ),
                None,
            )
            monitor = target in monitors
            if left is not None:
                went.remove(left)
                what = f"{target[0]} was replaced ({left[0][1]} → {target[1]})"
                overlap = left[2] - first
                if overlap > 1:
                    what += f", both scraped for {overlap * grid.step / 60:.0f} min"
                yield MetricChange(grid.time(first), "monitor replaced" if monitor else "new instance", what,
                                   promql.selector("up", (("job", target[0]),)))  # fmt: skip
            else:
                yield MetricChange(grid.time(first), "new instance", f"{'/'.join(target)} is scraped for the first time",
                                   promql.selector("up", (("job", target[0]), ("instance", target[1]))))  # fmt: skip
        for target, _, last in went:
            yield MetricChange(grid.time(last), "instance gone", f"{'/'.join(target)} is not scraped any more",
                               promql.selector("up", (("job", target[0]), ("instance", target[1]))))  # fmt: skip


def _monitors(history: History) -> set[tuple[str, ...]]:
    """Targets that report about others, as kube-state-metrics does."""
    about: dict[tuple[str, ...], list[bool]] = defaultdict(list)
    for one in history.series:
        about[target_of(one)].append(one.name.startswith(_MONITORS))
    return {target for target, every in about.items() if sum(every) > len(every) / 2}


def _limits(grid: Grid) -> Iterator[MetricChange]:
    """Limits that stood at one value before and at another after."""
    groups: dict[tuple[str, int, float, float], list[Row]] = defaultdict(list)
    for row in grid.rows:
        name = row.series.name
        if row.kind != "gauge" or not LIMIT.search(name) or NO_LIMIT.search(name):
            continue
        known = np.flatnonzero(np.isfinite(row.values))
        moved = np.flatnonzero(np.diff(row.values[known]) != 0)
        if moved.size == 1 and known.size > 8:  # noqa: PLR2004
            at = int(known[moved[0] + 1])
            groups[name, at, float(row.values[known[0]]), float(row.values[known[-1]])].append(row)
    for (name, at, before, after), rows in groups.items():
        shared = set(rows[0].series.labels)
        for row in rows[1:]:
            shared &= set(row.series.labels)
        labels = tuple(sorted(shared))
        of = next(
            (f" of {k} {v}" for k, v in labels if k in {"container", "pool", "deployment", "name"}),
            "",
        )
        yield MetricChange(grid.time(at), "limit", f"{name}{of}: {before:g} → {after:g} ({len(rows)} series)",
                           promql.selector(name, labels))  # fmt: skip


def _gaps(grid: Grid) -> Iterator[MetricChange]:
    """Scrapes that failed: neither good nor bad is known of that time."""
    down: dict[tuple[str, ...], NDArray[np.bool_]] = {}
    for row in grid.named("up"):
        down[target_of(row.series)] = row.values == 0
    for target, seen in grid.up.items():
        first, last = _life(seen)
        if last < 0 or seen.sum() < 8 or not any(target):  # noqa: PLR2004
            continue
        missing = ~seen
        missing[:first] = missing[last + 1 :] = False
        missing |= down.get(target, np.zeros(grid.length, bool))
        for begin, end in _runs(missing):
            if end - begin < _GAP:
                continue
            failed = target in down and bool(down[target][begin:end].any())
            why = "its scrapes failed (up is 0)" if failed else "it has no samples"
            yield MetricChange(
                grid.time(begin), "gap",
                f"{'/'.join(filter(None, target))}: {why} for {(end - begin) * grid.step / 60:.1f} min: "
                "no data, neither good nor bad", promql.selector("up", ()),
            )  # fmt: skip


def _runs(mask: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    yield from ((int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True))


def _rules(grid: Grid, history: History) -> Iterator[MetricChange]:
    """A rule whose condition held long before it was pending: the rule is newer than what it is about."""
    courses = {a.name: a for a in alerts.read_alerts(history)}
    for rule in history.rules:
        course, asked = courses.get(str(rule.get("name"))), alerts.threshold_of(rule)
        if course is None or course.first_pending is None or asked is None:
            continue
        name, op, limit = asked
        rows = grid.named(name)
        if len(rows) != 1:
            continue
        held = rows[0].values > limit if op.startswith(">") else rows[0].values < limit
        pending = grid.slot(course.first_pending)
        known = np.isfinite(rows[0].values[:pending])
        before = held[:pending][known]
        if before.size > 8 and before[-8:].all() and before.mean() > 0.9:  # noqa: PLR2004
            yield MetricChange(
                course.first_pending, "rule",
                f"the condition of {course.name} held already before it was pending: the rule is new or was changed",
                str(rule.get("query")),
            )  # fmt: skip


def _readiness(grid: Grid) -> Iterator[MetricChange]:
    """Pods that are ready and not in turn."""
    for row in grid.named("kube_pod_status_ready"):
        if row.series.label("condition") not in {"true", ""}:
            continue
        known = np.flatnonzero(np.isfinite(row.values))
        lost = known[1:][np.diff(row.values[known]) < 0]
        if lost.size >= _FLAPS:
            yield MetricChange(
                grid.time(int(lost[0])), "readiness",
                f"{row.series.label('pod')} stopped being ready {lost.size} times",
                promql.selector(row.series.name, row.series.labels),
                row.series.label("pod"), int(lost.size), row.series.label("namespace"),
            )  # fmt: skip


def _versions(grid: Grid) -> Iterator[MetricChange]:
    """Versions that build_info tells of: one that came within the window, with what was there before."""
    seen: dict[tuple[str, str], dict[str, int]] = {}
    for row in grid.rows:
        version = row.series.label("version")
        if row.series.name.endswith("build_info") and version:
            first = _life(np.isfinite(row.values))[0]
            known = seen.setdefault((row.series.name, row.series.label("job")), {})
            known[version] = min(first, known.get(version, first))
    for (name, job), known in seen.items():
        old = [v for v, first in known.items() if first <= _EARLY]
        for version, first in known.items():
            if old and first > _EARLY:
                yield MetricChange(
                    grid.time(first), "version",
                    f"{job or name} has version {version}, before it {', '.join(sorted(old))}",
                    promql.selector(name, (("job", job),) if job else ()), job,
                )  # fmt: skip
