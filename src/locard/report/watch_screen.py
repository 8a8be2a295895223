"""Watched calls as lines of a screen: as they come, and at the end how many of each function ended how."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from locard.model import watch_words
from locard.model.watch_facts import FoundNames, LiveProbes, Watched
from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locard.model.facts import Fact
    from locard.model.watch_facts import CallsByState, WatchedCall, WatchedFunction, WatchedProcess

_MOST_CALLS, _MOST_CALLERS, _MOST_NAMES = 20, 10, 200
_LIFE = ("generator", "coroutine", "async generator")


def lines(fact: Fact, tz: dt.tzinfo | None = None, *, live: bool = False) -> Iterator[str] | None:
    """The lines of a watch, of a list of live watches, of found names; None for any other fact.

    `live`: the calls were told as they came.
    """
    if isinstance(fact, Watched):
        return _watched(fact, tz, live=live)
    if isinstance(fact, LiveProbes):
        return _live(fact, tz)
    if isinstance(fact, FoundNames):
        return _found(fact)
    return None


def clock(ts: float, tz: dt.tzinfo | None) -> str:
    """`12:03:04.567+0100`."""
    moment = dt.datetime.fromtimestamp(ts, tz).astimezone(tz)
    return (
        moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03d}" + moment.strftime("%z")
    )


def call(one: WatchedCall, name: str, tz: dt.tzinfo | None) -> Iterator[str]:
    """One call: when, how long, how it ended; then its values."""
    cost = watch_words.duration(one.cost_us / 1e6)
    inside = ""
    if one.inside_us is not None:
        inside = f" alive, {watch_words.duration(one.inside_us / 1e6)} inside"
        inside += f", gave {count(one.values, 'value')}" if one.values else ""
    thrown = f", after {one.thrown} was thrown in" if one.thrown and one.state == "returned" else ""
    took = "" if one.state == "called" else f" {cost}{inside}"
    trace = f"  trace {one.trace_id}" if one.trace_id else ""
    yield f"{clock(one.ts, tz)}  {name}  {one.state}{thrown}{took}  [pid {one.pid} thread {one.thread}{trace}]"
    if one.target is not None:
        yield f"    target     {one.target}"
    for word, value in one.params:
        yield f"    {word:<10} {value}"
    for word, value in one.shown:
        yield f"    {word} = {value}"
    if one.returned is not None:
        yield f"    returned   {one.returned}"
    if one.exception is not None:
        yield f"    exception  {one.exception}"
    if one.locals is not None:
        yield f"    locals     {one.locals}"
    yield from _tree(one)
    if one.callers:
        yield f"    called by  {_chain(one.callers)}"


def _tree(one: WatchedCall) -> Iterator[str]:
    """Where its time went, by what it called."""
    inside_us = one.cost_us if one.inside_us is None else one.inside_us
    if one.tree and one.inside_us is not None and one.cost_us > one.inside_us:
        waited = watch_words.duration((one.cost_us - one.inside_us) / 1e6)
        yield f"    {waited:>9}      suspended; shares are of the time inside, and each time that it went on counts"
    for line in one.tree:
        share = f"{line.total_us / inside_us:4.0%}" if inside_us else ""
        times = f"{line.calls:,}x " if line.calls > 1 else ""
        yield f"    {'  ' * line.depth}{watch_words.duration(line.total_us / 1e6):>9} {share} {times}{_place(line.name)}"


def _chain(callers: Iterable[str]) -> str:
    """Who called, nearest first; of a path its last part: which function it is stands before it."""
    return " <- ".join(map(_place, callers))


def _place(name: str) -> str:
    """A function with the last part of its path."""
    return re.sub(r"\((?:.*/)?([^/]*)\)$", r"(\1)", name)


def function(one: WatchedFunction, names: int = 1) -> Iterator[str]:
    """What is watched, and which function object it is."""
    where = f"{one.file}:{one.line}"
    pid = f"pid {one.pid} " if names > 1 else ""
    yield f"{pid}{one.module}:{one.name}  {one.kind}, {where}"
    for said in one.said:
        yield f"    {said}"
    if one.counted_only:
        yield "    its calls are counted; the calls themselves are told of the body"


def _watched(fact: Watched, tz: dt.tzinfo | None, *, live: bool) -> Iterator[str]:
    several = len({p.pid for p in fact.processes})
    for process in fact.processes:
        yield from _process(
            process, all(f.restored for f in fact.functions if f.pid == process.pid)
        )
    for one in fact.functions:
        yield from function(one, several)
        yield from (f"    {line}" for line in _sums(one))
    if live:
        return
    names = {(f.pid, f.number): f"{f.module}:{f.name}" for f in fact.functions}
    for event in fact.calls[:_MOST_CALLS]:
        yield from call(event, names.get((event.pid, event.function), "?"), tz)
    if len(fact.calls) > _MOST_CALLS:
        yield f"and {count(len(fact.calls) - _MOST_CALLS, 'call')} more, in -o json"


def _process(process: WatchedProcess, restored: bool) -> Iterator[str]:
    if process.refused:
        yield f"pid {process.pid}: not watched: {process.refused}"
        if process.near:
            yield f"    near: {', '.join(process.near)}"
        if process.next_step:
            yield f"    {process.next_step}"
        return
    stop = (
        f", a thread of it was held for {process.stopped_ms:.2g} ms"
        if process.stopped_ms is not None
        else ""
    )
    left = "locard's memory in it is freed"
    if restored:
        left = f"its code was put back, {left}"
    if process.left:
        left = f"left: {', '.join(process.left)}"
    if process.still_inside:
        left = f"{count(process.still_inside, 'call')} that began meanwhile go on through locard's code until they end; locard's memory in it is freed"
    if process.gone:
        left = "it ended meanwhile"
    yield f"pid {process.pid}: {process.runtime}{stop}; {left}"
    if process.children:
        yield f"    {count(process.children, 'process', 'processes')} that it began meanwhile: not seen, the code there goes back at its next call"
    if process.other_interpreters:
        yield f"    {count(process.other_interpreters, 'subinterpreter')}: calls in them are not seen"


def _sums(one: WatchedFunction) -> Iterator[str]:
    if one.let_go == "refused":
        yield one.ended
        return
    if not one.calls:
        yield watch_words.no_calls(one)
    for state in one.states:
        yield _state(one, state)
    if one.tested or one.unreadable:
        every = one.tested + one.unreadable
        yield f"condition: {one.matched:,} of {every:,} calls match; unreadable: {one.unreadable:,} of {every:,}"
    if one.cache is not None and one.calls:
        hits, misses, size = one.cache
        yield f"behind an lru_cache: {count(hits, 'hit')}, {count(misses, 'miss', 'misses')}, {size:,} in it"
    if one.threads_inside and one.calls:
        yield f"{count(one.threads_inside, 'thread')} inside when the watch began: not counted"
    for calls, chain in one.callers[:_MOST_CALLERS]:
        yield f"{calls:>8,} by {_chain(chain) or 'nothing in Python'}"
    yield from _after(one)


def _after(one: WatchedFunction) -> Iterator[str]:
    """What became of the name and of the code."""
    if one.now_means:
        rate = f"{one.calls / one.seconds:.3g} calls/s" if one.seconds else count(one.calls, "call")
        yield f"the name means {one.now_means} by now; {rate} reached the function watched"
    if one.still_inside:
        yield f"{count(one.still_inside, 'call')} that began meanwhile still {'runs' if one.still_inside == 1 else 'run'}, through locard's code until the end"
    if one.restored is False:
        yield "its code was changed by somebody else meanwhile: left as it is"
    if one.ended and one.let_go != "refused":
        yield f"let go: {one.ended}"


def _state(one: WatchedFunction, state: CallsByState) -> str:
    rate = watch_words.rate_words(one, state.calls)
    if state.state == "called":  # told when they began: how long they took is not known
        return "  ".join(filter(None, (f"{state.calls:,} called", rate)))
    parts = [f"{state.calls:,} {state.state}", rate, f"p50 {watch_words.duration(state.p50_s)}",
             f"p95 {watch_words.duration(state.p95_s)}", f"max {watch_words.duration(state.max_s)}"]  # fmt: skip
    if one.kind in _LIFE:
        mean = state.inside_s / state.calls if state.calls else 0.0
        parts[2:] = [f"alive {part}" if part.startswith("p50") else part for part in parts[2:]]
        parts.append(f"inside {watch_words.duration(mean)} on average")
    return "  ".join(filter(None, parts))


def _live(fact: LiveProbes, tz: dt.tzinfo | None) -> Iterator[str]:
    for pid in fact.reset:
        yield f"pid {pid}: told to end"
    for one in fact.probes:
        expires = (
            f"expires {clock(one.expires, tz)}" if one.expires else "when it expires is not told"
        )
        yield f"pid {one.pid}: {', '.join(one.spec)}  by {one.by}, put in by process {one.put_by_pid}, {expires}"
    if not fact.probes and not fact.reset:
        yield "no watch is live (in the processes that may be read)"


def _found(fact: FoundNames) -> Iterator[str]:
    for one in fact.names[:_MOST_NAMES]:
        where = f"  {one.file}:{one.line}" if one.file else ""
        yield f"{one.name}  {one.kind}{where}"
        for said in one.said:
            yield f"    {said}"
        if one.watch:
            yield f"    {one.watch}"
    first = next((n for n in fact.names if not n.watch), None)
    if first is not None:
        yield f"to watch one: locard watch pid/{first.pid} '{first.name}' --stats --callers --allow injects"
    if len(fact.names) > _MOST_NAMES:
        yield f"and {count(len(fact.names) - _MOST_NAMES, 'name')} more, in -o json"
