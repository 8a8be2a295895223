"""Series on one even grid: counters as what they grew by, gauges as they stand.

Counters are read as Prometheus reads them: what falls was reset. With one exception, which is said: a
counter that appears on a target that had been scraped before counts from 0, since a client library
creates a label set when it is first needed. Targets whose page is answered by several processes in turn
are told by start times that go back and forth; their counters are no counters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from locard.model.log_facts import Onset
from locard.model.metric_facts import CONFIDENCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from locard.metrics.history import Floats, History, Series

Kind = Literal["counter", "gauge", "moment"]
TARGET_LABELS = ("job", "instance")
_COUNTER = re.compile(r"(_total|_count|_sum|_bucket|\.total|\.count|\.sum|\.bucket)$")
_GAUGE = re.compile(
    r"_(bytes|ratio|percent|percentage|celsius|info|size|limit|max|min|current|active|usage|temperature|depth|lag)$"
)
_MOMENT = re.compile(
    r"(_created|start_time(_seconds)?|timestamp(_seconds)?|_time_ms|boot_time(_seconds)?)$"
)
_START = "process_start_time_seconds"
_LATE = 1.6  # times the interval: a longer pause is a gap
_MOST_SLOTS = 4000
_FEWEST, _MOSTLY, _CHAOS = (
    20,
    0.5,
    0.3,
)  # values that tell a kind; of the steps; falls that no resets are
_BACK_AND_FORTH = 3  # start times that go back so often are no restarts


@dataclass(slots=True, eq=False)
class Row:
    """One series on the grid. `values` (T,): growth a second of a counter, the level of a gauge.

    `born` is the slot in which a counter appeared on a target that was up, with what it held then;
    `growth` (T,) is what a counter grew by in each slot.
    """

    series: Series
    kind: Kind
    values: Floats
    growth: Floats | None = None
    born: int | None = None
    held: float = 0.0


@dataclass(slots=True, eq=False)
class Grid:
    """`start` is the time of slot 0, `step` seconds lie between two slots, `length` slots there are.

    `workers` are targets that answer as several processes: their distinct start times over time.
    """

    start: float
    step: float
    length: int
    rows: list[Row] = field(default_factory=list)
    workers: dict[tuple[str, ...], Series] = field(default_factory=dict)
    up: dict[tuple[str, ...], NDArray[np.bool_]] = field(default_factory=dict)
    left_out: int = 0

    def slot(self, at: float) -> int:
        """The slot of a time."""
        return round((at - self.start) / self.step)

    def time(self, slot: float) -> float:
        """The time of a slot."""
        return self.start + slot * self.step

    def named(self, *names: str) -> list[Row]:
        """The rows of these metrics."""
        return [r for r in self.rows if r.series.name in names]


def onset_between(earliest: float, latest: float) -> Onset:
    """An interval (Unix seconds) that holds an onset."""
    return Onset(earliest, latest, CONFIDENCE)


def target_of(series: Series) -> tuple[str, ...]:
    """Which scraped target a series is of."""
    return tuple(series.label(name) for name in TARGET_LABELS)


def lay_out(history: History) -> Grid | None:
    """The grid of a reading; None where it holds no samples."""
    every = [s for s in history.series if s.name and s.name not in {"ALERTS", "ALERTS_FOR_STATE"}]
    every = _one_replica(every)
    if not every:
        return None
    step = history.step or _interval(every)
    start = min(float(s.times[0]) for s in every)
    end = max(float(s.times[-1]) for s in every)
    step = max(step, (end - start) / _MOST_SLOTS, 0.001)
    grid = Grid(start, step, round((end - start) / step) + 1)
    grid.workers = _workers(every)
    slots = [np.rint((s.times - start) / step).astype(np.intp) for s in every]
    for one, at in zip(every, slots, strict=True):
        seen = grid.up.setdefault(target_of(one), np.zeros(grid.length, bool))
        if one.name not in {"up", "scrape_duration_seconds", "scrape_samples_scraped",
                            "scrape_samples_post_metric_relabeling", "scrape_series_added"}:  # fmt: skip
            seen[at] = True
    for one, at in zip(every, slots, strict=True):
        if target_of(one) in grid.workers:
            grid.left_out += 1
            continue
        grid.rows.append(_row(one, at, grid, history.types))
    return grid


_REPLICAS = ("prometheus_replica", "__replica__", "receive_replica", "rule_replica")


def _one_replica(every: list[Series]) -> list[Series]:
    """Of pairs of servers that scrape the same targets one: sums would count everything twice."""
    for label in _REPLICAS:
        counts: dict[str, int] = {}
        for one in every:
            value = one.label(label)
            counts[value] = counts.get(value, 0) + one.values.size
        if len(counts) > 1 and "" not in counts:
            keep = max(counts, key=counts.__getitem__)
            every = [s for s in every if s.label(label) == keep]
    return every


def _interval(every: list[Series]) -> float:
    gaps = [
        float(np.median(np.diff(s.times)))
        for s in every[:: max(1, len(every) // 500)]
        if s.times.size > 1
    ]
    return float(np.median(gaps)) if gaps else 15.0


def kind_of(series: Series, types: dict[str, str]) -> Kind:
    """Counter or gauge: by what the server knows, by the name, else by the shape."""
    name = series.name
    if _MOMENT.search(name):
        return "moment"
    base = re.sub(r"[._](bucket|count|sum|total)$", "", name)
    known = types.get(name) or types.get(base, "")
    if known == "counter" or (
        known in {"histogram", "summary", "gaugehistogram"} and _COUNTER.search(name)
    ):
        return "counter"
    if known in {"gauge", "info", "stateset", "summary"}:
        return "gauge"
    values = series.values[np.isfinite(series.values)]
    falls = np.diff(values) < 0
    if _COUNTER.search(name):
        return "gauge" if values.size > 8 and falls.mean() > _CHAOS else "counter"  # noqa: PLR2004
    if _GAUGE.search(name) or values.size < _FEWEST:
        return "gauge"
    # Whole numbers that only grow, and do so most of the time, count something.
    grows = np.diff(values) > 0
    whole = bool((values == np.rint(values)).all()) and not falls.any()
    return "counter" if whole and grows.mean() > _MOSTLY and grows.sum() > _FEWEST else "gauge"


def _row(one: Series, at: NDArray[np.intp], grid: Grid, types: dict[str, str]) -> Row:
    kind = kind_of(one, types)
    values = np.full(grid.length, np.nan)
    if kind != "counter":
        values[at] = one.values
        return Row(one, kind, values)
    growth = np.full(grid.length, np.nan)
    known = np.isfinite(one.values)
    v, t, where = one.values[known], one.times[known], at[known]
    if v.size > 1:
        grown = np.diff(v)
        grown = np.where(grown < 0, v[1:], grown)  # it was reset: what it holds is new
        took = np.diff(t)
        near = took <= _LATE * grid.step
        rate = grown / np.maximum(took, 1e-3)
        values[where[1:][near]] = rate[near]
        growth[where[1:][near]] = grown[near]
        # After a gap the mean over it stands at its end only: what happened inside is not known.
    row = Row(one, kind, values, growth)
    if v.size and where[0] > 0:
        _count_from_nothing(row, int(where[0]), float(v[0]), grid)
    return row


def _count_from_nothing(row: Row, first: int, held: float, grid: Grid) -> None:
    """A counter that appeared on a target that was up counts from 0, in slots in which that was seen."""
    seen = grid.up[target_of(row.series)]
    if not seen[first - 1] or row.growth is None:
        return
    row.born, row.held = first, held
    before = np.flatnonzero(seen[:first])
    row.values[before], row.growth[before] = 0.0, 0.0
    row.values[first], row.growth[first] = held / grid.step, held


def _workers(every: list[Series]) -> dict[tuple[str, ...], Series]:
    """Targets whose start time goes back and forth: one page, several processes."""
    found: dict[tuple[str, ...], Series] = {}
    for one in every:
        if one.name != _START:
            continue
        back = int((np.diff(one.values) < -0.5).sum())  # noqa: PLR2004 - seconds
        if back >= _BACK_AND_FORTH and np.unique(one.values).size < one.values.size:
            found[target_of(one)] = one
    return found


def join_replaced(grid: Grid) -> None:
    """One series of two whose target was replaced by another: a pod that was rolled, a monitor that moved.

    The old one counts as long as it lasts: a new monitor first tells what it remembers.
    """
    groups: dict[tuple[str, tuple[tuple[str, str], ...]], list[Row]] = {}
    for row in grid.rows:
        if row.kind == "moment":
            continue
        rest = tuple(p for p in row.series.labels if p[0] != "instance")
        groups.setdefault((row.series.name, rest), []).append(row)
    reach, gone = max(20, grid.length // 8), set[int]()
    for rows in groups.values():
        spans = [(r, *_ends(r)) for r in rows] if len(rows) > 1 else []
        for old, _, last in spans:
            if last >= grid.length - 1 - _EDGE:
                continue
            new = next((s for s in spans if s[0] is not old and id(s[0]) not in gone and s[1] > _EDGE
                        and abs(s[1] - last) <= reach and s[2] > last), None)  # fmt: skip
            if new is None:
                continue
            later = new[0]
            old.values[last + 1 :] = later.values[last + 1 :]
            if old.growth is not None and later.growth is not None:
                old.growth[last + 1 :] = later.growth[last + 1 :]
            gone.add(id(later))
    grid.rows = [r for r in grid.rows if id(r) not in gone]


_EDGE = 4  # slots


def _ends(row: Row) -> tuple[int, int]:
    where = np.flatnonzero(np.isfinite(row.values))
    return (int(where[0]), int(where[-1])) if where.size else (0, -1)
