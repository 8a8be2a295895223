"""A feature flag makes many requests wait for the store while they hold a lock of their worker.

The store answers as fast as ever; only holding the lock meanwhile makes everyone queue. The near
miss: the same flag is rolled out as far, but the store's receipt takes next to no time, so that
the lock is taken and released at once. Threads are idle in futex waits just the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.lab.draws import FLAGS
from locard.lab.scene import NearMiss, Scene, SetFlag, Tell, Truth

if TYPE_CHECKING:
    from locard.lab.draws import Draws

_PLACES = {"keys": "idempotency.py", "rates": "rates.py", "receipts": "receipts.py"}
_OVERHEAD_MS = 1.0  # of one exchange with the store, beside the store's own time


def scene(draws: Draws) -> Scene:
    """Draw the flag, how far it is rolled out, and how busy that keeps the lock."""
    service, load = replace(draws.service(), workers=2), draws.load()
    flag = draws.pick(tuple(FLAGS))
    share = round(draws.between(0.3, 0.5), 2)
    # How much of the time the lock is held: below 1, so that the queue is long but steady. Workers
    # share the traffic evenly, for one that is full takes no new connections.
    # Requests without the flag queue as well, behind those that have it.
    busy = draws.between(0.82, 0.90)
    holds_per_s = load.rate_per_s / service.workers * service.use_share(FLAGS[flag]) * share
    write_ms = busy / holds_per_s * 1000 - _OVERHEAD_MS
    return Scene(
        service=replace(service, store_write_ms=round(write_ms, 1)),
        load=load,
        fault=(SetFlag(flag, share),),
        truth=Truth(rules=("lock-contention",), mentions=(_PLACES[FLAGS[flag]],)),
        near_miss=NearMiss(
            why="the lock is held for a moment only: nobody waits for it",
            before=(Tell("store", {"write_ms": 1.0}),),
            at_onset=(SetFlag(flag, share),),
        ),
    )
