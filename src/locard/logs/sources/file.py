"""A file, a pipe or a device by its path; gzip and zstd by their first bytes.

Reads: a path. With `--since` a big file is not read from its start: lines' times are halved towards
the window and its baseline, and where the file is too short the rotated ones before it are read too.
With `--follow` it goes on with what comes, over renames and truncation.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from locard.far.line_times import first_time, last_time, offset_since
from locard.logs.input import file_origins, rotation
from locard.logs.input.following import FollowedFile
from locard.logs.input.log_file import open_file
from locard.logs.input.log_source import Source
from locard.model.errors import SourceUnreadableError

if TYPE_CHECKING:
    from locard.guard.command import Template
    from locard.logs.input.log_source import Wants

NAMES = ("/var/log/app.log", "app.log.2.gz")
COMMANDS: tuple[Template, ...] = ()
RANK = 90
_PIECE = 1 << 16


def fits(_: str) -> bool:
    """Whatever is nothing else is a path."""
    return True


def open(name: str, wants: Wants) -> Source:  # noqa: A001 - the protocol's name
    """The file, as far as it is wanted."""
    source = open_file(name)
    if wants.follow:
        packed = source.size is None and source.modified is not None
        source.close()
        if packed:
            raise SourceUnreadableError(
                f"cannot follow the log {name}",
                "it is compressed or UTF-16, and only what is plain UTF-8 can be followed",
                f"Convert it as it grows: tail -c +1 -f {name} | iconv -f UTF-16 -t UTF-8 | locard logs -",
            )
        return _with_origin(FollowedFile.open(name, wants.since_s), name)
    _with_origin(source, name)
    if wants.since_s is None or type(source) is not Source or source.size is None:
        return source
    # As much again before the window, for a baseline.
    wanted_s = 2 * wants.since_s
    begin = offset_since(source.fd, source.size, wanted_s)
    if begin:
        os.lseek(source.fd, begin, os.SEEK_SET)
        source.size -= begin
        return _with_origin(source, name, f"its first {begin:,} bytes are older than that")
    older = rotation.older_than(name)
    if not older or _covers(source.fd, source.size, wanted_s):
        return source
    source.close()
    read = rotation.RotatedSet(name, [*older, name], open_file)
    read.origins = functools.partial(file_origins.of_set, read)
    return read


def _with_origin(source: Source, name: str, asked: str = "") -> Source:
    if source.modified is not None:  # a pipe has nothing beside it
        source.origins = functools.partial(file_origins.of_file, name, asked=asked)
    return source


def _covers(fd: int, size: int, wanted_s: float) -> bool:
    first = first_time(os.pread(fd, _PIECE, 0))
    last = last_time(os.pread(fd, _PIECE, max(0, size - _PIECE)))
    return first is None or last is None or first <= last - wanted_s
