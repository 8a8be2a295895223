"""Notices to merchants, sent by a few threads beside those of the requests."""

from __future__ import annotations

import threading
import time
from concurrent import futures

from .store import StoreConnection

_THREADS = 4
_PLAIN_S = 0.002
PATIENCE_S = 2.0


class NoticeLate(Exception):  # noqa: N818 - it is what happened, in the caller's words
    """The notice was not accepted in time."""


class Notices:
    """The threads of this worker that send; each has its own connection to the store."""

    def __init__(self, store_path: str) -> None:
        """No thread yet: they begin with the first notices."""
        self._path = store_path
        self._local = threading.local()
        self._senders = futures.ThreadPoolExecutor(_THREADS, "notices")

    def send(self, reference: str, *, signed: bool) -> None:
        """Have it sent; raises NoticeLate if that takes too long. A signed one waits for the store."""
        sent = self._senders.submit(self._deliver, reference, signed=signed)
        try:
            sent.result(timeout=PATIENCE_S)
        except futures.TimeoutError:
            raise NoticeLate from None

    def _deliver(self, reference: str, *, signed: bool) -> None:
        time.sleep(_PLAIN_S)
        if signed:
            self._store().exchange("notice", reference)

    def _store(self) -> StoreConnection:
        if not hasattr(self._local, "store"):
            self._local.store = StoreConnection(self._path)
        store: StoreConnection = self._local.store
        return store
