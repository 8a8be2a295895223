"""Risk scores: a client of the scoring model that runs on an event loop beside the request threads."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict

from .store import StoreConnection

_MODEL_S = 0.003  # that the model takes to answer
_KEPT = 4096


class Scores:
    """One loop and one connection to the store for all request threads of this worker."""

    def __init__(self, store_path: str) -> None:
        """Start the loop."""
        self._store = StoreConnection(store_path)
        self._last: OrderedDict[str, float] = OrderedDict()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="scores", daemon=True).start()

    def score(self, reference: str, *, explained: bool, cached: bool) -> float:
        """The risk of a payment, 0 to 1; an explained one is kept by the store."""
        answer = asyncio.run_coroutine_threadsafe(
            self._score(reference, explained=explained, cached=cached), self._loop
        )
        return answer.result()

    async def _score(self, reference: str, *, explained: bool, cached: bool) -> float:
        await asyncio.sleep(_MODEL_S)
        value = int(reference[:2], 16) / 255
        if explained:
            self._store.exchange("explanation", reference)
        if cached:
            self._last[reference] = value
            while len(self._last) > _KEPT:
                self._last.popitem(last=False)
        return value
