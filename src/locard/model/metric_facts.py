"""What a window of many series shows: golden signals over time, what changed, alerts, and what could not be told.

Times are Unix seconds. `labels` and `subject` are (name, value) pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from locard.model.log_facts import Onset  # noqa: TC001 - the codec asks for it

CONFIDENCE = 0.95  # with which an interval holds the onset
Pairs = tuple[tuple[str, str], ...]
Direction = Literal["up", "down", "none", "no data"]
Shape = Literal["step", "ramp", "spike", "periodic", "flat", "unknown"]
Resource = Literal[
    "", "fds", "threads", "pool", "pool waiting", "pool hold", "pool timeouts", "cpu", "throttled",
    "throttled time", "cpu limit", "cpu of limit", "memory", "working set", "cache", "rss", "heap", "oom", "queue", "event loop", "gc",
    "replicas", "unready", "restarts", "connections", "goroutines", "file reads", "disk free", "memory stalls", "io stalls", "cpu stalls",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Course:
    """A measure over time at even steps, thinned to what can be seen; None where there is no data."""

    start: float
    step_s: float
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class MeasuredSignal:
    """One golden signal of one subject: whether it changed, since when, from what to what.

    `before` and `after` are what the numbers stand for in words where a number alone would be untrue
    ("> 1 s"); `query` asks the same in PromQL; `resource` says of a saturation what is full.
    `parts` are the label sets that are affected, `unaffected` those that are told not to be.
    """

    signal: Literal["latency", "traffic", "errors", "saturation"]
    metric: str
    subject: Pairs
    unit: str
    direction: Direction
    shape: Shape
    onset: Onset | None
    before: float | None
    after: float | None
    now: float | None
    count: int  # events since the onset, or in all where nothing changed
    before_words: str = ""
    after_words: str = ""
    resource: Resource = ""
    limit: float | None = None
    detail: str = ""
    scope: str = ""  # how many series, of how many instances
    query: str = ""
    course: Course | None = None
    ended: float | None = None  # of a spike
    parts: tuple[str, ...] = ()
    unaffected: tuple[str, ...] = ()
    exemplars: tuple[str, ...] = ()  # trace ids
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class ChangedFamily:
    """One line of the sweep: label sets of one family that changed alike, and what moves with them."""

    rank: int
    metric: str
    what: str  # "rate", "level", "mean", "share of limit"
    labels: Pairs  # what they have in common
    changed: int  # label sets
    all: int
    direction: Direction
    shape: Shape
    onset: Onset | None
    before: float
    after: float
    unit: str
    score: float
    query: str
    course: Course | None
    note: str = ""  # why it stands where it stands: "moves with …", "a recording rule over …"
    moves_with: tuple[str, ...] = ()
    lagging: bool = False  # a symptom or a consequence, as far as order and names tell


@dataclass(frozen=True, slots=True)
class MetricChange:
    """Something that was done or happened near the onset, read from the series themselves."""

    at: float
    kind: Literal[
        "restart",
        "new instance",
        "instance gone",
        "limit",
        "workers",
        "monitor replaced",
        "gap",
        "rule",
        "readiness",
        "version",
    ]
    what: str
    query: str = ""
    name: str = ""  # of the pod or target
    count: int = 1
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Component:
    """A component that the change may come from; `share` is its score over that of the first."""

    name: str
    because: str
    share: float


@dataclass(frozen=True, slots=True)
class AlertCourse:
    """One alert: when it was first pending, what reset it, when it fired."""

    name: str
    labels: Pairs
    first_pending: float | None  # None: it was pending before the window
    pending_lost: tuple[float, ...]
    firing: float | None
    for_s: float | None
    now: Literal["pending", "firing", "inactive"]


@dataclass(frozen=True, slots=True)
class MetricHistory:
    """The series of one source over one window.

    `baseline_from`..`window_from` is what the window is compared with. `skew_s` is by how much the
    server's clock is ahead of ours. `not_told` are sentences about what could not be told and why.
    """

    url: str
    source: str  # "Prometheus 2.42.0", …
    start: float
    end: float
    window_from: float
    step_s: float
    series: int
    samples: int
    queries: int
    onset: Onset | None = None
    onset_of: str = ""  # which signal it is that of
    signals: tuple[MeasuredSignal, ...] = ()
    changed: tuple[ChangedFamily, ...] = ()
    changed_in_all: int = 0  # families, those that are not listed too
    changes: tuple[MetricChange, ...] = ()
    alerts: tuple[AlertCourse, ...] = ()
    components: tuple[Component, ...] = ()  # likeliest first
    not_told: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    skew_s: float | None = None
    counted: int | None = None
    jobs: tuple[tuple[str, int], ...] = ()
    problem: str = ""
    partial: bool = False
    nothing: bool = False
    unreached: bool = False  # nobody answered, or nobody was let in
    start_seen: float = 0.0  # of the first sample
    end_seen: float = 0.0  # of the last
    around: str = ""  # "alert" where the first alert was asked about
