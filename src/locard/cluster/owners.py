"""Which pods are a workload's: by its selector, whole, and then by who owns them.

Two workloads may have pods with the same labels, so labels alone do not tell: an owner reference does.
A deployment owns replica sets, and these own pods; stateful sets, daemon sets and jobs own theirs.
Source: kubernetes.io/docs/concepts/overview/working-with-objects/labels and …/owners-dependents.
"""

from __future__ import annotations

from typing import Any

from locard.cluster.json_reading import entries, objects, part, text

VERSION_LABELS = ("pod-template-hash", "controller-revision-hash")


def selector(workload: dict[str, Any]) -> str:
    """A workload's selector as `kubectl --selector` takes it; empty where it has none that can be written."""
    found = part(workload, "spec", "selector")
    labels = part(found, "matchLabels")
    if text(workload, "kind") == "ReplicationController":
        labels = found
    terms = [f"{key}={value}" for key, value in sorted(labels.items()) if isinstance(value, str)]
    for one in objects(found, "matchExpressions"):
        term = _expression(one)
        if not term:
            return ""  # without it more pods would be picked than are meant
        terms.append(term)
    return ",".join(terms)


def _expression(one: dict[str, Any]) -> str:
    key, how = text(one, "key"), text(one, "operator")
    values = ",".join(sorted(v for v in entries(one, "values") if isinstance(v, str)))
    forms = {
        "In": f"{key} in ({values})",
        "NotIn": f"{key} notin ({values})",
        "Exists": key,
        "DoesNotExist": f"!{key}",
    }
    return forms.get(how, "") if key else ""


def owned(
    pods: list[dict[str, Any]], workload: dict[str, Any], sets: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The pods that the workload owns, itself or through its replica sets.

    Where the replica sets could not be read, a pod is its if its owner is named as a replica set of it is.
    """
    meta = part(workload, "metadata")
    uid, name, kind = text(meta, "uid"), text(meta, "name"), text(workload, "kind")
    if kind != "Deployment":
        return [p for p in pods if uid and _owner(p).get("uid") == uid]
    mine = {text(part(s, "metadata"), "uid") for s in sets if _owner(s).get("uid") == uid}
    if sets:
        return [p for p in pods if _owner(p).get("uid") in mine]
    return [p for p in pods if named_for(p, name)]


def named_for(pod: dict[str, Any], deployment: str) -> bool:
    """Whether a pod's replica set is named as those of a deployment are: NAME-HASH, the hash on the pod too."""
    owner = _owner(pod)
    version = text(part(pod, "metadata", "labels"), VERSION_LABELS[0])
    return (
        bool(version)
        and owner.get("kind") == "ReplicaSet"
        and owner.get("name") == f"{deployment}-{version}"
    )


def made_by(items: list[dict[str, Any]], owner: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects that another one owns."""
    uid = text(part(owner, "metadata"), "uid")
    return [i for i in items if uid and _owner(i).get("uid") == uid]


def sets_of(sets: list[dict[str, Any]], workload: dict[str, Any]) -> list[dict[str, Any]]:
    """The replica sets that a deployment owns."""
    uid = text(part(workload, "metadata"), "uid")
    return [s for s in sets if uid and _owner(s).get("uid") == uid]


def common_selector(mine: list[dict[str, Any]], every: list[dict[str, Any]]) -> str:
    """A selector that picks these of all pods and no others, from the labels that they share; else empty."""
    if not mine:
        return ""
    labels = [set(part(p, "metadata", "labels").items()) for p in mine]
    shared = {
        (key, value)
        for key, value in set.intersection(*labels)
        if key not in VERSION_LABELS and isinstance(value, str) and value
    }
    picked = [p for p in every if shared <= set(part(p, "metadata", "labels").items())]
    if not shared or len(picked) != len(mine):
        return ""
    return ",".join(f"{key}={value}" for key, value in sorted(shared))


def owner_name(pod: dict[str, Any]) -> str:
    """`ReplicaSet/checkout-5d8f`; empty for a pod that nobody owns."""
    owner = _owner(pod)
    return f"{text(owner, 'kind')}/{text(owner, 'name')}" if owner else ""


def version(pod: dict[str, Any]) -> str:
    """What tells the pods of one template from those of another; empty where nothing does."""
    labels = part(pod, "metadata", "labels")
    return next((v for key in VERSION_LABELS if (v := text(labels, key))), "")


def _owner(item: dict[str, Any]) -> dict[str, Any]:
    found = objects(part(item, "metadata"), "ownerReferences")
    return next((o for o in found if o.get("controller") is True), {})
