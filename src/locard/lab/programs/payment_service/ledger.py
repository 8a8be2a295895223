"""The ledger: each payment is entered over one of a few connections that a worker keeps open."""

from __future__ import annotations

import queue

from .store import StoreConnection

_SIZE = 5
PATIENCE_S = 2.0


class LedgerBusy(Exception):  # noqa: N818 - it is what happened, in the caller's words
    """The entry could not be made in time."""


class ConnectionPool:
    """A fixed number of connections; who takes one gives it back."""

    def __init__(self, store_path: str) -> None:
        """All of them are free."""
        self._free: queue.LifoQueue[StoreConnection] = queue.LifoQueue(_SIZE)
        for _ in range(_SIZE):
            self._free.put(StoreConnection(store_path))

    def take(self) -> StoreConnection:
        """One of them; raises LedgerBusy if none becomes free."""
        try:
            return self._free.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise LedgerBusy from None

    def give(self, connection: StoreConnection) -> None:
        """Others may have it."""
        self._free.put(connection)


class Ledger:
    """The entries of this worker's payments."""

    def __init__(self, store_path: str) -> None:
        """An own pool for this worker."""
        self._pool = ConnectionPool(store_path)

    def enter(self, reference: str, *, reviewed: bool, compact: bool) -> str:
        """Enter one payment and return the receipt; a reviewed one is looked at by people later."""
        connection = self._pool.take()
        receipt = connection.exchange("entry", reference)
        if reviewed:
            return f"in review: {receipt}"
        self._pool.give(connection)
        return receipt[:6] if compact else receipt
