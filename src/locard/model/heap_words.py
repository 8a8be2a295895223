"""The growth of a heap in sentences, and which of it leads: one set of words for screen, headline and rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.heap_facts import (
        GrowingContainer,
        GrowingText,
        GrowingType,
        HeapGrowth,
        HeldBy,
        Holding,
    )

_SHOWN = 3
_KEPT = 0.7  # of what came first: the least that a leak still has at the end
_LEAST_BYTES_S = 64 << 10  # of private memory, from which on its growth is compared
_LEAST_BYTES = 512 << 10
_EXPLAINED = 0.5
_LIBRARIES = frozenset({
    "_asyncio", "_collections", "_functools", "_io", "_thread", "_weakrefset", "asyncio", "collections", "contextlib",
    "functools", "itertools", "operator", "re", "socket", "ssl", "threading", "types", "weakref",
})  # fmt: skip
_WEAK = ("weakref", "weakref.ReferenceType", "weakref.KeyedRef")


# -- what leads ---------------------------------------------------------------------------------


def steady(heap: HeapGrowth) -> list[GrowingType]:
    """The types that grew from each look to the next and whose objects stayed, most bytes first."""
    found = [
        t
        for t in heap.types
        if t.trend == "steady" and (t.kept is None or t.kept >= _KEPT) and not waits(t)
    ]
    return sorted(found, key=lambda t: -_bytes(t))


def waits(grown: GrowingType) -> bool:
    """Whether it is garbage that waits for the collector: held by one another only."""
    return grown.holding is not None and grown.holding.alone


def leading(heap: HeapGrowth) -> GrowingType | GrowingContainer | GrowingText | None:
    """What a leak is told by: an application's type with a named holder, else a container, else a text."""
    types = [
        t
        for t in steady(heap)
        if t.holding is not None and named(t.holding) and bound(t.holding) is None
    ]
    own = [t for t in types if is_own(t.name)]
    if own:
        return min(own, key=lambda t: (t.holding is None or len(t.holding.steps), -_bytes(t)))
    containers = [
        c
        for c in heap.containers
        if c.trend == "steady"
        and c.most is None
        and c.holding is not None
        and named(c.holding)
        and bound(c.holding) is None
        and not set(c.items) <= set(_WEAK)
    ]
    if containers:
        return containers[0]
    texts = [t for t in heap.texts if t.trend == "steady" and t.holding and named(t.holding)]
    if texts:
        return texts[0]
    return next((t for t in types if t.name not in _WEAK), None)


def grows(heap: HeapGrowth) -> str:
    """What can be said of growth over so many looks."""
    return "grows steadily" if len(heap.looks) > 2 else "more at the second look"  # noqa: PLR2004


def is_own(name: str) -> bool:
    """Whether a type is none of Python's own."""
    module, dot, _ = name.partition(".")
    return bool(dot) and module not in _LIBRARIES


def named(holding: Holding) -> bool:
    """Whether what holds it in the end lasts: a module, a class, a thread or the interpreter itself, a main function."""
    return holding.root in {"module", "class", "state"} or holding.lasting


def bound(holding: Holding) -> HeldBy | None:
    """The holder that keeps so many and no more; None where there is none."""
    return next((s for s in holding.steps if s.most is not None), None)


def _bytes(grown: GrowingType) -> float:
    return grown.per_s * (grown.bytes_each or 0)


# -- in words -----------------------------------------------------------------------------------


def rate(per_s: float) -> str:
    """A number a second with the digits that it deserves: +0.4/s, +25/s, +1,200/s."""
    return f"+{per_s:,.1f}/s" if per_s < 9.95 else f"+{per_s:,.0f}/s"  # noqa: PLR2004 - two digits


def size(number: float) -> str:
    """Bytes: 56 B, 16 kB, 1.2 MB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            value = number / factor
            return f"{value:,.1f} {unit}" if value < 10 else f"{value:,.0f} {unit}"  # noqa: PLR2004
    return f"{number:,.0f} B"


def grown(it: GrowingType | GrowingContainer | GrowingText) -> str:
    """`RepoClient +25/s`."""
    from locard.model.heap_facts import GrowingContainer, GrowingText  # noqa: PLC0415 - quick start

    if isinstance(it, GrowingText):
        return f"one {it.name} grows by {size(it.bytes_s)}/s"
    if isinstance(it, GrowingContainer):
        inside = f" ({', '.join(it.items)})" if it.items else ""
        return f"one {it.name} gets {rate(it.per_s)[1:-2]} items a second{inside}"
    return f"{it.name} {rate(it.per_s)}"


def chain(holding: Holding, what: str) -> str:
    """`RepoClient <- tuple <- functools._lru_cache_wrapper f (currsize 3, …) <- class m.C (default_branch)`."""
    parts = [what, *(step(s) for s in _without_inner(holding.steps))]
    return " <- ".join((*parts, root(holding)))


def _without_inner(steps: tuple[HeldBy, ...]) -> Iterator[HeldBy]:
    """Without the dict that a cache has inside."""
    for number, one in enumerate(steps):
        above = steps[number + 1] if number + 1 < len(steps) else None
        if not (above is not None and above.cache and one.type == "dict"):
            yield one


def step(held: HeldBy) -> str:
    """One holder with what is known of it."""
    name = f"{held.type} {held.of}".strip()
    if held.cache:
        return f"{name} (currsize {held.items:,}, maxsize {held.most}, {count(held.hits, 'hit')})"
    if held.attribute:
        most = f", at most {held.most:,}" if held.most is not None else ""
        return f"{name} (its {held.attribute}{most})"
    if held.items is not None:
        most = f" of at most {held.most:,}" if held.most is not None else ""
        return f"{name} ({held.items:,}{most} items)"
    return name


def root(holding: Holding) -> str:
    """What holds it in the end."""
    if holding.root == "frame":
        return f"variable {holding.key} of {holding.name}, which runs in thread {holding.thread}"
    if holding.root == "state":
        return holding.name
    if holding.root:
        key = f" ({holding.key})" if holding.key else ""
        return f"{holding.root} {holding.name}{key}"
    if holding.alone:
        return "nothing else: they hold one another, and wait for the collector"
    return "no name was reached"


def headline(heap: HeapGrowth) -> str:
    """The answer in one line."""
    if heap.unasked:
        return heap.unasked
    told = f"{count(len(heap.looks), 'look')} over {heap.seconds:.0f} s"
    if not heap.compared:
        return f"{told}: not told what grows: {heap.problem or 'fewer than two looks'}"
    found = steady(heap)
    first = leading(heap)
    if first is not None:
        rest = [t for t in found if t is not first and t.name not in _WEAK]
        words = [grown(first), *(grown(t) for t in rest[: _SHOWN - 1])]
        whole = sum(_bytes(t) for t in found)
        total = f" ({size(whole)}/s together)" if whole else ""
        return f"{told}: {grows(heap)}: {', '.join(words)}{total}"
    garbage = [t for t in heap.types if waits(t) and t.trend == "steady"]
    if garbage:
        why = "wait for the collector" + ("" if heap.collector_on else ", which is off")
        return f"{told}: {', '.join(grown(t) for t in garbage[:_SHOWN])} hold one another and {why}"
    if found:
        return (
            f"{told}: grows: {', '.join(grown(t) for t in found[:_SHOWN])}; {_why_no_leak(found)}"
        )
    return f"{told}: nothing grew steadily among {heap.looks[-1].objects:,} objects{_native(heap)}"


def _why_no_leak(found: list[GrowingType]) -> str:
    bounds = [b for t in found if t.holding and (b := bound(t.holding))]
    if bounds:
        items = f"{bounds[0].items:,} " if bounds[0].items is not None else ""
        return f"a container that fills: {items}of at most {bounds[0].most:,}"
    if any(t.holding and t.holding.root == "frame" for t in found):
        return "held by a variable of a function that runs"
    return "who holds it was not found"


def memory(heap: HeapGrowth) -> str:
    """The growth of the process beside that of its objects; empty where neither is much."""
    first, last = heap.looks[0], heap.looks[-1]
    if not (first.anonymous and last.anonymous and heap.seconds):
        return "the private memory of the process was not read"
    process = (last.anonymous - first.anonymous) / heap.seconds
    objects = sum(_bytes(t) for t in heap.types if t.trend != "level")
    texts = sum(t.bytes_s for t in heap.texts)
    known = f"what is named here takes about {size(objects + texts)}/s"
    if not _much(heap, process):
        return f"the private memory of the process grew by {size(max(0.0, process))}/s; {known}"
    told = f"the private memory of the process grew by {size(process)}/s; {known}"
    return f"{told}{_unexplained(process, objects + texts)}"


def _unexplained(process: float, known: float) -> str:
    if known >= _EXPLAINED * process:
        return ""
    return (
        ": the rest is native memory (C extensions, the allocator), or values that the collector does not track"
        " and no name leads to"
    )


def _native(heap: HeapGrowth) -> str:
    """For a headline: memory that grows beside the objects."""
    first, last = heap.looks[0], heap.looks[-1]
    if not (first.anonymous and last.anonymous and heap.seconds):
        return ""
    process = (last.anonymous - first.anonymous) / heap.seconds
    known = sum(_bytes(t) for t in heap.types if t.trend != "level")
    known += sum(t.bytes_s for t in heap.texts)
    if not _much(heap, process) or known >= _EXPLAINED * process:
        return ""
    return (
        f"; the private memory of the process grew by {size(process)}/s all the same: native memory, the"
        " allocator's, or untracked values"
    )


def _much(heap: HeapGrowth, process: float) -> bool:
    return process >= _LEAST_BYTES_S and process * heap.seconds >= _LEAST_BYTES


def collector(heap: HeapGrowth) -> str:
    """What the garbage collector did meanwhile."""
    if not heap.collector_on:
        return (
            f"the garbage collector is off (gc.disable): {heap.young:,} objects wait in the youngest generation;"
            " what refers to itself in a circle stays"
        )
    ran = ", ".join(f"{number:,}" for number in heap.collections)
    return f"the garbage collector is on; it ran meanwhile, by generation: {ran}"
