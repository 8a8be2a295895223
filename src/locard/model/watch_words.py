"""What was seen of watched functions, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.wording import count

if TYPE_CHECKING:
    from locard.model.watch_facts import FoundNames, LiveProbes, Watched, WatchedFunction

_SHOWN = 3
_LEAST_S, _LEAST_CALLS = 0.5, 3  # for a rate


def duration(seconds: float) -> str:
    """A duration with the unit that reads best."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def watched(fact: Watched) -> str:
    """Rates and ends of each function, or why nothing was watched."""
    if not fact.functions:
        return (
            "; ".join(f"pid {p.pid}: {p.refused}" for p in fact.processes) or "nothing was watched"
        )
    words = [function_words(f) for f in fact.functions[:_SHOWN]]
    if len(fact.functions) > _SHOWN:
        words.append(f"and {count(len(fact.functions) - _SHOWN, 'function')} more")
    return "; ".join(words)


def function_words(one: WatchedFunction) -> str:
    """`charge: 40 calls in 1.0 s (40/s), 2 raised, p50 2.9 us, p95 4 us`; what no call means is said."""
    name = f"{one.module}:{one.name}"
    if one.let_go == "refused":
        return f"{name}: {one.ended}"
    if not one.calls:
        return f"{name}: {no_calls(one)}"
    rate = rate_words(one, one.calls)
    rate = f" ({rate})" if rate else ""
    ends = ", ".join(f"{s.calls:,} {s.state}" for s in one.states if s.state != "returned")
    first = one.states[0]
    took = f", p50 {duration(first.p50_s)}, p95 {duration(first.p95_s)}"
    return (
        f"{name}: {count(one.calls, 'call')} in {one.seconds:.1f} s{rate}"
        + (f", {ends}" if ends else "")
        + ("" if first.state == "called" else took)
    )


def rate_words(one: WatchedFunction, calls: int) -> str:
    """`40/s`, where calls were counted for a while: it ended by the time, not after so many calls."""
    if one.seconds < _LEAST_S or one.let_go == "told" or calls < _LEAST_CALLS:
        return ""
    rate = calls / one.seconds
    return f"{rate:,.0f}/s" if rate >= 100 else f"{rate:.3g}/s"  # noqa: PLR2004


def no_calls(one: WatchedFunction) -> str:
    """What is known where no call ended."""
    words = f"0 calls ended in {one.seconds:.1f} s"
    if one.cache is not None:
        hits, misses, _ = one.cache
        rate = f" (+{hits / one.seconds:.3g}/s)" if one.seconds else ""
        words = f"0 calls of the body in {one.seconds:.1f} s; behind an lru_cache: {count(hits, 'hit')}{rate}, {count(misses, 'miss', 'misses')}"
    inside = one.threads_inside
    if inside:
        words += f"; {count(inside, 'thread')} {'was' if inside == 1 else 'were'} inside when the watch began"
    if one.still_inside:
        words += f"; {count(one.still_inside, 'life', 'lives')} that began meanwhile had not ended"
    return words


def live(fact: LiveProbes) -> str:
    """How many agents there are."""
    if fact.reset:
        return f"{count(len(fact.reset), 'watch', 'watches')} told to end"
    return count(len(fact.probes), "live watch", "live watches")


def found(fact: FoundNames) -> str:
    """How many names match."""
    more = " and more" if fact.cut else ""
    if fact.left:
        return f"{count(len(fact.names), 'name')}{more} of the application; {count(fact.left, 'module')} of libraries by pattern: 'json:*'"
    return f"{count(len(fact.names), 'name')}{more} of {fact.looked:,} match {fact.pattern!r}"
