"""A place below the state directory for what of a log does not fit into the memory, while it is read."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def room(state: Path | None) -> Iterator[str]:
    """A private folder that is gone afterwards; empty text where there is none to be had.

    What a process that was killed has left is removed by the next one.
    """
    if state is None:
        yield ""
        return
    folder = state / "spill" / str(os.getpid())
    try:
        for path in (state, state / "spill", folder):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in folder.parent.iterdir():
            if path.name.isdigit() and not os.path.exists(f"/proc/{path.name}"):  # noqa: PTH110 - not a path of ours
                shutil.rmtree(path, ignore_errors=True)
    except OSError:
        yield ""
        return
    try:
        yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
