"""The lines of records that a question has found, read again whole from their file."""

from __future__ import annotations

import bisect
import os
from typing import TYPE_CHECKING

from locard.logs.input.log_source import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.logs.table.table import Table

MOST = 2_000  # records; of more all fields of the log are read at once
_MOST_BELOW = 500  # lines that belong to a record


def found_lines(name: str, table: Table, numbers: Sequence[int]) -> Source | None:
    """The lines of these records, in this order, with the lines of text below each of them.

    None where a record is not one line of JSON, and where the file is no longer what was read.
    """
    firsts = [place[0] for place in table.places]
    blocks: dict[int, list[bytes]] = {}
    parts: list[bytes] = []
    try:
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        for number in numbers:
            which = bisect.bisect_right(firsts, number) - 1
            if which < 0 or number >= firsts[which] + table.places[which][1]:
                return None
            if which not in blocks:
                blocks[which] = _lines(fd, table.places[which])
            lines = _with_those_below(blocks[which], number - firsts[which])
            if lines is None:
                return None
            parts += lines
    finally:
        os.close(fd)
    return _held(name, b"\n".join(parts) + b"\n")


def _lines(fd: int, place: tuple[int, int, int, int]) -> list[bytes]:
    """The lines of a block; none where objects share lines."""
    _, lines, offset, size = place
    found = os.pread(fd, size, offset).split(b"\n")
    if not found[-1]:
        found.pop()
    return found if len(found) == lines else []


def _with_those_below(lines: list[bytes], at: int) -> list[bytes] | None:
    if at >= len(lines) or not lines[at].lstrip().startswith(b"{"):
        return None
    end = at + 1
    while end < len(lines) and not lines[end].lstrip().startswith(b"{"):
        end += 1
    is_open = end == len(lines) and end > at + 1  # those below may go on in the next block
    return None if is_open or end - at > _MOST_BELOW else lines[at:end]


def _held(name: str, data: bytes) -> Source:
    memory = os.memfd_create("records", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(memory), "wb") as file:
        file.write(data)
    os.lseek(memory, 0, os.SEEK_SET)
    return Source(name, memory, len(data))
