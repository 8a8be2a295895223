"""The answers of one asking put together: the states of a target's pods as one record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from locard.cluster import history, owners, pod_states
from locard.cluster.json_reading import number, part
from locard.cluster.no_log import no_logs
from locard.model.workload import WordsOf, WorkloadStates


@dataclass(slots=True)
class Answers:
    """What a cluster said of one target, as it came. `workload` is empty for a pod and for labels."""

    ref: str
    namespace: str
    context: str
    asked: float
    workload: dict[str, Any]
    pods: list[dict[str, Any]]
    sets: list[dict[str, Any]]
    events: list[dict[str, Any]]
    missed: list[str]
    evidence: list[str]
    by_name: bool = False
    said: tuple[str, ...] = ()  # what came in place of logs


def states(found: Answers, *, previous: bool = False) -> WorkloadStates:
    """All of it, read."""
    pods = history.with_warnings(pod_states.pod_states(found.pods), found.events)
    sets = owners.sets_of(found.sets, found.workload) if found.workload else found.sets
    names = [part(s, "metadata").get("name", "") for s in sets]
    names += [p.owner.partition("/")[2] for p in pods]
    names.append(part(found.workload, "metadata").get("name", ""))
    status = part(found.workload, "spec")
    return WorkloadStates(
        ref=found.ref,
        namespace=found.namespace or next((p.namespace for p in pods), ""),
        context=found.context,
        asked=found.asked,
        previous=previous,
        pods=pods,
        gone=history.gone(found.events, pods, (str(n) for n in names if n)),
        versions=history.versions(sets, found.events) or history.versions_of(pods),
        no_logs=no_logs(found.said),
        desired=number(status, "replicas"),
        paused=status.get("paused") is True,
        trouble=history.complaints(found.workload, sets),
        by_name=found.by_name,
        missed=tuple(found.missed),
        evidence=tuple(found.evidence),
    )


def with_words(
    found: WorkloadStates, words: dict[tuple[str, str], tuple[str, bool]]
) -> WorkloadStates:
    """The states with the last words of containers: by pod and name, and whether of the run before."""
    pods = []
    for pod in found.pods:
        mine = []
        for one in pod.containers:
            said, before = words.get((pod.name, one.name), ("", False))
            of: WordsOf = "the run before" if before else "this run"
            mine.append(replace(one, last_words=said, words_of=of) if said else one)
        pods.append(replace(pod, containers=tuple(mine)))
    return replace(found, pods=tuple(pods))
