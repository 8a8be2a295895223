"""How a log stands: the strongest sentence that its facts carry, else the weaker one and why.

The one place that decides it. "Nothing changed" needs that most of the log was read, that errors can be told,
that the log goes on as it did and that its level is not bad itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from locard.model import growing_words, log_holes, log_pace, log_spikes
from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.log_facts import (
        LogSummary,
        RatePoint,
        ValueShift,
    )

StateKind = Literal[
    "empty",  # no record could be read
    "going-on",  # it changed at an onset and lasts
    "comes-and-goes",  # bursts at regular distances
    "recovered",  # it changed and is over
    "silent",  # nothing is written any more
    "incomplete",  # what keeps it threw lines away, or seems to: it ends in a hole, or has one
    "requests-stopped",  # other lines go on
    "volume-fell",  # to a quarter or less
    "errors-from-start",  # errors only, from the first line on
    "bad-throughout",  # no onset: the level itself is bad
    "slow-throughout",  # half of the requests take a second or more
    "errors-late",  # many errors for so few lines, and most of them late
    "alarms",  # lines too few for a rate say that something broke
    "slight",  # a change too small to matter
    "untold",  # neither errors nor latency can be told
    "mix-changed",  # other requests or other answers than before, none of them an error
    "spikes",  # short bursts in an otherwise steady log
    "traffic-changed",  # and nothing else; `until`: a time without any is over
    "unchanged",  # no onset was found, and more may not be said
    "steady",  # nothing changed, and the level is good
]

_WEIGHTS: dict[StateKind, int] = {
    "going-on": 9, "comes-and-goes": 8, "silent": 7, "incomplete": 7, "requests-stopped": 7, "volume-fell": 6, "errors-from-start": 5, "errors-late": 5,
    "alarms": 5, "bad-throughout": 4, "recovered": 3, "slow-throughout": 1, "steady": 1, "empty": -1,
}  # fmt: skip
# "Good" is not said of so many failures, nor of so slow a p99.
_DOUBTFUL_SHARE, _DOUBTFUL_MS = 0.02, 5000.0
_FEWEST_CALM = 3  # parts of the log
_ILL = frozenset({"warn", "warning", "w", "error", "err", "critical", "fatal"})
_BAD_SHARE = 0.05  # of the requests fail: bad, whatever is usual
_ALARMING_SHARE = 0.1  # somebody should look, though it may be always so
_FEWEST = 20  # requests, to speak of a share
_SLOW_MS = 1000.0
_BACK = 0.67  # of the slowness while it lasted: below, requests are fast again
_MOSTLY, _NEARLY_ALL = 0.5, 0.9
_CHRONIC_S = 6 * 3600.0
_UNLIKELY = 7.0  # errors that are expected before the first one: none of them by chance is one in a thousand
_EARLY = 0.4  # of the errors' share: the first half of the log with less is not bad
_MOST_SKIPPED = 0.5  # of the lines


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


def judge(log: LogSummary, now: float | None = None) -> LogState:
    """What may be said of the log; `now` is when it was read, if the log itself does not say it."""
    if not log.records:
        return LogState("empty")
    found = [*_changes(log, now), *_holes(log), *_stops(log, now)]
    if not log.changed:
        found += [*_levels(log), *_smaller(log)]
    if not found:
        return _calm(log)
    return replace(found[0], further=tuple(found[1:]))


def weight(state: LogState) -> int:
    """How much a state tells, to choose among several logs of one target: the highest first."""
    return _WEIGHTS.get(state.kind, 1 if state.incident else 0)


def counted_as(log: LogSummary) -> str:
    """What is counted: lines, where nothing in the log is of a request."""
    roles = {r.role for r in log.roles}
    of_requests = roles & {"status", "duration", "endpoint"}
    return "requests" if of_requests or "level" not in roles else "lines"


def steadiness(log: LogSummary) -> tuple[str, ...]:
    """What is lacking for "nothing changed"; empty where it may be said."""
    return tuple(_lacking(log))


def _changes(log: LogSummary, now: float | None) -> Iterator[LogState]:
    if not log.changed or log.onset is None:
        return
    if log.changed == ("errors",) and _only_alarms(log):
        # Lines that belong to no request: a share of the requests would be untrue.
        yield LogState("alarms", incident=True, since=min(a.first for a in log.alarms))
        return
    since = log.onset.latest if log.onset.baseline_seen else None
    if log.shape == "periodic" or (log.shape == "spike" and log.further_onsets):
        yield LogState("comes-and-goes", incident=True, since=since)
    elif log.end is not None and _is_over(log):
        read = now or log.extent.read_at
        ago = None if read is None or not log.extent.zoned else max(0.0, read - log.end)
        yield LogState("recovered", incident=True, over=True, since=since, until=log.end, ago_s=ago)
    elif log.shape == "spike" and not log.of_part and (until := _calm_again(log)) is not None:
        read = now or log.extent.read_at
        ago = None if read is None or not log.extent.zoned else max(0.0, read - until)
        yield LogState("recovered", incident=True, over=True, since=since, until=until, ago_s=ago)
    else:
        asked = log.extent.asked_from
        early = asked is not None and log.onset.latest < asked
        why = () if log.end is None else ("whether it is over cannot be told",)
        yield LogState("going-on", incident=True, before_window=early, since=since, why=why)


def _calm_again(log: LogSummary) -> float | None:
    """Since when the parts of the log are as they were before a short burst; None where they are not."""
    if log.onset is None or not log.onset.baseline_seen:
        return None
    if log_holes.covers(log.holes, log.onset.latest):
        return None
    before = [p for p in log.series if p.start + p.width_s <= log.onset.earliest and p.total]
    usual_ms = _typical([p.p99_ms for p in before])
    usual = sum(p.errors for p in before) / max(1, sum(p.total for p in before))
    calm: list[RatePoint] = []
    for point in reversed([p for p in log.series if p.start >= log.onset.latest and p.total]):
        slow = usual_ms is not None and (point.p99_ms or 0.0) > usual_ms / _BACK
        if slow or point.errors > (usual + _DOUBTFUL_SHARE) * point.total + 1:
            break
        calm.append(point)
    if sum(p.total for p in calm) < _FEWEST or len(calm) < _FEWEST_CALM:
        return None
    return calm[-1].start


def _only_alarms(log: LogSummary) -> bool:
    count = sum(a.count for a in log.alarms)
    return bool(count) and log.extent.beside and count >= _NEARLY_ALL * log.after_bad


def _is_over(log: LogSummary) -> bool:
    """Whether the requests since its end exclude what they were while it lasted.

    Of a rise that shows in a part of the requests only, the series of all says nothing.
    """
    if log.onset is None or log.end is None or log.of_part or log.coverage.kind == "joined":
        return False  # the requests since then are others than before
    if log_holes.covers(log.holes, log.end):
        return False  # what came since then is missing
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


def _holes(log: LogSummary) -> Iterator[LogState]:
    hole = log_holes.last(log.holes)
    if hole is not None:
        why = ("the unit may have said all that it had to say",) if hole.how == "likely" else ()
        yield LogState("incomplete", incident=True, since=hole.since, until=hole.until, why=why)


def _stops(log: LogSummary, now: float | None) -> Iterator[LogState]:
    """Silence since the last line, no requests any more, or hardly any: unless lines are missing there."""
    if any(h.until is None for h in log.holes):
        return
    since = log_pace.silent_s(log, now)
    if since is not None:
        why = ("its times name no zone",) if log_pace.of_this_zone(log, since) else ()
        yield LogState("silent", incident=True, since=log.extent.last_line, ago_s=since, why=why)
        return
    last = log.extent.last_line or log.last or 0.0
    for one in log.silences:
        lasts = last - one.since.latest
        if (
            not one.field
            and one.until is None
            and log_pace.missing_for_long(lasts, lasts * one.per_s)
        ):
            yield LogState(
                "requests-stopped", incident=True, since=one.since.latest, before=one.per_s
            )
            return
    fell = log_pace.collapsed(log)
    if fell is not None and fell.onset is not None:
        yield LogState(
            "volume-fell",
            incident=True,
            since=fell.onset.latest,
            before=fell.before,
            after=fell.after,
        )


def _levels(log: LogSummary) -> Iterator[LogState]:
    """The level itself is bad, though it did not change."""
    seen = log.extent
    if log.first is None:  # when they are is not known
        return
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
            bad = seen.errors >= _ALARMING_SHARE * seen.requests
            yield LogState("bad-throughout", incident=bad, since=log.first)
        elif not log.alarms:
            yield LogState("errors-late", incident=True, since=late)
    elif (log.after_p50_ms or 0.0) >= _SLOW_MS and log.before_total == 0:
        yield LogState("slow-throughout", since=log.first)


def _late(log: LogSummary) -> float | None:
    """Since when most of the errors are, where the log begins with few; None where it begins like the rest."""
    points = log.series
    first = next((i for i, p in enumerate(points) if p.errors), 0)
    good = sum(p.total for p in points[:first])
    if good * sum(p.errors for p in points) > _UNLIKELY * max(1, sum(p.total for p in points)):
        return points[first].start
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
    if log.shifts:
        top = log.shifts[0]
        yield LogState(
            "mix-changed", incident=any(map(_speaks_ill, log.shifts)), since=top.since.latest
        )
    spikes = log_spikes.found(log)
    if spikes is not None:
        yield LogState("spikes", since=spikes.last)
    if log.slight is not None:
        yield LogState("slight", since=log.slight.onset.latest)


def _speaks_ill(shift: ValueShift) -> bool:
    """A status from 400 on, or a level of warnings or worse, that became frequent."""
    value = shift.value.lower()
    return (value.isdigit() and 400 <= int(value) <= 599) or value in _ILL  # noqa: PLR2004 - of HTTP


def _calm(log: LogSummary) -> LogState:
    why = steadiness(log)
    blind = not log.extent.errors_by or _level_says_nothing(log)
    if log.first is None or (blind and _no_durations(log)):
        return LogState("untold", why=why)
    moved = next((s for s in log.shapes if s.measure == "volume" and s.onset is not None), None)
    if moved is not None:
        reached = moved.after if moved.peak is None else moved.peak
        since = moved.onset.latest if moved.onset else None
        told = LogState("traffic-changed", why=why, since=since, before=moved.before, after=reached)
        if reached or moved.onset is None or moved.end is None:
            return told
        return replace(told, since=moved.onset.earliest, until=moved.end)
    gap = next((s for s in log.silences if not s.field and s.until is not None), None)
    if gap is not None:
        return LogState(
            "traffic-changed", why=why, since=gap.since.earliest, until=gap.until, before=gap.per_s,
            after=0.0,
        )  # fmt: skip
    return LogState("unchanged" if why else "steady", why=why)


def _no_durations(log: LogSummary) -> bool:
    return any(gap.startswith("no duration") for gap in log.gaps)


def _level_says_nothing(log: LogSummary) -> bool:
    return log.extent.errors_by == ("level",) and log.extent.levels < 2  # noqa: PLR2004 - one is all


def _lacking(log: LogSummary) -> Iterator[str]:
    seen = log.extent
    if log.first is None:
        yield "no times of its records could be read"
    if log.partial:
        yield "only a part of it was read"
    skipped = sum(item.lines for item in log.skipped)
    if skipped > _MOST_SKIPPED * max(1, log.lines):
        yield f"{skipped:,} of its {count(log.lines, 'line')} could not be read"
    if not seen.errors_by:
        yield "no field says what an error is"
    elif _level_says_nothing(log):
        yield "its level is the same in every line, so errors cannot be told"
    if not log.claims_rates:
        yield f"it does not hold every request ({log.coverage.why})"
    steps = next((b for b in log.beginnings if b.steps), None)
    if steps is not None and log.claims_rates:
        yield f"its traffic rises where {f'the log of {steps.part}' if steps.part else 'it'} begins"
    if 0 <= seen.requests < _FEWEST and seen.errors_by:
        word = counted_as(log)
        yield f"it holds {seen.requests} {word if seen.requests != 1 else word[:-1]}, too few to tell"
    yield from (gap for gap in log.gaps if gap.startswith("not in it: "))
    yield from (growing_words.sentence(one) for one in log.growing[:1])
    yield from _doubtful(log)
    if seen.requests and log.first is not None and math.isclose(log.first, log.last or 0.0):
        yield "all of it is of one moment"


def _doubtful(log: LogSummary) -> Iterator[str]:
    """The level over all, where it is too bad to be called good, and what is said of the unit."""
    seen = log.extent
    if log.unit_failures:
        yield f"systemd says in it {count(log.unit_failures, 'time')} that the unit failed"
    if log.claims_rates and seen.errors >= max(2.0, _DOUBTFUL_SHARE * seen.requests):
        yield f"{100 * seen.errors / seen.requests:.2g} % are errors all along, which may be bad itself"
    if not log.before_total and (log.after_p99_ms or 0.0) >= _DOUBTFUL_MS:
        yield "its slowest requests take long all along, which may be bad itself"
