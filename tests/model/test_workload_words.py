"""The states of pods in words: one sentence a cause, and none where nothing is wrong."""

from __future__ import annotations

import re

import pytest

from cluster_answers import recorded, stood
from locard.model.moments import MARK
from locard.model.workload_split import with_states
from locard.model.workload_trouble import troubles
from locard.model.workload_words import headline, lines, titles
from rules.builders import log

CAUSES = [
    ("unstarted", "deployment/orders", "init-fails", r"init container migrate of both pods .* exit code 1, \d+ restarts; app has not run"),
    ("unstarted", "deployment/pricing", "not-started", r"ErrImageNeverPull: .*localhost/pricing:2.8.1.* not present with pull policy of Never"),
    ("unstarted", "deployment/search", "not-started", r'CreateContainerConfigError: configmap "search-settings" not found'),
    ("unstarted", "deployment/report", "unscheduled", r"not scheduled, no node takes it: .*Insufficient memory.*900Gi"),
    ("ended", "deployment/payment", "ended", r"1 of 3 pods of deployment/payment \(\S+\) ended with exit code 3 at T, 1 restart; it runs again"),
    ("ended", "deployment/worker", "restarts", r"ends again and again: exit code 2, \d+ restarts"),
    ("kinds", "deployment/hungry", "oom", r"at its memory limit of 24Mi: OOMKilled, exit code 137 \(SIGKILL\) at T, \d+ restarts"),
    ("kinds", "deployment/deaf", "killed-by-probe", r"kubelet ended the container app of both pods .* because its probe failed"),
    ("kinds", "statefulset/shard", "not-ready", r"1 of 3 pods of statefulset/shard \(shard-2\) runs and is not ready"),
    ("kinds", "deployment/typo", "not-started", r"/app/serve.*no such file"),
    ("kinds", "deployment/keyless", "not-started", r'FailedMount: .*secret "signing-key" not found'),
    ("kinds", "job/nightly", "ended", r"both pods of job/nightly ended with exit code 1 at T"),
    ("kinds", "deployment/asleep", "no-pods", r"deployment/asleep is scaled to 0: no pod of it runs"),
    ("quota", "deployment/blocked", "no-pods", r"deployment/blocked has no pod: FailedCreate: .*exceeded quota"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "ref", "kind", "says"), CAUSES)
def test_one_cause_one_sentence(name, ref, kind, says):
    ((found, title),) = titles(stood(name, ref))
    assert found.kind == kind
    assert re.search(says, MARK.sub("T", title))
    assert "CrashLoopBackOff" not in title  # how the kubelet waits is no cause


@pytest.mark.parametrize(
    ("name", "ref", "says"),
    [
        ("unstarted", "deployment/catalog", "1 pod, ready, no restarts"),
        ("half_way", "deployment/checkout", "5 pods, all ready, no restarts, 2 versions"),
        ("kinds", "job/tidy", "1 pod, done"),
        ("kinds", "deployment/alpha", "1 pod, ready, no restarts"),
    ],
)
def test_nothing_is_wrong_where_all_run(name, ref, says):
    found = stood(name, ref)
    assert not troubles(found)
    assert headline(found) == says


def test_a_container_that_is_just_being_made_is_no_trouble():
    found = stood("kinds", "deployment/keyless", events=[])
    assert troubles(found)  # nobody complains, and it takes too long
    soon = stood("kinds", "deployment/keyless", events=[], asked=found.pods[0].created + 5)
    assert not troubles(soon)


def test_a_pod_that_is_being_deleted_is_no_trouble():
    found = stood("kinds", "deployment/hungry")
    assert troubles(found)
    pod = found.pods[0].name
    every = [
        {**p, "metadata": {**p["metadata"], "deletionTimestamp": "2026-11-27T21:00:00Z"}}
        for p in recorded("kinds")["pods"]
        if p["metadata"]["name"] == pod
    ]
    leaving = stood("kinds", "deployment/hungry", pods=every)
    assert not troubles(leaving)
    assert "1 being deleted" in headline(leaving)


def test_those_without_a_previous_run_are_named_and_are_no_failure():
    said = ('error: previous terminated container "app" in pod "payment-x" not found',)
    found = stood("ended", "deployment/payment", previous=True, said=said)
    told = dict(lines(found))
    assert told["no log"] == ["payment-x/app: no previous run, it has never been restarted"]
    assert not found.refused


def test_what_the_kubelet_has_removed_is_no_data():
    said = ("[pod/w-1/app] unable to retrieve container logs for containerd://d5",)
    told = dict(lines(stood("ended", "deployment/worker", previous=True, said=said)))
    assert told["no log"] == [
        "w-1/app: the kubelet has removed it (no data, not an error of the service)"
    ]


POD = {
    "kind": "Pod",
    "metadata": {"name": "pay-1", "creationTimestamp": "2026-11-27T20:00:00Z"},
    "spec": {"restartPolicy": "Always", "containers": [{"name": "app"}]},
}
SINCE = {"running": {"startedAt": "2026-11-27T20:00:01Z"}}


def one_pod(status, events=(), asked=1795812600.0, **spec):
    pod = {**POD, "spec": {**POD["spec"], **spec}, "status": status}
    return stood("kinds", "pod/pay-1", pods=[pod], events=list(events), asked=asked)


def app(state, ready=False, restarts=0, last=None):
    found = {"name": "app", "state": state, "ready": ready, "restartCount": restarts}
    return {**found, "lastState": {"terminated": last}} if last else found


def test_an_init_container_that_goes_on_is_named_and_what_waits_for_it():
    status = {
        "initContainerStatuses": [{"name": "wait-db", "state": SINCE, "ready": False}],
        "containerStatuses": [app({"waiting": {"reason": "PodInitializing"}})],
    }
    init = {"initContainers": [{"name": "wait-db"}]}
    ((found, title),) = titles(one_pod(status, **init))
    assert found.kind == "init-runs"
    said = MARK.sub("T", title)
    assert (
        said
        == "The init container wait-db of pod pay-1 has not ended, it runs since T; app has not run"
    )
    assert not troubles(one_pod(status, asked=1795809610.0, **init))  # nine seconds after its start


def test_a_pod_that_is_not_ready_though_its_containers_are():
    status = {
        "conditions": [{"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady",
                        "message": 'corresponding condition of pod readiness gate "lb" does not exist.'}],
        "containerStatuses": [app(SINCE, ready=True)],
    }  # fmt: skip
    ((found, title),) = titles(one_pod(status))
    assert found.kind == "not-ready"
    assert "though every container of it is: ReadinessGatesNotReady" in title


def test_a_probe_that_kills_whatever_the_exit_code():
    killing = {"type": "Normal", "reason": "Killing", "involvedObject": {"name": "pay-1"},
               "message": "Container app failed liveness probe, will be restarted"}  # fmt: skip
    last = {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-11-27T20:40:00Z"}
    status = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [app(SINCE, True, 1, last)],
    }
    ((found, _),) = titles(one_pod(status, [killing]))
    assert found.kind == "killed-by-probe"
    other = {**killing, "message": "Container apple failed liveness probe, will be restarted"}
    assert not troubles(one_pod(status, [other]))  # it ended well, and nobody says otherwise


def test_an_end_of_days_ago_is_no_trouble_of_today():
    last = {"exitCode": 1, "reason": "Error", "finishedAt": "2026-11-20T20:40:00Z"}
    status = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [app(SINCE, True, 1, last)],
    }
    assert not troubles(one_pod(status))
    fresh = {**last, "finishedAt": "2026-11-27T20:00:00Z"}
    status["containerStatuses"] = [app(SINCE, True, 1, fresh)]
    assert [t.kind for t in troubles(one_pod(status))] == ["ended"]


def test_two_runs_in_a_row_that_fail_are_a_loop():
    ended = {"exitCode": 78, "reason": "Error", "finishedAt": "2026-11-27T20:40:00Z"}
    two = app({"terminated": ended}, restarts=1, last=ended)
    ((found, title),) = titles(one_pod({"containerStatuses": [two]}))
    assert found.kind == "restarts"
    assert "ends again and again: exit code 78, 1 restart" in title
    once = app({"terminated": ended})
    assert [t.kind for t in troubles(one_pod({"containerStatuses": [once]}))] == ["ended"]


def test_logs_that_were_refused_make_the_answer_partial():
    said = [
        f'Error from server (Forbidden): pods "pay-{n}" is forbidden: User "x" cannot get'
        for n in (1, 2)
    ]
    found = stood("kinds", "deployment/alpha", said=said)
    assert len(found.refused) == 2
    (told,) = dict(lines(found))["no log"]  # once, whatever the pods are called
    assert "cannot get" in told
    summary = with_states(log(), found)
    assert summary.partial
    assert summary.gaps[-1].startswith("read in part: 2 logs were not given")
    assert not with_states(log(), stood("kinds", "deployment/alpha")).partial
