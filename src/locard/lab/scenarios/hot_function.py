"""A flag makes requests compute for long in one function of Python: the code itself is slow, nothing that it waits for.

The near miss: as many requests compute the same of a short text.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.lab.scene import NearMiss, Scene, SetFlag, Truth

if TYPE_CHECKING:
    from locard.lab.draws import Draws

_CALL_S = 0.045  # of one long text, by itself


def scene(draws: Draws) -> Scene:
    """Draw how far the flag is rolled out: the worker's one core is nearly used up."""
    service = replace(draws.service(), workers=1).using("fingerprints")
    load = replace(draws.load(), rate_per_s=round(draws.between(22, 30), 1))
    share = round(draws.between(0.64, 0.72) / _CALL_S / load.rate_per_s, 3)
    return Scene(
        service=service,
        load=load,
        fault=(SetFlag("long-fingerprints", share),),
        # Threads that compute in Python take turns at its lock: both are so.
        truth=Truth(rules=("hot-function", "gil-contention"), mentions=("fingerprints.py",)),
        near_miss=NearMiss(
            why="the text is short", at_onset=(SetFlag("short-fingerprints", share),)
        ),
    )
