"""A debug container: the mildest profile first, one only, and what became of it is told."""

from __future__ import annotations

import json

import pytest

from locard.cluster import asks, debug
from locard.guard.command import Impact, Wait
from locard.guard.gate import Gate
from locard.model.errors import RefusedError
from locard.model.evidence import Output

# In the words of Kubernetes 1.33.
POLICY = (
    b'Error from server (Forbidden): pods "spare" is forbidden: violates PodSecurity "restricted:latest": '
    b'allowPrivilegeEscalation != false (container "probe" must set securityContext.allowPrivilegeEscalation=false)'
)
NOT_ALLOWED = (
    b'Error from server (Forbidden): pods "spare" is forbidden: User "x" cannot patch resource '
    b'"pods/ephemeralcontainers" in API group "" in the namespace "shop"'
)
STUCK = {
    "waiting": {
        "reason": "CreateContainerConfigError",
        "message": "container has runAsNonRoot and image will run as root",
    }
}


def played(made, state=None, **options):
    """The steps of a plan whose `kubectl debug` answers in turn, and whose pod stands as given."""
    answers, outputs, steps = list(made), [], []
    plan = debug.plan(asks.place("shop", ""), "spare", "app", "probe", "busybox:1", **options)
    try:
        step = next(plan)
        while True:
            steps.append(step)
            if isinstance(step, Wait):
                step = next(plan)
                continue
            if step.argv[1] == "debug":
                code, said = answers.pop(0)
                output = Output(step.argv, b"", said, code)
            else:
                pod = {
                    "kind": "Pod",
                    "status": {"ephemeralContainerStatuses": [{"name": "probe", "state": state}]},
                }
                output = Output(step.argv, json.dumps(pod).encode())
            outputs.append(output)
            step = plan.send(output)
    except StopIteration:
        return [s for s in steps if not isinstance(s, Wait)], debug.read(outputs, "spare", "probe")


def profiles(steps):
    return [w.partition("=")[2] for s in steps for w in s.argv if w.startswith("--profile=")]


def test_it_needs_to_be_allowed_and_names_its_residue_before():
    steps, _ = played([(0, b"")], {"running": {}})
    gate = Gate({"x": debug.COMMANDS}, Impact.PAUSES, cap=Impact.INJECTS, why="")
    with pytest.raises(RefusedError):
        gate.admit("x", steps[0])
    allowed = Gate({"x": debug.COMMANDS}, Impact.INJECTS, cap=Impact.INJECTS, why="")
    assert "cannot be removed" in allowed.admit("x", steps[0]).command.residue[0]


def test_the_mildest_profile_that_is_taken():
    steps, found = played([(0, b"")], {"running": {"startedAt": "2026-11-27T20:00:00Z"}})
    assert profiles(steps) == ["restricted"]
    assert (found.outcome, found.profile, found.left) == ("runs", "restricted", True)


def test_a_policy_is_quoted_and_the_next_one_tried_up_to_a_bound():
    steps, found = played([(1, POLICY), (0, b"")], {"running": {}})
    assert profiles(steps) == ["restricted", "baseline"]
    assert found.profile == "baseline"
    assert "allowPrivilegeEscalation" in found.refused[0][1]
    steps, found = played([(1, POLICY)] * 3)
    assert profiles(steps) == ["restricted", "baseline", "general"]  # never sysadmin by itself
    assert (found.outcome, found.left) == ("refused", False)


def test_no_second_one_where_the_first_exists_or_may_exist():
    steps, found = played([(0, b"")], STUCK)
    assert profiles(steps) == ["restricted"]
    assert (found.outcome, found.left) == ("stuck", True)
    assert "runAsNonRoot" in found.says
    for code, said in ((1, b"error: unexpected EOF"), (None, b""), (1, NOT_ALLOWED)):
        steps, found = played([(code, said)])
        assert profiles(steps) == ["restricted"]
        assert found.outcome == "failed"
        assert found.left is (code is None)


def test_one_that_ends_at_once_is_no_running_one():
    _, found = played([(0, b"")], {"terminated": {"reason": "Error", "exitCode": 127}})
    assert (found.outcome, found.left) == ("stuck", True)
    assert "ended at once" in found.says
