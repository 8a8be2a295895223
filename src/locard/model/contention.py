"""Facts of what keeps the threads and tasks of a runtime waiting: its global lock, its event loops, pools and queues.

`round` joins them to the stacks of the same look. All thread ids are as this machine numbers them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GlobalLock:
    """The interpreter's lock (GIL) at one look at which threads waited for it.

    `queue` is how many waited on average over the `looked_ms` of that look, `switches` how often it changed hands
    meanwhile; `kept_ms` is how long its holder kept it without a break, 0 where it changed hands.
    """

    round: int
    pid: int
    holder: int | None  # None: nobody had it at that moment, or it is no thread that was read
    waiting: tuple[int, ...]
    queue: float
    switches: int
    kept_ms: float
    looked_ms: float
    interval_ms: float  # after which who waits asks the holder to let go


@dataclass(frozen=True, slots=True)
class LoopCallback:
    """An event loop that was inside of a callback at one look, and for how long it was seen in the same one.

    `exact`: another callback would have been told from it; else it may be another call of the same place.
    """

    round: int
    pid: int
    tid: int | None
    loop: str  # asyncio, uvloop, gevent, trio
    task: str  # its name; "" where there is none or it is not told
    kept_ms: float
    exact: bool


@dataclass(frozen=True, slots=True)
class WaitedThing:
    """What threads, tasks or greenlets wait in at one look: a pool, a queue, a semaphore.

    `limit` and `used` are as the library itself counts them, `size` is its own value (of a semaphore what is free,
    of a queue the unfinished, of a condition who waits). `holders` and `holding_tasks` have an object of it in
    their stacks: who keeps one elsewhere is not among them.
    """

    round: int
    pid: int
    name: str  # "SQLAlchemy QueuePool"
    kind: str  # pool, queue, semaphore, condition, event, barrier
    label: str  # as it calls itself
    address: int
    limit: int | None
    used: int | None
    size: int | None
    tids: tuple[int, ...]
    tasks: tuple[str, ...]
    greenlets: int
    holders: tuple[int, ...]
    holding_tasks: tuple[str, ...]

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self.tids) + len(self.tasks) + self.greenlets


@dataclass(frozen=True, slots=True)
class Contention:
    """What kept others waiting in the target's processes, over the rounds in which stacks were read."""

    locks: tuple[GlobalLock, ...] = ()
    callbacks: tuple[LoopCallback, ...] = ()
    things: tuple[WaitedThing, ...] = ()
