"""Pools, semaphores and queues that were used up at look after look, with who waits for them and who has taken of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.finding import Support
from locard.model.stacks import is_idle, is_library
from locard.model.wording import count, verb
from locard.rules import _contention

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator

    from locard.model.contention import WaitedThing
    from locard.model.facts import Frame, ThreadStack
    from locard.model.finding import Case

_LEAST_LOOKS = 2
_LEAST_SHARE = 0.5  # of the looks at the process


@dataclass(frozen=True, slots=True)
class Used:
    """One thing at the looks at which threads or tasks waited for it while nothing of it was free."""

    evidence: str
    looks: tuple[WaitedThing, ...]
    of: int  # looks at its process
    waiting: tuple[ThreadStack, ...]
    holding: tuple[ThreadStack, ...]

    @property
    def last(self) -> WaitedThing:
        """As it was at the last of these looks."""
        return self.looks[-1]

    @property
    def most(self) -> int:
        """The most that waited at one look."""
        return max(t.waiting for t in self.looks)

    @property
    def called(self) -> str:
        """`SQLAlchemy QueuePool`, with the name that it has itself."""
        return f"{self.last.name} {self.last.label}".strip()

    @property
    def amount(self) -> str:
        """`7 of 7 in use`; empty where it does not count."""
        if self.last.kind == "queue" and not self.last.used:
            return "nothing in it"
        if self.last.limit is None or self.last.used is None:
            return ""
        return f"{self.last.used:,} of {self.last.limit:,} in use"

    @property
    def place(self) -> tuple[str, Frame] | None:
        """Where those stand that wait."""
        return _contention.place(_contention.own_frames(self.waiting))

    def supports(self) -> Iterator[Support]:
        """Who waits, and who has taken of it."""
        place = self.place
        tasks = _contention.names(n for t in self.looks for n in t.tasks)
        at = f", in {place[0]}" if place else f": {tasks}" if tasks else ""
        amount = f" with {self.amount}" if self.amount else ""
        own = self.last.kind == "pool"
        what = f", as the pool itself counts at {self.last.address:#x}" if own and amount else ""
        says = (
            f"at {len(self.looks)} of {count(self.of, 'look')} up to {self._who()} of pid {self.last.pid}"
            f" {verb(self.most, 'waits', 'wait')} in {self.called}{amount}{what}{at}"
        )
        yield Support(self.evidence, Layer.RUNTIME, says)
        yield from self._taken()

    def _who(self) -> str:
        thing = max(self.looks, key=lambda t: t.waiting)
        kinds = (
            (len(thing.tids), "thread"),
            (len(thing.tasks), "task"),
            (thing.greenlets, "greenlet"),
        )
        return " and ".join(count(n, noun) for n, noun in kinds if n)

    def _taken(self) -> Iterator[Support]:
        if self.last.kind != "pool":
            return
        place = _contention.place(_contention.own_frames(self.holding))
        tasks = _contention.names(n for t in self.looks for n in t.holding_tasks)
        if place:
            threads = len({s.tid for s in self.holding})
            call = _contention.call(self.holding)
            doing = f", most in {call}" if call else ""
            says = f"{count(threads, 'thread')} {verb(threads, 'has', 'have')} one in their stacks, most in {place[0]}{doing}"
        elif tasks:
            says = f"tasks that have one in their stacks: {tasks}"
        else:
            says = (
                "no stack that was read has one of them: they were taken and not given back, or are kept by"
                " something that stands on no stack"
            )
        yield Support(self.evidence, Layer.RUNTIME, says)


def used_up(case: Case, *kinds: str) -> list[Used]:
    """The things of these kinds that were used up at most looks, those with most waiting first."""
    return _at_most_looks(case, kinds, _is_used_up)


def empty_queues(case: Case, named: re.Pattern[str]) -> list[Used]:
    """Queues that were empty at most looks while threads at work wait to get something out, below a fitting name."""
    found = _at_most_looks(case, ("queue",), lambda thing: thing.used == 0)
    return [u for u in found if u.waiting and all(_below(s, named) for s in u.waiting)]


def _below(stack: ThreadStack, named: re.Pattern[str]) -> bool:
    """Whether the frames of the application right above the wait, or their file, are named so."""
    own = [f for f in stack.frames if not is_library(f.file)][:2]
    return any(named.search(f"{f.file.rpartition('/')[2]} {f.function}") for f in own)


def _at_most_looks(
    case: Case, kinds: tuple[str, ...], counts: Callable[[WaitedThing], bool]
) -> list[Used]:
    found = []
    for evidence, samples, said in _contention.samples(case):
        groups: dict[tuple[int, int], list[WaitedThing]] = defaultdict(list)
        for thing in said.things:
            if thing.kind in kinds and counts(thing):
                groups[thing.pid, thing.address].append(thing)
        stacks = _contention.by_thread(samples)
        for (pid, _), things in groups.items():
            of = _contention.looks(samples, pid)
            one = _used(evidence.id, things, of, stacks)
            if one is not None and len(one.looks) >= max(_LEAST_LOOKS, _LEAST_SHARE * of):
                found.append(one)
    return sorted(found, key=lambda u: -u.most)


def _used(
    evidence: str,
    things: list[WaitedThing],
    of: int,
    stacks: dict[tuple[int, int, int | None], ThreadStack],
) -> Used | None:
    """With its stacks; a look at which nobody but idle workers waits does not count."""
    kept, waiting, holding = [], [], []
    for thing in things:
        mine = [s for tid in thing.tids if (s := stacks.get((thing.round, thing.pid, tid)))]
        busy = [s for s in mine if not is_idle(s)]
        if not busy and not thing.tasks and not thing.greenlets:
            continue
        kept.append(thing)
        waiting += busy
        holding += [s for tid in thing.holders if (s := stacks.get((thing.round, thing.pid, tid)))]
    return Used(evidence, tuple(kept), of, tuple(waiting), tuple(holding)) if kept else None


def _is_used_up(thing: WaitedThing) -> bool:
    """Whether nothing of it is free, by its own count."""
    if thing.kind == "semaphore":
        return thing.size == 0
    if thing.limit is None or thing.used is None or thing.limit <= 0:
        return False
    return thing.used >= thing.limit
