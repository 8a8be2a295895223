"""The kernel wing in a pod of a real cluster, through kubectl exec, and the same process seen from its node.

The pods see the node's own programs, and so a python3, read-only; one has CAP_BPF and CAP_PERFMON, one has not.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
from observing_support import asking, run_to_end

from k8s_lab import Space, command, container, named, needs_cluster, pod
from support import wait_until

pytestmark = [*needs_cluster, pytest.mark.timeout(300)]
NAME = f"locard-kernel-{os.getpid()}"
# Waits for a file, does what it counts, goes on: again and again.
WORK = """
import os, socket, sys, threading, time
listening = socket.create_server(("127.0.0.1", 7411))
def waits(): os.read(os.pipe()[0], 1)
threading.Thread(target=waits, daemon=True).start()
while True:
    while not os.path.exists("/tmp/go"): time.sleep(.05)
    os.rename("/tmp/go", "/tmp/went")
    for k in range(31): os.close(os.open("/etc/hostname", os.O_RDONLY))
    for k in range(9): socket.create_connection(("127.0.0.1", 7411)).close()
    open("/tmp/done", "w").close()
"""
_SEES = ("/usr", "/lib", "/lib64")


def objects():
    for name, more in (
        ("able", {"capabilities": {"add": ["BPF", "PERFMON"]}, "seccompProfile": {"type": "Unconfined"}}),
        ("less", {}),
    ):  # fmt: skip
        mounts = [{"name": p[1:], "mountPath": p, "readOnly": True} for p in _SEES]
        works = container("app", "", securityContext=more, volumeMounts=mounts)
        works["command"] = ["/usr/bin/python3", "-c", WORK, f"{NAME}-{name}"]
        volumes = [{"name": p[1:], "hostPath": {"path": p}} for p in _SEES]
        yield named("Pod", name, pod(works, volumes=volumes))


@pytest.fixture(scope="module")
def space():
    if not Path("/usr/bin/python3").exists():
        pytest.skip("the node has no /usr/bin/python3 to lend")
    with Space(NAME) as made:
        made.kubectl("apply", "-f", "-", input="\n---\n".join(map(json.dumps, objects())))
        made.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")
        yield made


def pid_here(name):
    """The number, here, of a pod's process."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().endswith(f"\0{NAME}-{name}\0".encode()):  # fmt: skip
                return int(entry.name)
    raise LookupError(name)


def works(space, name):
    """Let it do what it counts."""
    space.kubectl("exec", name, "--", "/bin/sh", "-c", "rm -f /tmp/done; : > /tmp/go")
    wait_until(lambda: "done" in space.kubectl("exec", name, "--", "/bin/ls", "/tmp"))


def seen(space, name, *words):
    """The fact of a question to a pod that works meanwhile."""
    there = str(Path(f"/proc/{pid_here(name)}/ns/pid").readlink())
    argv = (*words, f"pod/{name}", "-n", NAME, "--for", "8s")
    with asking(*argv, prefix=tuple(command()), space=there) as asked:
        works(space, name)
    (fact,) = (f for f in asked.facts if f["fact"] in {"Trace", "SystemCalls", "NotObserved"})
    return fact


def test_a_pod_with_the_capabilities(space):
    opens = seen(space, "able", "trace", "opens")
    assert opens["fact"] == "Trace", opens
    found = [
        r for r in opens["rows"] if r["what"].endswith("/etc/hostname") and r["result"] == "ok"
    ]
    assert sum(r["count"] for r in found) == 31, opens["rows"]
    calls = seen(space, "able", "syscalls")
    assert {r["what"]: r["count"] for r in calls["calls"]}["connect"] == 9
    assert 1 in {t["tid"] for t in calls["threads"]}, "the numbers are those of the pod"


def test_waits_in_a_pod(space):
    argv = ("-n", NAME, "--for", "1s")
    for name, engine in (("able", "eBPF"), ("less", "/proc")):
        asked = run_to_end("waits", f"pod/{name}", *argv, prefix=tuple(command()))
        (fact,) = (f for f in asked.facts if f["fact"] == "Waits")
        assert fact["observed"]["engine"].startswith(engine), fact["observed"]
        (reads,) = (t for t in fact["threads"] if t["call"] == "read")
        assert (reads["pid"], reads["state"]) == (1, "S")
        missing = [w for w in fact["observed"]["blind"] if "--cap-add CAP_BPF" in w]
        assert bool(missing) == (name == "less")


def test_a_pod_without_the_capabilities_is_told_which(space):
    asked = run_to_end("trace", "opens", "pod/less", "-n", NAME, "--for", "1s", prefix=tuple(command()))  # fmt: skip
    (fact,) = (f for f in asked.facts if f["fact"] == "NotObserved")
    assert "CAP_BPF and CAP_PERFMON, which root lacks here" in fact["unlock"]


def test_the_same_from_its_node(space):
    """The pod's pids lie two levels below those of the machine that the node is on."""
    pid = pid_here("less")
    with asking("trace", "opens", f"pid/{pid}", "--for", "8s") as opens:
        works(space, "less")
    found = [r for r in opens.fact["rows"] if r["what"].endswith("/etc/hostname")]
    assert sum(r["count"] for r in found) == 31, opens.fact["rows"]
    waits = run_to_end("waits", f"pid/{pid}", "--for", "1s").fact
    (reads,) = (t for t in waits["threads"] if t["call"] == "read")
    assert reads["pid"] == pid
    assert "inside)" in reads["thread"]
