"""The growth of a heap as lines of a screen: types, containers, texts, who holds them, memory, what was not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import heap_words as words
from locard.model.heap_facts import HeapGrowth
from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.model.facts import Fact
    from locard.model.heap_facts import GrowingContainer, GrowingText, GrowingType, Holding

_MOST = 12
_KEPT = 0.995


def lines(fact: Fact) -> Iterator[str] | None:
    """The lines of a heap; None for any other fact."""
    return _heap(fact) if isinstance(fact, HeapGrowth) else None


def _heap(heap: HeapGrowth) -> Iterator[str]:
    if heap.unasked:
        yield heap.unasked
        return
    yield from _looks(heap)
    if heap.ended:
        yield f"ended before its time: {heap.ended}"
    if heap.compared:
        yield from _types(heap)
        yield from _containers(heap.containers)
        yield from _texts(heap.texts)
        yield words.memory(heap)
    if heap.looks:
        yield words.collector(heap)
    if heap.unfinished:
        yield f"the search for holders did not come to its end: {heap.unfinished}"


def _looks(heap: HeapGrowth) -> Iterator[str]:
    objects = ", ".join(f"{look.objects:,}" for look in heap.looks)
    took = max((look.took_s for look in heap.looks), default=0.0)
    several = f", of {count(heap.interpreters, 'interpreter')}" if heap.interpreters > 1 else ""
    yield (
        f"pid {heap.pid}, {heap.runtime}, {heap.age_s:,.0f} s old at the first look; objects that the collector"
        f" knows{several}, look by look: {objects or 'none'}"
    )
    yield (
        f"no stop; a look took at most {took:.2f} s beside the target, the search for holders {heap.search_s:.2f} s,"
        f" all of it {heap.cost_s:.2f} s of one core"
    )
    if any(look.fleeting for look in heap.looks):
        yield "the young objects changed faster than they could be read: growth is of those that outlived a collection or two"
    torn, again = sum(look.torn for look in heap.looks), sum(look.again for look in heap.looks)
    if torn or again:
        yield (
            f"the lists changed while they were read at {count(torn, 'place')}, taken up again there;"
            f" {count(again, 'list')} walked anew"
        )


def _types(heap: HeapGrowth) -> Iterator[str]:
    found = words.steady(heap)
    if found:
        yield f"{words.grows(heap)}:"
        yield from _rows(found)
    garbage = [t for t in heap.types if words.waits(t)]
    if garbage:
        yield "waits for the collector, held by one another only:"
        yield from _rows(garbage)
    shown = {id(t) for t in (*found, *garbage)}
    rest = [t for t in heap.types if id(t) not in shown]
    level = [t for t in rest if t.trend == "level"]
    other = [t for t in rest if t.trend != "level"]
    if other:
        yield "more than at first, not steadily or not to stay: look longer (--for 1m) to tell"
        yield from _rows(other)
    if level:
        yield "grew until then, level since:"
        yield from (
            f"    {t.name}: {_counts(t)}, level since {t.level_s or 0:.1f} s after the first look"
            for t in level[:_MOST]
        )


def _rows(types: Sequence[GrowingType]) -> Iterator[str]:
    for grown in types[:_MOST]:
        each = f", {words.size(grown.bytes_each)} each" if grown.bytes_each is not None else ""
        through = f", found through {grown.through}" if grown.through else f", {_counts(grown)}"
        stayed = (
            f", {grown.kept:.0%} of those of the first interval are still there"
            if grown.kept is not None and grown.kept < _KEPT
            else ""
        )
        yield f"    {words.grown(grown)}{each}{through}{stayed}"
        yield from _held(grown.holding, grown.name)
    if len(types) > _MOST:
        yield f"    and {count(len(types) - _MOST, 'type')} more, in -o json"


def _counts(grown: GrowingType | GrowingContainer) -> str:
    return "by look: " + " ".join(f"{number:,}" for number in grown.counts)


def _held(holding: Holding | None, name: str) -> Iterator[str]:
    if holding is None:
        return
    some = f"  ({holding.same} of {holding.looked} samples)" if holding.looked > 1 else ""
    yield f"        {words.chain(holding, name)}{some}"


def _containers(containers: Sequence[GrowingContainer]) -> Iterator[str]:
    growing = [c for c in containers if c.trend == "steady"]
    if growing:
        yield "gets more items steadily:"
    for one in growing[:_MOST]:
        inside = f", the newest: {', '.join(one.items)}" if one.items else ""
        most = f" of at most {one.most:,}" if one.most is not None else ""
        yield f"    {one.name} {words.rate(one.per_s)[:-2]} items/s{most}, {_counts(one)}{inside}"
        yield from _held(one.holding, one.name)


def _texts(texts: Sequence[GrowingText]) -> Iterator[str]:
    growing = [t for t in texts if t.trend == "steady"]
    if growing:
        yield "one value becomes longer steadily:"
    for one in growing[:_MOST]:
        sizes = " ".join(words.size(s) for s in one.sizes)
        yield f"    {one.name} by {words.size(one.bytes_s)}/s, by look: {sizes}"
        yield from _held(one.holding, one.name)
