"""Hosts of an Ansible inventory that only Ansible can read: YAML, folders, scripts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from locard.guard.command import Impact, Need, Template
from locard.guard.policy import read_policy
from locard.investigate.host_lists import of_inventory
from locard.model.errors import UsageError
from locard.model.place import HERE
from locard.transport.reach import kept_session

if TYPE_CHECKING:
    from locard.model.place import Place

LIST = Template(
    ("ansible-inventory", "--list", "--inventory={path:path}"),
    Impact.READS,
    30.0,
    max_bytes=16 << 20,
    needs=(Need("ansible-inventory", "hosts of an Ansible inventory", "pip install ansible-core"),),
    here=True,
    output="json",
)
_NAME = "inventory"


def is_one(text: str) -> bool:
    """Whether `--hosts` names what only Ansible can read. An inventory that is a script is run by it."""
    path = Path(text).expanduser()
    try:
        if path.is_dir():
            return "/" in text  # else it is as likely the name of a host
        if not path.is_file():
            return False
        return path.suffix in {".yml", ".yaml"} or (os.access(path, os.X_OK) and _is_script(path))
    except OSError:
        return False


def _is_script(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4).startswith((b"#!", b"\x7fELF"))


def hosts(text: str) -> tuple[Place, ...]:
    """The hosts that `ansible-inventory --list` names; raises UsageError."""
    session = kept_session(HERE)
    gate = read_policy().reading_gate({_NAME: (LIST,)}, _NAME, session.identity.user, HERE)
    command = LIST.fill(path=str(Path(text).expanduser().absolute()))
    output = session.run(gate.admit(_NAME, command), command.bound_s)
    try:
        found = of_inventory(json.loads(output.stdout))
    except (ValueError, RecursionError):
        found = ()
    if not found:
        said = " ".join(output.stderr.decode("utf-8", "replace").split())[:300]
        raise UsageError(
            f"no host in --hosts {text}",
            said or output.problem or "ansible-inventory names none",
            "Try by hand: ansible-inventory --list --inventory FILE; or name hosts with commas.",
        )
    return found
