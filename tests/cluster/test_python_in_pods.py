"""Python's stacks in a pod of a real cluster, through kubectl exec, and of the same process from its node.

The pod sees the node's own programs, and so a python3, read-only; it has no capability that a pod has not by default.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
from observing_support import run_to_end

from k8s_lab import Space, command, container, named, needs_cluster, pod

pytestmark = [*needs_cluster, pytest.mark.timeout(300)]
NAME = f"locard-python-{os.getpid()}"
WORK = """
import threading
gate = threading.BoundedSemaphore(1)
gate.acquire()
for _ in range(2):
    threading.Thread(target=gate.acquire, name="queue", daemon=True).start()
threading.Event().wait()
"""
_SEES = ("/usr", "/lib", "/lib64")


@pytest.fixture(scope="module")
def space():
    if not Path("/usr/bin/python3").exists():
        pytest.skip("the node has no /usr/bin/python3 to lend")
    mounts = [{"name": p[1:], "mountPath": p, "readOnly": True} for p in _SEES]
    works = container("app", "", volumeMounts=mounts)
    works["command"] = ["/usr/bin/python3", "-c", WORK, NAME]
    volumes = [{"name": p[1:], "hostPath": {"path": p}} for p in _SEES]
    with Space(NAME) as made:
        made.kubectl(
            "apply", "-f", "-", input=json.dumps(named("Pod", "app", pod(works, volumes=volumes)))
        )
        made.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")
        yield made


def pid_here():
    """The number, here, of the pod's process."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().endswith(f"\0{NAME}\0".encode()):  # fmt: skip
                return int(entry.name)
    raise LookupError(NAME)


def semaphore(asked):
    """The one thing that is waited for, at the last look."""
    (fact,) = (f for f in asked.facts if f["fact"] == "Contention")
    return [t for t in fact["things"] if t["name"] == "threading.BoundedSemaphore"][-1]


def test_stacks_and_a_profile_in_a_pod(space):
    asked = run_to_end("stacks", "pod/app", "-n", NAME, prefix=tuple(command()))
    thing = semaphore(asked)
    assert (thing["pid"], thing["used"], len(thing["tids"])) == (1, 1, 2)
    asked = run_to_end("profile", "pod/app", "-n", NAME, "--mode", "wall", "--for", "1s", prefix=tuple(command()))  # fmt: skip
    (fact,) = (f for f in asked.facts if f["fact"] == "Trace")
    assert {row["thread"] for row in fact["threads"]} >= {"MainThread", "queue"}


def test_the_same_from_its_node(space):
    """The pod's pids lie two levels below those of the machine that the node is on."""
    pid = pid_here()
    thing = semaphore(run_to_end("stacks", f"pid/{pid}"))
    known = {int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()}
    assert (thing["pid"], thing["used"]) == (pid, 1)
    assert len(thing["tids"]) == 2
    assert set(thing["tids"]) < known
