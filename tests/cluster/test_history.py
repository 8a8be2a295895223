"""Versions, pods that are gone, and what events complain of."""

from __future__ import annotations

from cluster_answers import recorded, stood


def test_versions_of_a_rollout_that_stands_half_way():
    found = stood("half_way", "deployment/checkout")
    assert [(v.revision, v.replicas) for v in found.versions] == [(1, 3), (2, 2)]
    assert found.paused
    assert found.versions[1].since > found.versions[0].since
    assert {p.version for p in found.pods} == {v.hash for v in found.versions}


def test_pods_that_went_with_their_logs():
    found = stood("replaced", "deployment/checkout")
    assert len(found.pods) == 3
    assert len(found.gone) == 3
    assert all(g.name.startswith(f"{found.versions[0].name}-") for g in found.gone)
    assert not {g.name for g in found.gone} & {p.name for p in found.pods}
    other = stood("replaced", "deployment/cart")
    assert not other.gone  # those of checkout are not its own
    assert len(other.versions) == 1


def test_an_older_template_that_is_used_again_was_rolled_out_the_last_time():
    every = recorded("half_way")
    first = next(
        s
        for s in every["sets"]
        if s["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    )
    name = first["metadata"]["name"]
    back = {
        "kind": "Event", "type": "Normal", "reason": "ScalingReplicaSet", "involvedObject": {"name": "checkout"},
        "message": f"Scaled up replica set {name} from 0 to 1", "firstTimestamp": "2026-11-27T21:00:00Z",
        "lastTimestamp": "2026-11-27T21:00:00Z",
    }  # fmt: skip
    more = {**back, "message": f"Scaled up replica set {name} from 1 to 2", "firstTimestamp": "2026-11-27T22:00:00Z",
            "lastTimestamp": "2026-11-27T22:00:00Z"}  # fmt: skip
    found = stood("half_way", "deployment/checkout", events=[*every["events"], back, more])
    assert next(v for v in found.versions if v.name == name).since == 1795813200  # not as it grew


def test_a_quota_that_lets_no_pod_be_made():
    found = stood("quota", "deployment/blocked")
    assert not found.pods
    assert found.desired == 2
    assert "exceeded quota" in found.trouble[0]
    assert not stood("unstarted", "deployment/catalog").trouble


def test_events_of_a_pod_are_its_own():
    (pod,) = stood("kinds", "deployment/keyless").pods
    assert any("signing-key" in says for _, says in pod.warnings)
    (other,) = stood("kinds", "deployment/alpha").pods
    assert not other.warnings


def test_events_that_are_rubbish():
    bad = [
        {},
        {"involvedObject": 3, "message": None},
        {"type": "Warning", "involvedObject": {"name": None}},
    ]
    found = stood("half_way", "deployment/checkout", events=bad)
    assert not found.gone
    assert len(found.pods) == 5
