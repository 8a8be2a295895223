"""Directories and patterns: every log in them, rotated and compressed sets in the order of time.

Reads: `/var/log/app/`, `/var/log/app/*.log*` (quoted, so that the shell leaves it alone). Files that
are no text are left out and named; one that vanishes meanwhile costs only itself.
"""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING

from locard.logs import rotation
from locard.logs.sources.file import open_file
from locard.model.errors import NotPermittedError, SourceUnreadableError

if TYPE_CHECKING:
    from locard.guard.command import Template
    from locard.logs.reading import Source, Wants

NAMES = ("/var/log/app/", "/var/log/app/*.log*")
COMMANDS: tuple[Template, ...] = ()
RANK = 20
_MOST_FILES = 10_000


def fits(name: str) -> bool:
    """A directory, or a pattern that is not itself a file."""
    try:
        path = Path(name)
        return bool(name) and (path.is_dir() or (glob.has_magic(name) and not path.exists()))
    except ValueError:  # a NUL
        return False


def open(name: str, wants: Wants) -> Source:  # noqa: A001 - the protocol's name
    """The files in the order of their first times."""
    paths = _files(name)
    if not paths:
        raise SourceUnreadableError(
            f"no log in {name}",
            "no file in it looks like one" if Path(name).is_dir() else "no file fits the pattern",
            "Look at what there is: ls -la (and quote patterns, so that the shell leaves them alone).",
        )
    ordered = rotation.in_order(paths)
    if wants.since_s is not None:
        ordered = rotation.recent(ordered, 2 * wants.since_s)
    return rotation.RotatedSet(name, [path for path, _ in ordered], open_file)


def _files(name: str) -> list[str]:
    if not Path(name).is_dir():
        return [p for p in sorted(glob.glob(name))[:_MOST_FILES] if Path(p).is_file()]  # noqa: PTH207 - text in, text out
    try:
        entries = sorted(e.path for e in os.scandir(name) if e.is_file())
    except PermissionError as error:
        raise NotPermittedError(
            f"cannot read the directory {name}",
            "its mode does not allow it to this user",
            "Run as its owner or in its group.",
        ) from error
    return [p for p in entries[:_MOST_FILES] if rotation.looks_like_log(p)]
