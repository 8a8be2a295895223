"""Which component of several the change may come from, by their own signals and by the calls between them.

Components are told by labels (a service, an application, a container); calls by client metrics that name
their far end, by service graphs of tracing, and by meshes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from locard.metrics import conventions
from locard.model.metric_facts import Component
from locard.stats.component_rank import Measure, rank_components

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.metrics.grid import Grid
    from locard.metrics.history import Labels
    from locard.metrics.judgement import Judged

_NAMES = (
    "service", "service_name", "service.name", "destination_workload", "app", "application", "container", "deployment", "job",
)  # fmt: skip
_EDGES = (
    ("client", "server"),
    ("source_workload", "destination_workload"),
    ("source_app", "destination_app"),
)
_MOST = 5
_LEAST = 0.3  # of the first one's score: who has less is not listed
_MOST_MEASURES = 600


def component_of(labels: Labels) -> str:
    """The component that a series is of; empty where no label tells."""
    known = dict(labels)
    return next((known[name] for name in _NAMES if known.get(name)), "")


def rank(judged: Sequence[Judged], story: Judged | None, grid: Grid) -> tuple[Component, ...]:
    """The components, likeliest first; none where there is one only, or nothing that they could explain."""
    if story is None or story.begin is None or story.signal.signal not in {"errors", "latency"}:
        return ()
    measures, named = [], set()
    for one in sorted(judged, key=lambda j: -j.signal.score)[:_MOST_MEASURES]:
        about = one.measure
        client = dict(about.subject).get("kind") == "client"
        name = component_of(about.subject) or component_of(about.rows[0].series.labels)
        if not name or client or not np.isfinite(about.values).any():
            continue
        named.add(name)
        measures.append(Measure(name, about.signal, about.values))
    if len(named) < 2:  # noqa: PLR2004 - one alone is no choice
        return ()
    begin = min(
        (j.begin for j in judged if j.begin is not None and j.begin >= story.begin - 2),
        default=story.begin,
    )
    ranked = rank_components(
        measures, story.measure.values, max(1, begin), calls=calls_of(grid, named)
    )
    top = ranked[0].score if ranked else 0.0
    home = component_of(story.measure.subject) or component_of(story.measure.rows[0].series.labels)
    if (
        ranked
        and ranked[0].component == home
        and not any(one.score >= _LEAST * top for one in ranked[1:])
    ):
        return ()  # where it was measured, and nobody else: nothing is learnt
    return tuple(
        Component(one.component, one.because, round(one.score / top, 3))
        for one in ranked[:_MOST]
        if top > 0 and one.score >= _LEAST * top
    )


def calls_of(grid: Grid, named: set[str]) -> set[tuple[str, str]]:
    """(caller, callee) among the named components."""
    found = set()
    for row in grid.rows:
        labels = row.series.labels
        known = dict(labels)
        for caller, callee in _EDGES:
            if known.get(caller) in named and known.get(callee) in named:
                found.add((known[caller], known[callee]))
        if conventions.call_kind(row.series.name, labels) != "client":
            continue
        own = component_of(labels)
        for _, value in conventions.upstream(labels)[:1]:
            far = value.partition(":")[0].partition(".")[0]
            if own and far in named:
                found.add((own, far))
    return {(a, b) for a, b in found if a != b}
