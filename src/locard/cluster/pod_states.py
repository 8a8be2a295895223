"""A pod's status as a record: each container, why it waits, how it ended, how often it began anew.

Source: the Pod object, kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locard.cluster import owners
from locard.cluster.json_reading import moment, number, objects, part, text
from locard.model.workload import ContainerEnd, ContainerState, PodState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locard.model.workload import ContainerCondition, ContainerKind

_KINDS: tuple[tuple[str, str, ContainerKind], ...] = (
    ("initContainers", "initContainerStatuses", "init"),
    ("containers", "containerStatuses", "app"),
    ("ephemeralContainers", "ephemeralContainerStatuses", "ephemeral"),
)


def pod_states(pods: Iterable[dict[str, Any]]) -> tuple[PodState, ...]:
    """Every pod, by name."""
    return tuple(sorted(map(_pod, pods), key=lambda p: p.name))


def _pod(pod: dict[str, Any]) -> PodState:
    meta, spec, status = part(pod, "metadata"), part(pod, "spec"), part(pod, "status")
    conditions = {text(c, "type"): c for c in objects(status, "conditions")}
    scheduled, ready = conditions.get("PodScheduled", {}), conditions.get("Ready", {})
    waits = scheduled.get("status") == "False"
    return PodState(
        name=text(meta, "name"),
        namespace=text(meta, "namespace"),
        phase=text(status, "phase"),
        owner=owners.owner_name(pod),
        version=owners.version(pod),
        node=text(spec, "nodeName"),
        created=moment(meta, "creationTimestamp"),
        ready=ready.get("status") == "True",
        deleting=bool(meta.get("deletionTimestamp")),
        reason=text(status, "reason"),
        message=text(status, "message"),
        restarts_always=text(spec, "restartPolicy") in {"", "Always"},
        unscheduled=(text(scheduled, "message") or text(scheduled, "reason")) if waits else "",
        unready="" if ready.get("status") == "True" else _because(ready),
        containers=tuple(_containers(text(meta, "name"), spec, status)),
    )


def _because(condition: dict[str, Any]) -> str:
    return ": ".join(filter(None, (text(condition, "reason"), text(condition, "message"))))


def _containers(pod: str, spec: dict[str, Any], status: dict[str, Any]) -> Iterator[ContainerState]:
    for in_spec, in_status, kind in _KINDS:
        known = {text(s, "name"): s for s in objects(status, in_status)}
        declared = {text(c, "name"): c for c in objects(spec, in_spec)}
        for name in dict.fromkeys((*declared, *known)):
            wanted = declared.get(name, {})
            sidecar = kind == "init" and wanted.get("restartPolicy") == "Always"
            yield _container(pod, name, "sidecar" if sidecar else kind, wanted, known.get(name))


def _container(
    pod: str,
    name: str,
    kind: ContainerKind,
    wanted: dict[str, Any],
    status: dict[str, Any] | None,
) -> ContainerState:
    """A container; one that has no status yet was never looked at by a kubelet."""
    status = status or {}
    state = part(status, "state")
    condition, now = _now(state)
    return ContainerState(
        pod=pod,
        name=name,
        kind=kind,
        condition=condition,
        reason=text(now, "reason") if condition == "waiting" else "",
        message=text(now, "message") if condition == "waiting" else "",
        started=moment(now, "startedAt"),
        end=_end(now) if condition == "ended" else None,
        last=_end(ended) if (ended := part(status, "lastState", "terminated")) else None,
        restarts=number(status, "restartCount") or 0,
        ready=status.get("ready") is True,
        image=text(wanted, "image") or text(status, "image"),
        memory_limit=text(part(wanted, "resources", "limits"), "memory"),
        requests=_requests(part(wanted, "resources", "requests")),
    )


def _requests(wanted: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {text(wanted, name)}" for name in sorted(wanted) if text(wanted, name)
    )


def _now(state: dict[str, Any]) -> tuple[ContainerCondition, dict[str, Any]]:
    kinds: tuple[tuple[str, ContainerCondition], ...] = (
        ("running", "running"),
        ("terminated", "ended"),
        ("waiting", "waiting"),
    )
    for key, condition in kinds:
        if key in state:
            return condition, part(state, key)
    return "unknown", {}


def _end(ended: dict[str, Any]) -> ContainerEnd:
    return ContainerEnd(
        reason=text(ended, "reason"),
        exit_code=number(ended, "exitCode"),
        ended=moment(ended, "finishedAt"),
        started=moment(ended, "startedAt"),
        message=text(ended, "message"),
    )
