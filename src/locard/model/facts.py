"""Facts: what the probes read from raw output, as types that the rules of every layer share.

All times are Unix time in seconds, all durations carry their unit in the name. Rates and shares
are between 0 and 1. A `None` is "not known", never "zero".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from locard.model.log_facts import LogSummary


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


@dataclass(frozen=True, slots=True)
class MetricsSummary:
    """The golden signals of one exposition endpoint over one short window."""

    url: str
    families: int
    series: int
    window_s: float
    signals: tuple[GoldenSignal, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """One stack frame. `module` is the short file name as the runtime gives it."""

    function: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class ThreadStack:
    """One thread at one moment; frames innermost first. `round` joins it to kernel states."""

    round: int
    pid: int
    tid: int | None
    thread: str
    active: bool
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class StackSamples:
    """Stacks of every process of the target over a few rounds."""

    runtime: str  # python, jvm, …
    rounds: int
    stacks: tuple[ThreadStack, ...]
    missed: tuple[str, ...]  # processes that gave none, and why


@dataclass(frozen=True, slots=True)
class ThreadState:
    """What the kernel says of one thread at one moment.

    `waits_for` says in words what the descriptor of a blocking call is
    (`tcp 127.0.0.1:40112 -> 127.0.0.1:9102`, `pipe`, `file /var/…`). `futex` is the address it
    waits on, `futex_in` the mapping that holds it.
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


@dataclass(frozen=True, slots=True)
class ThreadStates:
    """Kernel states of every thread of the target over a few rounds."""

    rounds: int
    states: tuple[ThreadState, ...]
    missed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """One number of the checklist with its verdict (utilisation, saturation or errors).

    `name` follows the OpenTelemetry semantic conventions (model/semconv.py).
    """

    name: str
    subject: str  # "system", "pid 4242", "eth0", …
    value: float
    unit: str
    limit: float | None
    verdict: Literal["ok", "warning", "critical", "unknown"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Readings:
    """The readings of one host probe."""

    readings: tuple[Reading, ...]


Fact = LogSummary | MetricsSummary | StackSamples | ThreadStates | Readings
