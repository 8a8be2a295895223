"""What kept others waiting in a runtime, in words: a line for each, as it was at the last look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.wording import count, verb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.contention import Contention, GlobalLock, LoopCallback, WaitedThing

_QUIET = frozenset({"event", "condition"})  # a thread that waits in one mostly waits for work
_MOST = 20


def lines(found: Contention) -> Iterator[str]:
    """One for each lock, callback and thing of the last look of each process."""
    last: dict[int, int] = {}
    seen = [(k.pid, k.round) for k in found.locks] + [(c.pid, c.round) for c in found.callbacks]
    for pid, at_round in (*seen, *((t.pid, t.round) for t in found.things)):
        last[pid] = max(at_round, last.get(pid, 0))
    yield from (_lock(k) for k in found.locks if k.round == last[k.pid])
    yield from (_callback(c) for c in found.callbacks if c.round == last[c.pid])
    things = [t for t in found.things if t.round == last[t.pid] and not _is_quiet(t)]
    yield from map(_thing, things[:_MOST])
    if len(things) > _MOST:
        yield f"and {len(things) - _MOST} more that somebody waits in"


def summary(found: Contention) -> str:
    """The same in one line."""
    return "; ".join(lines(found)) or "threads wait for events only"


def _is_quiet(thing: WaitedThing) -> bool:
    """Whether it mostly means that workers have nothing to do."""
    return thing.kind in _QUIET or (thing.kind == "queue" and not thing.used)


def _lock(lock: GlobalLock) -> str:
    held = f"held by thread {lock.holder}" if lock.holder else "held, by whom was not told"
    kept = f", for {lock.kept_ms:.0f} ms and more" if lock.kept_ms else ""
    waiting = len(lock.waiting)
    wait = verb(waiting, "waits", "wait")
    return f"GIL: {held}{kept}; {count(waiting, 'thread')} {wait} for it  [pid {lock.pid}]"


def _callback(callback: LoopCallback) -> str:
    task = f" of task {callback.task}" if callback.task else ""
    same = f", the same for {callback.kept_ms:.0f} ms and more" if callback.kept_ms else ""
    return (
        f"event loop ({callback.loop}) of thread {callback.tid}: inside of a callback{task}{same}"
        f"  [pid {callback.pid}]"
    )


def _thing(thing: WaitedThing) -> str:
    kinds = ((len(thing.tids), "thread"), (len(thing.tasks), "task"), (thing.greenlets, "greenlet"))
    who = " and ".join(count(n, noun) for n, noun in kinds if n)
    holders = len(thing.holders) + len(thing.holding_tasks)
    have = f", {holders} {verb(holders, 'has', 'have')} one in their stacks" if holders else ""
    amount = ""
    if thing.used is not None and thing.limit is not None and thing.limit > 0:
        amount = f" {thing.used:,} of {thing.limit:,} in use,"
    elif thing.kind == "semaphore" and thing.size is not None:
        amount = f" its value is {thing.size:,},"
    name = f"{thing.name} {thing.label}".strip()
    return f"{name}:{amount} {who} {verb(thing.waiting, 'waits', 'wait')}{have}  [pid {thing.pid}]"
