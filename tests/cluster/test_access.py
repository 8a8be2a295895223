"""Who may do what: the right question, and what follows from its answers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from locard.cluster import access, asks
from locard.cluster.access_words import told
from locard.guard.command import Impact
from locard.guard.gate import Gate
from locard.model.cluster_access import Answer
from locard.model.evidence import Output

# What Kubernetes 1.33 answered to three identities: create and get of pods/exec.
WHO = {"looker": ("no", "no"), "viewer": ("no", "yes"), "helper": ("yes", "no")}


def outputs(create, get, server="v1.33.13", rest="yes"):
    asked = []
    plan = access.plan(asks.place("shop", ""))
    step = next(plan)
    try:
        while True:
            words = step.argv[1:]
            if words[0] == "version":
                said = json.dumps({"serverVersion": {"gitVersion": server}})
            elif words[:2] == ("auth", "whoami"):
                said = '{"status":{"userInfo":{"username":"anna"}}}'
            elif "--subresource=exec" in words:
                said = create if words[2] == "create" else get
            else:
                said = rest
            asked.append(Output(step.argv, f"{said}\n".encode(), exit_code=int(said == "no")))
            step = plan.send(asked[-1])
    except StopIteration:
        return asked


def test_the_question_is_of_the_subresource_and_never_of_a_pod_named_exec():
    every = [o.argv for o in outputs("no", "no")]
    assert (
        "kubectl",
        "auth",
        "can-i",
        "create",
        "pods",
        "--subresource=exec",
        "--namespace=shop",
    ) in every
    assert (
        "kubectl",
        "auth",
        "can-i",
        "get",
        "pods",
        "--subresource=exec",
        "--namespace=shop",
    ) in every
    assert not any("pods/exec" in word for argv in every for word in argv)
    gate = Gate({"x": access.COMMANDS}, Impact.READS, cap=Impact.READS, why="")
    for step in access.plan(asks.place("shop", "prod")):
        gate.admit("x", step)
        break


@pytest.mark.parametrize(
    ("who", "may", "as_reader"),
    [("looker", False, False), ("viewer", True, True), ("helper", True, False)],
)
def test_either_verb_suffices_on_this_server(who, may, as_reader):
    found = access.read(outputs(*WHO[who]), "shop")
    assert found.may_exec is may
    assert found.execs_as_reader is as_reader
    assert (found.user, found.server) == ("anna", "v1.33.13")
    said = next(t for t in told(found) if t.right == "exec")
    assert said.allowed is may
    assert ("only reads" in said.says) is as_reader
    assert bool(said.rule) is not may
    assert ("not read-only" in said.says) is (who == "helper")


@pytest.mark.parametrize(("who", "may"), [("looker", False), ("viewer", False), ("helper", True)])
def test_from_1_35_on_create_is_asked_for(who, may):
    found = access.read(outputs(*WHO[who], server="v1.35.0-alpha.1"))
    assert found.may_exec is may
    assert not found.execs_as_reader


def test_no_answer_is_no_no():
    lost = access.read([
        Output(("kubectl", "auth", "can-i", "create", "pods", "--subresource=exec"), b"", b"Unable to connect to the server: x", 1),
        Output(("kubectl", "auth", "can-i", "get", "pods", "--subresource=exec"), b"no\n", exit_code=1),
    ])  # fmt: skip
    assert lost.may_exec is None
    assert lost.answers[0] == Answer(
        "create", "pods", "exec", None, "Unable to connect to the server: x"
    )
    said = next(t for t in told(lost) if t.right == "exec")
    assert said.allowed is None
    assert "not known (Unable to connect" in said.says
    assert next(t for t in told(lost) if t.right == "read-logs").allowed is None


@pytest.mark.parametrize(
    "rubbish", [b"", b"{", b"[]", b"\xff", b'{"status":3}', b'{"serverVersion":{"gitVersion":7}}']
)
def test_rubbish_is_read_without_a_word(rubbish):
    every = [Output(o.argv, rubbish) for o in outputs("yes", "yes")]
    found = access.read(every)
    assert found.may_exec is None
    assert not found.user
    assert not found.server
    assert found.missed


def test_the_role_that_is_shipped_has_what_is_asked_and_no_more():
    text = (Path(__file__).parents[2] / "docs" / "kubernetes-role.yaml").read_text()
    rules = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    said = "\n".join(rules)
    for resource in ("pods", "pods/log", "pods/exec", "events", "deployments", "replicasets"):
        assert f'"{resource}"' in said
    for never in (
        "nodes",
        "proxy",
        "ephemeralcontainers",
        "secrets",
        '"*"',
        "ClusterRole",
        "watch",
        "patch",
    ):
        assert never not in said
    verbs = re.findall(r"verbs: \[(.*)\]", said)
    assert [v for v in verbs if v not in {'"get"', '"list"', '"get", "list"'}] == ['"create"']
    assert "NOT READ-ONLY" in text
