"""Where the logs of pods begin, by what the API server says of their containers.

The kubelet keeps several files of a container (10 MiB each, 5 of them, unless containerLogMaxSize and
containerLogMaxFiles say otherwise), and `kubectl logs` gives the newest alone. Each start of a container
has files of its own: `--previous` gives those of the one before; a deleted pod's are gone with it.
Source: kubernetes.io/docs/concepts/cluster-administration/logging.
"""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Any

from locard.far.line_times import time_of
from locard.model.log_beginning import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locard.logs.input.log_source import Wants

_ROTATES = "kubectl logs gives only the newest file of it (10 MiB by default, containerLogMaxSize)"
_BACKEND = "the log backend, if the cluster ships its logs to one"
_STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


def unread(by_hand: str, said: str, wants: Wants) -> Origin:
    """The origin where the pods could not be asked for."""
    return Origin(
        asked=bool(wants.since_s),
        rotates=_ROTATES,
        evidence=(f"{by_hand}: {said}",),
        others=(_BACKEND,),
    )


def of_pods(pods: Iterable[dict[str, Any]], by_hand: str, wants: Wants) -> Iterator[Origin]:
    """One origin for each container whose log was read."""
    for pod in pods:
        for key in _STATUSES:
            for status in pod.get("status", {}).get(key) or ():
                if wants.container in {"", status["name"]} or wants.all_containers:
                    yield _of_container(
                        pod["metadata"], pod.get("spec", {}), status, by_hand, wants
                    )


def _of_container(
    meta: dict[str, Any], spec: dict[str, Any], status: dict[str, Any], by_hand: str, wants: Wants
) -> Origin:
    pod, name = str(meta["name"]), str(status["name"])
    restarts = int(status.get("restartCount") or 0)
    ran = _ran(status, previous=wants.previous)
    start = time_of(str(ran.get("startedAt")).encode())
    before = restarts - (1 if wants.previous else 0)
    told = f"startedAt={ran.get('startedAt')}, restartCount={restarts}"
    return Origin(
        name=f"{pod}/{name}",
        values=(("k8s.pod.name", pod), ("k8s.container.name", name)),
        asked=bool(wants.since_s),
        asked_from=None if wants.since_s is None else time.time() - 2 * wants.since_s,
        writer=f"the container {name}",
        starts=() if start is None else (start,),
        restarts=max(0, before),
        ended=time_of(str(ran.get("finishedAt")).encode()),
        rotates=_ROTATES,
        evidence=(f"{by_hand}: pod {pod}, container {name}: {told}",),
        rest=tuple(_rest(meta, spec, name, restarts, wants)),
        others=(_BACKEND,),
    )


def _ran(status: dict[str, Any], *, previous: bool) -> dict[str, Any]:
    """The run of a container whose log it is: the one before, or the one that runs or ran last."""
    states = (
        [status.get("lastState")] if previous else [status.get("state"), status.get("lastState")]
    )
    for state in states:
        for kind in ("running", "terminated"):
            found = (state or {}).get(kind)
            if found:
                return dict(found)
    return {}


def _rest(
    meta: dict[str, Any], spec: dict[str, Any], name: str, restarts: int, wants: Wants
) -> Iterator[str]:
    space, pod = str(meta.get("namespace") or "default"), str(meta["name"])
    if restarts and not wants.previous:
        where = ["kubectl", "logs", "--previous", f"pod/{pod}", "-n", space, "-c", name]
        where += [f"--context={wants.context}"] if wants.context else []
        yield shlex.join(where)
    node = spec.get("nodeName")
    if node:
        yield f"the files /var/log/pods/{space}_{pod}_{meta.get('uid')}/{name}/ on node {node}"
