"""The GIL, the callbacks of event loops, pools and queues, as our reader prints them, as facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locard.model.contention import Contention, GlobalLock, LoopCallback, WaitedThing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Tid = Callable[[int], int]


def together(found: Sequence[Contention]) -> tuple[Contention, ...]:
    """Those of all looks as one fact; none where nothing was seen."""
    locks = tuple(lock for one in found for lock in one.locks)
    callbacks = tuple(c for one in found for c in one.callbacks)
    things = tuple(t for one in found for t in one.things)
    return (Contention(locks, callbacks, things),) if locks or callbacks or things else ()


def contention(items: Iterable[Any], at_round: int, inner: dict[int, int]) -> Contention:
    """What one dump says. `inner`: ids of a process's own pid namespace -> as this machine numbers them."""

    def tid(number: int) -> int:
        return inner.get(number, number)

    raw = [i for i in items if isinstance(i, dict)]
    locks = [_lock(i, at_round, tid) for i in raw if "gil" in i]
    callbacks = [_callback(i, at_round, tid) for i in raw if "loop" in i]
    things = [_thing(i, at_round, tid) for i in raw if "waited" in i]
    return Contention(
        tuple(lock for lock in locks if lock is not None),
        tuple(callback for callback in callbacks if callback is not None),
        tuple(thing for thing in things if thing is not None),
    )


def _lock(item: dict[str, Any], at_round: int, tid: Tid) -> GlobalLock | None:
    try:
        return GlobalLock(
            round=at_round,
            pid=int(item["pid"]),
            holder=None if item["holder"] is None else tid(int(item["holder"])),
            waiting=tuple(tid(int(t)) for t in item["waiting"]),
            queue=float(item["queue"]),
            switches=int(item["switches"]),
            kept_ms=float(item["kept_ms"]),
            looked_ms=float(item["looked_ms"]),
            interval_ms=float(item["gil"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _callback(item: dict[str, Any], at_round: int, tid: Tid) -> LoopCallback | None:
    try:
        return LoopCallback(
            round=at_round,
            pid=int(item["pid"]),
            tid=None if item["tid"] is None else tid(int(item["tid"])),
            loop=str(item["loop"]),
            task=str(item["task"]),
            kept_ms=float(item["kept_ms"]),
            exact=bool(item["exact"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _thing(item: dict[str, Any], at_round: int, tid: Tid) -> WaitedThing | None:
    try:
        return WaitedThing(
            round=at_round,
            pid=int(item["pid"]),
            name=str(item["waited"]),
            kind=str(item["kind"]),
            label=str(item["label"]),
            address=int(item["at"]),
            limit=_number(item["limit"]),
            used=_number(item["used"]),
            size=_number(item["size"]),
            tids=tuple(tid(int(t)) for t in item["threads"]),
            tasks=tuple(map(str, item["tasks"])),
            greenlets=int(item["greenlets"]),
            holders=tuple(tid(int(t)) for t in item["holders"]),
            holding_tasks=tuple(map(str, item["holding_tasks"])),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _number(value: Any) -> int | None:
    return None if value is None else int(value)
