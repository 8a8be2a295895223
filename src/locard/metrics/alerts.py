"""The course of alerts from ALERTS: first pending, what reset it, when it fired."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from locard.model.metric_facts import AlertCourse

if TYPE_CHECKING:
    from locard.metrics.history import History, Labels, Series

_PAUSE = 2.6  # evaluation intervals without a sample: it was not pending then
_THRESHOLD = re.compile(
    r"\s*(?P<name>[a-zA-Z_:][\w:]*)\s*(?P<op>>=|>|<=|<)\s*(?P<value>[-+.\deE]+)\s*"
)
_ONE_STORY_S = 3600.0  # an earlier pending that ended longer ago is another story


def read_alerts(history: History) -> tuple[AlertCourse, ...]:
    """Each alert of the window, the one that fired first in front."""
    every: dict[Labels, dict[str, Series]] = defaultdict(dict)
    for one in history.series:
        if one.name == "ALERTS":
            labels = tuple(p for p in one.labels if p[0] != "alertstate")
            every[labels][one.label("alertstate")] = one
    waits = {r.get("name"): r.get("duration") for r in history.rules if r.get("type") == "alerting"}
    start, end = history.window or (0.0, 0.0)
    found = []
    for labels, states in every.items():
        name = dict(labels).get("alertname", "")
        pending, firing = states.get("pending"), states.get("firing")
        times = np.sort(np.concatenate([s.times for s in (pending, firing) if s is not None]))
        interval = float(np.median(np.diff(times))) if times.size > 1 else 15.0
        breaks = np.flatnonzero(np.diff(times) > _PAUSE * interval)
        begins = [float(times[0]), *(float(times[i + 1]) for i in breaks)]
        ends = [float(times[i]) for i in breaks]
        while len(begins) > 1 and begins[1] - ends[0] > _ONE_STORY_S:
            begins, ends = begins[1:], ends[1:]
        seen = begins[0] > start + 2 * interval
        fired = float(firing.times[firing.times >= begins[0]][0]) if firing is not None and (
            firing.times >= begins[0]).any() else None  # fmt: skip
        state: Literal["pending", "firing", "inactive"] = "inactive"
        if times[-1] >= end - _PAUSE * interval - 1:
            state = "firing" if firing is not None and firing.times[-1] == times[-1] else "pending"
        wait = waits.get(name)
        found.append(
            AlertCourse(
                name,
                labels,
                begins[0] if seen else None,
                tuple(ends),
                fired,
                float(wait) if wait is not None else None,
                state,
            )
        )
    known = {c.name for c in found}
    # An Alertmanager knows when it fired and nothing before.
    for labels, at in history.fired:
        name = dict(labels).get("alertname", "")
        if name not in known:
            wait = waits.get(name)
            found.append(
                AlertCourse(
                    name, labels, None, (), at, float(wait) if wait is not None else None, "firing"
                )
            )
    # One that fires all the time (a watchdog) tells less than one that began in the window.
    return tuple(
        sorted(
            found,
            key=lambda a: (
                a.now != "firing",
                a.first_pending is None and not history.fired,
                a.firing or float("inf"),
                a.name,
            ),
        )
    )


def threshold_of(rule: dict[str, Any]) -> tuple[str, str, float] | None:
    """(series, comparison, value) of a rule that compares one series with a number; None of others."""
    found = _THRESHOLD.fullmatch(str(rule.get("query") or ""))
    if found is None:
        return None
    try:
        return found["name"], found["op"], float(found["value"])
    except ValueError:
        return None
