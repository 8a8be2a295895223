"""The logs of a real cluster (`tests/k8s_lab.py` says which)."""

from __future__ import annotations

import json
import os

import pytest

from k8s_lab import beside, container, named, needs_cluster, pod
from support import wait_until

SPACE = f"locard-{os.getpid()}"
pytestmark = needs_cluster

JSON_LINES = """i=0; while [ $i -lt 200 ]; do i=$((i+1)); s=200; [ $i -gt 120 ] && s=503
echo "{\\"status\\":$s,\\"zone\\":\\"$ZONE\\",\\"trace_id\\":\\"$HOSTNAME-$i\\"}"; done
echo ready >&2; exec sleep 100000"""
ONCE = 'if [ -e /mark/x ]; then echo running; exec sleep 100000; fi; touch /mark/x; echo "fatal: no database" >&2; exit 3'


WEB = {
    "replicas": 2,
    "selector": {"matchLabels": {"app": "web"}},
    "template": {
        "metadata": {"labels": {"app": "web"}},
        "spec": pod(
            container("web", JSON_LINES, env=[{"name": "ZONE", "value": "a"}]),
            container("side", "while :; do echo tick; sleep 5; done"),
        ),
    },
}
RECOVERED = pod(
    container("main", ONCE, volumeMounts=[{"name": "mark", "mountPath": "/mark"}]),
    volumes=[{"name": "mark", "emptyDir": {}}],
)
# 14 MB at once: the kubelet begins a new file at 10 MiB, when it next looks (each 10 s).
CHATTY = pod(
    container(
        "main",
        """yes '{"status":200,"path":"/pay","pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}' | head -n 120000
        while :; do echo '{"status":200,"path":"/pay"}'; sleep 0.2; done""",
    )
)
WAITING = pod(container("main", "true", imagePullPolicy="Never") | {"image": "localhost/none:x"})


def kubectl(*words, **options):
    done = beside("kubectl", "--namespace", SPACE, *words, **options)
    assert not done.returncode, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def cluster():
    kubectl("create", "namespace", SPACE)
    try:
        objects = [
            named("Deployment", "web", WEB, "apps/v1"),
            named("Pod", "recovered", RECOVERED),
            named("Pod", "waiting", WAITING),
            named("Pod", "chatty", CHATTY),
        ]
        kubectl("apply", "-f", "-", input="\n---\n".join(map(json.dumps, objects)))
        wait_until(
            lambda: (
                kubectl("logs", "-l", "app=web", "-c", "web", "--ignore-errors", "--tail=-1").count(
                    "ready"
                )
                == 2
            ),
            90,
        )
        wait_until(lambda: "running" in kubectl("logs", "recovered", "--ignore-errors"), 90)
        yield
    finally:
        kubectl("delete", "namespace", SPACE, "--wait=false")


@pytest.fixture
def logs(cluster, locard):
    def ask(*words):
        return beside(*locard.argv("logs", "--namespace", SPACE, "--budget", "60s", *words))

    return ask


def rows(done):
    assert not done.returncode, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", ["deployment/web", "label/app=web"])
def test_all_pods_and_containers_with_the_time_of_each_line(logs, name):
    done = logs(name, "--by", "k8s.pod.name,k8s.container.name", "-o", "jsonl")
    counts = {
        (r["k8s.container.name"], r["count"])
        for r in rows(done)
        if r["k8s.container.name"] == "web"
    }
    assert len(rows(done)) == 4
    assert {n for _, n in counts} <= {200, 201}  # the line on standard error is one of text
    body = json.loads(logs(name, "-o", "json").stdout)["log_summary"]
    assert body["first"] is not None
    assert any(role["field"] == "prefix.time" for role in body["roles"])


def test_one_container(logs):
    found = rows(
        logs(
            "deployment/web", "-c", "web", "--where", "status = 503", "--by", "zone", "-o", "jsonl"
        )
    )
    assert [(r["zone"], r["count"]) for r in found] == [("a", 160)]


def test_the_container_before_this_one(logs):
    (row,) = rows(logs("pod/recovered", "--previous", "--top", "5", "-o", "jsonl"))
    assert (row["level"], row["message"]) == ("fatal", "no database")
    (row,) = rows(logs("pod/recovered", "--top", "5", "-o", "jsonl"))
    assert row["message"] == "running"


@pytest.mark.parametrize("name", ["deployment/nope", "pod/nope"])
def test_what_is_not_there_is_said(logs, name):
    done = logs(name)
    assert done.returncode == 3
    assert "not found" in done.stderr


def test_a_pod_that_waits_is_no_empty_success(logs):
    done = logs("pod/waiting")
    assert done.returncode == 1, done.stderr
    assert "ErrImageNeverPull" in done.stdout
    assert "container-not-started" in done.stdout
    assert "There is no log" in done.stdout


def beginnings(done):
    return json.loads(done.stdout)["log_summary"]["beginnings"]


def test_a_file_that_the_kubelet_rotated_is_not_read_and_that_is_said(logs):
    def read():
        return kubectl("logs", "chatty", "--ignore-errors")

    # What came at once is gone from it: the ticks alone are left.
    wait_until(lambda: "pad" not in read() and "/pay" in read(), 90)
    (one,) = beginnings(logs("pod/chatty", "-o", "json"))
    assert one["kind"] == "may-be-rotated"
    assert "newest file" in one["detail"]
    assert "/var/log/pods/" in one["rest"][0]
    assert "startedAt=" in one["evidence"][0]


def test_a_container_that_was_restarted_has_its_older_lines_elsewhere(logs):
    (one,) = beginnings(logs("pod/recovered", "-o", "json"))
    assert (one["kind"], one["restarts"], one["ended"]) == ("started", 1, None)
    assert one["rest"][0].startswith("kubectl logs --previous pod/recovered")
    (before,) = beginnings(logs("pod/recovered", "--previous", "-o", "json"))
    assert (before["kind"], before["restarts"]) == ("started", 0)
    assert before["ended"] >= before["at"] - 1
