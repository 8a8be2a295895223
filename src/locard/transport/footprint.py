"""How locard's own processes give way on the machine where a target runs."""

from __future__ import annotations

import ctypes
import os
import platform

_IOPRIO_WHO_PROCESS = 1
_IOPRIO_IDLE = 3 << 13
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}.get(platform.machine())


def idle_io(libc: ctypes.CDLL) -> None:
    """Read only when nobody else wants the disk; does nothing where the call's number is not known."""
    if _IOPRIO_SET is not None:
        libc.syscall(_IOPRIO_SET, _IOPRIO_WHO_PROCESS, 0, _IOPRIO_IDLE)


def step_back() -> None:
    """This process itself takes the lowest CPU priority and idle I/O.

    Not the idle class, which may get nothing at all: somebody waits for what this process prints.
    """
    os.nice(19)
    idle_io(ctypes.CDLL(None))
