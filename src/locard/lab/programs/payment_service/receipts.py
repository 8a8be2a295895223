"""The journal of what was settled."""

from __future__ import annotations

import threading
from collections import deque

from .store import StoreConnection


class ReceiptJournal:
    """The last receipts of this worker, in order; confirmed ones are known to the store as well."""

    def __init__(self, store_path: str) -> None:
        """An empty journal with its own connection to the store."""
        self._lock = threading.Lock()
        self._entries: deque[tuple[str, str]] = deque(maxlen=4096)
        self._store = StoreConnection(store_path)

    def append(self, reference: str, outcome: str, *, confirmed: bool) -> None:
        """Add a receipt; a confirmed one returns after the store's own receipt."""
        with self._lock:
            self._entries.append((reference, outcome))
            if confirmed:
                self._store.exchange("receipt", reference)
