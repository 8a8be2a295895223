"""What rules read from a window of many series: signals by what is full, as supports and findings."""

from __future__ import annotations

import datetime as dt
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.history_words import signal_words
from locard.model.metric_facts import MetricHistory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locard.model.evidence import Evidence
    from locard.model.finding import Case
    from locard.model.metric_facts import MeasuredSignal, Pairs

FULL = 0.95  # of a limit
_STATE = frozenset({"state", "id", "area", "le"})


def histories(case: Case) -> Iterator[tuple[Evidence, MetricHistory]]:
    """Every window that was read."""
    yield from case.facts(MetricHistory)


def risen(found: MetricHistory, *resources: str) -> list[MeasuredSignal]:
    """What of these resources rose, the clearest first."""
    return [
        s
        for s in found.signals
        if s.signal == "saturation"
        and s.resource in resources
        and s.direction == "up"
        and s.onset is not None
    ]


def share_of(signal: MeasuredSignal) -> float | None:
    """How full it is now, as a share of its limit."""
    return signal.after / signal.limit if signal.limit and signal.after is not None else None


def same_thing(one: Pairs, other: Pairs) -> bool:
    """Whether two subjects may be the same pool, container or process: equal in all that both name."""
    a = {k: v for k, v in one if k not in _STATE}
    b = {k: v for k, v in other if k not in _STATE}
    shared = a.keys() & b.keys()
    return bool(shared) and all(a[k] == b[k] for k in shared)


def support(evidence: Evidence, says: str) -> Support:
    """A sentence of the metrics."""
    return Support(evidence.id, Layer.METRICS, says)


def harm(evidence: Evidence, found: MetricHistory) -> list[Support]:
    """Errors or latency that rose: what it does to the users."""
    hurt = [
        s
        for s in found.signals
        if s.signal in {"errors", "latency"} and s.onset is not None and s.direction == "up"
    ]
    return [support(evidence, signal_words(s)) for s in hurt[:1]]


def finding(
    rule: str,
    evidence: Evidence,
    found: MetricHistory,
    title: str,
    supports: Iterable[str],
    *,
    against: Iterable[str] = (),
    role: Role = Role.MECHANISM,
    values: Pairs = (),
) -> Finding:
    """A finding of the metrics alone: critical where users are hit, else a warning."""
    hurt = harm(evidence, found)
    return Finding(
        rule=rule,
        layer=Layer.METRICS,
        role=role,
        severity=Severity.CRITICAL if hurt and role is Role.MECHANISM else Severity.WARNING,
        title=title,
        detail="; ".join(supports),
        supports=(
            *(support(evidence, s) for s in supports),
            *(hurt if role is Role.MECHANISM else []),
        ),
        against=tuple(support(evidence, s) for s in against),
        values=tuple(p for p in values if p[0] != "kind"),
        next_commands=(again(found, values),),
    )


def again(found: MetricHistory, values: Pairs = ()) -> str:
    """What an engineer types next: the pod that it is about, else this part of the series around the onset."""
    known = dict(values)
    if "pod" in known and all(
        c.isalnum() or c in "-." for c in known["pod"] + known.get("namespace", "")
    ):
        space = f" -n {known['namespace']}" if known.get("namespace") else ""
        return f"kubectl describe pod {known['pod']}{space}"
    url = found.url if found.url.startswith("http") else "URL"
    labels = [
        f'{k}="{v}"'
        for k, v in values
        if k.isidentifier() and k != "kind" and '"' not in v and "\\" not in v
    ]
    match = f" --match {shlex.quote('{' + ','.join(labels) + '}')}" if labels else ""
    at = dt.datetime.fromtimestamp(found.onset.latest, dt.UTC) if found.onset is not None else None
    around = f" --around {at:%Y-%m-%dT%H:%M:%SZ}" if at is not None and url != "URL" else ""
    return f"locard metrics {shlex.quote(url)}{around}{match}"


def joined(others: Iterable[Finding], mine: Iterable[Finding]) -> Iterator[Finding]:
    """What the other layers found, with what the metrics say beside it; or the metrics alone."""
    first, second = list(others), list(mine)
    if first and second:
        first[0] = replace(first[0], supports=(*first[0].supports, *second[0].supports))
    yield from first or second


def name_of(signal: MeasuredSignal) -> str:
    """What the thing is called that is full."""
    known = dict(signal.subject)
    for key in (
        "pool",
        "pool_name",
        "name",
        "queue",
        "container",
        "topic",
        "horizontalpodautoscaler",
        "hpa",
        "pod",
        "instance",
        "job",
    ):
        if known.get(key):
            return f"{key} {known[key]}"
    return signal.metric
