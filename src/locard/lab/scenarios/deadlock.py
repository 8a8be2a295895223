"""A flag brings a code path that takes two locks in the other order: sooner or later two threads wait for each other.

The near miss: the new path takes the same locks in the same order as all others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.lab.scene import NearMiss, Scene, SetFlag, Truth

if TYPE_CHECKING:
    from locard.lab.draws import Draws


def scene(draws: Draws) -> Scene:
    """Draw how far the flag is rolled out: it takes seconds until each worker stands still."""
    service, load = replace(draws.service(), workers=2).using("audit"), draws.load()
    share = round(draws.between(0.1, 0.2), 3)
    return Scene(
        service=service,
        load=replace(load, rate_per_s=round(load.rate_per_s / 1.5, 1)),
        fault=(SetFlag("indexed-audit", share),),
        truth=Truth(rules=("deadlock",), mentions=("audit.py",)),
        near_miss=NearMiss(
            why="the locks are always taken in one order",
            at_onset=(SetFlag("listed-audit", share),),
        ),
    )
