"""What was before: versions of a workload (its replica sets), and pods that are gone (events).

Events are kept for an hour by default and may be dropped, so that none is no proof that nothing happened.
Source: kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1; the deployment and replica
set controllers, which write ScalingReplicaSet, SuccessfulCreate and SuccessfulDelete.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from locard.cluster.json_reading import moment, number, objects, part, text
from locard.cluster.owners import VERSION_LABELS
from locard.model.workload import PodGone, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from locard.model.workload import PodState

_REVISION = "deployment.kubernetes.io/revision"
_DELETED = re.compile(r"^Deleted pod: (\S+)$")
_SCALED = re.compile(r"^Scaled up replica set (\S+) from 0 to \d+")
_WORTH = 3  # warnings of one pod
_ENDINGS = frozenset({"Killing", "Evicted", "Preempted", "TaintManagerEviction", "NodeShutdown"})


def versions(
    sets: Iterable[dict[str, Any]], events: Sequence[dict[str, Any]]
) -> tuple[Version, ...]:
    """The replica sets of a deployment, the newest last."""
    up = dict(_scaled_up(events))
    found = [_version(s, up) for s in sets]
    return tuple(sorted(found, key=lambda v: (v.revision or 0, v.since or 0.0, v.name)))


def _version(item: dict[str, Any], up: dict[str, float]) -> Version:
    meta, status = part(item, "metadata"), part(item, "status")
    revision = text(part(meta, "annotations"), _REVISION)
    name = text(meta, "name")
    containers = objects(part(item, "spec", "template", "spec"), "containers")
    return Version(
        name=name,
        hash=text(part(meta, "labels"), VERSION_LABELS[0]),
        revision=int(revision) if revision.isascii() and revision.isdigit() else None,
        created=moment(meta, "creationTimestamp"),
        replicas=number(part(item, "spec"), "replicas") or 0,
        ready=number(status, "readyReplicas") or 0,
        images=tuple(text(c, "image") for c in containers),
        scaled_up=up.get(name),
    )


def versions_of(pods: Sequence[PodState]) -> tuple[Version, ...]:
    """The versions of one workload by its pods alone, the one whose first pod is the youngest last.

    None where the pods are of one version, or of several workloads.
    """
    names = {p.version for p in pods if p.version}
    if len(names) < 2 or len({p.workload for p in pods}) != 1:  # noqa: PLR2004 - one is no rollout
        return ()
    found = []
    for name in names:
        mine = [p for p in pods if p.version == name]
        since = min((p.created for p in mine if p.created is not None), default=None)
        ready = sum(p.ready for p in mine)
        found.append(Version(name, name, None, since, len(mine), ready))
    return tuple(sorted(found, key=lambda v: (v.since or 0.0, v.name)))


def _scaled_up(events: Sequence[dict[str, Any]]) -> Iterator[tuple[str, float]]:
    """When each replica set was scaled up from none, the last time: an older template may be used again."""
    for event in sorted(events, key=lambda e: _at(e) or 0.0):
        found = _SCALED.match(text(event, "message"))
        at = moment(event, "firstTimestamp") or _at(event)
        if text(event, "reason") == "ScalingReplicaSet" and found and at is not None:
            yield found[1], at


def gone(
    events: Sequence[dict[str, Any]], pods: Iterable[PodState], names: Iterable[str]
) -> tuple[PodGone, ...]:
    """The pods of the replica sets (or the workload) of these names that were there and are no more."""
    here = {p.name for p in pods}
    sets = tuple(names)
    found: dict[str, PodGone] = {}
    for event in events:
        name, reason = _who(event), text(event, "reason")
        deleted = _DELETED.match(text(event, "message"))
        if deleted and reason == "SuccessfulDelete":
            name = deleted[1]
        elif reason not in _ENDINGS:
            continue
        if name in here or not any(_made_by(name, one) for one in sets):
            continue
        at = _at(event)
        before = found.get(name)
        if before is None or (before.at or 0.0) <= (at or 0.0):
            found[name] = PodGone(name, at, reason, text(event, "message"))
    return tuple(sorted(found.values(), key=lambda g: (g.at or 0.0, g.name)))


def _made_by(pod: str, owner: str) -> bool:
    """Whether a pod is named as one of this owner is: NAME-xxxxx, or NAME-0."""
    head, dash, tail = pod.rpartition("-")
    return bool(dash) and head == owner and bool(tail)


def with_warnings(
    pods: Sequence[PodState], events: Sequence[dict[str, Any]]
) -> tuple[PodState, ...]:
    """The pods with what events complain of about them, each reason's newest, the newest last."""
    told: dict[str, dict[str, tuple[float, str]]] = {}
    for event in events:
        if event.get("type") != "Warning" and text(event, "reason") not in _ENDINGS:
            continue
        of = told.setdefault(_who(event), {})
        at, reason = _at(event) or 0.0, text(event, "reason")
        if reason not in of or of[reason][0] <= at:
            of[reason] = (at, text(event, "message"))
    return tuple(
        replace(
            pod,
            warnings=tuple(
                (reason, says)
                for reason, (_, says) in sorted(
                    told.get(pod.name, {}).items(), key=lambda item: item[1][0]
                )[-_WORTH:]
            ),
        )
        for pod in pods
    )


def complaints(workload: dict[str, Any], sets: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """What a workload's own conditions say is wrong: no pod could be made, or no progress was."""
    return tuple(dict.fromkeys(_complaints(workload, sets)))


def _complaints(workload: dict[str, Any], sets: Iterable[dict[str, Any]]) -> Iterator[str]:
    for item in (workload, *sets):
        for one in objects(part(item, "status"), "conditions"):
            kind, holds = text(one, "type"), one.get("status")
            failing = kind in {"ReplicaFailure", "Failed"} and holds == "True"
            stuck = kind == "Progressing" and holds == "False"
            if failing or stuck:
                yield f"{text(one, 'reason') or kind}: {text(one, 'message')}".rstrip(": ")


def _who(event: dict[str, Any]) -> str:
    return text(part(event, "involvedObject"), "name") or text(part(event, "regarding"), "name")


def _at(event: dict[str, Any]) -> float | None:
    """When it was last seen."""
    series = moment(part(event, "series"), "lastObservedTime")
    seen = (moment(event, key) for key in ("lastTimestamp", "eventTime", "firstTimestamp"))
    return series or next((at for at in seen if at is not None), None)
