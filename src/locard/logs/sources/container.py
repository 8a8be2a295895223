"""The log of a container, by docker or podman, whichever is there.

Reads: `container/NAME`. Both of the container's outputs, with `--since` the window and as much before it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from locard.guard.command import Impact, Template
from locard.logs.piped import open_command

if TYPE_CHECKING:
    from locard.logs.reading import Source, Wants

NAMES = ("container/payment-1",)
RANK = 10


def _template(program: str) -> Template:
    return Template(
        (program, "logs", "--follow={follow:word}", "--since={since:word*}", "{container:word}"),
        Impact.READS,
        86400.0,
        needs=program,
    )


DOCKER, PODMAN = _template("docker"), _template("podman")
COMMANDS = (DOCKER, PODMAN)


def fits(name: str) -> bool:
    """`container/NAME`, where no file is called so."""
    return name.startswith("container/") and not Path(name).exists()


def open(name: str, wants: Wants) -> Source:  # noqa: A001 - the protocol's name
    """What docker logs or podman logs prints."""
    template = PODMAN if shutil.which("podman") and not shutil.which("docker") else DOCKER
    command = template.fill(
        container=name.removeprefix("container/"),
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
