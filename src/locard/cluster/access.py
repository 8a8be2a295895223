"""Asking who may do what: `kubectl auth can-i VERB pods --subresource=exec`, nothing by trying it.

`can-i get pods/exec` asks about a pod that is *named* exec, so that everybody who reads pods gets a yes.
Which verb exec needs depends on the way: over a websocket the server asks for `get`, over SPDY (to which
kubectl falls back) for `create`; from Kubernetes 1.35 on for `create` on both.
Source: kubernetes.io/docs/reference/kubectl/generated/kubectl_auth; kubernetes/kubernetes#110126, #118961.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from locard.cluster.asks import NEEDS, PLACE
from locard.guard.command import Impact, Template
from locard.model.cluster_access import Answer, ClusterAccess

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.guard.command import Command
    from locard.model.evidence import Output

_ASK_S = 15.0
CAN_I = Template(
    ("kubectl", "auth", "can-i", "{verb:word}", "{resource:word}", "--subresource={subresource:word*}", *PLACE),
    Impact.READS,
    _ASK_S,
    needs=NEEDS, here=True,
)  # fmt: skip
WHO_AM_I = Template(
    ("kubectl", "auth", "whoami", "--output=json", "--context={context:word*}"),
    Impact.READS,
    _ASK_S,
    needs=NEEDS,
    here=True,
)
SERVER = Template(
    ("kubectl", "version", "--output=json", "--context={context:word*}"),
    Impact.READS,
    _ASK_S,
    needs=NEEDS,
    here=True,
)
COMMANDS = (WHO_AM_I, SERVER, CAN_I)
QUESTIONS = (
    ("get", "pods", ""),
    ("list", "pods", ""),
    ("get", "pods", "log"),
    ("get", "deployments.apps", ""),
    ("list", "replicasets.apps", ""),
    ("list", "events", ""),
    ("create", "pods", "exec"),
    ("get", "pods", "exec"),
    ("patch", "pods", "ephemeralcontainers"),
)


def plan(where: dict[str, tuple[str, ...]]) -> Generator[Command, Output, None]:
    """Every question, one command each."""
    context = where["context"]
    who = yield WHO_AM_I.fill(context=context)
    server = yield SERVER.fill(context=context)
    if not _user(who) and not _version(server):
        return  # nobody answers: the rest would only wait
    for verb, resource, subresource in QUESTIONS:
        yield CAN_I.fill(
            verb=verb,
            resource=resource,
            subresource=(subresource,) if subresource else (),
            **where,
        )


def read(outputs: Sequence[Output], namespace: str = "", context: str = "") -> ClusterAccess:
    """What was answered, whatever came."""
    answers, missed = [], []
    user = server = ""
    for output in outputs:
        words = output.argv[1:]
        if words[:2] == ("auth", "whoami"):
            user = _user(output)
            missed += [] if user else [f"who this is: {_said(output)}"]
        elif words[:1] == ("version",):
            server = _version(output)
        elif words[:2] == ("auth", "can-i"):
            answers.append(_answer(output))
    return ClusterAccess(namespace, context, user, server, tuple(answers), tuple(missed))


def _answer(output: Output) -> Answer:
    verb, resource = output.argv[3], output.argv[4]
    asked = [w.partition("=")[2] for w in output.argv if w.startswith("--subresource=")]
    words = output.text.split(maxsplit=1)
    allowed = {"yes": True, "no": False}.get(words[0]) if words else None
    says = "" if allowed is not None else _said(output)
    return Answer(verb, resource, asked[0] if asked else "", allowed, says)


def _user(output: Output) -> str:
    try:
        found = json.loads(output.stdout)["status"]["userInfo"]["username"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return " ".join(found.split())[:200] if isinstance(found, str) else ""


def _version(output: Output) -> str:
    try:
        found = json.loads(output.stdout)["serverVersion"]["gitVersion"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return found if isinstance(found, str) and re.fullmatch(r"v[0-9][\w.+-]{0,60}", found) else ""


def _said(output: Output) -> str:
    lines = output.stderr.decode("utf-8", "replace").split("\n")
    words = " ".join(
        " ".join(line.split()) for line in lines if line and not line.startswith("Warning:")
    )
    return (words or output.problem or "no answer")[:300]
