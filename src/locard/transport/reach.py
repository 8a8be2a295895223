"""Which transport reaches a place, and how a session to it begins."""

from __future__ import annotations

import atexit
import importlib
from typing import TYPE_CHECKING, Protocol, cast

from locard.model.errors import NotPermittedError
from locard.transport import bootstrap
from locard.transport.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locard.model.place import Place
    from locard.transport.session import Explain


class Transport(Protocol):
    """What a transport's module holds: how a python3 is started at a place, and no more."""

    explain: Explain

    def session_argv(self, place: Place, nonce: str) -> tuple[str, ...]:
        """The argv that starts the bootstrap at the place; raises LocardError for no such name."""

    def environment(self) -> Mapping[str, str]:
        """What the client is given of our environment."""


_kept: dict[Place, Session] = {}
_PATIENCE_S = 600.0  # who reads a log may judge it for minutes before he asks again


def kept_session(place: Place) -> Session:
    """The open session of this process to a place, for who asks one thing at a time; closed at exit.

    One that was left alone for too long is opened anew. Raises the LocardError that says why it does not open.
    """
    session = _kept.get(place)
    if session is None or session.stale:
        if session is not None:
            session.close()
        session = _kept[place] = open_session(place).open()
        session.ask_patience(_PATIENCE_S)
        if len(_kept) == 1:
            atexit.register(_close_kept)
    return session


def _close_kept() -> None:
    for session in _kept.values():
        session.close()
    _kept.clear()


def open_session(place: Place, *, opening_s: float = 15.0, lend_stdin: bool = False) -> Session:
    """A session that begins to open; raises LocardError where its client is not installed."""
    transport = cast("Transport", importlib.import_module(f"locard.transport.{place.transport}"))
    nonce = bootstrap.new_nonce()
    argv = transport.session_argv(place, nonce)
    try:
        return Session(
            place,
            argv,
            nonce,
            explain=transport.explain,
            environment=transport.environment(),
            opening_s=opening_s,
            lend_stdin=lend_stdin,
        )
    except OSError as error:
        raise NotPermittedError(
            f"cannot reach {place.ref}",
            f"{argv[0]} did not start: {error.strerror or error}",
            f"Install {argv[0]}, or run locard at the place itself.",
        ) from error
