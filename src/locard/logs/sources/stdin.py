"""Standard input: `kubectl logs … | locard logs -`.

Reads: `-`, a pipe or a redirected file, from where it stands; gzip and zstd too. A pipe that stalls ends with the budget.
"""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

from locard.logs.input.compression import is_compressed
from locard.logs.input.log_source import Source
from locard.model.errors import SourceUnreadableError
from locard.model.log_beginning import Origin

if TYPE_CHECKING:
    from locard.guard.command import Template
    from locard.logs.input.log_source import Wants

NAMES = ("-",)
COMMANDS: tuple[Template, ...] = ()
RANK = 0


def fits(name: str) -> bool:
    """`-` and nothing else."""
    return name == "-"


def open(name: str, _: Wants) -> Source:  # noqa: A001 - the protocol's name
    """The input as it is."""
    if sys.stdin is None or sys.stdin.closed:
        raise SourceUnreadableError(
            "standard input cannot be read", "it is closed", "Pipe a log into locard."
        )
    fd = sys.stdin.fileno()
    info = os.fstat(fd)
    size, note = None, "it came through a pipe, which does not say what wrote it"
    if stat.S_ISREG(info.st_mode) and info.st_size:
        begin = os.lseek(fd, 0, os.SEEK_CUR)
        if not is_compressed(os.pread(fd, 8, begin)):
            size = info.st_size - begin
        note = f"it was read from byte {begin:,} of a redirected file on"
    source = Source(name, fd, size, owned=False)
    source.origins = lambda: (Origin(note=note),)
    return source
