"""Where logs that are files begin: what stands beside them, as the directory says."""

from __future__ import annotations

import datetime as dt
import glob
import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from locard.logs.input import rotation
from locard.model.log_beginning import Origin
from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMED = 3
ALONE = "no older file of its name stands beside it"
BACKEND = "the log backend, if this log is shipped to one"


def of_file(path: str, *, asked: str = "") -> tuple[Origin, ...]:
    """The origin of one file; `asked` says why it was not read from its start."""
    return (_origin(path, [path], asked=asked),)


def of_set(read: rotation.RotatedSet, *, asked: str = "") -> tuple[Origin, ...]:
    """The origins of the logs whose files were read one after the other: one a log."""
    logs: dict[str, list[str]] = {}
    for path in read.paths:
        logs.setdefault(rotation.base_of(path), []).append(path)
    origins = []
    for base, paths in logs.items():
        found = _origin(paths[0], paths, asked=asked, lost=read.lost)
        name = "" if len(logs) == 1 else os.path.basename(base)  # noqa: PTH119 - text in, text out
        lines = tuple(read.lines[p] for p in paths if p in read.lines)
        origins.append(replace(found, name=name, lines=lines if name else ()))
    return tuple(origins)


def _origin(
    first: str, paths: Sequence[str], *, asked: str = "", lost: Sequence[str] = ()
) -> Origin:
    older = rotation.unread_before(first, paths)
    gone = [p for p in paths if p in lost]
    left = unread(older)
    if gone:
        failed = f"{count(len(gone), 'file')} of it could not be read ({_names(gone)})"
        left = f"{left}, and {failed}" if left else failed
    kept = [p for p in paths if p not in lost]
    oldest = f"the oldest of its {len(kept)} files, {os.path.basename(kept[0])}"  # noqa: PTH119 - as above
    return Origin(
        asked=bool(asked),
        note=asked or (f"{oldest}; {ALONE}" if len(kept) > 1 else ALONE),
        unread=left,
        evidence=tuple(_stat(p) for p in (*older[-_NAMED:], *paths[:1])),
        rest=_commands(older, paths),
        others=(BACKEND,),
    )


def unread(older: Sequence[str]) -> str:
    """That older files of a log were not read, in words; empty where there are none."""
    if not older:
        return ""
    verb = "was" if len(older) == 1 else "were"
    return f"{count(len(older), 'older file')} of it {verb} not read ({_names(older)})"


def _names(paths: Sequence[str]) -> str:
    shown = ", ".join(Path(p).name for p in paths[:_NAMED])
    return f"{shown} and {len(paths) - _NAMED} more" if len(paths) > _NAMED else shown


def _commands(older: Sequence[str], paths: Sequence[str]) -> tuple[str, ...]:
    """What reads the older files too: a pattern that fits them and nothing else, else their names."""
    if not older:
        return ()
    wanted = {*older, *paths}
    base = rotation.base_of(paths[0])
    stem, suffix = os.path.splitext(base)  # noqa: PTH122 - as above
    for start, end in ((paths[0], "*"), (base, "*"), (stem, f"*{suffix}*")):
        pattern = glob.escape(start) + end
        if wanted <= set(glob.glob(pattern)) and _only(pattern, base):  # noqa: PTH207 - text in, text out
            return (f"locard logs {shlex.quote(pattern)}",)
    return tuple(older[-_NAMED:])


def _only(pattern: str, base: str) -> bool:
    return all(rotation.base_of(p) == base for p in glob.iglob(pattern))  # noqa: PTH207 - as above


def _stat(path: str) -> str:
    """What the directory says of a file, as evidence."""
    try:
        info = os.stat(path)  # noqa: PTH116 - a name may be no path
    except (OSError, ValueError) as error:
        return f"stat {path}: {getattr(error, 'strerror', None) or error}"
    at = dt.datetime.fromtimestamp(info.st_mtime, dt.UTC)
    return f"stat {path}: {info.st_size:,} bytes, last written {at:%Y-%m-%dT%H:%M:%SZ}"
