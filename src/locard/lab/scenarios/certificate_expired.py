"""An upstream comes back with a TLS certificate that has expired.

The near miss: its new certificate is valid, but not for long, and the service warns of that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.lab.scene import Certify, NearMiss, Scene, Truth

if TYPE_CHECKING:
    from locard.lab.draws import Draws

_HOUR_S = 3600.0


def scene(draws: Draws) -> Scene:
    """Draw the upstream, and for how long its certificate has been or will be valid."""
    plain = draws.service()
    service = replace(plain, upstreams=tuple(replace(up, tls=True) for up in plain.upstreams))
    name = draws.pick(service.upstreams).name
    return Scene(
        service=service,
        load=draws.load(),
        fault=(Certify(name, -draws.between(0.01, 48) * _HOUR_S),),
        truth=Truth(
            rules=("certificate-expired",),
            values=(("upstream", name),),
            mentions=(name, "certificate has expired"),
            in_log=True,
        ),
        near_miss=NearMiss(
            why="the certificate is valid for some hours more",
            at_onset=(Certify(name, draws.between(2, 48) * _HOUR_S),),
        ),
    )
