"""The audit trail: a journal of what happened and an index to find it again."""

from __future__ import annotations

import threading
import time
from collections import deque

_WRITE_S = 0.002  # that a write into the page cache and a look-up take on a busy node


class Audit:
    """The trail of this worker."""

    def __init__(self) -> None:
        """Empty."""
        self._journal, self._index = threading.RLock(), threading.RLock()
        self._entries: deque[str] = deque(maxlen=4096)
        self._places: dict[str, int] = {}

    def write(self, reference: str) -> None:
        """Note a payment."""
        with self._journal:
            self._entries.append(reference)
            time.sleep(_WRITE_S)
            with self._index:
                self._places[reference] = len(self._entries)
                while len(self._places) > 4096:  # noqa: PLR2004 - as many as entries
                    self._places.pop(next(iter(self._places)))

    def look_up(self, reference: str) -> int:
        """Where a payment stands, by the journal."""
        with self._journal:
            time.sleep(_WRITE_S)
            with self._index:
                return self._places.get(reference, 0)

    def find(self, reference: str) -> int:
        """Where a payment stands, by the index first."""
        with self._index:
            time.sleep(_WRITE_S)
            with self._journal:
                return self._places.get(reference, 0)
