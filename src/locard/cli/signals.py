"""Being told to end (SIGTERM, or SIGHUP of a terminal that closes) is as Ctrl-C: what came is kept and shown."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_ENDS = (signal.SIGTERM, signal.SIGHUP)
_ONCE_S = 2.0  # `timeout` tells a process, and then its whole group: that is one word


@contextlib.contextmanager
def as_interrupts() -> Iterator[None]:
    """Whoever ends us does it as Ctrl-C would; who ignores a signal (nohup) goes on to."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    last = -_ONCE_S

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before < _ONCE_S:
            return
        interrupt = signal.getsignal(signal.SIGINT)
        if callable(interrupt):  # a log that is read on ends in its own way
            interrupt(number, frame)
        else:
            raise KeyboardInterrupt

    taken = [n for n in _ENDS if signal.getsignal(n) == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
