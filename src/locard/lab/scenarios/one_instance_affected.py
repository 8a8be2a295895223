"""One instance of several cannot reach its upstreams as the others do: slow, and often in vain.

The near miss: one instance has always been slower.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.lab.scene import NearMiss, Scene, Tell, Truth

if TYPE_CHECKING:
    from locard.lab.draws import Draws


def scene(draws: Draws) -> Scene:
    """Draw the instance, and how bad its way to the upstreams is."""
    instances = draws.instances()
    service = replace(draws.service(), instances=instances, workers=1)
    name = draws.pick(instances)
    bad: dict[str, float] = {
        "median_ms": round(draws.between(60, 150)),
        "failures": round(draws.between(0.2, 0.6), 2),
    }
    slower: dict[str, float] = {"median_ms": round(draws.between(60, 150))}

    def path(pace: dict[str, float]) -> tuple[Tell, ...]:
        tier = {"headers": {"x-client-id": name}, **pace}
        return tuple(Tell(up.name, {"tiers": [tier]}) for up in service.upstreams)

    return Scene(
        service=service,
        load=draws.load(),
        fault=path(bad),
        truth=Truth(rules=("one-instance-affected",), values=(("instance", name),), in_log=True),
        near_miss=NearMiss(why="that instance has always been slower", before=path(slower)),
    )
