"""A question about a log that nobody wrote is answered with how its pods stand."""

from __future__ import annotations

import os

import pytest

from cluster_answers import recorded, stood
from locard.logs.scan.no_records import nothing_written
from locard.model.errors import ExitCode


@pytest.mark.parametrize(
    ("name", "ref", "says"),
    [
        ("unstarted", "deployment/pricing", "ErrImageNeverPull"),
        ("unstarted", "deployment/report", "not scheduled"),
        ("kinds", "deployment/asleep", "scaled to 0"),
        ("kinds", "deployment/alpha", "1 pod, ready"),  # it runs, and is silent
    ],
)
def test_why_is_how_they_stand(name, ref, says):
    error = nothing_written(ref, stood(name, ref))
    assert error.exit_code == ExitCode.FINDINGS
    assert says in error.why
    assert error.why.isprintable()  # no mark of a moment is left


def test_a_slice_of_pods_that_never_started_is_no_failure_to_reach_them(locard, tmp_path):
    import json

    every = recorded("unstarted")
    (pod,) = [p for p in every["pods"] if p["metadata"]["name"].startswith("search-")]
    answer = tmp_path / "pod.json"
    answer.write_text(json.dumps(pod))
    program = tmp_path / "kubectl"
    program.write_text(
        f"""#!/bin/sh
case "$*" in
*"get pods"*) cat {answer};;
logs*) echo 'error: container "app" in pod "x" is waiting to start: CreateContainerConfigError';;
*) echo '{{"kind":"List","items":[]}}';;
esac
"""
    )
    program.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = locard("logs", f"pod/{pod['metadata']['name']}", "--where", "status = 500", env=env)
    assert done.returncode == 1, done.stderr
    assert "search-settings" in done.stderr
    whole = locard("logs", f"pod/{pod['metadata']['name']}", env=env)
    assert whole.returncode == 1, whole.stderr
    assert "container-not-started" in whole.stdout
    assert "waiting to start" not in whole.stdout.partition("no log")[0]
