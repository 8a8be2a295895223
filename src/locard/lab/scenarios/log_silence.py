"""One instance goes on serving, but its lines no longer reach the log.

The near miss: all instances fall silent alike, since hardly any request comes any more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.lab.scene import FillLog, NearMiss, Scene, Tell, Truth

if TYPE_CHECKING:
    from locard.lab.draws import Draws


def scene(draws: Draws) -> Scene:
    """Draw the instance."""
    instances = draws.instances()
    name = draws.pick(instances)
    return Scene(
        service=replace(draws.service(), instances=instances, workers=1),
        load=draws.load(),
        fault=(FillLog(name),),
        truth=Truth(rules=("log-silence",), values=(("instance", name),), in_log=True),
        near_miss=NearMiss(
            why="the traffic has ended, for all instances alike",
            at_onset=(Tell("traffic", {"rate_per_s": round(draws.between(0.05, 0.3), 2)}),),
        ),
    )
