"""What was counted in the kernel: rows that every program shares, histograms, stacks, waits.

All durations are seconds of wall time, all counts are of the time that was looked at (`seconds`). A
`None` is "not known", never "zero".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line of what was counted. `what` is a call, path, peer, function or program.

    `result` is ok, an errno's name, or what else came of it ("gave up"). `pid` and `tid` are as this
    machine numbers them; `thread` is the thread's name, with its number in its own pid namespace where
    that is another. `threads`: how many threads a row sums up, where it is not of one.
    """

    what: str
    result: str = ""
    thread: str = ""
    pid: int | None = None
    tid: int | None = None
    count: int = 0
    errors: int | None = None
    bytes: int | None = None
    total_s: float | None = None
    min_s: float | None = None
    p50_s: float | None = None
    p99_s: float | None = None
    max_s: float | None = None
    detail: str = ""
    value: float | None = None  # what a program of the user's own keeps, in its own unit
    threads: int | None = None
    outcomes: tuple[
        tuple[str, int], ...
    ] = ()  # `count` by what came of it: ("ok", 39), ("refused", 2)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bar of a histogram: from (inclusive) to (exclusive), and how many."""

    least: float
    below: float
    count: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """Values by size; `unit` is s or bytes."""

    name: str
    unit: str
    slots: tuple[Bucket, ...]


@dataclass(frozen=True, slots=True)
class CountedStack:
    """A stack and what was counted for it; frames outermost first, as flame graphs write them.

    `unit` is samples, s or bytes. `waker` is the stack of who woke it, where that was asked. `threads`: how
    many threads stood there, where that was counted. `pid`: whose stack it is, where that was kept.
    """

    frames: tuple[str, ...]
    value: float
    unit: str
    thread: str = ""
    waker: tuple[str, ...] = ()
    threads: int | None = None
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """How an observation went: what the kernel took, what was lost, what it cannot see."""

    seconds: float
    engine: str  # eBPF, /proc, strace, …
    attached: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()  # any of it makes the result partial
    blind: tuple[str, ...] = ()  # what such an observation cannot see here
    ended: str = ""  # why before its time
    cut: bool = False  # it did not see all that it was asked for
    cost_s: float | None = None  # CPU of locard's own process
    overhead_s: float | None = None  # CPU of the target, estimated: events times measured cost
    events: int | None = None
    left: tuple[str, ...] = ()  # what stays at the target, seen at the end
    began: float | None = None  # Unix time, where several observations follow each other


class _OfObserved:
    """What all facts of an observation say of how whole they are."""

    __slots__ = ()
    observed: Observed

    @property
    def problem(self) -> str:
        """What was lost, in words."""
        return problem(self.observed)

    @property
    def partial(self) -> bool:
        """Whether something was lost, or the observation ended early."""
        return bool(self.problem)


@dataclass(frozen=True, slots=True)
class Trace(_OfObserved):
    """What one eBPF program counted. `says` is its headline in words."""

    program: str
    says: str
    observed: Observed
    rows: tuple[Row, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    stacks: tuple[CountedStack, ...] = ()
    threads: tuple[Row, ...] = ()  # the same by thread
    blocked: tuple[Row, ...] = ()  # what had not ended
    processes: tuple[Row, ...] = ()  # the same by process, where they were told apart
    mode: str = ""  # of a profile: cpu, wall or gil, what a sample is of


@dataclass(frozen=True, slots=True)
class SystemCalls(_OfObserved):
    """System calls of the target: by call, by thread, by file or peer, by error, by lock."""

    observed: Observed
    calls: tuple[Row, ...]
    threads: tuple[Row, ...]
    files: tuple[Row, ...]
    errors: tuple[Row, ...]
    locks: tuple[Row, ...]
    blocked: tuple[Row, ...]
    slow: tuple[Row, ...]
    ready: tuple[Row, ...]  # what epoll reported
    histograms: tuple[Histogram, ...] = ()


@dataclass(frozen=True, slots=True)
class ThreadWait:
    """One thread in one wait, over the looks that saw it so. `share` is of all looks.

    `state` is the kernel's letter: R, S, D, T. `doing` is a word for it: runs, waits for a CPU, sleeps,
    waits for a lock, a peer, a client, a file, a child, page fault, ... `what` names the peer, file, lock
    word or call. `still_s`: since when it is in this wait, where it was so at the last look.
    """

    pid: int
    tid: int
    thread: str
    state: str
    call: str
    doing: str
    what: str
    looks: int
    share: float
    longest_s: float
    still_s: float | None = None
    address: int | None = None  # of a lock word
    peer: str | None = None
    wchan: str = ""
    strip: tuple[int, ...] = ()  # looks by column of the time that was looked at


@dataclass(frozen=True, slots=True)
class LockWait:
    """One lock word that threads waited for.

    `kind` is told by its memory and is a guess where the lock is no mutex of the C library: mutex, rwlock,
    condition variable, join, unknown. `holder` is who stood in it as owner, `held` in how many of the looks
    at it; `doing` what the holder did then. `contended`: threads queue for what another one holds.
    """

    pid: int
    address: int
    symbol: str
    file: str
    kind: str
    looks: int
    most: int  # threads at once
    waiters: tuple[str, ...]
    waiter_tids: tuple[int, ...]
    share: float  # of the time, of the waiter that waited most
    longest_s: float
    holder: str = ""
    holder_tid: int | None = None
    held: int = 0
    doing: tuple[tuple[str, int], ...] = ()
    contended: bool = False
    says: str = ""


@dataclass(frozen=True, slots=True)
class Waits(_OfObserved):
    """What every thread did, looked at many times a second."""

    observed: Observed
    looks: int
    hz: float
    threads: tuple[ThreadWait, ...]
    locks: tuple[LockWait, ...]

    @property
    def nothing(self) -> bool:
        """Whether no thread was seen."""
        return not self.threads


@dataclass(frozen=True, slots=True)
class NotObserved:
    """The kernel did not take a program: which step failed, and what would unlock it."""

    program: str
    why: str
    unlock: str

    @property
    def problem(self) -> str:
        """The same in one line."""
        return f"{self.why}; {self.unlock}" if self.unlock else self.why

    @property
    def nothing(self) -> bool:
        """It read nothing."""
        return True


ENDED_BY_YOU = "ended by you"  # how `Observed.ended` begins after an interrupt


def problem(observed: Observed) -> str:
    """What makes an observation partial, in words; empty where it is whole."""
    words = list(observed.lost)
    if observed.cut and observed.ended:
        words.append(observed.ended)
    return "; ".join(words)
