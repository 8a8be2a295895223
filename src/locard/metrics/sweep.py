"""The sweep: every series by how it changed, grouped so that one cause is one line, what came first first.

A series is judged by its own baseline (`stats.shifts`). Label sets of one family that changed alike are one
line; what is computed of others (recording rules) or is their complement stands beside them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from locard.metrics import conventions, promql, saturation_table
from locard.metrics.events import LIMIT, NO_LIMIT
from locard.metrics.grid import onset_between
from locard.metrics.judgement import EXCESS, LEAST_CHANGE, SCORE
from locard.metrics.measures import added, base_of, labels_without, service_of
from locard.metrics.signal_of import course_of
from locard.model.metric_facts import ChangedFamily
from locard.stats.courses import describe_change
from locard.stats.shifts import find_shifts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.metrics.grid import Grid, Row
    from locard.metrics.history import Floats, Labels
    from locard.model.metric_facts import Direction
    from locard.stats.courses import Change
    from locard.stats.shifts import Shifts

MOST_LINES = 40
_LEAST, _LEAST_ALONE = (
    0.1,
    0.4,
)  # strength of a line, beside an onset and where no signal of the users has one
_OURS = frozenset({"up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_series_added",
                   "scrape_samples_post_metric_relabeling", "scrape_body_size_bytes"})  # fmt: skip
_MOST_SCORE = 60.0
_DESCRIBED = 600  # series whose course is looked at closely
_COMPLEMENT = 0.98  # of what is left of the same whole
_ALIKE = 0.9  # correlation of what goes together
_NEAR_S = 600.0  # from the onset: what changed elsewhere is another story
_LATER = 2  # slots after the first: it follows
_EARLIER = 0.25  # of the distance counts where it began before the onset
_LONE = 0.6  # what one sample of one series did
_SET, _FOLLOWS = 1.3, 0.9
_PLACES = {"cpu limit": _SET} | dict.fromkeys(
    ("threads", "goroutines", "pool waiting", "pool timeouts", "queue", "connections"), 0.75
)


@dataclass(slots=True, eq=False)
class Line:
    """One series of the sweep: a rate, a level or a mean, over time."""

    metric: str
    what: str
    labels: Labels
    values: Floats
    floor: float
    unit: str
    recorded: bool = False


@dataclass(slots=True, eq=False)
class _Group:
    metric: str
    what: str
    direction: Direction
    members: list[tuple[Line, Change, float]]
    all: int
    strength: float = 0.0
    note: str = ""
    moves_with: tuple[str, ...] = ()
    lagging: bool = False

    @property
    def at(self) -> int:
        """The slot in which most of it has changed."""
        return int(np.median([c.at for _, c, _ in self.members]))

    @property
    def values(self) -> Floats:
        """The member that changed most clearly."""
        return self.head[0].values

    @property
    def head(self) -> tuple[Line, Change, float]:
        return max(self.members, key=lambda m: m[2])


def lines_of(grid: Grid, recorded: frozenset[str]) -> list[Line]:
    """What is swept: rates of counters, levels of gauges, means of histograms and summaries."""
    found: list[Line] = []
    pairs: dict[tuple[str, Labels], dict[str, Row]] = defaultdict(dict)
    for row in grid.rows:
        name = row.series.name
        if name in _OURS or row.kind == "moment" or row.series.label("le"):
            continue
        computed = name in recorded or ":" in name
        if row.kind == "counter" and row.growth is not None:
            ending = name.rpartition("_")[2]
            if ending in {"sum", "count"}:
                pairs[base_of(name), row.series.labels][ending] = row
                if ending == "sum":
                    continue
            found.append(
                Line(
                    name,
                    "rate",
                    row.series.labels,
                    row.values,
                    _counter_floor(row, grid),
                    "/s",
                    computed,
                )
            )
        elif row.kind == "gauge":
            found.append(
                Line(
                    name,
                    "level",
                    row.series.labels,
                    row.values,
                    _gauge_floor(row.values),
                    "",
                    computed,
                )
            )
    for (base, labels), both in pairs.items():
        if len(both) == 2:  # noqa: PLR2004 - sum and count
            spent, count = added([both["sum"]]), added([both["count"]])
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = np.where(count > 0, spent / count, np.nan)
            found.append(Line(base, "mean", labels, mean, _mean_floor(mean), ""))
    return found


def _counter_floor(row: Row, grid: Grid) -> float:
    assert row.growth is not None  # noqa: S101 - it is a counter's
    known = row.growth[np.isfinite(row.growth)]
    if not known.size:
        return 1.0
    mean = float(known.mean())
    if (known == np.rint(known)).all():
        return max(0.01 * mean, math.sqrt(max(mean, 1.0))) / grid.step
    return max(0.02 * mean / grid.step, 1e-9)


def _gauge_floor(values: Floats, part: float = 0.01) -> float:
    known = values[np.isfinite(values)]
    if not known.size:
        return 1.0
    steps = np.abs(np.diff(known))
    steps = steps[steps > 0]
    least = float(steps.min()) / 2 if steps.size else 0.0
    level = float(np.median(np.abs(known)))
    return max(part * level, min(least, 0.1 * level) if level else least, 1e-12)


def _mean_floor(mean: Floats) -> float:
    """As wide as the slow ones make it, however rare these are."""
    early = mean[: mean.size // 2]
    wide = float(np.nanstd(early)) if np.isfinite(early).any() else 0.0
    return max(_gauge_floor(mean, 0.02), wide)


def sweep(
    grid: Grid, first: int, onset: int | None, recorded: frozenset[str]
) -> tuple[list[ChangedFamily], int]:
    """The families that changed at or after slot `first`, ranked, and how many in all."""
    lines = lines_of(grid, recorded)
    if not lines:
        return [], 0
    rows = np.array([line.values for line in lines])
    found = find_shifts(rows, first, np.array([line.floor for line in lines]))
    groups = _groups(lines, found)
    main = onset if onset is not None else _main(groups)
    for group in groups:
        group.strength = _strength(group, main, grid)
    least = _LEAST_ALONE if onset is None else _LEAST
    groups = [g for g in groups if g.strength >= least]
    groups.sort(key=lambda g: -g.strength)
    kept = _together(groups, main)
    _order(kept)
    kept.sort(key=lambda g: -g.strength)
    return [_line(n, g, grid) for n, g in enumerate(kept[:MOST_LINES], 1)], len(kept)


def _groups(lines: Sequence[Line], found: Shifts) -> list[_Group]:
    every: dict[tuple[str, str], int] = defaultdict(int)
    for line in lines:
        every[base_of(line.metric), line.what] += 1
    changed = np.flatnonzero((found.score >= SCORE) & (found.excess >= EXCESS))
    order = changed[np.argsort(-np.minimum(found.score[changed], 8 * found.excess[changed]))][
        :_DESCRIBED
    ]
    groups: dict[tuple[str, str, Direction], _Group] = {}
    for i in order:
        line = lines[i]
        if line.what == "mean" and found.width[i] == 1:
            continue  # of few requests one slow one does it
        change = describe_change(line.values, int(found.at[i]), int(found.width[i]))
        if change is None:
            continue
        size = abs(change.after - change.before)
        if size < LEAST_CHANGE * max(abs(change.before), 0.2 * abs(change.after), 1e-12):
            continue
        direction: Direction = "up" if change.after > change.before else "down"
        key = (base_of(line.metric), line.what, direction)
        group = groups.setdefault(
            key, _Group(line.metric, line.what, direction, [], every[key[:2]])
        )
        score = min(_MOST_SCORE, float(found.score[i]), 8 * float(found.excess[i]))
        group.members.append((line, change, score))
    return list(groups.values())


def _main(groups: Sequence[_Group]) -> int | None:
    """Where most of what changed clearly did so: the fullest minute or so, weighted by how clearly."""
    weights: dict[int, float] = defaultdict(float)
    for group in groups:
        for near in range(-2, 3):
            weights[group.at + near] += group.head[2]
    return max(weights, key=weights.__getitem__) if weights else None


def _strength(group: _Group, main: int | None, grid: Grid) -> float:
    """How clearly, how much, how near the onset: each as a factor up to 1."""
    _, change, score = group.head
    clear = math.log(max(score, 1.0)) / math.log(_MOST_SCORE)
    low, high = sorted((abs(change.before), abs(change.after)))
    much = 0.3 + 0.7 * min(1.0, math.log2(max(high, 1e-12) / max(low, high / 1000, 1e-12)) / 3)
    near = 1.0
    if main is not None:
        away = (group.at - main) * grid.step
        # What began earlier and still lasts may be what led to it; what came later follows.
        away = max(away, -_EARLIER * away)
        near = math.exp(-max(0.0, away - 4 * grid.step) / _NEAR_S)
    line = group.head[0]
    quiet = line.values[: change.at]
    noise = float(np.nanstd(quiet)) if np.isfinite(quiet).sum() > 4 else 0.0  # noqa: PLR2004
    # What every other value of the baseline does anyway is seldom a cause, however sure the shift of its mean.
    clear *= min(1.0, 0.3 + 0.35 * abs(change.after - change.before) / max(noise, 1e-12))
    short = change.end is not None and change.end - change.at <= 1
    lone = short and len(group.members) == 1 and group.head[0].what != "rate"
    lasting = _LONE if lone else 1.0
    return clear * much * near * lasting * _place(line)


def _place(line: Line) -> float:
    """Where its kind stands between cause and symptom: a limit is set, a queue and the users' signals follow."""
    known = saturation_table.conventions_of(line.metric, dict(line.labels))
    if known is not None:
        return _PLACES.get(known.resource, 1.0)
    if LIMIT.search(line.metric) and not NO_LIMIT.search(line.metric):
        return _SET
    return _FOLLOWS if conventions.call_kind(base_of(line.metric), line.labels) == "server" else 1.0


def _together(groups: list[_Group], main: int | None) -> list[_Group]:
    """One line for what goes together: a family's other side, a complement, what is computed of others."""
    kept: list[_Group] = []
    low = max(0, (main or 0) - 20)
    for group in groups:
        other = next((k for k in kept if _same(k, group, low)), None)
        if other is None:
            kept.append(group)
            continue
        recorded = [g.head[0].recorded for g in (other, group)]
        # What is computed of others never stands for them; else what came first does.
        swap = recorded == [True, False] or (
            recorded[0] == recorded[1] and group.at < other.at - _LATER
        )
        head, tail = (group, other) if swap else (other, group)
        head.moves_with = (*other.moves_with, *group.moves_with, _named(tail))
        head.strength = max(head.strength, tail.strength)
        if swap:
            kept[kept.index(other)] = group
    return kept


def _named(group: _Group) -> str:
    words = {"rate": "", "level": "", "mean": "mean of "}[group.what]
    labels = _labels_in_common(group)
    recorded = ", a recording rule" if group.head[0].recorded else ""
    return f"{words}{promql.selector(group.metric, labels[:3])} ({group.direction}{recorded})"


def _same(one: _Group, other: _Group, low: int) -> bool:
    a, b = one.head[0], other.head[0]
    if a.recorded or b.recorded:
        return _goes_with(a.values, b.values, low, 0.6)
    if one.direction != other.direction and base_of(one.metric) == base_of(other.metric):
        return abs(one.at - other.at) <= _LATER
    if (
        one.direction != other.direction
        and a.labels == b.labels
        and abs(one.at - other.at) <= _LATER
    ):
        return _goes_with(a.values, b.values, low, _COMPLEMENT)
    stems = ["_".join(m.replace(".", "_").split("_")[:2]) for m in (one.metric, other.metric)]
    alike = stems[0] == stems[1] and service_of(a.labels) == service_of(b.labels)
    return (
        alike and abs(one.at - other.at) <= _LATER and _goes_with(a.values, b.values, low, _ALIKE)
    )


def _goes_with(a: Floats, b: Floats, low: int, least: float) -> bool:
    x, y = a[low:], b[low:]
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < 8 or not np.ptp(x[both]) or not np.ptp(y[both]):  # noqa: PLR2004
        return False
    return bool(abs(np.corrcoef(x[both], y[both])[0, 1]) >= least)


def _order(groups: list[_Group]) -> None:
    """What began first counts more; what began later than the first clear changes follows."""
    clear = [g for g in groups if g.strength > 0.5 * groups[0].strength] if groups else []
    if not clear:
        return
    begun = min(g.at for g in clear)
    for group in groups:
        if group.at - begun > _LATER:
            group.lagging = True
            group.strength *= 0.7


def _labels_in_common(group: _Group) -> Labels:
    shared = set(group.members[0][0].labels)
    for line, _, _ in group.members[1:]:
        shared &= set(line.labels)
    return tuple(sorted(shared))


def _line(rank: int, group: _Group, grid: Grid) -> ChangedFamily:
    line, change, _ = group.head
    labels = _labels_in_common(group)
    if group.what == "mean":
        query = promql.mean_each(base_of(group.metric), labels)
    elif group.what == "rate":
        query = promql.rate_each(group.metric, labels)
    else:
        query = promql.selector(group.metric, labels)
    lags = [c.at for _, c, _ in group.members]
    return ChangedFamily(
        rank=rank,
        metric=group.metric,
        what=group.what,
        labels=labels_without(labels, ("le",)),
        changed=len(group.members),
        all=group.all,
        direction=group.direction,
        shape=change.shape,
        onset=onset_between(
            grid.time(min(change.earliest, int(np.median(lags))) - 1), grid.time(change.latest)
        ),
        before=change.before,
        after=change.after,
        unit=line.unit,
        score=round(group.strength, 4),
        query=query,
        course=course_of(line.values, grid),
        note="a recording rule: computed of other series" if line.recorded else "",
        moves_with=tuple(dict.fromkeys(group.moves_with))[:6],
        lagging=group.lagging,
    )


__all__ = ["lines_of", "sweep"]
