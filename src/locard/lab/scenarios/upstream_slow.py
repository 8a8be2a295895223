"""One upstream gets slow for one region and user segment; some of its calls time out.

The near miss: the same upstream has always been slower for the same requests, within its time
limit. Threads sit in calls to it just the same, but nothing changed and nobody fails.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from locard.lab.scene import NearMiss, Scene, Tell, Truth

if TYPE_CHECKING:
    from locard.lab.draws import Draws
    from locard.lab.scene import Load, Service

# Requests per second that are hit: enough to be seen, too few to fill the thread pools.
_FEWEST, _MOST = 1.4, 3.0


def scene(draws: Draws) -> Scene:
    """Draw the upstream, the pair of region and segment, and how slow it gets."""
    service, load = draws.service(), draws.load()
    upstream, region, segment = _victim(draws, service, load)
    pace = {"median_ms": round(draws.between(1300, 1900)), "spread": 0.35}
    usual = {"median_ms": round(draws.between(500, 800)), "spread": 0.15}
    return Scene(
        service=service,
        load=load,
        fault=(_tier(upstream, region, segment, pace),),
        truth=Truth(
            rules=("upstream-slow",),
            values=(("upstream", upstream), ("region", region), ("user_segment", segment)),
            mentions=(upstream,),
        ),
        near_miss=NearMiss(
            why="slower for these requests from the beginning, and never past the time limit",
            before=(_tier(upstream, region, segment, usual),),
        ),
    )


def _tier(upstream: str, region: str, segment: str, pace: dict[str, float]) -> Tell:
    headers = {"x-region": region, "x-user-segment": segment}
    return Tell(upstream, {"tiers": [{"headers": headers, **pace}]})


def _victim(draws: Draws, service: Service, load: Load) -> tuple[str, str, str]:
    rates = {
        (up.name, region, segment): load.rate_per_s * service.upstream_share(up.name) * a * b
        for up, (region, a), (segment, b) in product(
            service.upstreams,
            load.shares("x-region").items(),
            load.shares("x-user-segment").items(),
        )
    }
    fit = [key for key, rate in rates.items() if _FEWEST <= rate <= _MOST]
    return draws.pick(fit) if fit else max(rates, key=lambda key: rates[key])
