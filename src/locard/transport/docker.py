"""The way into a container by docker or podman: `exec -i`, and why it did not open.

Containers without /bin/sh (distroless) are not entered: `is_bare` tells them, and `explain` says how to
look from beside them.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from locard.model.errors import LocardError, UnreachableError, UsageError
from locard.transport import bootstrap, reasons
from locard.transport._child import environment
from locard.transport.reasons import Failed, Reason

if TYPE_CHECKING:
    from locard.model.place import Place

__all__ = ["environment", "explain", "reach", "session_argv"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
CLIENTS = ("docker", "podman")
# What stands in standard error when the container has no /bin/sh (docker and podman; runc and crun).
_NO_SHELL = re.compile(
    r"/bin/sh[\"`']?:? (?:stat |not found|no such file)|executable file [`\"']?/bin/sh[`\"']? not found"
    r"|exec: \"/bin/sh\"|exec of /bin/sh",
    re.IGNORECASE,
)


def reach(name: str, *, client: str = "docker") -> tuple[str, ...]:
    """The client's argv up to what is executed in the container."""
    if client not in CLIENTS or not _NAME.fullmatch(name):
        raise UsageError(
            f"{reasons.harmless(name)!r} is no container",
            "a container is its name or its ID",
            "Write container/NAME.",
        )
    return (client, "exec", "-i", name)


def session_argv(place: Place, nonce: str) -> tuple[str, ...]:
    """What starts a session in the container."""
    client = place.option("client") or client_here()
    return (*reach(place.name, client=client), *bootstrap.argv(nonce))


def client_here() -> str:
    """The client here: docker's, unless only podman is there, or docker's engine is not."""
    if not shutil.which("podman"):
        return "docker"
    chosen = any(name in os.environ for name in ("DOCKER_HOST", "DOCKER_CONTEXT"))
    sockets = ("/var/run/docker.sock", f"{os.environ.get('XDG_RUNTIME_DIR', '')}/docker.sock")
    there = chosen or any(Path(path).exists() for path in sockets)
    return "docker" if there and shutil.which("docker") else "podman"


_REASONS = (
    Reason(
        r"(?i)no such container|no container with (?:name|ID)|no such object",
        "there is no such container",
        "List them:",
    ),
    Reason(
        r"(?i)is not running|container state improper|is restarting|can only create exec sessions on running",
        "the container is not running",
        "Read how it ended in its logs and state:",
    ),
    Reason(
        r"(?i)is paused",
        "the container is paused: nothing runs in it until it is resumed",
        "Its logs can be read.",
    ),
    Reason(
        r"(?i)permission denied.*(?:docker|socket|podman|sock)|(?:socket|sock).*permission denied",
        "you may not use the socket of the container engine",
        "Join the group that owns it, or ask for it; that right is as much as root.",
    ),
    Reason(
        r"(?i)cannot connect to (?:the docker daemon|podman)|is the docker daemon running|connection refused",
        "the container engine does not answer",
        "Look whether it runs, and at DOCKER_HOST or CONTAINER_HOST.",
    ),
    Reason(
        r"(?i)unable to find user|no matching entries in passwd|no users found",
        "the container has no such user",
        "Use a numeric user ID.",
    ),
)


_ENGINES = (1, 125, 126, 127, 255)  # exit codes of the engines' own
_ENGINE_SAID = re.compile(
    r"^(?:Error:|Error response from daemon|OCI runtime|docker: )", re.MULTILINE
)


def is_bare(exit_code: int | None, stderr: bytes) -> bool:
    """Whether the container runs, but has no /bin/sh to look for a python3 with."""
    return exit_code in (126, 127, 255) and bool(_NO_SHELL.search(reasons.text(stderr)[-2000:]))


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
    tail = reasons.text(stderr)[-2000:]
    said = reasons.quoted(stderr)
    what = f"{place} was not entered"
    if is_bare(exit_code, stderr):
        return UnreachableError(
            what,
            "the container has neither a shell nor a python3 (distroless?)",
            "Look from beside it, in an image with python3:",
            command=debug_image(place.partition("/")[2]),
        )
    if exit_code is not None and not noise and (known := reasons.match(_REASONS, tail)):
        name = shlex.quote(place.partition("/")[2])
        command = {"List them:": "docker ps -a"}.get(
            known.next_step, f"docker logs {name}" if known.next_step.endswith(":") else ""
        )
        return UnreachableError(
            what, known.why + reasons.it_said(said), known.next_step, command=command
        )
    if exit_code in _ENGINES and _ENGINE_SAID.search(tail) and not noise:
        return UnreachableError(
            what,
            "the container engine did not start it" + reasons.it_said(said),
            "Try by hand:",
            command=shlex.join((*reach(place.partition("/")[2], client="docker"), "/bin/true")),
        )
    return reasons.explain(Failed(place, exit_code, stderr, noise, waited_s, problem))


def debug_image(name: str, client: str = "docker") -> str:
    """How to stand beside a container that has no python3: a second one in its namespaces."""
    shared = f"container:{name}"
    return shlex.join(
        (client, "run", "--rm", "-i", "--pid", shared, "--network", shared, "python:3-slim", "sh")
    )
