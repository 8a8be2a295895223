"""An upstream takes fewer calls than before, and clients that retry at once make it many more.

The near miss: retries were there before, for an upstream that always fails at times; then more
users come, whose requests are retried no more often.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.lab.scene import NearMiss, Scene, Tell, Truth

if TYPE_CHECKING:
    from locard.lab.draws import Draws


def scene(draws: Draws) -> Scene:
    """Draw the upstream, how much it still takes, and how stubborn the clients are."""
    service = draws.service()
    load = replace(
        draws.load(), retries=draws.pick((3, 4, 5)), retry_ms=round(draws.between(60, 150))
    )
    name = max(service.upstreams, key=lambda up: service.upstream_share(up.name)).name
    calls_per_s = load.rate_per_s * service.upstream_share(name)
    limit = Tell(name, {"limit_per_s": round(calls_per_s * draws.between(0.25, 0.45), 1)})
    more_users = Tell("traffic", {"rate_per_s": round(load.rate_per_s * draws.between(1.3, 1.6))})
    return Scene(
        service=service,
        load=load,
        fault=(limit,),
        truth=Truth(rules=("retry-storm",), in_log=True),
        near_miss=NearMiss(
            why="requests were retried as often before; there are more users",
            before=(Tell(name, {"failures": round(draws.between(0.15, 0.3), 2)}),),
            at_onset=(more_users,),
        ),
    )
