"""A flag gives a small thread pool more to do than its threads can: what is submitted is begun ever later.

The near miss: the flag is rolled out less far, and the threads keep up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.lab.scene import NearMiss, Scene, SetFlag, Truth

if TYPE_CHECKING:
    from locard.lab.draws import Draws

_THREADS = 4  # of the pool of each worker


def scene(draws: Draws) -> Scene:
    """Draw how far the flag is rolled out, and how much more that is than the threads can do."""
    service, load = replace(draws.service(), workers=2).using("notices"), draws.load()
    share = round(draws.between(0.3, 0.5), 3)
    over = draws.between(1.3, 1.6)
    write_s = over * _THREADS / (load.rate_per_s / service.workers * share)
    return Scene(
        service=replace(service, store_write_ms=round(write_s * 1000, 1)),
        load=load,
        fault=(SetFlag("signed-notices", share),),
        truth=Truth(rules=("thread-exhaustion",), mentions=("notices.py",)),
        near_miss=NearMiss(
            why="the threads keep up", at_onset=(SetFlag("signed-notices", round(share / 8, 3)),)
        ),
    )
