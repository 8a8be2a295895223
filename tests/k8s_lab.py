"""A real cluster for the tests of the marker `k8s` (`make test-k8s`).

LOCARD_K8S names a folder with `up.sh` and `in.sh COMMAND…` (which runs a command beside the API server with
KUBECONFIG set), or that command itself; LOCARD_K8S_IMAGE an image of its node that has a shell. Elsewhere these
tests are skipped, and say so.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

_NAMED = os.environ.get("LOCARD_K8S", "")
IMAGE = os.environ.get("LOCARD_K8S_IMAGE", "localhost/busybox:lab")
needs_cluster = [
    pytest.mark.k8s,
    pytest.mark.skipif(not _NAMED, reason="no Kubernetes: LOCARD_K8S names none"),
]


def command():
    """What a command is put behind to run it beside the cluster; the lab is brought up first."""
    folder = Path(_NAMED)
    if not folder.is_dir():
        return shlex.split(_NAMED)
    done = subprocess.run([folder / "up.sh"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the lab does not come up: {done.stderr.strip()[-200:]}")
    return [str(folder / "in.sh")]


def beside(*words, **options):
    """Run a command where the operator stands."""
    return subprocess.run(
        [*command(), *map(str, words)],
        capture_output=True, text=True, timeout=120, check=False, **options,
    )  # fmt: skip


class Space:
    """A namespace of its own."""

    def __init__(self, name):
        self.name = name

    def kubectl(self, *words, **options):
        done = beside("kubectl", "--namespace", self.name, *words, **options)
        assert not done.returncode, done.stderr
        return done.stdout

    def __enter__(self):
        self.kubectl("create", "namespace", self.name)
        return self

    def __exit__(self, *_):
        self.kubectl("delete", "namespace", self.name, "--wait=false")


def container(name, script, **more):
    return {"name": name, "image": IMAGE, "imagePullPolicy": "Never",
            "command": ["sh", "-c", script], **more}  # fmt: skip


def pod(*containers, **more):
    return {"terminationGracePeriodSeconds": 0, "containers": list(containers), **more}


def named(kind, name, spec, version="v1"):
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def deployment(name, spec, replicas=1, **labels):
    """A deployment whose selector uses an expression."""
    labels = {"app": name, **labels}
    selector = {
        "matchLabels": labels,
        "matchExpressions": [{"key": "retired", "operator": "DoesNotExist"}],
    }
    template = {"metadata": {"labels": labels}, "spec": spec}
    body = {"replicas": replicas, "selector": selector, "template": template}
    return named("Deployment", name, body, "apps/v1")
