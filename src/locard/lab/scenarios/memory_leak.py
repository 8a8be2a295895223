"""A feature flag makes a worker keep the document of every settled payment for ever: its memory grows with its traffic.

Nobody is hurt yet, so that no log tells of it. The near miss: another flag keeps as large documents of as many
payments, but only the last few; their memory is full before anybody looks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.lab.scene import NearMiss, Scene, SetFlag, Truth

if TYPE_CHECKING:
    from locard.lab.draws import Draws


def scene(draws: Draws) -> Scene:
    """Draw how far the flag is rolled out."""
    share = round(draws.between(0.7, 0.95), 2)
    return Scene(
        service=replace(draws.service(), workers=1),
        load=draws.load(),
        fault=(SetFlag("whole-audits", share),),
        truth=Truth(rules=("memory-leak",), mentions=("audits.Audit",)),
        near_miss=NearMiss(
            why="only the last documents are kept: it is full within seconds",
            at_onset=(SetFlag("recent-audits", share),),
        ),
    )
