"""`locard doctor --sudoers`: rules by which a user may run, as root, what only reads."""

from __future__ import annotations

import getpass
import shutil

from locard.guard import sudo
from locard.investigate import start


def rules(user: str) -> str:
    """The rules for what every probe declares; programs lie where they lie on this machine."""
    every = [template for declared in start.declared().values() for template in declared]
    names = {template.argv[0] for template in every}
    paths = {name: path for name in sorted(names) if (path := shutil.which(name))}
    return sudo.snippet(user or getpass.getuser(), every, paths)
