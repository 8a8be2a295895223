"""What was seen of functions that were watched in a live runtime: one schema for all runtimes.

Durations are microseconds as in the events (`cost_us`) or seconds; a `None` is "not known", never "zero". Values of
the application are JSON texts, bounded where they were read and redacted since.
"""

from __future__ import annotations

from dataclasses import dataclass

INCOMPLETE = ("cost", "deep", "faults", "refused")  # kinds of an end that leave something unseen


@dataclass(frozen=True, slots=True)
class TreeLine:
    """What one call called, and what that called: a node of its tree, in the order of a walk downwards."""

    depth: int
    name: str
    calls: int
    total_us: float
    own_us: float  # without what it called itself


@dataclass(frozen=True, slots=True)
class WatchedCall:
    """One call. `state`: returned, raised, closed, cancelled, killed, or called (told before it ran).

    `cost_us` is from its begin to its end; `inside_us` without the time that a generator or coroutine was suspended;
    `values`: how many it gave. `thrown`: what was thrown into it on the way. `target`: self or cls.
    """

    ts: float
    pid: int
    function: int  # number of the WatchedFunction
    state: str
    cost_us: float
    params: tuple[tuple[str, str], ...] = ()
    target: str | None = None
    returned: str | None = None
    exception: str | None = None
    locals: str | None = None
    shown: tuple[tuple[str, str], ...] = ()
    inside_us: float | None = None
    values: int | None = None
    thrown: str = ""
    thread: int | None = None
    trace_id: str = ""
    callers: tuple[str, ...] = ()
    tree: tuple[TreeLine, ...] = ()


@dataclass(frozen=True, slots=True)
class CallsByState:
    """The calls that ended in one state over the whole time; percentiles are at most 12 % too high."""

    state: str
    calls: int
    total_s: float
    inside_s: float
    p50_s: float
    p95_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class WatchedFunction:
    """One function object of one process that was watched."""

    number: int
    pid: int
    module: str
    name: str  # qualified
    kind: str  # function, coroutine, generator, async generator
    file: str
    line: int
    said: tuple[str, ...]  # what was passed on the way from the name to it
    seconds: float  # that it was watched
    states: tuple[CallsByState, ...]
    threads_inside: int  # threads that were inside of it when the watch began: not counted as calls
    tested: int  # calls for which the condition could be told
    matched: int
    unreadable: int  # calls for which it could not, without running the application's code
    cache: (
        tuple[int, int, int] | None
    )  # hits and misses while it was watched, size, of the lru_cache before it
    callers: tuple[
        tuple[int, tuple[str, ...]], ...
    ]  # calls by the chain that led to them, nearest first
    counted_only: bool  # an object that stands before the body: its calls are counted, not told
    still_inside: int  # lives that began under the watch and had not ended when it let go
    let_go: str  # told, time, ended, cost, deep, faults, exit, refused; empty where it is not known
    ended: str  # the same in words
    restored: bool | None  # whether its code is the one of before; None: not told
    now_means: str = ""  # what the name means by now, where that changed

    @property
    def calls(self) -> int:
        """All that ended while it was watched."""
        return sum(s.calls for s in self.states)


@dataclass(frozen=True, slots=True)
class WatchedProcess:
    """One process into which the agent was put, or why it was not."""

    pid: int
    runtime: str
    stopped_ms: float | None
    refused: str = ""
    next_step: str = ""
    near: tuple[str, ...] = ()
    left: tuple[str, ...] = ()  # what is still there afterwards
    children: int = 0  # processes that it began meanwhile: what they called was not seen
    other_interpreters: int = 0  # subinterpreters, whose calls are not seen
    gone: bool = False
    still_inside: int = (
        0  # calls that began under the watch and go on through its code until they end
    )
    unknown: bool = (
        False  # it was refused since the name means nothing in it: a master among its workers
    )


@dataclass(frozen=True, slots=True)
class Watched:
    """One watch."""

    seconds: float
    ended: str  # time, told, stopped, refused, gone
    processes: tuple[WatchedProcess, ...]
    functions: tuple[WatchedFunction, ...]
    calls: tuple[WatchedCall, ...]
    faults: tuple[str, ...] = ()
    untold: int = (
        0  # calls that were to be told and came faster than they were read: they are counted
    )

    @property
    def nothing(self) -> bool:
        """Whether nothing was watched."""
        return not self.functions

    @property
    def partial(self) -> bool:
        """Whether something of it could not be done."""
        return bool(self.problem)

    @property
    def problem(self) -> str:
        """What could not be done, in words."""
        elsewhere = any(not p.refused for p in self.processes)
        parts = [
            f"pid {p.pid}: {p.refused}"
            for p in self.processes
            if p.refused and not (p.unknown and elsewhere)
        ]
        parts += [f"pid {p.pid}: left: {', '.join(p.left)}" for p in self.processes if p.left]
        parts += [f"pid {p.pid} ended meanwhile" for p in self.processes if p.gone]
        parts += [
            f"pid {p.pid}: {p.other_interpreters} subinterpreters were not looked into"
            for p in self.processes
            if p.other_interpreters
        ]
        parts += [f"{f.name}: {f.ended}" for f in self.functions if f.let_go in INCOMPLETE]
        parts += [
            f"{f.name}: somebody else changed its code meanwhile"
            for f in self.functions
            if f.restored is False
        ]
        if self.untold:
            parts.append(f"{self.untold:,} calls came faster than they could be told: counted only")
        return "; ".join(dict.fromkeys((*parts, *self.faults)))


@dataclass(frozen=True, slots=True)
class LiveProbe:
    """An agent that is in a process now."""

    pid: int
    spec: tuple[str, ...]
    by: str
    put_by_pid: int
    expires: float  # unix time


@dataclass(frozen=True, slots=True)
class LiveProbes:
    """All agents on a machine."""

    probes: tuple[LiveProbe, ...]
    reset: tuple[int, ...] = ()  # processes whose agent was told to end


@dataclass(frozen=True, slots=True)
class FoundName:
    """A name of a live runtime that matches a pattern. `watch`: what watching it does, or why it cannot be."""

    pid: int
    name: str
    kind: str
    file: str
    line: int
    said: tuple[str, ...]
    watch: str


@dataclass(frozen=True, slots=True)
class FoundNames:
    """What matched."""

    pattern: str
    names: tuple[FoundName, ...]
    looked: int  # names that were compared
    cut: bool
    missed: tuple[str, ...] = ()
    left: int = 0  # modules of libraries, which are looked into only where a pattern was given

    @property
    def nothing(self) -> bool:
        """Whether no process was read."""
        return not self.looked

    @property
    def partial(self) -> bool:
        """Whether a process was not read."""
        return bool(self.missed)

    @property
    def problem(self) -> str:
        """What was not looked into."""
        return "; ".join(self.missed)
