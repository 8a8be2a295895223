"""From pods to places: what can be entered, and why the rest cannot."""

from __future__ import annotations

from dataclasses import replace

from cluster_answers import stood
from locard.cluster.places import places
from locard.model.cluster_access import Answer, ClusterAccess

NO = ClusterAccess(
    "shop", "", "anna", "v1.33.1",
    (Answer("create", "pods", "exec", allowed=False), Answer("get", "pods", "exec", allowed=False)),
)  # fmt: skip
YES = replace(NO, answers=(Answer("get", "pods", "exec", allowed=True),))


def opened(found):
    return [p for p in found if not p.closed]


def test_every_pod_and_the_services_own_containers_first():
    found = places(stood("kinds", "statefulset/shard"), YES)
    assert [p.container for p in opened(found)] == ["app"] * 3
    sidecars = [p for p in found if p.beside]
    assert len(sidecars) == 3
    assert all("-c mesh" in p.closed for p in sidecars)
    assert len(opened(places(stood("kinds", "statefulset/shard"), all_containers=True))) == 6
    (named,) = {
        p.container for p in opened(places(stood("kinds", "statefulset/shard"), container="mesh"))
    }
    assert named == "mesh"


def test_what_does_not_run_is_listed_with_its_state():
    found = places(stood("unstarted", "deployment/orders"), YES)
    assert len(found) == 6
    assert not opened(found)
    by_name = {p.container: p.closed for p in found}
    assert "exit code 0" in by_name["wait-db"]
    assert "PodInitializing" in by_name["app"]
    (lost,) = places(stood("unstarted", "deployment/report"), YES)
    assert "no node takes the pod" in lost.closed


def test_who_may_not_is_told_the_rule():
    found = places(stood("half_way", "deployment/checkout"), NO)
    assert len(found) == 5
    assert not opened(found)
    assert "anna may not" in found[0].closed
    assert "create pods/exec or get pods/exec would allow it" in found[0].closed
    assert len(opened(places(stood("half_way", "deployment/checkout"), YES))) == 5
    unknown = replace(NO, answers=())
    assert (
        "not known to be allowed"
        in places(stood("half_way", "deployment/checkout"), unknown)[0].closed
    )
