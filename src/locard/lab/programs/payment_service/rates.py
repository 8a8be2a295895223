"""Fees and exchange rates by currency."""

from __future__ import annotations

import threading

from .store import StoreConnection


class RateTable:
    """The current rates; an exact lookup asks the store for the rate of this very moment."""

    def __init__(self, store_path: str) -> None:
        """The table of the day, with an own connection to the store."""
        self._lock = threading.Lock()
        self._rates = {"EUR": 1.0, "USD": 1.08, "GBP": 0.86, "SEK": 11.2, "PLN": 4.3}
        self._lookups = 0
        self._store = StoreConnection(store_path)

    def lookup(self, currency: str, *, exact: bool) -> float:
        """Units of the currency for one euro."""
        with self._lock:
            self._lookups += 1
            if exact:
                self._store.exchange("rate", currency)
            return self._rates.get(currency, 1.0)
