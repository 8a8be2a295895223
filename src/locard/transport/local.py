"""This machine as a place: the same server as everywhere, started by this very interpreter."""

from __future__ import annotations

import os
import pwd
import socket
import sys
from typing import TYPE_CHECKING

from locard.model.errors import LocardError, StateError
from locard.model.evidence import Identity, Output
from locard.model.place import HERE
from locard.transport import bootstrap, reasons
from locard.transport._child import environment

if TYPE_CHECKING:
    from locard.guard.gate import Permit
    from locard.model.place import Place
    from locard.transport.session import Session

__all__ = ["environment", "explain", "home", "identity", "run", "session_argv"]


def identity() -> Identity:
    """Where and as whom locard itself runs."""
    uid = os.geteuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return Identity(socket.gethostname(), user, uid, os.environ.get("SUDO_USER"))


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


def home() -> Session:
    """The session on this machine for who asks one thing at a time."""
    from locard.transport.reach import kept_session  # noqa: PLC0415 - it knows every transport

    return kept_session(HERE)


def run(permit: Permit, bound_s: float) -> Output:
    """Run it here and wait, at most `bound_s` seconds; never raises for what the child does."""
    return home().run(permit, bound_s)
