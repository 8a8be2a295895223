"""What was observed in the kernel, in words: durations, sizes, rates, headlines."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from locard.model.wording import count, verb

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locard.model.kernel_facts import Observed, SystemCalls, ThreadWait, Trace, Waits

_SHOWN = 3
_CLOSED = re.compile(r"\bdescriptor \d+")
_OUT = re.compile(r"\b(tcp|udp) \S+ ->")
_IN = re.compile(r"\b(tcp) (\S+) <- \S+?(?=,|$)")


def duration(seconds: float | None) -> str:
    """Seconds with the unit that reads best: 1.2 s, 35 ms, 8.1 us, 240 ns."""
    if seconds is None:
        return ""
    for least, unit, scale in ((1.0, "s", 1.0), (1e-3, "ms", 1e3), (1e-6, "us", 1e6)):
        if seconds >= least:
            return f"{_digits(seconds * scale)} {unit}"
    return f"{seconds * 1e9:.0f} ns" if seconds else "0"


def _digits(value: float) -> str:
    if value >= 100:  # noqa: PLR2004 - three digits are enough
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"  # noqa: PLR2004 - as above


def size(count_of_bytes: float | None) -> str:
    """Bytes with a binary unit: 640 B, 12 KiB, 3.4 MiB."""
    if count_of_bytes is None:
        return ""
    value = float(count_of_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":  # noqa: PLR2004 - the next unit
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"  # noqa: PLR2004
        value /= 1024
    return ""


def rate(number: float, seconds: float) -> str:
    """How often a second; empty where no time passed."""
    if seconds <= 0:
        return ""
    each = number / seconds
    return f"{each:,.0f}/s" if each >= 10 else f"{each:.2g}/s"  # noqa: PLR2004 - two digits


# An observation that says no length was cut off before it told its tables: that nothing came of it shows nothing.
UNTOLD = "it was cut off before it told what it had counted"


def trace(found: Trace) -> str:
    """Headline: the program's own, but where there was nothing to make it from."""
    empty = not (found.rows or found.threads or found.stacks or found.blocked)
    return UNTOLD if empty and not found.observed.seconds else found.says


def system_calls(found: SystemCalls) -> str:
    """Headline: which calls took most of the wall time."""
    stuck = Counter(r.what for r in found.blocked)
    inside = ", ".join(f"{n} in {what}" for what, n in stuck.most_common(_SHOWN))
    if not found.calls:
        if not found.observed.seconds:
            return UNTOLD
        words = f"no system call ended in {found.observed.seconds:.1f} s"
        return f"{words}; threads that are in one: {inside}" if inside else words
    top = [
        f"{r.what} {duration(r.total_s)} in {count(r.count, 'call')}" for r in found.calls[:_SHOWN]
    ]
    total = sum(r.count for r in found.calls)
    least = "at least " if found.observed.lost else ""
    return f"{least}{count(total, 'system call')} in {found.observed.seconds:.1f} s, by wall time: {', '.join(top)}"


def none_slow(found: SystemCalls, params: Iterable[tuple[str, str]]) -> str:
    """That no call was as slow as asked for (`--slow`), and of how many; empty where some was, or nobody asked."""
    try:
        least = float(dict(params).get("slow", 0))
    except ValueError:
        return ""
    if not least or found.slow or not found.observed.seconds:
        return ""
    total = sum(r.count for r in found.calls)
    longer = sum((r.total_s or 0.0) >= least for r in found.blocked)
    still = f"; {count(longer, 'call')} that {verb(longer, 'has', 'have')} not ended {verb(longer, 'lasts', 'last')} longer"
    lost = "; some were lost, so there may have been one" if found.observed.lost else ""
    return (
        f"no call took {duration(least)} or longer, of {count(total, 'call')} that ended"
        f"{still if longer else ''}{lost}"
    )


def waits(found: Waits) -> str:
    """Headline: what threads spend their time on, contended locks first."""
    if not found.threads:
        return "no thread was seen" if found.observed.seconds else UNTOLD
    contended = [lock.says for lock in found.locks if lock.contended]
    shares: Counter[str] = Counter()
    for (_, words), every in wait_groups(found).items():
        shares[words] += sum(w.looks for w in every)
    total = sum(shares.values())
    top = ", ".join(f"{share_words(n, total)} {words}" for words, n in shares.most_common(_SHOWN))
    threads = len({(w.pid, w.tid) for w in found.threads})
    return "; ".join([*contended, f"of the time of {count(threads, 'thread')}: {top}"])


def share_words(part: float, whole: float) -> str:
    """A share in per cent."""
    percent = 100.0 * part / whole if whole else 0.0
    return f"{percent:.0f} %" if percent >= 10 or not percent else f"{percent:.1f} %"  # noqa: PLR2004


def wait_words(wait: ThreadWait) -> str:
    """What a thread does, without whose thread it is, and of a connection its lasting end."""
    what = _OUT.sub(r"\1 ->", wait.what)
    what = _IN.sub(r"\1 \2 <- clients", what)
    what = _CLOSED.sub("a descriptor that is closed by now", what)
    on = f" {what}" if what else ""
    return f"{wait.doing}{on}" + (
        f" ({wait.call})" if wait.call and wait.call not in wait.doing else ""
    )


def wait_groups(found: Waits) -> dict[tuple[str, str], list[ThreadWait]]:
    """Waits by the kernel's letter and words; futexes for which nobody queues are one, with how many they are."""
    queued = {(lock.pid, lock.address) for lock in found.locks if lock.contended}
    groups: dict[tuple[str, str], list[ThreadWait]] = {}
    for wait in found.threads:
        words = wait_words(wait)
        if wait.address is not None and (wait.pid, wait.address) not in queued:
            words = words.replace(f" {wait.address:#x}", "")
        groups.setdefault((wait.state, words), []).append(wait)
    named: dict[tuple[str, str], list[ThreadWait]] = {}
    for (state, short), every in groups.items():
        number = len({(w.pid, w.address) for w in every})
        alone = wait_words(every[0])
        words = (
            alone if number == 1 else f"{short}, {number} addresses" if short != alone else short
        )
        named.setdefault((state, words), []).extend(every)
    return named


def how(observed: Observed) -> str:
    """How it was observed, in one line."""
    took = f"{observed.seconds:.1f} s" if observed.seconds else "not known for how long"
    parts = [f"{observed.engine}, {took}"]
    if observed.events is not None:
        parts.append(count(observed.events, "event"))
    if observed.overhead_s is not None and observed.seconds:
        share = observed.overhead_s / observed.seconds
        parts.append(f"cost the target an estimated {share:.2%} of a core")
    if observed.cost_s is not None:
        parts.append(f"locard itself {duration(observed.cost_s)} of CPU")
    return "; ".join(parts)
