"""A reload brings a configuration value that cannot work: a tiny time limit, or a wrong port.

The near miss: the reload brings a value that works as well as the one before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.lab.scene import Configure, NearMiss, Scene, Truth

if TYPE_CHECKING:
    from locard.lab.draws import Draws


def scene(draws: Draws) -> Scene:
    """Draw the setting and its value."""
    service = draws.service()
    typical_ms = sorted(up.median_ms for up in service.upstreams)[1]
    # Seconds taken for milliseconds, or the other way round: about half of the calls take longer.
    limit_s = round(typical_ms * draws.between(0.9, 1.2) / 1000, 4)
    name = draws.pick(service.upstreams).name
    port = Configure(f"providers.{name}.port", draws.pick(range(600, 620)))  # nobody listens
    fault = draws.pick((Configure("timeout_s", limit_s), port))
    harmless = Configure("timeout_s", round(draws.between(2.5, 5.0), 1))
    return Scene(
        service=replace(service, log_changes=draws.pick((True, False))),
        load=draws.load(),
        fault=(fault,),
        truth=Truth(rules=("bad-config-value",), mentions=("configuration reloaded",), in_log=True),
        near_miss=NearMiss(why="the new value works as well", at_onset=(harmless,)),
    )
