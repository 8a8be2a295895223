"""Directories and patterns: every log in them, rotated and compressed sets in the order of time.

Reads: `/var/log/app/`, `/var/log/app/*.log*` (quoted, so that the shell leaves it alone). Files that
are no text are left out and named; one that vanishes meanwhile costs only itself.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from locard.logs.input import file_origins, rotation
from locard.logs.input.log_file import open_file
from locard.logs.input.log_source import unreadable
from locard.model.errors import NotPermittedError, SourceUnreadableError
from locard.model.wording import count

if TYPE_CHECKING:
    from locard.guard.command import Template
    from locard.logs.input.log_source import Source, Wants

NAMES = ("/var/log/app/", "/var/log/app/*.log*")
COMMANDS: tuple[Template, ...] = ()
RANK = 20
_MOST_FILES = 10_000
_SHOWN = 3
_COUNTED_BYTES = 64 << 20  # of binary files


def fits(name: str) -> bool:
    """A directory, or a pattern that is not itself a file."""
    try:
        path = Path(name)
        return bool(name) and (path.is_dir() or (glob.has_magic(name) and not path.exists()))
    except (OSError, ValueError):  # too long for a path; a NUL
        return False


def open(name: str, wants: Wants) -> Source:  # noqa: A001 - the protocol's name
    """The files in the order of their first times."""
    names, others = _files(name)
    left_out = max(0, len(names) - _MOST_FILES)
    paths = names[:_MOST_FILES]
    binary: list[str] = []
    if Path(name).is_dir():
        binary = [path for path in paths if not rotation.looks_like_log(path)]
        dropped = set(binary)
        paths = [path for path in paths if path not in dropped]
    if not paths:
        why = "no file in it looks like one" if Path(name).is_dir() else "no file fits the pattern"
        raise SourceUnreadableError(
            f"no log in {name}",
            f"{why}: {_named('binary', binary)}" if binary else why,
            "Look at what there is: ls -la (and quote patterns, so that the shell leaves them alone).",
        )
    ordered = rotation.in_order(paths)
    every = len(ordered)
    if wants.since_s is not None:
        ordered = rotation.recent(ordered, 2 * wants.since_s)
    read = rotation.RotatedSet(name, [path for path, _ in ordered], open_file)
    older = every - len(ordered)
    asked = f"{count(older, 'file')} of it {'is' if older == 1 else 'are'} older" if older else ""
    read.origins = functools.partial(file_origins.of_set, read, asked=asked)
    if binary:
        read.not_read = (_lines_of(binary),)
    if others:
        read.left_by_name = _named("left out by name", others)
    if left_out:
        read.left_out = (
            f"{left_out:,} of its {len(names):,} files were left out: {_MOST_FILES:,} are read, those "
            "named like logs first and of these the newest"
        )
    return read


def _named(what: str, paths: list[str]) -> str:
    """How many files are what, with some of their names."""
    shown = ", ".join(Path(path).name for path in paths[:_SHOWN])
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"{count(len(paths), 'file')} {'is' if len(paths) == 1 else 'are'} {what}: {shown}{more}"


def _lines_of(paths: list[str]) -> tuple[str, int]:
    """Why binary files are not read, and how many lines they have: line ends are counted."""
    lines, left = 0, _COUNTED_BYTES
    for path in paths:
        with contextlib.suppress(OSError), Path(path).open("rb") as file:
            while left > 0 and (piece := file.read(min(left, 1 << 20))):
                lines += piece.count(b"\n")
                left -= len(piece)
    why = f"not read, {_named('binary', paths)}"
    return why if left > 0 else f"{why} (the first {_COUNTED_BYTES >> 20} MB counted)", max(
        lines, 1
    )


def _files(name: str) -> tuple[list[str], list[str]]:
    """Files that may be logs by their names, and the others; of too many the likeliest ones first."""
    paths: list[str] = []
    others: list[str] = []
    try:
        if Path(name).is_dir():
            with os.scandir(name) as entries:
                for entry in entries:
                    if _is_file(entry.path):
                        (paths if rotation.may_be_log(entry.path) else others).append(entry.path)
        else:
            paths = [p for p in glob.iglob(name) if _is_file(p)]  # noqa: PTH207 - text in, text out
    except PermissionError as error:
        raise NotPermittedError(
            f"cannot read the directory {name}",
            "its mode does not allow it to this user",
            "Run as its owner or in its group.",
        ) from error
    except OSError as error:
        raise unreadable(name, error) from error
    key = None if len(paths) <= _MOST_FILES else _likely_first
    return sorted(paths, key=key), sorted(others)


def _is_file(path: str) -> bool:
    """Whether it can be read as one; a link that leads nowhere or in a circle is none."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - a million of them
    except (OSError, ValueError):
        return False


def _likely_first(path: str) -> tuple[bool, float, str]:
    try:
        written = os.stat(path).st_mtime  # noqa: PTH116 - as above
    except OSError:
        written = 0.0
    return not rotation.is_named_like_log(path), -written, path
