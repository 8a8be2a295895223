"""From the series of a window to what is said of it: signals, onset, events, alerts, the sweep."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from locard.metrics import (
    alerts,
    components,
    events,
    judgement,
    measures,
    refusals,
    saturation,
    sweep,
)
from locard.metrics import grid as grids
from locard.metrics.same_time_before import told_by_yesterday
from locard.model import metric_levels
from locard.model.metric_facts import ChangedFamily, MeasuredSignal, MetricHistory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.metrics.grid import Grid
    from locard.metrics.history import History
    from locard.metrics.judgement import Judged
    from locard.model.log_facts import Onset

MOST_SIGNALS = 40
_ONE_STORY_S = 600.0
_FULL = 0.8  # of a limit: worth a line though it was so before
_THROTTLED = 0.1
_EXEMPLARS = 3
_FILLS = frozenset(
    {"rss", "heap", "memory", "fds", "threads", "goroutines", "queue", "connections"}
)
_CLEAR = 0.5  # of a family of the sweep that alone has to tell the onset


def analyse(history: History, url: str) -> MetricHistory:
    """Everything that is said of one reading."""
    start, end = history.window or (0.0, 0.0)
    read = [s for s in history.series if s.name != "ALERTS"]
    head = MetricHistory(
        url=url,
        source=" ".join(
            filter(
                None, (str(history.source.get("kind", "")), str(history.source.get("version", "")))
            )
        ),
        start=start,
        end=end,
        window_from=end - (history.interest or float(history.asked.get("window", 0.0) or 0.0)),
        step_s=history.interval,
        series=len(read),
        samples=sum(s.values.size for s in read),
        queries=history.queries,
        skew_s=_float(history.source.get("skew")),
        counted=history.counted,
        jobs=tuple((str(k), int(v)) for k, v in dict(history.jobs.get("series", {})).items()),
        problem=refusals.problem_of(history, url),
        partial=bool(refusals.problem_of(history, url)),
        unreached=refusals.unreached(history),
        around=str(history.asked.get("around", "")),
        tried=tuple(history.tried),
    )
    grid = grids.lay_out(history)
    if grid is None:
        return replace(head, nothing=True, alerts=alerts.read_alerts(history))
    grids.join_replaced(grid)
    first = int(np.clip(grid.slot(head.window_from), 1, grid.length - 1))
    # A change that lies just before the window of interest is still one: the baseline is what lies well before.
    first = min(first, grid.length // 2)
    every = [*measures.of_requests(grid), *saturation.of_resources(grid)]
    judged = [
        judgement.with_traffic_per_instance(j)
        for j in judgement.judge_all(every, grid, first, events.restarted_slots(grid))
    ]
    judged = list(one_of_each(judged))
    story = _main(judged)
    recorded = frozenset(str(r.get("name")) for r in history.rules if r.get("type") == "recording")
    at = story.begin if story is not None else None
    changed, in_all = sweep.sweep(grid, min(first, at) if at else first, at, recorded)
    onset = story.signal.onset if story is not None else None
    return replace(
        head,
        step_s=grid.step,
        start_seen=grid.start,
        end_seen=grid.time(grid.length - 1),
        onset=onset or _of_sweep(changed),
        onset_of=_words(story) if story is not None else _first_of_sweep(changed),
        signals=tuple(_listed(judged, history)),
        changed=tuple(changed),
        changed_in_all=in_all,
        changes=tuple(events.all_events(grid, history)),
        alerts=alerts.read_alerts(history),
        components=components.rank(judged, story, grid),
        not_told=tuple(_not_told(grid, history, first)),
    )


def with_second_look(found: MetricHistory, again: History) -> MetricHistory:
    """The same, with the requests that the series remember, and what changed alike the day before put last."""
    signals = tuple(replace(s, exemplars=_exemplars(s, again)) for s in found.signals)
    missed = (f"the day before was not looked at: {again.problem[1]}",) if again.problem else ()
    found = replace(
        found, queries=found.queries + again.queries, not_told=(*found.not_told, *missed)
    )
    return told_by_yesterday(replace(found, signals=signals), again.series)


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _main(judged: Sequence[Judged]) -> Judged | None:
    """The change of the users' signals that began first, within the story of the clearest one."""
    changed = [
        j
        for j in judged
        if j.begin is not None and j.signal.direction == "up" and j.signal.signal != "traffic"
    ]
    served = [j for j in changed if j.signal.signal in {"errors", "latency"}]
    pick = served or changed
    if not pick:
        return None
    clear = max(
        pick, key=lambda j: ({"errors": 2, "latency": 1}.get(j.signal.signal, 0), j.signal.score)
    )
    assert clear.signal.onset is not None  # noqa: S101 - it changed
    late = clear.signal.onset.latest
    near = [
        j for j in pick if j.signal.onset and late - _ONE_STORY_S <= j.signal.onset.latest <= late
    ]
    first = min(near, key=lambda j: j.signal.onset.latest if j.signal.onset else late)
    return _led_up(changed, first) or first


def _led_up(changed: Sequence[Judged], first: Judged) -> Judged | None:
    """What filled up steadily before users felt it, and went on until then: the story began there."""
    filled = [
        j
        for j in changed
        if j.signal.shape == "ramp" and j.signal.resource in _FILLS and j.begin is not None
        and first.begin is not None and j.begin < first.begin <= (j.end or first.begin)
    ]  # fmt: skip
    return min(filled, key=lambda j: j.begin or 0, default=None)


def _words(judged: Judged) -> str:
    signal = judged.signal
    return f"{signal.signal} ({signal.metric})"


def _of_sweep(changed: Sequence[ChangedFamily]) -> Onset | None:
    return changed[0].onset if changed and changed[0].score >= _CLEAR else None


def _first_of_sweep(changed: Sequence[ChangedFamily]) -> str:
    return f"the clearest change of all series ({changed[0].metric})" if _of_sweep(changed) else ""


def _listed(judged: Sequence[Judged], history: History) -> Iterator[MeasuredSignal]:
    """What changed, the clearest first; then what did not, of what is asked most."""
    rank = {"errors": 0, "latency": 1, "saturation": 2, "traffic": 3}
    moved = [j for j in judged if j.signal.onset is not None]
    moved.sort(key=lambda j: (rank[j.signal.signal], -j.signal.score))
    levels = bool(history.source.get("sampled"))  # each has its line: nothing else tells them
    still = [
        j
        for j in judged
        if j.signal.onset is None
        and (_worth_a_line(j.signal) or (levels and metric_levels.worth_a_line(j.signal)))
    ]
    still.sort(
        key=lambda j: (rank[j.signal.signal], -j.signal.count, -metric_levels.fullness(j.signal))
    )
    yield from (j.signal for j in (moved + still)[:MOST_SIGNALS])


def _worth_a_line(signal: MeasuredSignal) -> bool:
    if signal.signal != "saturation":
        return True
    if signal.resource in {"rss", "working set"}:
        return True  # beside each other they tell a leak from a cache
    if signal.resource == "throttled":
        return (signal.after or 0.0) >= _THROTTLED
    return bool(signal.limit) and (signal.after or 0.0) >= _FULL * (signal.limit or 0.0)


def one_of_each(judged: Sequence[Judged]) -> Iterator[Judged]:
    """One line for what changed alike on several instances of one thing."""
    groups: dict[tuple[object, ...], list[Judged]] = {}
    for one in judged:
        signal = one.signal
        rest = tuple(p for p in signal.subject if p[0] not in measures.INSTANCE_LABELS)
        alone = signal.onset is None or signal.signal != "saturation"
        key = (id(one),) if alone else (signal.metric, signal.resource, signal.direction, rest)
        groups.setdefault(key, []).append(one)
    for every in groups.values():
        if len(every) == 1:
            yield every[0]
            continue
        best = max(every, key=lambda j: j.signal.score)
        names = [
            next((f"{k}={v}" for k, v in j.signal.subject if k in measures.INSTANCE_LABELS), "")
            for j in every
        ]
        rest = tuple(p for p in best.signal.subject if p[0] not in measures.INSTANCE_LABELS)
        same = sum(j.measure.metric == best.measure.metric and tuple(
            p for p in j.signal.subject if p[0] not in measures.INSTANCE_LABELS) == rest for j in judged)  # fmt: skip
        words = f"{len(every)} of {same}: {', '.join(names[:4])}{' …' if len(names) > 4 else ''}"  # noqa: PLR2004
        query = best.signal.query
        for label, value in best.signal.subject:  # of one of them: all are asked for
            if label in measures.INSTANCE_LABELS:
                query = (
                    query.replace(f'{label}="{value}",', "")
                    .replace(f',{label}="{value}"', "")
                    .replace(f'{label}="{value}"', "")
                )
        signal = replace(best.signal, subject=rest, scope=words, query=query)
        yield replace(best, signal=signal)


def _exemplars(signal: MeasuredSignal, again: History) -> tuple[str, ...]:
    own = [
        e
        for e in again.exemplars
        if measures.base_of(e.name) == signal.metric and signal.signal == "latency"
    ]
    own.sort(key=lambda e: -e.value)
    return tuple(dict.fromkeys(e.trace_id for e in own))[:_EXEMPLARS]


def _not_told(grid: Grid, history: History, first: int) -> Iterator[str]:
    for target, series in grid.workers.items():
        name = "/".join(filter(None, target))
        alive = int(np.median(events.processes_alive(series)[-8:]))
        seen = len(set(series.values.tolist()))
        yield (
            f"the page of {name} is answered by about {alive} processes in turn ({seen} start times are seen in all, back and forth): its "
            "counters and process metrics are of another process at each scrape and are left out. A restart only "
            "moves the start time forward. Next: the client library's multi-process mode"
        )
    failing = [t for t, begun in events.failing_targets(grid).items() if begun is not None]
    if failing:
        names = ", ".join("/".join(filter(None, t)) for t in failing[:4])
        every = sum(map(any, grid.up))
        yield f"the scrapes of {len(failing)} of {every} targets fail now (up is 0): nothing is known of {names}"
    if first < 8 and not history.source.get("sampled"):  # noqa: PLR2004 - slots
        yield "there is hardly any baseline: the series begin with the window of interest"
    if history.step and history.step > history.interval:
        yield f"read every {history.step:.0f} s of series that are scraped every {history.interval:.0f} s: shorter bursts are not seen"
    if history.disordered:
        yield (
            f"{history.disordered} series came with samples out of order, outside of the window, or two at one time: "
            "they were sorted, and the first of two counts"
        )
    if not history.types:
        yield "the server keeps no metadata: types are told by names and shapes"
