"""The way into a container of a pod by the user's own kubectl: `exec -i`, and why it did not open."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from locard.model.errors import LocardError, NoShellError, UnreachableError
from locard.transport import bootstrap, reasons
from locard.transport._child import environment
from locard.transport.reasons import Failed, Reason

if TYPE_CHECKING:
    from locard.model.place import Place

__all__ = ["environment", "explain", "session_argv"]

# The runtime's words where a container has no /bin/sh; kubectl's own exit code is 1 or 126 then.
_NO_SHELL = re.compile(r"/bin/sh[^\n]{0,80}no such file|executable file not found", re.IGNORECASE)
_REASONS = (
    Reason(
        r"(?i)cannot (?:create|get) resource \"pods/exec\"|is forbidden.*pods/exec",
        "you may not run commands in its pods (create or get on pods/exec)",
        "Ask for the Role in docs/kubernetes-role.yaml, or go by the node: --on host/NODE.",
    ),
    Reason(r"(?i)\(Forbidden\)|is forbidden", "the cluster refuses it", "See: locard doctor"),
    Reason(
        r"(?i)pods \S+ not found|\(NotFound\)|container \S+ is not valid for pod|container not found",
        "there is no such pod or container any more",
        "List them: kubectl get pods",
    ),
    Reason(
        r"(?i)unable to upgrade connection|container .*not running|cannot exec into a container in a completed",
        "the container is not running",
        "Read its state and its last run: locard logs pod/NAME --previous",
    ),
    Reason(
        r"(?i)connection to the server .* was refused|no such host|dial tcp|i/o timeout|Unable to connect to the server",
        "the cluster does not answer",
        "Look at your context: kubectl config current-context",
    ),
    Reason(
        r"(?i)Unauthorized|provide credentials|token .*expired|must be logged in",
        "your credentials are not accepted",
        "Log in again, then try: kubectl auth whoami",
    ),
)


def session_argv(place: Place, nonce: str) -> tuple[str, ...]:
    """What starts a session: options `context`, `namespace`, `container`; `pod` where ref is not it."""
    where = [
        f"--{name}={place.option(name)}"
        for name in ("context", "namespace", "container")
        if place.option(name)
    ]
    pod = place.option("pod") or place.name
    return ("kubectl", "exec", "-i", *where, pod, "--", *bootstrap.argv(nonce))


def explain(
    place: str,
    exit_code: int | None,
    stderr: bytes,
    noise: bytes,
    waited_s: float,
    *,
    problem: str = "",
) -> LocardError:
    """Why a session in a container did not open."""
    what = f"{place} was not entered"
    if exit_code and _NO_SHELL.search(reasons.text(stderr)[-2000:]):
        name = shlex.quote(place.partition("/")[2].partition("/")[0])
        return NoShellError(
            what,
            "the container has neither a shell nor a python3 (distroless?)",
            "Look from its node (--on host/NODE), or beside it; a debug container cannot be removed:",
            command=f"kubectl debug -it {name} --image=python:3-slim --profile=restricted",
        )
    if exit_code is not None and not noise:
        known = reasons.match(_REASONS, reasons.text(stderr)[-2000:])
        if known is not None:
            said = reasons.it_said(reasons.quoted(stderr), "kubectl")
            return UnreachableError(what, known.why + said, known.next_step)
    return reasons.explain(Failed(place, exit_code, stderr, noise, waited_s, problem))
