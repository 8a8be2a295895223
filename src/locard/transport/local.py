"""This machine as a place: the same server as everywhere, started by this very interpreter."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from locard.model.errors import LocardError, StateError
from locard.transport import bootstrap, reasons
from locard.transport._child import environment

if TYPE_CHECKING:
    from locard.model.place import Place

__all__ = ["environment", "explain", "session_argv"]


def session_argv(place: Place, nonce: str) -> tuple[str, ...]:  # noqa: ARG001 - as every transport
    """The interpreter that runs locard: no shell, no search."""
    return bootstrap.python_argv(nonce, sys.executable)


def explain(
    place: str,
    exit_code: int | None,
    stderr: bytes,
    noise: bytes,
    waited_s: float,
    *,
    problem: str = "",
) -> LocardError:
    """Why our own interpreter did not answer."""
    said = " ".join((stderr or noise).decode("utf-8", "replace").split())[-300:]
    how = f"gave up after {waited_s:.0f} s" if exit_code is None else reasons.ended(exit_code)
    return StateError(
        f"{place} could not be opened",
        f"{sys.executable} {how}" + (f": {said or problem}" if said or problem else ""),
        "Look at this machine's memory and process limits, then try again.",
    )
