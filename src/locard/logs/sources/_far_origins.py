"""Where a log file at another place begins: what its reader saw beside it."""

from __future__ import annotations

import datetime as dt
import fnmatch
import glob
import shlex
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from locard.logs.input import file_origins, rotation
from locard.model.log_beginning import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locard.model.place import Place

    Beside = tuple[str, int, int]  # a path, its size in bytes and its last write, Unix time in s

_NAMED = 3
_OVERLAP_S = 60.0  # a rotated file is written a little longer than the next one has begun


def of_file(
    found: dict[str, Any], place: Place, name: str, *, first: float | None, asked: bool
) -> tuple[Origin, ...]:
    """What the reader said of the files: what of them was left out, and what lies beside a single one.

    `first` is the time of the first line.
    """
    files, skipped = number(found, "files"), number(found, "skipped")
    if not files:
        return ()
    read = f"{name}: {files} read"
    if skipped or not isinstance(path := found.get("path"), str):
        why = "were not read" if number(found, "cut") or not asked else "are older than that"
        note = f"its first {skipped:,} bytes {why}" if skipped and files == 1 else ""
        return (Origin(asked=asked or skipped > 0, note=note, evidence=(read,)),)
    listed = found.get("beside")
    every = tuple(_beside(path, listed))
    begin = number(found, "written") if first is None else first + _OVERLAP_S
    base = rotation.base_of(path)
    kept = (f for f in every if f[2] <= begin and rotation.base_of(f[0]) == base)
    older = sorted(kept, key=lambda f: (f[2], f[0]))
    own = (path, number(found, "size"), number(found, "written"))
    paths = [f[0] for f in older]
    return (
        Origin(
            asked=asked,
            note="its folder cannot be listed" if listed is None else file_origins.ALONE,
            unread=file_origins.unread(paths),
            evidence=(*(_stat(f) for f in (*older[-_NAMED:], own)), read),
            rest=_commands(paths, path, [f[0] for f in every], place),
            others=(file_origins.BACKEND,),
        ),
    )


def number(found: dict[str, Any], key: str) -> int:
    """A number that the reader said; 0 where it did not."""
    value = found.get(key)
    return value if isinstance(value, int) else 0


def _beside(path: str, said: object) -> Iterator[Beside]:
    """The files beside it whose names begin as its own does."""
    folder = PurePosixPath(path).parent
    for entry in said if isinstance(said, list) else ():
        match entry:
            case [str(name), int(size), int(written)]:
                yield str(folder / name), size, written


def _commands(older: list[str], path: str, every: Iterable[str], place: Place) -> tuple[str, ...]:
    """What reads the older files too: a pattern that fits them and no later one, else their names."""
    if not older:
        return ()
    pattern = glob.escape(path) + "*"
    if set(older) == set(fnmatch.filter(every, pattern)):
        return (f"locard logs {shlex.quote(pattern)} --on {shlex.quote(place.ref)}",)
    return tuple(older[-_NAMED:])


def _stat(file: Beside) -> str:
    path, size, written = file
    at = dt.datetime.fromtimestamp(written, dt.UTC)
    return f"stat {path}: {size:,} bytes, last written {at:%Y-%m-%dT%H:%M:%SZ}"
