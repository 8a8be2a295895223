"""What a child does between fork and exec: it becomes harmless, and mortal with its parent."""

from __future__ import annotations

import ctypes
import os
import resource
import signal

from locard.transport.footprint import idle_io

# What a child may inherit: enough to find programs, homes, servers and zones; nothing that loads code.
_INHERITED = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TZ",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "KUBECONFIG",
    "DOCKER_HOST",
    "CONTAINER_HOST",
)
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def environment() -> dict[str, str]:
    """The environment of every child."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


def become_harmless(parent: int) -> None:
    """Die with the parent, use idle CPU and I/O only, write no file and dump no core.

    Runs after fork in the child: no imports, no locks, nothing that can fail loudly.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died between fork and prctl
        os._exit(1)
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except OSError:  # a container may forbid it; nice is always permitted upwards
        os.nice(19)
    idle_io(_libc)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
