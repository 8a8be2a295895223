"""A flag makes requests order a long list in one call into C: no other thread of the worker runs meanwhile.

The near miss: as many requests order a short list.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.lab.scene import NearMiss, Scene, SetFlag, Truth

if TYPE_CHECKING:
    from locard.lab.draws import Draws

_CALL_S = 0.06  # of one long list, by itself


def scene(draws: Draws) -> Scene:
    """Draw how far the flag is rolled out: the worker's one core is nearly used up."""
    # One worker: the fault is to be its lock, not the machine's CPUs.
    service = replace(draws.service(), workers=1).using("statements")
    load = replace(draws.load(), rate_per_s=round(draws.between(22, 30), 1))
    share = round(draws.between(0.62, 0.7) / _CALL_S / load.rate_per_s, 3)
    return Scene(
        service=service,
        load=load,
        fault=(SetFlag("full-statements", share),),
        truth=Truth(rules=("gil-contention", "hot-function"), mentions=("statements.py",)),
        near_miss=NearMiss(
            why="the call takes no time", at_onset=(SetFlag("short-statements", share),)
        ),
    )
