"""Which pods are whose: selectors, owners, and names where owners may not be read."""

from __future__ import annotations

from cluster_answers import recorded
from locard.cluster import owners


def workload(selector, kind="Deployment"):
    return {"kind": kind, "metadata": {"name": "pay", "uid": "w"}, "spec": {"selector": selector}}


def pod(name, owner=None, **labels):
    kind, named, uid = owner or ("", "", "")
    refs = [{"kind": kind, "name": named, "uid": uid, "controller": True}]
    return {
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels, "ownerReferences": refs if owner else []},
    }


def test_a_selector_is_whole_or_none():
    every = [
        {"key": "tier", "operator": "In", "values": ["b", "a"]},
        {"key": "track", "operator": "NotIn", "values": ["canary"]},
        {"key": "app", "operator": "Exists"},
        {"key": "old", "operator": "DoesNotExist"},
    ]
    found = owners.selector(workload({"matchLabels": {"x": "1"}, "matchExpressions": every}))
    assert found == "x=1,tier in (a,b),track notin (canary),app,!old"
    # An operator that is not known narrows in a way that is not known: no selector is better than half.
    strange = [{"key": "n", "operator": "Gt", "values": ["1"]}]
    assert not owners.selector(workload({"matchLabels": {"x": "1"}, "matchExpressions": strange}))
    assert not owners.selector({"spec": None})


def test_pods_of_another_owner_with_the_same_labels_are_not_taken():
    mine = {
        "kind": "ReplicaSet",
        "metadata": {"uid": "r1", "ownerReferences": [{"uid": "w", "controller": True}]},
    }
    pods = [
        pod("a", ("ReplicaSet", "pay-1", "r1")),
        pod("b", ("ReplicaSet", "cart-1", "r2")),
        pod("stray"),
    ]
    found = owners.owned(pods, workload({}), [mine])
    assert [p["metadata"]["name"] for p in found] == ["a"]
    every = recorded("kinds")
    alone = next(w for w in every["workloads"] if w["metadata"]["name"] == "hungry")
    labelled = [p for p in every["pods"] if p["metadata"]["labels"].get("app") == "hungry"]
    assert len(labelled) == 2
    assert len(owners.owned(labelled, alone, every["sets"])) == 1


def test_a_stateful_set_owns_its_pods_itself():
    every = recorded("kinds")
    shard = next(w for w in every["workloads"] if w["kind"] == "StatefulSet")
    assert owners.selector(shard) == "app in (shard),!retired"
    assert len(owners.owned(every["pods"], shard, [])) == 3


def test_names_tell_where_owners_may_not_be_read():
    mine = pod(
        "pay-7d9-x", ("ReplicaSet", "pay-7d9", "r"), app="pay", **{"pod-template-hash": "7d9"}
    )
    other = pod(
        "pay-api-5c-x", ("ReplicaSet", "pay-api-5c", "q"), app="api", **{"pod-template-hash": "5c"}
    )
    assert owners.named_for(mine, "pay")
    assert not owners.named_for(other, "pay")  # it begins with the name, and is another's
    assert owners.common_selector([mine], [mine, other]) == "app=pay"
    twin = pod("z", app="pay")
    assert not owners.common_selector([mine], [mine, other, twin])  # these labels pick it too
    assert not owners.common_selector([], [twin])


def test_the_jobs_of_a_cron_job():
    cron = {"metadata": {"uid": "c"}}
    mine = {"metadata": {"name": "tick-1", "ownerReferences": [{"uid": "c", "controller": True}]}}
    other = {"metadata": {"name": "tock-1", "ownerReferences": [{"uid": "d", "controller": True}]}}
    assert owners.made_by([mine, other, {}], cron) == [mine]
    assert owners.made_by([mine, {}], {}) == []
