"""A pod's status as a record: real answers, and rubbish."""

from __future__ import annotations

import pytest

from cluster_answers import stood
from locard.cluster.json_reading import items
from locard.cluster.pod_states import pod_states


def container(found, name):
    return next(c for c in found.containers if c.name == name)


def test_an_init_container_that_fails_and_what_is_behind_it():
    found = stood("unstarted", "deployment/orders")
    assert len(found.pods) == 2
    done, failing, behind = (container(found, n) for n in ("wait-db", "migrate", "app"))
    assert (done.kind, done.condition, done.end.exit_code) == ("init", "ended", 0)
    assert failing.kind == "init"
    assert failing.last_end.exit_code == 1
    assert failing.restarts > 2
    assert (behind.condition, behind.reason) == ("waiting", "PodInitializing")
    assert behind.started is None


def test_a_sidecar_is_told_from_what_runs_once():
    found = stood("kinds", "statefulset/shard")
    assert {c.kind for c in found.containers} == {"sidecar", "app"}
    assert container(found, "mesh").condition == "running"
    assert [p.ready for p in found.pods] == [True, True, False]


def test_a_kill_for_memory_with_its_limit():
    one = container(stood("kinds", "deployment/hungry"), "app")
    assert one.last_end.reason == "OOMKilled"
    assert one.last_end.exit_code == 137
    assert one.memory_limit == "24Mi"


def test_a_pod_that_no_node_takes():
    (pod,) = stood("unstarted", "deployment/report").pods
    assert "Insufficient memory" in pod.unscheduled
    assert pod.containers[0].requests == "memory 900Gi"
    assert not stood("unstarted", "deployment/catalog").pods[0].unscheduled


def test_a_run_before_that_ended_and_when():
    found = stood("ended", "deployment/payment")
    died = [c for c in found.containers if c.last is not None]
    assert len(died) == 1
    assert died[0].condition == "running"
    assert died[0].last.exit_code == 3
    assert died[0].last.ended == pytest.approx(died[0].started, abs=5)


@pytest.mark.parametrize(
    "pod",
    [
        {},
        {"metadata": None, "spec": 7, "status": []},
        {"metadata": {"name": 4}, "status": {"containerStatuses": [None, 3, {"state": "x"}]}},
        {"status": {"containerStatuses": [{"name": "a", "restartCount": "many", "state": {"running": 1}}]}},
        {"status": {"containerStatuses": [{"name": "a", "state": {"terminated": {"exitCode": True, "finishedAt": "soon"}}}]}},
    ],
)  # fmt: skip
def test_rubbish_is_no_crash_and_says_nothing(pod):
    (found,) = pod_states([pod])
    assert not found.ready
    assert all(not c.ready and c.restarts == 0 for c in found.containers)
    assert all(c.last_end is None or c.last_end.exit_code is None for c in found.containers)


def test_an_answer_is_a_list_or_one():
    assert items(b'{"kind":"List","items":[{"a":1},3]}') == [{"a": 1}]
    assert items(b'{"kind":"Pod"}') == [{"kind": "Pod"}]
    with pytest.raises(ValueError, match="no object"):
        items(b"[]")
