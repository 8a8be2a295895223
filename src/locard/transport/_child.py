"""What a child of locard's does between fork and exec, and what it inherits."""

from __future__ import annotations

import ctypes
import os

from locard.far import children

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def environment() -> dict[str, str]:
    """What a transport's program inherits: as every child, here and at a place."""
    return children.environment()


def become_mortal(parent: int, number: int) -> None:
    """Be sent a signal when the parent dies.

    Runs after fork in the child: no imports, no locks, nothing that fails loudly.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it died between fork and prctl
        os._exit(1)
