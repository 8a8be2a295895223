"""Idempotency keys: the same request twice is settled once."""

from __future__ import annotations

import threading
from collections import OrderedDict

from .store import StoreConnection

_KEPT = 8192


class IdempotencyKeys:
    """The keys seen lately; shared ones are known to the other workers as well."""

    def __init__(self, store_path: str) -> None:
        """No keys yet, and an own connection to the store."""
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._store = StoreConnection(store_path)

    def reserve(self, key: str, *, shared: bool) -> bool:
        """Take the key; False if it was taken before."""
        with self._lock:
            fresh = key not in self._seen
            self._seen[key] = self._seen.get(key, 0) + 1
            while len(self._seen) > _KEPT:
                self._seen.popitem(last=False)
            if shared:
                self._store.exchange("key", key)
        return fresh
