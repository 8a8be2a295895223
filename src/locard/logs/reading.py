"""Bytes of a log source in blocks of whole lines, within a time budget and bounded memory.

A source is a path or `-` for standard input. Files are read up to the size that they had when they
were opened, so a log that keeps growing ends; pipes and devices end with their writer or with the
budget.
"""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locard.model.errors import NotPermittedError, SourceUnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_BYTES = 8 << 20
LONGEST_LINE = 16 << 20
_GIVE_UP_BYTES = 256 << 20  # without one newline this is no log
_POLL_S = 0.25


@dataclass(slots=True)
class Source:
    """An open log source. `partial` says in words why reading stopped early, else is empty."""

    name: str
    fd: int
    size: int | None  # bytes, for regular files
    owned: bool = True  # whether the descriptor is ours to close
    partial: str = ""
    dropped_long: int = 0  # lines over LONGEST_LINE
    bytes_read: int = 0
    _tail: bytearray = field(default_factory=bytearray)
    _in_long: bool = False
    _cut: bool = False

    def close(self) -> None:
        """Give the descriptor back; standard input stays open."""
        if self.owned:
            os.close(self.fd)

    def blocks(self, budget_s: float) -> Iterator[bytes]:
        """Blocks that hold whole lines (the last one may lack its newline).

        Stops after `budget_s` seconds and says so in `partial`.
        """
        deadline = time.monotonic() + budget_s
        while True:
            chunk = self._next_chunk(deadline)
            if not chunk:
                break
            self.bytes_read += len(chunk)
            yield from self._whole_lines(chunk)
            if self.bytes_read > _GIVE_UP_BYTES and not self._lines_seen():
                self.partial = "it has no line ends"
                self._tail.clear()
                break
        if self._tail and not self._in_long:
            yield bytes(self._tail)

    def _lines_seen(self) -> bool:
        return self._cut

    def _next_chunk(self, deadline: float) -> bytes:
        want = BLOCK_BYTES
        if self.size is not None:
            want = min(want, self.size - self.bytes_read)
            if want <= 0:
                return b""
        if not self._wait(deadline):
            self.partial = "the time budget ended"
            return b""
        try:
            return os.read(self.fd, want)
        except BlockingIOError:
            return self._next_chunk(deadline)
        except OSError as error:
            if self.bytes_read == 0:
                raise unreadable(self.name, error) from error
            self.partial = f"reading failed: {error.strerror}"
            return b""

    def _wait(self, deadline: float) -> bool:
        """Wait until there is something to read; False when the budget has ended."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if self.size is not None:
                return True
            ready, _, _ = select.select([self.fd], [], [], min(left, _POLL_S))
            if ready:
                return True

    def _whole_lines(self, chunk: bytes) -> Iterator[bytes]:
        end = chunk.rfind(b"\n")
        if end < 0:
            self._keep(chunk)
            return
        self._cut = True
        if self._in_long:  # the rest of a line that was too long
            begin = chunk.find(b"\n") + 1
            self._in_long = False
            self.dropped_long += 1
            self._tail.clear()
            whole = chunk[begin : end + 1]
        else:
            whole = bytes(self._tail) + chunk[: end + 1]
            self._tail.clear()
        self._keep(chunk[end + 1 :])
        if whole:
            yield whole

    def _keep(self, rest: bytes) -> None:
        if self._in_long:
            return
        self._tail += rest
        if len(self._tail) > LONGEST_LINE:
            self._tail.clear()
            self._in_long = True


def open_source(name: str) -> Source:
    """Open a path or `-`; raises SourceUnreadableError or NotPermittedError."""
    if name == "-":
        if sys.stdin is None or sys.stdin.closed:
            raise SourceUnreadableError(
                "standard input cannot be read", "it is closed", "Pipe a log into locard."
            )
        return Source(
            "-", sys.stdin.fileno(), _size(sys.stdin.fileno(), at_start=False), owned=False
        )
    try:
        # A FIFO without a writer must not hang here: the budget is kept while reading.
        fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise unreadable(name, error) from error
    kind = os.fstat(fd).st_mode
    if stat.S_ISDIR(kind) or stat.S_ISSOCK(kind) or stat.S_ISBLK(kind):
        os.close(fd)
        what = "a directory" if stat.S_ISDIR(kind) else "no file and no pipe"
        raise SourceUnreadableError(
            f"cannot read the log {name}", f"it is {what}", "Name a log file, a pipe or -."
        )
    return Source(name, fd, _size(fd, at_start=True))


def _size(fd: int, *, at_start: bool) -> int | None:
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode) or info.st_size == 0:
        return None  # files of /proc say 0 and still have something to read
    return info.st_size - (0 if at_start else os.lseek(fd, 0, os.SEEK_CUR))


def unreadable(name: str, error: OSError | ValueError) -> SourceUnreadableError | NotPermittedError:
    """The error that says why a source cannot be read, and what to do."""
    if isinstance(error, PermissionError):
        return NotPermittedError(
            f"cannot read the log {name}",
            "its mode does not allow it to this user",
            f"Run as its owner or in its group, or pipe it in: sudo cat {name} | locard logs -",
        )
    why = (error.strerror if isinstance(error, OSError) else str(error)) or "it cannot be opened"
    return SourceUnreadableError(
        f"cannot read the log {name}",
        why[0].lower() + why[1:],
        "Check the path; `ls -l /proc/PID/fd` shows which files a process writes.",
    )
