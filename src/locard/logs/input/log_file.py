"""One log file of this machine, opened for reading: plain, packed, or a pipe."""

from __future__ import annotations

import os
import stat

from locard.logs.input.compression import is_compressed
from locard.logs.input.log_source import Source, unreadable
from locard.model.errors import SourceUnreadableError


def open_file(name: str) -> Source:
    """One file, opened for reading; raises SourceUnreadableError or NotPermittedError."""
    try:
        # A FIFO without a writer must not hang here: the budget is kept while reading.
        fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise unreadable(name, error) from error
    info = os.fstat(fd)
    kind = info.st_mode
    if stat.S_ISDIR(kind) or stat.S_ISSOCK(kind) or stat.S_ISBLK(kind):
        os.close(fd)
        what = "a directory" if stat.S_ISDIR(kind) else "no file and no pipe"
        raise SourceUnreadableError(
            f"cannot read the log {name}", f"it is {what}", "Name a log file, a pipe or -."
        )
    if not stat.S_ISREG(kind) or info.st_size == 0:
        return Source(name, fd, None)  # files of /proc say 0 and still have something to read
    size = None if _is_compressed(fd) else info.st_size
    return Source(name, fd, size, modified=info.st_mtime)


def _is_compressed(fd: int) -> bool:
    try:
        return is_compressed(os.pread(fd, 8, 0))
    except OSError:
        return False  # reading says why
