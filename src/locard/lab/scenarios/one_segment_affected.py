"""Calls for one user segment begin to fail, whichever upstream they go to.

The near miss: they begin to fail as often for everyone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.lab.scene import NearMiss, Scene, Tell, Truth

if TYPE_CHECKING:
    from locard.lab.draws import Draws


def scene(draws: Draws) -> Scene:
    """Draw the segment, and how much of its calls fail."""
    service, load = draws.service(), draws.load()
    shares = load.shares("x-user-segment")
    segment = draws.pick(sorted(shares, key=lambda name: -shares[name])[:3])  # not a handful
    failures = round(draws.between(0.4, 0.9), 2)
    tier = {"headers": {"x-user-segment": segment}, "failures": failures}
    return Scene(
        service=service,
        load=load,
        fault=tuple(Tell(up.name, {"tiers": [tier]}) for up in service.upstreams),
        truth=Truth(
            rules=("one-segment-affected",), values=(("user_segment", segment),), in_log=True
        ),
        near_miss=NearMiss(
            why="everyone is hit alike",
            at_onset=tuple(Tell(up.name, {"failures": failures}) for up in service.upstreams),
        ),
    )
