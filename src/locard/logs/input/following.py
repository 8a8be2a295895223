"""A file that is followed while it grows, over rotation by rename and by truncation."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from locard.far.line_times import offset_since
from locard.logs.input.log_source import BLOCK_BYTES, Source, unreadable

_POLL_S = 0.1


@dataclass(slots=True)
class FollowedFile(Source):
    """Goes on with what is written until the budget ends. `rotations` counts the files after the first."""

    path: str = ""
    rotations: int = 0

    @classmethod
    def open(cls, path: str, since_s: float | None) -> FollowedFile:
        """From the start of the window of interest, or of the file."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise unreadable(path, error) from error
        info = os.fstat(fd)
        if since_s is not None and info.st_size:
            os.lseek(fd, offset_since(fd, info.st_size, 2 * since_s), os.SEEK_SET)
        return cls(path, fd, None, modified=info.st_mtime, path=path)

    def _next_chunk(self, deadline: float) -> bytes:
        while time.monotonic() < deadline and not self.stopped:
            try:
                data = os.read(self.fd, BLOCK_BYTES)
            except OSError as error:
                self.partial = f"reading failed: {error.strerror}"
                return b""
            if data:
                return data
            self._idle()
            if not self._moved_on():
                time.sleep(min(_POLL_S, max(0.0, deadline - time.monotonic())))
        self.partial = self.ended_by
        return b""

    def _moved_on(self) -> bool:
        """At the end of the file: whether there is a newer one, or this one begins anew."""
        here = os.fstat(self.fd)
        if here.st_size < os.lseek(self.fd, 0, os.SEEK_CUR):
            os.lseek(self.fd, 0, os.SEEK_SET)
            self._tail.clear()
            self.rotations += 1
            return True
        try:
            there = os.stat(self.path)  # noqa: PTH116 - by its name, as it was given
            if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
                return False
            fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return False  # between rename and create
        # Its last words may have come between our read and the rename.
        if os.fstat(self.fd).st_size > os.lseek(self.fd, 0, os.SEEK_CUR):
            os.close(fd)
            return True
        os.close(self.fd)
        self.fd = fd
        self.rotations += 1
        return True
