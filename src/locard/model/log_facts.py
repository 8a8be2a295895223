"""What the first pass reads from a log: the facts of the logs wing.

Units and `None` as in model/facts.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from locard.model.log_beginning import LogBeginning  # noqa: TC001 - the codec reads the hints
from locard.model.log_holes import LogHole  # noqa: TC001 - as above
from locard.model.log_reading import (  # noqa: TC001 - the codec reads the hints
    FieldRole,
    Skipped,
)

ShapeName = Literal["step", "ramp", "spike", "periodic", "flat", "unknown"]
Outcome = Literal["errors", "latency"]
TemplateChangeKind = Literal["new", "vanished", "grown", "shrunk"]
ErrorSource = Literal["status", "level", "text", "field", "asked"]
ChangeKind = Literal["config", "deploy", "restart"]


@dataclass(frozen=True, slots=True)
class Onset:
    """When it began: an interval, never an instant.

    `baseline_seen` False means "before `latest`": the record starts in the middle of it.
    `confidence` is the probability that the onset lies inside the interval.
    """

    earliest: float
    latest: float
    confidence: float
    baseline_seen: bool = True


@dataclass(frozen=True, slots=True)
class MeasureShape:
    """How one measure went over the record.

    `before` and `after` are levels: requests a second of volume, the share of bad requests of errors
    and latency. `peak` is the extreme of a spike, `period_s` belongs to a rhythm. No onset: flat,
    or the whole record is a ramp or a rhythm.
    """

    measure: Literal["volume", "errors", "latency"]
    shape: ShapeName
    onset: Onset | None = None
    end: float | None = None
    before: float | None = None
    after: float | None = None
    peak: float | None = None
    period_s: float | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """What wrote steadily and stopped: one value of a field, or (field "") all requests.

    `since` holds the last line before it, `until` is when it wrote again, None if it did not. The
    counts are of requests, in the silence and in as much time before it, where a source fell silent.
    """

    field: str
    value: str
    since: Onset
    until: float | None
    per_s: float  # lines a second before
    p_value: float  # corrected for the number of sources and places
    own_before: int = 0
    others_before: int = 0
    others_during: int = 0
    last_words: str = ""  # the message of its last line


@dataclass(frozen=True, slots=True)
class RatePoint:
    """One bucket of the time series: [start, start + width_s)."""

    start: float
    width_s: float
    total: int
    errors: int
    p50_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True)
class GroupCount:
    """One value of one field, before and after the onset.

    "bad" is an error or, where latency changed, a slow request (see `LogSummary.bad_means`).
    """

    field: str
    value: str
    before_total: int
    before_bad: int
    after_total: int
    after_bad: int


@dataclass(frozen=True, slots=True)
class Correlate:
    """A set of field=value pairs that is over-represented among the bad requests."""

    values: tuple[tuple[str, str], ...]
    support: int  # bad requests after the onset that carry it
    excess: float  # bad requests more than its share of the traffic would have
    share_of_excess: float  # 0..1: how much of all excess it explains
    lift: float
    p_value: float  # corrected for the number of tests


@dataclass(frozen=True, slots=True)
class AffectedValue:
    """One value of a field in the blast radius: rates of bad requests, each with its 95 % interval.

    `low` and `high` belong to `after_rate`, `requests` are those after the onset; the earlier rate
    and its interval are None where nothing was seen before.
    """

    value: str
    before_rate: float | None
    after_rate: float
    low: float
    high: float
    requests: int
    before_low: float | None = None
    before_high: float | None = None


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """One field: who is hit, who is confirmed not to be, who had too few requests to say."""

    field: str
    affected: tuple[AffectedValue, ...]
    unaffected: tuple[AffectedValue, ...]
    unknown: tuple[AffectedValue, ...]


@dataclass(frozen=True, slots=True)
class MessageCount:
    """A message template (ids and numbers masked) among the bad requests, with one example.

    Where the message itself never differs, it is followed by what the field of the error says.
    `first` is the time of the first of them at all.
    """

    template: str
    before: int
    after: int
    example: str
    first: float | None = None


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """Lines near the onset that say that something was changed; those that differ in numbers are one."""

    kind: ChangeKind
    text: str
    first: float
    last: float
    near: int  # lines near the onset
    elsewhere: int  # lines that begin like it in the rest of the log
    near_s: float  # how long "near the onset" is
    rest_s: float  # and the rest of the log


@dataclass(frozen=True, slots=True)
class Attempts:
    """Request lines and different trace ids, before and after the onset (of a sample of both)."""

    before_s: float
    before_lines: int
    before_traces: int
    after_s: float
    after_lines: int
    after_traces: int


@dataclass(frozen=True, slots=True)
class TemplateChange:
    """A message template whose share of all lines changed at the onset, with its lines on both sides."""

    kind: TemplateChangeKind
    template: str
    before: int
    after: int
    example: str


@dataclass(frozen=True, slots=True)
class NumberChange:
    """A number inside a template that changed at the onset: its medians before and after."""

    template: str
    place: int  # the how manieth number of the message, from 1
    before: float
    after: float
    example: str


@dataclass(frozen=True, slots=True)
class ExceptionCount:
    """Exceptions of one type from one frame, before and since the onset."""

    type: str
    frame: str  # empty where no stack trace came with it
    before: int
    after: int
    line: int  # of the first of them in the log


@dataclass(frozen=True, slots=True)
class ExampleTrace:
    """A bad request to look at, and why this one."""

    why: Literal["typical", "slowest", "first"]
    trace_id: str
    duration_ms: float | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which requests a log holds; `why` says how that was told. Other than whole claims no rate."""

    kind: Literal["whole", "errors-only", "sampled", "rate-limited", "overlaid", "joined"]
    why: str


@dataclass(frozen=True, slots=True)
class Extent:
    """What the answers rest on: how much was read, by what errors are told, how the log goes on.

    Counts are of all requests that were judged, before and after an onset alike. Gaps are those between
    lines in the order of time; the longest one leaves out the time since the last line.
    """

    requests: int = 0
    errors: int = 0
    errors_by: tuple[ErrorSource, ...] = ()
    levels: int = 0  # different ones
    statuses: int = 0  # different ones
    zoned: bool = True  # the times name their zone
    read_at: float | None = None  # Unix time at which the log was read
    asked_from: float | None = None  # where the window of interest begins, if one was asked for
    last_line: float | None = None  # time of the last record, be it of a request or not
    typical_gap_s: float | None = None
    longest_gap_s: float | None = None
    beside: bool = False  # most errors stand in lines that are no requests, among lines that are
    own_requests: int = 0  # lines of what locard itself asked: left out


@dataclass(frozen=True, slots=True)
class Alarm:
    """Lines that are too few for a rate and say that something broke: critical ones, or errors beside requests.

    They are told where none came before, or hardly any: since the onset, or late in the log.
    """

    level: str
    template: str
    example: str
    count: int  # from `first` on
    earlier: int  # before that
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class OutcomeField:
    """A field that says in other words that a request failed: it tells nothing of who is hit.

    `why` is its name, or its values: `value` comes with `bad` failed requests and `good` others.
    """

    field: str
    value: str
    bad: int
    good: int
    why: Literal["name", "values"]


@dataclass(frozen=True, slots=True)
class Slight:
    """A change of latency that is there beyond chance, and too small for anybody to care."""

    onset: Onset
    before_p50_ms: float
    before_p99_ms: float
    after_p50_ms: float
    after_p99_ms: float


@dataclass(frozen=True, slots=True)
class ValueShift:
    """A value of a field that became more frequent among the requests, for good. `field` "": a duration.

    `before` and `after` are its shares of `before_total` and `after_total` requests.
    """

    field: str
    value: str
    before: float
    after: float
    since: Onset
    before_total: int
    after_total: int


@dataclass(frozen=True, slots=True)
class GrowingNumber:
    """A number that says by its name how much waits, and grows to the end of the log.

    `field` is empty where it stands in the message. `first` and `last` are its values since it grows.
    """

    field: str
    since: Onset
    first: float
    last: float
    per_s: float


@dataclass(frozen=True, slots=True)
class LogSummary:
    """The first pass over one log: shape, onset, blast radius, correlates; no hypothesis."""

    source: str
    lines: int
    records: int
    skipped: tuple[Skipped, ...]
    roles: tuple[FieldRole, ...]
    first: float | None
    last: float | None
    error_means: str
    bad_means: str
    changed: tuple[Outcome, ...]  # what changed at the onset; empty: nothing did
    shape: ShapeName
    onset: Onset | None
    series: tuple[RatePoint, ...]
    before_total: int
    before_bad: int
    after_total: int
    after_bad: int
    before_p50_ms: float | None
    before_p99_ms: float | None
    after_p50_ms: float | None
    after_p99_ms: float | None
    groups: tuple[GroupCount, ...]
    blast_radius: tuple[BlastRadius, ...]
    correlates: tuple[Correlate, ...]
    messages: tuple[MessageCount, ...]
    trace_ids: tuple[str, ...]  # of bad requests after the onset
    gaps: tuple[str, ...]  # what this log cannot answer
    engine: str  # native or duckdb
    partial: bool = False
    shapes: tuple[MeasureShape, ...] = ()
    further_onsets: tuple[Onset, ...] = ()  # of other rises than the one at `onset`
    changes: tuple[ChangeLine, ...] = ()
    attempts: Attempts | None = None
    silences: tuple[Silence, ...] = ()
    coverage: Coverage = Coverage("whole", "")
    templates: tuple[TemplateChange, ...] = ()
    numbers: tuple[NumberChange, ...] = ()
    exceptions: tuple[ExceptionCount, ...] = ()
    examples: tuple[ExampleTrace, ...] = ()
    # Of what changed: the outcomes that make a request a bad one here. The others hit everyone.
    judged: tuple[Outcome, ...] = ()
    # Errors rose for those that the correlates name, and among all requests it is within chance. Onset
    # and shapes of errors are then of these requests; all counts are of all, as ever.
    of_part: bool = False
    end: float | None = None  # when it was over; None: it lasts, or nothing changed
    extent: Extent = Extent()
    alarms: tuple[Alarm, ...] = ()
    outcomes: tuple[OutcomeField, ...] = ()
    slight: Slight | None = None
    began: bool = (
        False  # the onset is when the bad requests began, a second or more before their lines
    )
    # Where it begins and why: of the whole first, then of the parts that begin later.
    beginnings: tuple[LogBeginning, ...] = ()
    shifts: tuple[ValueShift, ...] = ()  # looked for where no set of values is hit
    growing: tuple[GrowingNumber, ...] = ()  # how much waits, where it grows to the end
    flags: str = ""  # with which `locard logs` finds the source again: a namespace, a place
    holes: tuple[LogHole, ...] = ()  # where what keeps it threw lines away
    unit_failures: int = 0  # how often systemd says in it that the unit failed

    @property
    def claims_rates(self) -> bool:
        """Whether shares of bad requests say anything about the service."""
        return self.coverage.kind == "whole"
