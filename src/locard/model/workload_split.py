"""What the versions of a workload have to do with what its log shows: who is hit, and what was rolled when.

A rollout that came after the onset did not bring it. Pods that all began with a rollout cannot say what was
before it: their predecessors' logs went with them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from locard.model.log_state import judge

if TYPE_CHECKING:
    from locard.model.log_facts import BlastRadius, LogSummary
    from locard.model.workload import Version, WorkloadStates

POD_FIELD = "k8s.pod.name"
RolloutKind = Literal["after-onset", "before-onset", "untold"]
_SOON_S = 30.0  # from a rollout to its pods' first line
_CLOCK_S = 2.0  # the API server's times are whole seconds


@dataclass(frozen=True, slots=True)
class Split:
    """The pods of one version are hit, and those of others beside them are not."""

    version: str  # the template's hash
    rolled: Version | None
    hit: tuple[str, ...]
    spared: tuple[str, ...]
    others: tuple[str, ...]  # the versions of the spared ones
    newest: bool


@dataclass(frozen=True, slots=True)
class Rollout:
    """The newest version against the onset. "untold": every pod of the log began with it."""

    kind: RolloutKind
    version: Version
    before: Version | None


def split(log: LogSummary, found: WorkloadStates) -> Split | None:
    """How the versions part those who are hit from those who are not, where they do."""
    radius = _pods(log)
    if radius is None:
        return None
    named = [
        p for p in found.pods if p.name in {v.value for v in (*radius.affected, *radius.unaffected)}
    ]
    if len({p.workload for p in named}) > 1:
        return None  # pods of different services differ in more than their version
    versions = {p.name: p.version for p in found.pods}
    hit = tuple(v.value for v in radius.affected)
    spared = tuple(v.value for v in radius.unaffected)
    mine = {versions.get(name, "") for name in hit}
    others = {versions.get(name, "") for name in spared}
    if len(mine) != 1 or not others or mine & others or "" in mine | others:
        return None
    (version,) = mine
    rolled = next((v for v in found.versions if v.hash == version), None)
    newest = rolled is not None and rolled == found.versions[-1]
    return Split(version, rolled, hit, spared, tuple(sorted(others)), newest)


def hit_versions(log: LogSummary, found: WorkloadStates) -> tuple[str, ...]:
    """The versions of the pods that are hit."""
    radius = _pods(log)
    named = {p.name: p.version for p in found.pods}
    values = radius.affected if radius is not None else ()
    return tuple(sorted({named[v.value] for v in values if named.get(v.value)}))


def rollout(log: LogSummary, found: WorkloadStates) -> Rollout | None:
    """The last rollout that falls into the log's time or just before it; None where there was none."""
    with_pods = [v for v in found.versions if v.replicas]
    if len(found.versions) < 2 or not with_pods or log.first is None:  # noqa: PLR2004 - one is no rollout
        return None
    newest = found.versions[-1]
    if newest.since is None or not newest.replicas:
        return None
    before = found.versions[-2]
    if (
        log.onset is not None
        and log.onset.baseline_seen
        and newest.since > log.onset.latest + _CLOCK_S
    ):
        return Rollout("after-onset", newest, before)
    if log.first >= newest.since - _CLOCK_S and {p.version for p in found.pods} == {newest.hash}:
        return Rollout("untold", newest, before) if judge(log).incident else None
    if log.onset is not None and log.first < newest.since:
        return Rollout("before-onset", newest, before)
    return None


def with_states(log: LogSummary, found: WorkloadStates | None) -> LogSummary:
    """The summary with what the states of its pods say against it.

    What ran and is in no line of it is a gap. What is bad in pods of one version alone did not begin before
    these did, though slow requests are counted from when they would have begun.
    """
    if found is None:
        return log
    if found.refused:
        log = replace(log, partial=True, gaps=(*log.gaps, f"read in part: {_refused(found)}"))
    if log.first is None:
        return log
    first = log.first
    unread = [
        c.ref for c in found.containers
        if c.kind != "init" and _unread(c.last.ended if c.last else None, first)
    ]  # fmt: skip
    if unread and not found.previous:
        runs = (
            "the run of a container"
            if len(unread) == 1
            else f"the runs of {len(unread)} containers"
        )
        gap = f"not in it: {runs} that ended while it was written ({', '.join(unread[:2])}); --previous reads it"
        log = replace(log, gaps=(*log.gaps, gap))
    parted, onset = split(log, found), log.onset
    if parted is None or onset is None:
        return log
    # The rates step where the pods that are hit begin, and that is what they are hit by.
    begun = tuple(
        replace(b, steps=b.steps and b.part.partition("/")[0] not in parted.hit)
        for b in log.beginnings
    )
    log = replace(log, beginnings=begun)
    began = [
        c.started for p in found.pods if p.name in parted.hit for c in p.containers
        if c.kind == "app" and c.started is not None and not c.restarts
    ]  # fmt: skip
    if len(began) < len(parted.hit) or onset.earliest >= min(began):
        return log
    late = max(onset.latest, min(began) + _CLOCK_S)
    return replace(log, onset=replace(onset, earliest=min(began), latest=late))


def _refused(found: WorkloadStates) -> str:
    number = len(found.refused)
    logs = "a log was not given" if number == 1 else f"{number} logs were not given"
    return f"{logs} ({found.refused[0].says})"


def _unread(ended: float | None, first: float) -> bool:
    return ended is not None and ended >= first


def _pods(log: LogSummary) -> BlastRadius | None:
    return next((r for r in log.blast_radius if r.field == POD_FIELD), None)
