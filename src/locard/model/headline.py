"""One line for one piece of evidence: its answer in numbers, for progress and layer lists."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from locard.model import (
    contention_words,
    heap_words,
    history_words,
    kernel_words,
    metrics_words,
    reading_words,
    watch_words,
    workload_words,
)
from locard.model.contention import Contention
from locard.model.facts import (
    EndpointCoverage,
    GreenletSamples,
    MemoryUse,
    MetricsSummary,
    Peers,
    ProcessConditions,
    ProcessFamily,
    Readings,
    RuntimeCoverage,
    StackSamples,
    TaskSamples,
    ThreadPools,
    ThreadStates,
)
from locard.model.heap_facts import HeapGrowth
from locard.model.kernel_facts import NotObserved, SystemCalls, Trace, Waits
from locard.model.log_facts import LogSummary
from locard.model.log_latency import risen
from locard.model.log_state import counted_as, judge
from locard.model.metric_facts import MetricHistory
from locard.model.stacks import application_frame, work
from locard.model.watch_facts import FoundNames, LiveProbes, Watched
from locard.model.wording import count
from locard.model.workload import WorkloadStates

if TYPE_CHECKING:
    from collections.abc import Callable

    from locard.model.evidence import Evidence
    from locard.model.facts import Fact
    from locard.model.log_facts import Correlate

_SHOWN = 3
_STANDS = {
    "steady": "nothing changed",
    "unchanged": "no onset was found",
    "untold": "whether anything changed cannot be told",
    "incomplete": "lines are missing: they came faster than is kept",
    "slight": "latency changed too little to matter",
    "mix-changed": "the mix of requests changed",
    "spikes": "short bursts, no lasting change",
    "traffic-changed": "the traffic changed, nothing else",
}


def headline(evidence: Evidence) -> str:
    """The facts in words; why there are none where there are none."""
    words = "; ".join(filter(None, (_words(f) for f in evidence.facts)))
    if words:
        return words
    return evidence.problem or "no data"


def share(part: float, whole: float) -> str:
    """A share in per cent with the digits that it deserves: 0.12 %, 3.4 %, 57 %."""
    if not whole:
        return "unknown"
    percent = 100.0 * part / whole
    digits = 0 if percent >= 10 or percent == 0 else 1 if percent >= 1 else 2  # noqa: PLR2004
    return f"{percent:.{digits}f} %"


def bad_counts(log: LogSummary) -> str:
    """How many requests are bad since the onset, and before: no shares where the log has not all.

    Bad is said in words: failed, or slower than what. What is over is told in the past tense.
    """
    over = judge(log).over
    then = "before" if log.onset is None or log.onset.baseline_seen else "since then"
    if not log.claims_rates:
        during = "while it lasted" if over else "since the onset"
        if not log.before_total:  # nothing was there to compare with
            return count(log.after_bad, "bad line")
        return f"{count(log.after_bad, 'bad line')} {during}, {log.before_bad:,} {then}"
    after = share(log.after_bad, log.after_total)
    return (
        f"{after} of {counted_as(log)} {_bad(log, over=over)}, "
        f"{share(log.before_bad, log.before_total)} {then}"
    )


def _bad(log: LogSummary, *, over: bool) -> str:
    fail = ("are errors", "were errors") if counted_as(log) == "lines" else ("fail", "failed")
    slow = ("take longer than", "took longer than")
    if log.bad_means == log.error_means:
        return fail[over]
    head, joined, limit = log.bad_means.rpartition("slower than ")
    if not joined:
        return f"{'were' if over else 'are'} bad ({log.bad_means})"
    if not head:
        return f"{slow[over]} {limit}"
    return f"{fail[over]} or {slow[over]} {limit}"


def part_words(log: LogSummary) -> str:
    """Whom a rise is about that shows in some requests only; empty where it shows in all."""
    sets = [" and ".join(f"{f}={v}" for f, v in c.values) for c in log.correlates]
    return " or ".join(sets[:_SHOWN]) if log.of_part else ""


def correlate_words(log: LogSummary, correlate: Correlate) -> str:
    """What the log says of a correlate, in numbers."""
    words = (
        f"{correlate.support} of {count(log.after_bad, 'bad request')} since the onset "
        f"{'has' if correlate.support == 1 else 'have'} "
        f"{' and '.join(f'{f}={v}' for f, v in correlate.values)}"
    )
    if not log.claims_rates:
        return words
    lift = f"{correlate.lift:.1f} times the rate of all requests"
    return f"{words}: {correlate.share_of_excess:.0%} of the additional bad requests, {lift}"


def milliseconds(value: float | None) -> str:
    """A duration given in ms with the unit that reads best."""
    if value is None:
        return "unknown"
    if value >= 1000:  # noqa: PLR2004 - a second
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"  # noqa: PLR2004


def _words(fact: Fact) -> str:
    say = _SAYS[type(fact)]
    return say(fact)


def _log(log: LogSummary) -> str:
    if not log.records:
        return f"{count(log.lines, 'line')}, no record among them"
    state = judge(log)
    if not log.changed:
        return f"{count(log.records, 'record')}, {_STANDS.get(state.kind, state.kind.replace('-', ' '))}"
    parts = []
    if "errors" in log.changed:
        parts.append(bad_counts(log))
    rose = risen(log) if "latency" in log.changed else None
    if rose is not None and rose[0] != "slow":
        name, before, after = rose
        parts.append(f"{name} {milliseconds(before)} -> {milliseconds(after)}")
    elif not parts:
        parts.append(bad_counts(log))
    only = f" for {part_words(log)} only" if log.of_part else ""
    over = "over: " if state.over else ""
    return f"{over}{', '.join(parts)}{only} ({log.shape}), {count(log.records, 'record')}"


def _stacks(samples: StackSamples) -> str:
    if not samples.stacks:
        return ""  # what was not read is said by the coverage
    kinds = Counter(work(s) for s in samples.stacks)
    on_cpu = sum(s.active for s in samples.stacks if work(s) == "busy")
    stopped = sum(s.kernel is not None and s.kernel.state in {"T", "t"} for s in samples.stacks)
    parts = (
        (on_cpu, "on a CPU"),
        (kinds["busy"] - on_cpu, "wait in what they do"),
        (kinds["idle"], "wait for work"),
        (stopped, "stopped by a signal or a tracer"),
        (kinds["unknown"] - stopped, "wait, for work or not: that cannot be told"),
    )
    stacks = f"{count(len(samples.stacks), 'stack')} in {count(samples.rounds, 'look')}"
    told = f"{stacks}: "
    told += ", ".join(f"{number:,} {words}" for number, words in parts if number)
    frames = Counter(
        f"{frame.function} ({frame.file.rpartition('/')[2]}:{frame.line})"
        for frame in (application_frame(s.frames) for s in samples.stacks if work(s) == "busy")
        if frame is not None
    )
    if not frames:
        return told if kinds["unknown"] else f"{stacks}, all wait for work"
    (where, most), *_ = frames.most_common(1)
    return f"{told}; {share(most, kinds['busy'])} of those at work in {where}"


def _tasks(samples: TaskSamples) -> str:
    """How many tasks there are, and where most of those wait that wait for a lock."""
    waits = Counter(t.lock for t in samples.tasks if t.lock is not None)
    told = count(len(samples.tasks), "asyncio task")
    if not waits:
        return told
    lock, most = waits.most_common(1)[0]
    inside = [t.name for t in samples.tasks if lock in t.inside]
    whose = f", {inside[0]} is inside of it" if len(inside) == 1 else ""
    return f"{told}, {most} of them {'waits' if most == 1 else 'wait'} for one lock{whose}"


def _greenlets(samples: GreenletSamples) -> str:
    """How many are suspended, and where most of them are."""
    places = Counter(
        f"{f.function} ({f.file.rpartition('/')[2]}:{f.line})"
        for g in samples.greenlets
        if (f := application_frame(g.frames)) is not None
    )
    told = count(len(samples.greenlets), "suspended greenlet")
    if not places:
        return told
    (where, most), *_ = places.most_common(1)
    return f"{told}, {most} of them in {where}"


def _pools(found: ThreadPools) -> str:
    """The pools in which work waits for a thread; nothing where none does."""
    last = {(p.pid, p.address): p for p in found.pools}
    full = [p for p in last.values() if p.queued]
    return ", ".join(
        f"{count(p.queued or 0, 'piece')} of work in the queue of pool {p.name} ({len(p.tids)} of {p.most} threads)"
        for p in full[:_SHOWN]
    )


def _runtimes(coverage: RuntimeCoverage) -> str:
    """Which processes were not read, and why; nothing where all were."""
    unread = Counter((p.runtime, p.why) for p in coverage.processes if p.why)
    said = [
        f"{runtime}: {why}" + (f" ({number} processes)" if number > 1 else "")
        for (runtime, why), number in unread.most_common(_SHOWN)
    ]
    said += dict.fromkeys(p.hidden for p in coverage.processes if p.hidden)
    if coverage.nothing:
        return f"nothing read ({'; '.join(said)})" if said else "nothing read"
    return f"not read: {'; '.join(said)}" if said else ""


def _states(states: ThreadStates) -> str:
    if not states.states:
        return f"nothing read ({'; '.join(states.missed[:_SHOWN])})"
    counts = Counter(s.syscall or ("running" if s.state == "R" else s.state) for s in states.states)
    total = sum(counts.values())
    top = ", ".join(f"{name} {share(n, total)}" for name, n in counts.most_common(_SHOWN))
    return f"{count(len({(s.pid, s.tid) for s in states.states}), 'thread')}: {top}"


def _peers(peers: Peers) -> str:
    if peers.nothing:
        return f"nothing read ({peers.problem})"
    parts = [
        f"{p.words}: {count(p.established + p.connecting + p.close_wait, 'connection')}"
        + (f", {p.connecting} without an answer yet" if p.connecting else "")
        + (f", {p.close_wait} in CLOSE_WAIT" if p.close_wait else "")
        for p in peers.peers[:_SHOWN]
    ]
    parts += [f"{s.count} {s.title}" for s in peers.sessions[:_SHOWN]]
    return "; ".join(parts) or "no connection to a peer"


def _conditions(conditions: ProcessConditions) -> str:
    return "; ".join(
        f"{c.name} (pid {c.pid}) is {c.condition}" + (f" by {c.by}" if c.by else "")
        for c in conditions.conditions[:_SHOWN]
    )


def _family(family: ProcessFamily) -> str:
    counts = Counter(c.change for c in family.changes)
    changed = ", ".join(f"{n} {change}" for change, n in sorted(counts.items()))
    zombies = sum(p.zombie for p in family.processes)
    words = count(len(family.processes), "process") + (
        f", {count(zombies, 'zombie')}" if zombies else ""
    )
    return f"{words}; while locard looked: {changed}" if changed else words


def _memory(use: MemoryUse) -> str:
    total = sum(p.private for p in use.processes)
    return f"{total / (1 << 20):.0f} MiB private memory of {count(len(use.processes), 'process')}"


def _readings(readings: Readings) -> str:
    bad = [r for r in readings.readings if r.verdict in {"warning", "critical"}]
    if bad:
        return "; ".join(reading_words.short(r) for r in bad[:_SHOWN])
    unknown = sum(r.verdict == "unknown" for r in readings.readings)
    return (
        f"{count(len(readings.readings), 'reading')} healthy"
        if not unknown
        else (f"{count(len(readings.readings) - unknown, 'reading')} healthy, {unknown} unknown")
    )


_SAYS: dict[type, Callable[[Any], str]] = {
    LogSummary: _log,
    MetricsSummary: metrics_words.summary,
    EndpointCoverage: metrics_words.endpoints,
    MetricHistory: history_words.headline,
    StackSamples: _stacks,
    TaskSamples: _tasks,
    GreenletSamples: _greenlets,
    ThreadPools: _pools,
    Watched: watch_words.watched,
    LiveProbes: watch_words.live,
    FoundNames: watch_words.found,
    HeapGrowth: heap_words.headline,
    Contention: contention_words.summary,
    RuntimeCoverage: _runtimes,
    ThreadStates: _states,
    Peers: _peers,
    ProcessConditions: _conditions,
    ProcessFamily: _family,
    MemoryUse: _memory,
    Readings: _readings,
    WorkloadStates: workload_words.headline,
    Trace: kernel_words.trace,
    SystemCalls: kernel_words.system_calls,
    Waits: kernel_words.waits,
    NotObserved: lambda refused: refused.problem,
}
