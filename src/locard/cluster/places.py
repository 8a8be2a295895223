"""From the states of a target's pods to its places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import workload_words
from locard.model.cluster_place import ClusterPlace

if TYPE_CHECKING:
    from locard.model.cluster_access import ClusterAccess
    from locard.model.workload import ContainerState, PodState, WorkloadStates


def places(
    found: WorkloadStates,
    access: ClusterAccess | None = None,
    *,
    container: str = "",
    all_containers: bool = False,
) -> tuple[ClusterPlace, ...]:
    """Every container of every pod, those that are wanted and can be entered first.

    Wanted are the service's own, or the one of a name, or all; the rest is listed as closed, with why, so
    that a place that could not be looked at is said and not missing.
    """
    every = [
        _place(found, pod, one, _closed(pod, one, access, container, all_containers=all_containers))
        for pod in found.pods
        for one in pod.containers
    ]
    return tuple(sorted(every, key=lambda p: (bool(p.closed), p.beside)))


def _place(found: WorkloadStates, pod: PodState, one: ContainerState, closed: str) -> ClusterPlace:
    return ClusterPlace(
        target=found.ref,
        namespace=pod.namespace or found.namespace,
        context=found.context,
        pod=pod.name,
        container=one.name,
        kind=one.kind,
        node=pod.node,
        version=pod.version,
        closed=closed,
    )


def _closed(
    pod: PodState,
    one: ContainerState,
    access: ClusterAccess | None,
    container: str,
    *,
    all_containers: bool,
) -> str:
    if one.condition != "running":
        state = pod.unscheduled and f"no node takes the pod: {pod.unscheduled}"
        return state or f"it does not run: {workload_words.state_words(one)}"
    if pod.deleting:
        return "its pod is being deleted"
    if container and one.name != container:
        return f"-c {container} was asked for"
    if one.kind != "app" and not container and not all_containers:
        return f"it is none of the service's own ({one.kind}); -c {one.name} or --all-containers enters it"
    if access is not None and not access.may_exec:
        rules = " or ".join(a.rule for a in access.exec_answers)
        who = f" {access.user}" if access.user else ""
        known = "may not" if access.may_exec is False else "is not known to be allowed to"
        return f"the user{who} {known} run commands in it: {rules} would allow it"
    return ""
