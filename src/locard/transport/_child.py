"""What a child of locard's does between fork and exec, and what it inherits."""

from __future__ import annotations

import ctypes
import os
import signal

# What a transport's program may inherit: enough to find programs, homes, servers, agents and zones;
# nothing that loads code, and nothing that asks a person.
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
    "SSH_AUTH_SOCK",
    "LOCARD_SSH",
    "SUDO_USER",
)
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def environment() -> dict[str, str]:
    """The environment of every child."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


def become_mortal(parent: int) -> None:
    """Die with the parent. Runs after fork in the child: no imports, no locks, nothing that fails loudly."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died between fork and prctl
        os._exit(1)
