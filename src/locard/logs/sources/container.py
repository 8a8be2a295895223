"""The log of a container, by docker or podman, whichever is there.

Reads: `container/NAME`. Both of the container's outputs, with `--since` the window and as much before it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from locard.guard.command import Impact, Template
from locard.guard.gate import Gate
from locard.logs.input.piped import open_command
from locard.model.errors import SourceUnreadableError
from locard.transport import local

if TYPE_CHECKING:
    from locard.guard.command import Command
    from locard.logs.input.log_source import Source, Wants

NAMES = ("container/payment-1",)
RANK = 10


def _logs(program: str) -> Template:
    return Template(
        (program, "logs", "--follow={follow:word}", "--since={since:word*}", "{container:word}"),
        Impact.READS,
        86400.0,
        needs=program,
    )


def _inspect(program: str) -> Template:
    return Template(
        (program, "container", "inspect", "{container:word}"), Impact.READS, 20.0, needs=program
    )


LOGS = {program: _logs(program) for program in ("docker", "podman")}
INSPECT = {program: _inspect(program) for program in ("docker", "podman")}
COMMANDS = (*LOGS.values(), *INSPECT.values())


def fits(name: str) -> bool:
    """`container/NAME`, where no file is called so."""
    return name.startswith("container/") and not Path(name).exists()


def open(name: str, wants: Wants) -> Source:  # noqa: A001 - the protocol's name
    """What docker logs or podman logs prints."""
    program = "podman" if shutil.which("podman") and not shutil.which("docker") else "docker"
    container = name.removeprefix("container/")
    _ask_for(name, INSPECT[program].fill(container=container))
    command = LOGS[program].fill(
        container=container,
        follow=str(wants.follow).lower(),
        since=(f"{2 * wants.since_s:.0f}s",) if wants.since_s else (),
    )
    return open_command(
        name,
        command,
        COMMANDS,
        merged=True,
        get="install docker or podman, or read the log where it lies",
    )


def _ask_for(name: str, command: Command) -> None:
    """Raise where there is no such container, or nobody to ask.

    Asked before: in the log both outputs are one, and a complaint would look like a line of it.
    """
    gate = Gate({"container": COMMANDS}, Impact.READS, cap=Impact.READS, why="logs are read")
    output = local.run(gate.admit("container", command), command.bound_s)
    if output.exit_code == 0 or output.exit_code is None:
        return  # where it did not start or end, reading the log says so
    said = " ".join(output.stderr.decode("utf-8", "replace").split())[:300]
    raise SourceUnreadableError(
        f"cannot read the log of {name}",
        said or f"{command.argv[0]} knows no such container",
        "Try it by hand:",
        command=command.by_hand,
    )
