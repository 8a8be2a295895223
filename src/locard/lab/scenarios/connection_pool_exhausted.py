"""A flag brings a code path that does not give its connection back: the pool runs dry, worker by worker.

The near miss: as many requests take another new path, which gives it back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.lab.scene import NearMiss, Scene, SetFlag, Truth

if TYPE_CHECKING:
    from locard.lab.draws import Draws


def scene(draws: Draws) -> Scene:
    """Draw how far the flag is rolled out: within seconds each worker has lost its connections."""
    service, load = replace(draws.service(), workers=2).using("ledger"), draws.load()
    share = round(draws.between(0.15, 0.25), 3)
    return Scene(
        service=replace(service, store_write_ms=round(draws.between(8, 15), 1)),
        load=replace(load, rate_per_s=round(load.rate_per_s / 2, 1)),
        fault=(SetFlag("reviewed-entries", share),),
        truth=Truth(rules=("connection-pool-exhausted",), mentions=("ledger.py",)),
        near_miss=NearMiss(
            why="every connection is given back", at_onset=(SetFlag("compact-entries", share),)
        ),
    )
