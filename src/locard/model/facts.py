"""Facts: what the probes read from raw output, as types that the rules of every layer share.

All times are Unix time in seconds, all durations carry their unit in the name. Rates and shares
are between 0 and 1. A `None` is "not known", never "zero".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from locard.model.contention import Contention
from locard.model.heap_facts import HeapGrowth
from locard.model.kernel_facts import NotObserved, SystemCalls, Trace, Waits
from locard.model.log_facts import LogSummary
from locard.model.metric_facts import MetricHistory
from locard.model.watch_facts import FoundNames, LiveProbes, Watched
from locard.model.workload import WorkloadStates


@dataclass(frozen=True, slots=True)
class GoldenSignal:
    """Latency, traffic, errors or saturation of one subject, then and now.

    `before` covers the time up to the first scrape, `now` the seconds between two scrapes.
    """

    signal: Literal["latency", "traffic", "errors", "saturation"]
    metric: str
    subject: tuple[tuple[str, str], ...]  # labels
    unit: str
    before: float | None
    now: float | None
    count: int  # events in `now`
    limit: float | None = None
    detail: str = ""  # bucket bounds, what a quantile rests on
    p_value: float | None = None  # of so high a share now if it were still that of before
    # The bounds that a quantile lies between, above the first and up to the second. None is an open end:
    # (1.0, None) is above 1 s, how far is not known; (None, 0.1) is up to 0.1 s, nothing finer is known.
    before_in: tuple[float | None, float | None] | None = None
    now_in: tuple[float | None, float | None] | None = None
    exemplars: tuple[str, ...] = ()  # trace ids of calls in the slowest bucket, of failed calls


@dataclass(frozen=True, slots=True)
class AnsweredBy:
    """Which processes answered the scrapes of one page.

    in turn: several, each with its own counts, so that no two scrapes can be subtracted. shared: several
    with common counts. restarted: a new one since the first scrape. untold: another one than before, or
    counts that fell, and whether it was restarted cannot be told.
    """

    how: Literal["one", "in turn", "shared", "restarted", "untold"]
    scrapes: int
    starts: tuple[
        float, ...
    ]  # the different start times that were seen, Unix seconds; empty: none was said


@dataclass(frozen=True, slots=True)
class MetricsSummary:
    """The golden signals of one exposition endpoint over one short window.

    `form` is what came. The counts at the end say what of the page was left out: series that stood there
    twice with different values, counts that are negative or no number, lines and families that could not be read.
    """

    url: str
    families: int
    series: int
    window_s: float
    signals: tuple[GoldenSignal, ...]
    form: Literal["text", "openmetrics", "protobuf"] = "text"
    answered_by: AnsweredBy | None = None  # None: it was scraped once
    repeated: int = 0
    odd: int = 0
    unread: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """One stack frame. `module` is the short file name as the runtime gives it."""

    function: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class ThreadState:
    """What the kernel says of one thread at one moment.

    `waits_for` says in words what the descriptor of a blocking call is
    (`tcp 127.0.0.1:40112 -> 127.0.0.1:9102`, `pipe`, `file /var/…`). `futex` is the address it
    waits on, `futex_in` the mapping that holds it. `fds` counts the descriptors of the call by
    kind: listening, incoming (a client's connection), outgoing (a peer's), udp, unix, pipe, event
    (eventfd, timerfd, signalfd), file, other. `client` is the far end of an incoming connection.
    """

    round: int
    pid: int
    tid: int
    comm: str
    state: str  # R S D T Z …
    syscall: str | None
    wchan: str | None
    waits_for: str | None = None
    peer: str | None = None  # host:port of a socket's far end
    futex: int | None = None
    futex_in: str | None = None
    kernel_stack: tuple[str, ...] = ()
    client: str | None = None
    fds: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class WaitedLock:
    """The lock that a thread waits for, read in the memory of its process.

    `owner` is the thread that has it as the lock records it: an RLock does, a plain lock does not.
    """

    kind: str  # RLock, Lock, import lock
    name: str  # of an import lock: the module
    address: int
    sure: (
        bool  # the kernel has the thread wait inside this very lock; else it is the only one there
    )
    recorded: bool  # the lock says who has it
    owner: int | None = (
        None  # thread id as this machine numbers it; None: not recorded, or no such thread here
    )
    orphaned: bool = False  # it is held by a thread that the process does not have


@dataclass(frozen=True, slots=True)
class ThreadStack:
    """One thread at one moment; frames innermost first. `round` joins it to kernel states.

    `kernel` is what the kernel said just before and just after the stack was taken, where both
    say the same and the thread did not run between them: only then do the two belong together.
    """

    round: int
    pid: int
    tid: int | None  # as this machine numbers it, also for a process in a pid namespace
    thread: str
    active: bool
    frames: tuple[Frame, ...]
    kernel: ThreadState | None = None
    lock: WaitedLock | None = None
    # (name, value) of the variables of the innermost frames, in the order of `frames`, where they were asked for.
    variables: tuple[tuple[tuple[str, str], ...], ...] = ()
    has_gil: bool = False  # of Python
    collects: bool = False  # it runs the garbage collector


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One line of a process's source, as the process sees its files; `note`: why it is none, or may be another one."""

    pid: int
    file: str
    line: int
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class StackSamples:
    """Stacks of every process of the target over a few rounds."""

    runtime: str  # python, jvm, …
    rounds: int
    stacks: tuple[ThreadStack, ...]
    missed: tuple[str, ...]  # processes that gave none, and why
    sources: tuple[SourceLine, ...] = ()  # of innermost frames, where they were asked for


@dataclass(frozen=True, slots=True)
class AwaitStep:
    """One step of what a task awaits: a suspended coroutine's place, or the future at the end of the chain."""

    kind: str  # coroutine, async_generator, generator, future
    name: str  # of the function; of a future its type
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class AwaitingTask:
    """A task of an event loop and what it awaits, its own coroutine first.

    `lock` is the asyncio lock whose `acquire` it stands in, `inside` those that it is in an `async with` of: asyncio
    records no owner. `awaits` are the tasks behind the future at its end. `runs`: its loop is inside of it now, and
    where it stands is on the stack of the loop's thread.
    """

    pid: int
    name: str
    steps: tuple[AwaitStep, ...]
    awaits: tuple[str, ...] = ()
    lock: int | None = None
    inside: tuple[int, ...] = ()
    runs: bool = False


@dataclass(frozen=True, slots=True)
class TaskSamples:
    """The tasks of the event loops of the target at one moment; `unread` says what of them was not read."""

    tasks: tuple[AwaitingTask, ...]
    unread: tuple[str, ...] = ()

    @property
    def problem(self) -> str:
        """What was not read, in words."""
        return "; ".join(self.unread)

    @property
    def partial(self) -> bool:
        """Whether some were not read."""
        return bool(self.unread)


@dataclass(frozen=True, slots=True)
class Greenlet:
    """A suspended greenlet: the name of its type, and its stack, innermost frame first."""

    pid: int
    kind: str
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class GreenletSamples:
    """The suspended greenlets of the target at one moment; `unread` says what of them was not read."""

    greenlets: tuple[Greenlet, ...]
    unread: tuple[str, ...] = ()

    @property
    def problem(self) -> str:
        """What was not read, in words."""
        return "; ".join(self.unread)

    @property
    def partial(self) -> bool:
        """Whether some were not read."""
        return bool(self.unread)


@dataclass(frozen=True, slots=True)
class ThreadPool:
    """A thread pool of a runtime at one moment: its threads, how many it may have, what waits for one."""

    round: int
    pid: int
    name: str  # the beginning of its threads' names
    address: int
    most: int
    tids: tuple[int, ...]
    queued: int | None  # pieces of work that no thread has begun; None: not known


@dataclass(frozen=True, slots=True)
class ThreadPools:
    """The thread pools of the target over the rounds in which its stacks were read."""

    pools: tuple[ThreadPool, ...]


@dataclass(frozen=True, slots=True)
class ProcessRuntime:
    """What runs a process, and whether its stacks were read. `why` says why not."""

    pid: int
    runtime: str  # "CPython 3.11", "PyPy", "Node.js", "JVM", "Go", "native", "unknown"
    stacks: int  # taken, over all rounds
    why: str = ""
    hidden: str = ""  # what stacks of threads cannot show: suspended coroutines, greenlets
    without_stack: int = 0  # threads of it that have no stack of the runtime: native ones, mostly


@dataclass(frozen=True, slots=True)
class RuntimeCoverage:
    """Of which processes the runtime was read. Nothing read is never "all idle"."""

    processes: tuple[ProcessRuntime, ...]
    missed: tuple[str, ...] = ()  # those that gave no stack, and why

    @property
    def nothing(self) -> bool:
        """Whether no process gave a stack."""
        return not any(p.stacks for p in self.processes)

    @property
    def partial(self) -> bool:
        """Whether a process that has a runtime of its own was not read, or not in whole."""
        return bool(self.problem)

    @property
    def problem(self) -> str:
        """What was not read though there is something to read, in words; native code has nothing."""
        lacks = [f"{p.runtime}: {p.why}" for p in self.processes if p.why and p.runtime != "native"]
        return "; ".join(dict.fromkeys((*lacks, *(p.hidden for p in self.processes if p.hidden))))


@dataclass(frozen=True, slots=True)
class ServerSession:
    """What processes of a server say of themselves in their titles, as `ps` shows them."""

    title: str  # "SELECT waiting", "idle in transaction", "ALTER TABLE waiting"
    ours: bool  # its client is a process of the target
    count: int


@dataclass(frozen=True, slots=True)
class Peer:
    """A far end of the target's sockets, and who it is.

    `address` is as `ThreadState.peer` writes it. `service` is what usually listens on that port.
    `pid` and `process` are of the process on this machine that listens there, in the target's
    network namespace. The counts are of sockets of the target. `doing` counts what the threads of
    that process (and its children) do in the kernel; `cpu` is how many CPUs they used.
    """

    address: str
    protocol: str  # tcp, udp
    service: str | None
    pid: int | None
    process: str | None
    own: bool  # it is a process of the target itself
    pids: tuple[int, ...]  # the target's processes that have these sockets
    established: int
    connecting: int  # SYN_SENT: no answer to the connection's first packet
    close_wait: int  # the peer hung up, the target has not closed
    sessions: tuple[ServerSession, ...] = ()
    doing: tuple[tuple[str, int], ...] = ()
    cpu: float | None = None

    @property
    def words(self) -> str:
        """`127.0.0.1:5432 (PostgreSQL, pid 7 here)`; the address alone where no more is known."""
        known = [name] if (name := self.service or self.process) else []
        if self.pid is not None:
            known.append(f"pid {self.pid} here")
        return f"{self.address} ({', '.join(known)})" if known else self.address


@dataclass(frozen=True, slots=True)
class Peers:
    """The far ends of the target's sockets, most sockets first; its own sessions if it is a server."""

    peers: tuple[Peer, ...]
    sessions: tuple[ServerSession, ...] = ()  # titles of the target's own processes
    missed: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether nothing could be read, as told from no connection at all."""
        return bool(self.missed) and not self.peers and not self.sessions

    @property
    def problem(self) -> str:
        """What was not read, in words."""
        return "; ".join(self.missed[:3])

    @property
    def partial(self) -> bool:
        """Whether something was not read."""
        return bool(self.missed)

    def named(self, address: str) -> Peer | None:
        """The peer at an address."""
        return next((p for p in self.peers if p.address == address), None)


@dataclass(frozen=True, slots=True)
class ProcessCondition:
    """A process that cannot serve as it is: stopped, traced, dying or ended and not reaped."""

    pid: int
    name: str
    condition: Literal["stopped", "traced", "dying", "zombie"]
    threads: int  # of its threads, those in that state
    by: str = ""  # who traces it


@dataclass(frozen=True, slots=True)
class ProcessConditions:
    """The processes of the target that are stopped, traced, dying or zombies."""

    conditions: tuple[ProcessCondition, ...]


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """Memory that one process has for itself alone: anonymous pages, in RAM and swapped out."""

    pid: int
    private: int  # bytes


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """What each process of the target held at one moment; two of them show what grows."""

    at: float  # Unix time, seconds
    processes: tuple[ProcessMemory, ...]


@dataclass(frozen=True, slots=True)
class ProcessAge:
    """One process of the family. `after_root_s`: seconds by which it is younger than the root."""

    pid: int
    ppid: int
    name: str
    started: float  # Unix time, seconds
    after_root_s: float
    zombie: bool = False


@dataclass(frozen=True, slots=True)
class ProcessChange:
    """A process of the target that began or ended while locard looked."""

    pid: int
    ppid: int | None
    name: str
    change: Literal["began", "ended"]
    at: float | None  # Unix time, seconds; None where it is not known


@dataclass(frozen=True, slots=True)
class ProcessFamily:
    """The target's processes at the end of the look, and what changed among them meanwhile."""

    processes: tuple[ProcessAge, ...]
    changes: tuple[ProcessChange, ...]


@dataclass(frozen=True, slots=True)
class Unanswered:
    """An endpoint without a page of metrics: silent, closed, no HTTP, refused, or an answer that is none.

    slow: it began to answer and did not finish. cut: the end of its page is missing. `detail` is in
    words of ours: the status, the content type, how long to wait.
    """

    url: str
    how: Literal[
        "accepted",
        "closed",
        "no HTTP",
        "refused",
        "unreachable",
        "slow",
        "cut",
        "too big",
        "packed",
        "login",
        "forbidden",
        "slow down",
        "failing",
        "elsewhere",
        "no page",
        "no metrics",
    ]
    after_s: float  # seconds until then
    detail: str = ""


_HALF_ASKED = frozenset(
    {"slow", "cut", "too big", "packed", "login", "forbidden", "slow down", "failing"}
)


@dataclass(frozen=True, slots=True)
class EndpointCoverage:
    """Endpoints that gave no metrics, and how they failed."""

    unanswered: tuple[Unanswered, ...]

    @property
    def partial(self) -> bool:
        """Whether there are metrics that were not read."""
        return any(one.how in _HALF_ASKED for one in self.unanswered)


@dataclass(frozen=True, slots=True)
class ThreadStates:
    """Kernel states of every thread of the target over a few rounds."""

    rounds: int
    states: tuple[ThreadState, ...]
    missed: tuple[str, ...]

    @property
    def problem(self) -> str:
        """What a missing permission kept from being read, in words."""
        return "; ".join([m for m in self.missed if "CAP_SYS" in m][:3])

    @property
    def partial(self) -> bool:
        """Whether a permission was missing: what threads wait for is not known then."""
        return bool(self.problem)


@dataclass(frozen=True, slots=True)
class Reading:
    """One number of the checklist with its verdict (utilisation, saturation or errors).

    `name` follows the OpenTelemetry semantic conventions (model/semconv.py). `of` says whose it is:
    the target's own, the host's as a whole, or strangers' (other programs on the same host).
    """

    name: str
    subject: str  # "system", "pid 4242", "eth0", …
    value: float
    unit: str
    limit: float | None
    verdict: Literal["ok", "warning", "critical", "unknown"]
    detail: str = ""
    of: Literal["target", "host", "strangers"] = "host"


@dataclass(frozen=True, slots=True)
class Readings:
    """The readings of one host probe."""

    readings: tuple[Reading, ...]


Fact = (
    LogSummary
    | MetricsSummary
    | EndpointCoverage
    | MetricHistory
    | StackSamples
    | TaskSamples
    | GreenletSamples
    | ThreadPools
    | Watched
    | LiveProbes
    | FoundNames
    | HeapGrowth
    | Contention
    | RuntimeCoverage
    | ThreadStates
    | Peers
    | ProcessConditions
    | ProcessFamily
    | MemoryUse
    | Readings
    | WorkloadStates
    | Trace
    | SystemCalls
    | Waits
    | NotObserved
)
