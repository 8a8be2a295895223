"""A flag makes a coroutine wait for the store without giving its event loop back: all requests wait for the loop.

The near miss: as many requests do something on that loop that takes no time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.lab.scene import NearMiss, Scene, SetFlag, Truth

if TYPE_CHECKING:
    from locard.lab.draws import Draws

_OVERHEAD_MS = 1.0  # of one exchange with the store, beside the store's own time


def scene(draws: Draws) -> Scene:
    """Draw how far the flag is rolled out, and how busy that keeps the loop."""
    service, load = replace(draws.service(), workers=2).using("scores"), draws.load()
    share = round(draws.between(0.25, 0.4), 3)
    busy = draws.between(0.84, 0.91)  # below 1: the queue is long but steady
    write_ms = busy / (load.rate_per_s / service.workers * share) * 1000 - _OVERHEAD_MS
    return Scene(
        service=replace(service, store_write_ms=round(write_ms, 1)),
        load=load,
        fault=(SetFlag("explained-scores", share),),
        truth=Truth(rules=("event-loop-blocked",), mentions=("scores.py",)),
        near_miss=NearMiss(
            why="what is done on the loop takes no time",
            at_onset=(SetFlag("cached-scores", share),),
        ),
    )
