"""Standard streams that cannot hurt: one that is closed, full, gone or of another encoding is no crash."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import TYPE_CHECKING, Any, cast

from locard.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

_UNWRITABLE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF, errno.EFBIG, errno.EROFS}
)


class _Forgiving:
    """Standard error: what it cannot take is lost, and nothing ends because of it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As much as can be written."""
        with contextlib.suppress(OSError, ValueError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Likewise."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        """All else is the stream's."""
        return getattr(self._stream, name)


@contextlib.contextmanager
def safe() -> Iterator[None]:
    """Streams for one command; raises UsageError where there is no standard output."""
    closed = _open_all()
    out, err = sys.stdout, sys.stderr
    if err is None:
        sys.stderr = err = cast("TextIO", open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - lives as long
    for stream in (out, err):
        with contextlib.suppress(AttributeError, ValueError, OSError):  # a test's own stream
            cast("Any", stream).reconfigure(errors="backslashreplace")
    sys.stderr = cast("TextIO", _Forgiving(err))
    try:
        if out is None or 1 in closed:
            raise UsageError(
                "standard output is closed",
                "there is nowhere to write the answer",
                "Redirect it, for example to a file or to /dev/null.",
            )
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = err


def _open_all() -> set[int]:
    """Put /dev/null where a standard stream is closed: the next file that is opened must not be one."""
    closed = set()
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            closed.add(fd)
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != fd:
                os.dup2(opened, fd)
                os.close(opened)
    return closed


def is_unwritable(error: OSError) -> bool:
    """Whether it came of writing to a stream: no file has a part in it."""
    return error.filename is None and error.errno in _UNWRITABLE


def drop_output() -> None:
    """What is still in the buffer goes nowhere: the interpreter would complain of it at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
