"""`locard doctor --sudoers`: rules by which a user may run, as root, what only reads."""

from __future__ import annotations

import contextlib
import getpass
import shutil
import stat
from pathlib import Path

from locard.guard import sudo
from locard.investigate import start
from locard.model.errors import UsageError


def rules(user: str) -> str:
    """The rules for what every probe declares; programs lie where they lie on this machine."""
    every = [template for declared in start.declared().values() for template in declared]
    templates = [t for t in every if t.argv[0] != "locard" and _root_reads_more(t.argv)]
    names = {template.argv[0] for template in templates}
    paths = {name: path for name in sorted(names) if (path := shutil.which(name))}
    try:
        return sudo.snippet(user or getpass.getuser(), (), templates, paths)
    except ValueError as error:
        raise UsageError(
            f"{user!r} is no user name", "it cannot stand in sudoers", "Name one user."
        ) from error


def _root_reads_more(argv: tuple[str, ...]) -> bool:
    """Whether it names no file, or one that not everybody may read."""
    paths = [word for word in argv[1:] if word.startswith("/")]
    return not paths or not all(_everybody_reads(path) for path in paths)


def _everybody_reads(path: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(Path(path).stat().st_mode & stat.S_IROTH)
    return False
