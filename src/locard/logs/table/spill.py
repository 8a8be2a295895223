"""A place below the state directory for what of a log does not fit into the memory, while it is read."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from locard.guard import private
from locard.model.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOLDER, _PREFIX = "spill", "room-"


@contextlib.contextmanager
def room(state: Path | None) -> Iterator[str]:
    """A private folder that is gone afterwards; empty text where there is none to be had.

    What a process that was killed has left is removed by the next one: nobody holds its lock any more.
    """
    if state is None:
        yield ""
        return
    with contextlib.ExitStack() as stack:
        try:
            below = stack.enter_context(private.folder(state, _FOLDER, make=True))
            private.remove_unlocked(below, _PREFIX)
            name, held = private.room(below, _PREFIX)
        except (OSError, StateError):
            yield ""
            return
        try:
            yield str(state / _FOLDER / name)
        finally:
            os.close(held)
            _remove(below, name)


def _remove(below: int, name: str) -> None:
    import shutil  # noqa: PLC0415 - not before it is needed

    shutil.rmtree(name, ignore_errors=True, dir_fd=below)
