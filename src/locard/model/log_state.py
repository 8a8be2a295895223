"""How a log stands: the strongest sentence that its facts carry, else the weaker one and why.

The one place that decides it. "Nothing changed" needs that most of the log was read, that errors can be told,
that the log goes on as it did and that its level is not bad itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from locard.model.log_facts import MeasureShape, Onset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.log_facts import BlastRadius, LogSummary

StateKind = Literal[
    "empty",  # no record could be read
    "going-on",  # it changed at an onset and lasts
    "comes-and-goes",  # bursts at regular distances
    "recovered",  # it changed and is over
    "silent",  # nothing is written any more
    "requests-stopped",  # other lines go on
    "volume-fell",  # to a quarter or less
    "errors-from-start",  # errors only, from the first line on
    "bad-throughout",  # no onset: the level itself is bad
    "slow-throughout",  # half of the requests take a second or more
    "errors-late",  # many errors for so few lines, and most of them late
    "alarms",  # lines too few for a rate say that something broke
    "slight",  # a change too small to matter
    "untold",  # neither errors nor latency can be told
    "traffic-changed",  # and nothing else
    "unchanged",  # no onset was found, and more may not be said
    "steady",  # nothing changed, and the level is good
]
SpreadKind = Literal["set", "everyone", "some", "untested", "unknown"]

_WEIGHTS: dict[StateKind, int] = {
    "going-on": 9, "comes-and-goes": 8, "silent": 7, "requests-stopped": 7, "volume-fell": 6, "errors-from-start": 5, "errors-late": 5,
    "alarms": 5, "bad-throughout": 4, "recovered": 3, "slow-throughout": 1, "steady": 1, "empty": -1,
}  # fmt: skip
_DOUBTFUL_SHARE, _DOUBTFUL_MS = (
    0.01,
    5000.0,
)  # "good" is not said of so many failures, of so slow a p99
_BAD_SHARE = 0.05  # of the requests fail: bad, whatever is usual
_FEWEST = 20  # requests, to speak of a share
_SLOW_MS = 1000.0
_BACK = 0.67  # of the slowness while it lasted: below, requests are fast again
_MOSTLY, _NEARLY_ALL = 0.5, 0.9
_CHRONIC_S = 6 * 3600.0
_EARLY = 0.4  # of the errors' share: the first half of the log with less is not bad
_MOST_SKIPPED = 0.5  # of the lines
_COLLAPSED = 0.25  # of the volume before
_LEAST_LOST = 50  # lines that would have come
_FEWEST_LOW, _UNUSUAL = (
    2,
    0.4,
)  # points of the series; of what is usual, below which no other point is
# So many lines are missing after so many seconds: a writer may hold back a block of its output (8 KB, some
# 100 lines), and a reader under load comes late.
_SILENT = ((30.0, 300), (60.0, 100), (600.0, 20))
_PAUSES = 3.0  # times the longest pause before
_OLD_S, _OLD_SPANS = 6 * 3600.0, 3.0  # a log that ended longer ago is a copy of the past
_QUARTER_S, _ZONE_SLACK_S = 900.0, 90.0


@dataclass(frozen=True, slots=True)
class LogState:
    """`why` says why the stronger sentence may not be said; `further` holds what else is so.

    `incident`: somebody should look. `over`: it is past, from `since` to `until` (Unix time); `ago_s` is how
    long ago, when the log was read, it ended or the last line came. `before` and `after` are requests a
    second of volume.
    """

    kind: StateKind
    incident: bool = False
    over: bool = False
    before_window: bool = False
    why: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None
    ago_s: float | None = None
    before: float | None = None
    after: float | None = None
    further: tuple[LogState, ...] = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """Whom the change hits, as far as the log's fields can tell; `fields` are those that were tested."""

    kind: SpreadKind
    fields: tuple[str, ...] = ()
    why: str = ""


def judge(log: LogSummary, now: float | None = None) -> LogState:
    """What may be said of the log; `now` is when it was read, if the log itself does not say it."""
    if not log.records:
        return LogState("empty")
    found = [*_changes(log, now), *_stops(log, now)]
    if not log.changed:
        found += [*_levels(log), *_smaller(log)]
    if not found:
        return _calm(log)
    return replace(found[0], further=tuple(found[1:]))


def weight(state: LogState) -> int:
    """How much a state tells, to choose among several logs of one target: the highest first."""
    return _WEIGHTS.get(state.kind, 1 if state.incident else 0)


def spread(log: LogSummary) -> Spread:
    """Whether a set of values, some values or everyone is hit; "everyone" needs a field that was tested."""
    if log.correlates:
        return Spread("set", tuple(dict.fromkeys(f for c in log.correlates for f, _ in c.values)))
    if log.coverage.kind == "errors-only":
        return Spread(
            "unknown", why="a log of errors alone does not tell whom they hit more than others"
        )
    tested = [r for r in log.blast_radius if _tested(r)]
    if not tested:
        return Spread("untested", why="no field was there to test who is hit")
    names = tuple(r.field for r in tested)
    if any(r.unaffected for r in tested):
        return Spread("some", names)
    return Spread("everyone", names)


def steadiness(log: LogSummary) -> tuple[str, ...]:
    """What is lacking for "nothing changed"; empty where it may be said."""
    return tuple(_lacking(log))


def _tested(radius: BlastRadius) -> bool:
    """Two values or more had enough requests."""
    return len(radius.affected) + len(radius.unaffected) > 1 and bool(radius.affected)


def _changes(log: LogSummary, now: float | None) -> Iterator[LogState]:
    if not log.changed or log.onset is None:
        return
    if log.changed == ("errors",) and _only_alarms(log):
        # Lines that belong to no request: a share of the requests would be untrue.
        yield LogState("alarms", incident=True, since=min(a.first for a in log.alarms))
        return
    since = log.onset.latest if log.onset.baseline_seen else None
    if log.shape == "periodic":
        yield LogState("comes-and-goes", incident=True, since=since)
    elif log.end is not None and _is_over(log):
        read = now or log.extent.read_at
        ago = None if read is None or not log.extent.zoned else max(0.0, read - log.end)
        yield LogState("recovered", incident=True, over=True, since=since, until=log.end, ago_s=ago)
    else:
        asked = log.extent.asked_from
        early = asked is not None and log.onset.latest < asked
        why = () if log.end is None else ("whether it is over cannot be told",)
        yield LogState("going-on", incident=True, before_window=early, since=since, why=why)


def _only_alarms(log: LogSummary) -> bool:
    count = sum(a.count for a in log.alarms)
    return bool(count) and log.extent.beside and count >= _NEARLY_ALL * log.after_bad


def _is_over(log: LogSummary) -> bool:
    """Whether the requests since its end exclude what they were while it lasted.

    Of a rise that shows in a part of the requests only, the series of all says nothing.
    """
    if log.onset is None or log.end is None or log.of_part:
        return False
    start, end = log.onset.latest if log.onset.baseline_seen else 0.0, log.end
    during = [p for p in log.series if p.start >= start and p.start + p.width_s <= end]
    since = [p for p in log.series if p.start >= end]
    total, whole = sum(p.total for p in since), sum(p.total for p in during)
    if total < _FEWEST or not whole:
        return False
    if "errors" in log.changed:
        rate, was = (
            sum(p.errors for p in part) / n for part, n in ((since, total), (during, whole))
        )
        # One standard error more than what was seen, and one request: a few good ones prove little.
        likely = rate + math.sqrt(max(rate * (1 - rate), 1 / total) / total) + 1 / total
        if likely > was / 2:
            return False
    if "latency" in log.changed:
        slow, was_slow = (_typical([p.p99_ms for p in part]) for part in (since, during))
        if slow is None or was_slow is None or slow > _BACK * was_slow:
            return False
    return True


def _typical(values: list[float | None]) -> float | None:
    known = sorted(v for v in values if v is not None)
    return known[len(known) // 2] if known else None


def _stops(log: LogSummary, now: float | None) -> Iterator[LogState]:
    """Silence since the last line, no requests any more, or hardly any."""
    since = _silent_s(log, now)
    if since is not None:
        yield LogState("silent", incident=True, since=log.extent.last_line, ago_s=since)
        return
    last = log.extent.last_line or log.last or 0.0
    for one in log.silences:
        lasts = last - one.since.latest
        if not one.field and one.until is None and _long(lasts, lasts * one.per_s):
            yield LogState(
                "requests-stopped", incident=True, since=one.since.latest, before=one.per_s
            )
            return
    fell = collapsed(log)
    if fell is not None and fell.onset is not None:
        yield LogState(
            "volume-fell",
            incident=True,
            since=fell.onset.latest,
            before=fell.before,
            after=fell.after,
        )


def collapsed(log: LogSummary) -> MeasureShape | None:
    """The course of the volume, where it fell to a quarter or less and stayed there."""
    for shape in log.shapes:
        if shape.measure != "volume" or shape.onset is None or shape.shape not in {"step", "ramp"}:
            continue
        before, after = shape.before or 0.0, shape.after or 0.0
        lasted = (log.last or 0.0) - shape.onset.latest
        if after <= _COLLAPSED * before and (before - after) * lasted >= _LEAST_LOST:
            return shape
    return _collapsed_lately(log)


def _collapsed_lately(log: LogSummary) -> MeasureShape | None:
    """A fall so near to the end of the log that its course has no step yet.

    The last points (but for the very last, which is not whole) lie below a quarter of what is usual, and no
    other came near to that.
    """
    points = log.series[:-1]
    rates = [p.total / p.width_s for p in points]
    usual = sorted(rates)[len(rates) // 2] if rates else 0.0
    low = 0
    while low < len(rates) and rates[-1 - low] <= _COLLAPSED * usual:
        low += 1
    if low < _FEWEST_LOW or low == len(rates) or min(rates[:-low]) < _UNUSUAL * usual:
        return None
    tail = points[-low:]
    seconds, many = sum(p.width_s for p in tail), sum(p.total for p in tail)
    if usual * seconds - many < _LEAST_LOST:
        return None
    onset = Onset(tail[0].start - tail[0].width_s, tail[0].start, 0.95)
    return MeasureShape(
        "volume", "step", onset, before=round(usual, 3), after=round(many / seconds, 3)
    )


def _silent_s(log: LogSummary, now: float | None) -> float | None:
    """Seconds since the last line, where by the log's pace many would have come; None where it goes on."""
    seen, read = log.extent, now or log.extent.read_at
    if read is None or seen.last_line is None or log.first is None:
        return None
    since, span = read - seen.last_line, seen.last_line - log.first
    if span <= 0 or since > max(_OLD_S, _OLD_SPANS * span):
        return None
    if not seen.zoned and abs(since - round(since / _QUARTER_S) * _QUARTER_S) < _ZONE_SLACK_S:
        return None  # as likely another zone as a silence
    missed = since * log.records / span
    return (
        None if not _long(since, missed) or since < _PAUSES * (seen.longest_gap_s or 0.0) else since
    )


def _long(seconds: float, missed: float) -> bool:
    """Whether so many lines that did not come in so long are more than a delay."""
    return any(seconds >= least_s and missed >= lines for least_s, lines in _SILENT)


def _levels(log: LogSummary) -> Iterator[LogState]:
    """The level itself is bad, though it did not change."""
    seen = log.extent
    only = log.coverage.kind == "errors-only" or 0 < seen.requests == seen.errors
    if only and seen.errors >= _MOSTLY * seen.requests:
        # What goes on for so long is the log of errors that every service has.
        lasts = (log.last or 0.0) - (log.first or 0.0) >= _CHRONIC_S
        yield LogState("errors-from-start", incident=not lasts, since=log.first)
    elif (
        log.claims_rates and seen.requests >= _FEWEST and seen.errors >= _BAD_SHARE * seen.requests
    ):
        late = _late(log)
        if late is None:
            yield LogState("bad-throughout", incident=True, since=log.first)
        elif not log.alarms:
            yield LogState("errors-late", incident=True, since=late)
    elif (log.after_p50_ms or 0.0) >= _SLOW_MS and log.before_total == 0:
        yield LogState("slow-throughout", since=log.first)


def _late(log: LogSummary) -> float | None:
    """Since when most of the errors are, where the first half of the log has few; None where it is like the rest."""
    points = log.series
    half = points[: len(points) // 2]
    errors, total = sum(p.errors for p in half), sum(p.total for p in half)
    every, whole = sum(p.errors for p in points), sum(p.total for p in points)
    if not every or not total or errors / total > _EARLY * every / whole:
        return None
    passed = 0
    for point in points:
        if point.errors and passed + point.errors > _EARLY / 2 * every:
            return point.start
        passed += point.errors
    return None


def _smaller(log: LogSummary) -> Iterator[LogState]:
    if log.alarms:
        yield LogState("alarms", incident=True, since=min(a.first for a in log.alarms))
    if log.slight is not None:
        yield LogState("slight", since=log.slight.onset.latest)


def _calm(log: LogSummary) -> LogState:
    why = steadiness(log)
    blind = not log.extent.errors_by or _level_says_nothing(log)
    if log.first is None or (blind and _no_durations(log)):
        return LogState("untold", why=why)
    moved = next((s for s in log.shapes if s.measure == "volume" and s.onset is not None), None)
    if moved is not None:
        reached = moved.after if moved.peak is None else moved.peak
        since = moved.onset.latest if moved.onset else None
        return LogState("traffic-changed", why=why, since=since, before=moved.before, after=reached)
    return LogState("unchanged" if why else "steady", why=why)


def _no_durations(log: LogSummary) -> bool:
    return any(gap.startswith("no duration") for gap in log.gaps)


def _level_says_nothing(log: LogSummary) -> bool:
    return log.extent.errors_by == ("level",) and log.extent.levels < 2  # noqa: PLR2004 - one is all


def _lacking(log: LogSummary) -> Iterator[str]:
    seen = log.extent
    if log.first is None:
        yield "its records have no times"
    if log.partial:
        yield "only a part of it was read"
    skipped = sum(item.lines for item in log.skipped)
    if skipped > _MOST_SKIPPED * max(1, log.lines):
        yield f"{skipped:,} of its {log.lines:,} lines could not be read"
    if not seen.errors_by:
        yield "no field says what an error is"
    elif _level_says_nothing(log):
        yield "its level is the same in every line, so errors cannot be told"
    if not log.claims_rates:
        yield f"it does not hold every request ({log.coverage.why})"
    if 0 <= seen.requests < _FEWEST and seen.errors_by:
        yield f"it holds {seen.requests} request{'s'[: seen.requests != 1]}, too few to tell"
    if seen.requests and log.first is not None and math.isclose(log.first, log.last or 0.0):
        yield "all of it is of one moment"
