"""States, rights and a debug container on a real cluster (`tests/k8s_lab.py` says which)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from k8s_lab import IMAGE, Space, beside, container, deployment, named, needs_cluster, pod
from locard.cluster import asks, debug
from locard.guard.command import Wait
from locard.model.evidence import Output
from support import wait_until

pytestmark = needs_cluster
NAME = f"locard-states-{os.getpid()}"
ROLES = Path(__file__).parents[2] / "docs" / "kubernetes-role.yaml"
BEAT = 'while :; do echo "{\\"level\\":\\"info\\",\\"msg\\":\\"beat\\",\\"status\\":200}"; sleep 0.2; done'
DIES = "echo 'panic: queue mail has no exchange' >&2; exit 2"


def objects():
    hungry = container(
        "app", "sleep 1; x=a; while :; do x=$x$x; done", resources={"limits": {"memory": "24Mi"}}
    )
    orders = pod(
        container("app", BEAT),
        initContainers=[container("migrate", "echo 'ERROR: no relation'; exit 1")],
    )
    report = pod(container("app", BEAT, resources={"requests": {"memory": "900Gi"}}))
    return [
        deployment("steady", pod(container("app", BEAT)), replicas=2),
        deployment("hungry", pod(hungry)),
        deployment("orders", orders),
        deployment("report", report),
        deployment("worker", pod(container("app", DIES))),
        deployment("bare", pod({"name": "app", "image": "localhost/none:1", "imagePullPolicy": "Never"})),
        # Its labels are those that `steady` selects by, and it is somebody else's.
        {**named("Pod", "stray", pod(container("app", 'while :; do echo "{\\"level\\":\\"error\\",\\"msg\\":\\"stray\\"}"; sleep 0.2; done'))),
         "metadata": {"name": "stray", "labels": {"app": "steady"}}},
        {**named("ServiceAccount", "looker", {}), "spec": None},
    ]  # fmt: skip


@pytest.fixture(scope="module")
def space():
    with Space(NAME) as made:
        made.kubectl("apply", "-f", "-", input="\n---\n".join(map(json.dumps, objects())))

        def has_failed():
            found = json.loads(made.kubectl("get", "pods", "-o", "json"))["items"]
            every = {p["metadata"]["name"].split("-")[0]: p["status"] for p in found}
            restarts = [
                s.get("restartCount", 0)
                for name in ("hungry", "orders", "worker")
                for key in ("initContainerStatuses", "containerStatuses")
                for s in every.get(name, {}).get(key, [])
            ]
            return sum(r >= 1 for r in restarts) >= 3

        wait_until(has_failed, 120)
        yield made


@pytest.fixture
def logs(space, locard):
    def ask(*words):
        return beside(*locard.argv("logs", "-n", NAME, "--budget", "60s", *words))

    return ask


@pytest.mark.parametrize(
    ("name", "rule", "says"),
    [
        ("hungry", "oom-kill", "memory limit of 24Mi"),
        ("orders", "container-not-started", "ERROR: no relation"),
        ("report", "container-not-started", "900Gi"),
        ("bare", "container-not-started", "ErrImageNeverPull"),
        ("worker", "restart-loop", "panic: queue mail has no exchange"),
    ],
)
def test_what_does_not_run_is_a_finding_with_its_reason(logs, name, rule, says):
    if name == "worker":
        wait_until(lambda: "restart-loop" in logs("deployment/worker").stdout, 60)
    done = logs(f"deployment/{name}")
    assert done.returncode == 1, done.stderr
    words = " ".join(done.stdout.split())
    assert rule in words
    assert says in words


def test_what_runs_is_no_finding_and_others_with_its_labels_are_not_read(logs):
    done = logs("deployment/steady", "-o", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    body = json.loads(done.stdout)
    assert len(body["workload"]["pods"]) == 2
    assert body["findings"] == []
    assert body["log_summary"]["extent"]["errors"] == 0
    by_label = json.loads(logs("-l", "app=steady", "-o", "json").stdout)
    assert len(by_label["workload"]["pods"]) == 3  # the same labels, asked for as labels
    assert by_label["log_summary"]["extent"]["errors"] > 0


def test_what_the_kubelet_says_is_no_line_of_the_log(logs):
    for _ in range(5):
        body = json.loads(logs("deployment/worker", "--previous", "-o", "json").stdout)
        told = json.dumps(body["log_summary"]["skipped"]) + json.dumps(
            body["log_summary"]["messages"]
        )
        assert "unable to retrieve" not in told
        assert "previous terminated" not in told
        (one,) = [c for p in body["workload"]["pods"] for c in p["containers"]]
        assert one["last_words"] == "panic: queue mail has no exchange"
    body = json.loads(logs("deployment/steady", "--previous", "-o", "json").stdout)
    assert {n["kind"] for n in body["workload"]["no_logs"]} == {"no-previous-run"}
    assert body["findings"] == []


def as_looker(space, words):
    """A command with the identity of the service account `looker`."""
    token = space.kubectl("create", "token", "looker").strip()
    whole = json.loads(
        beside("kubectl", "config", "view", "--raw", "--flatten", "--minify", "-o", "json").stdout
    )
    whole["users"] = [{"name": "looker", "user": {"token": token}}]
    whole["contexts"][0]["context"]["user"] = "looker"
    path = Path(f"/tmp/{NAME}.kubeconfig")  # the children of locard read it
    path.write_text(json.dumps(whole))
    try:
        return beside("env", f"KUBECONFIG={path}", *words)
    finally:
        path.unlink()


def test_the_role_that_is_shipped_lets_look_and_not_enter(space, locard):
    ask = locard.argv("doctor", "deployment/steady", "-n", NAME, "-o", "json")
    before = json.loads(as_looker(space, ask).stdout)
    assert before["may_exec"] is False
    assert before["workload"] is None
    binding = ROLES.read_text().replace("kind: Group", "kind: ServiceAccount")
    binding = binding.replace("name: on-call # yours", f"name: looker\n    namespace: {NAME}")
    binding = binding.rpartition("    apiGroup: rbac.authorization.k8s.io")[0]
    space.kubectl("apply", "-f", "-", input=binding)
    found = json.loads(as_looker(space, ask).stdout)
    assert found["may_exec"] is False
    assert len(found["workload"]["pods"]) == 2
    assert found["workload"]["missed"] == []
    allowed = {
        (a["verb"], a["resource"], a["subresource"]): a["allowed"]
        for a in found["access"]["answers"]
    }
    assert sum(allowed.values()) == len(allowed) - 3  # exec by either verb, and a debug container
    read = as_looker(space, locard.argv("logs", "deployment/steady", "-n", NAME, "-o", "json"))
    assert read.returncode == 0, read.stderr


def test_a_debug_container_is_made_once_and_stays(space):
    target = json.loads(space.kubectl("get", "pod", "stray", "-o", "json"))["metadata"]["name"]
    outputs = []
    plan = debug.plan(asks.place(NAME, ""), target, "app", "probe", IMAGE, pull="Never")
    try:
        step = next(plan)
        while True:
            if isinstance(step, Wait):
                beside("sleep", str(step.seconds))
                step = next(plan)
                continue
            done = beside(*step.argv)
            outputs.append(
                Output(step.argv, done.stdout.encode(), done.stderr.encode(), done.returncode)
            )
            step = plan.send(outputs[-1])
    except StopIteration:
        pass
    found = debug.read(outputs, target, "probe")
    # The image is root's and the pod sets no user: the restricted profile is taken, and the kubelet refuses it.
    assert (found.outcome, found.profile, found.left) == ("stuck", "restricted", True)
    assert "runAsNonRoot" in found.says
    assert sum(o.argv[1] == "debug" for o in outputs) == 1
