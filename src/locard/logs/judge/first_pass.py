"""The first pass over a log, without a hypothesis: shape, onset, blast radius, correlates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.logs.fields.folds import with_folds
from locard.logs.fields.given_roles import given_for
from locard.logs.fields.profile import profile
from locard.logs.fields.roles import Roles, assign
from locard.logs.judge import (
    alarms,
    before_after,
    beginnings,
    blast_radius,
    bursts,
    change_notices,
    coverage,
    empty_log,
    error_test,
    events,
    example_traces,
    exceptions,
    extent,
    growing_numbers,
    holes,
    messages,
    outcomes,
    part_change,
    retries,
    series,
    silent_sources,
    two_clocks,
    unit_failures,
    value_shifts,
    volume,
)
from locard.logs.judge import change as changes
from locard.logs.judge.correlates import correlates
from locard.logs.scan.no_records import nothing_read
from locard.model.log_facts import LogSummary, MeasureShape, Outcome, Slight

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from locard.logs.judge.change import Change
    from locard.logs.judge.events import Events
    from locard.logs.table.table import Table
    from locard.model.log_facts import ChangeLine, Correlate, Coverage, ValueShift
    from locard.stats.contrast import Counts

# A slower answer that nobody notices: still quick, and later by less than a blink.
_QUICK_MS, _LITTLE_P99_MS, _LITTLE_P50_MS = 60.0, 30.0, 15.0
_LONG_MS = 1000.0
_TRACE_IDS = 5
_LOOKED_AT = 100  # bad requests, for so many ids


def judge(
    name: str,
    table: Table,
    since_s: float | None = None,
    *,
    errors: str = "",
    tz: tzinfo | None = None,
) -> LogSummary:
    """The first pass over a table that an engine has filled.

    `errors` says in `--where`'s language what an error is, where it shall not be found; `tz` is the
    zone of the times in it. Raises SourceUnreadableError, and UsageError for an expression that
    does not fit the log.
    """
    if not table.records and table.workload is not None:
        return empty_log.summary(name, table)  # the states of its pods say why
    if not table.records:
        raise nothing_read(name, table)
    fields = profile(table)
    roles = with_folds(assign(fields, table.records, given_for(fields, table.given)), table)
    said = error_test.asked(errors, table, tz) if errors else None
    found = events.build(table, roles, fields, since_s, said)
    if found.was_better:  # it began before the window: then its onset is there
        found = events.build(table, roles, fields, None, said)
    outcomes_of = outcomes.found(table, roles, found)
    found = replace(found, groups={f: g for f, g in found.groups.items() if f not in outcomes_of})
    span = series.window(table, found) if found.requests else None
    change = changes.judge(table, found, span) if span else _no_time(found)
    covers = coverage.of(table, roles, fields, found)
    paced = span is not None and covers.kind != "overlaid"  # two hours in one are no pace
    quiet = volume.silences(table, found, roles) if paced else ()
    traffic = volume.shape(table, found, span, quiet) if span and paced else None
    origins = table.origins() if table.origins else ()
    begun = beginnings.found(table, origins)
    traffic, begun = beginnings.of_traffic(table, traffic, begun, origins, span)
    if span and covers.kind == "errors-only" and not change.changed:
        change = changes.of_volume(traffic, found, span) or change
    again = bursts.judge(table, found, span, change) if span else None
    if again is not None:
        change = again[0]
    if span and not change.changed:
        change = part_change.judge(table, found, span) or change
    totals = before_after.mark(table, change) if span else before_after.mark_all(table)
    across = beginnings.of_change(table, change, begun, origins, span)
    if span and (across.unseen or across.nothing):
        change = _no_change(change, span) if across.nothing else _unseen(change)
        totals = before_after.mark(table, change)
    gone = holes.found(table, table.limits()) if table.limits else ()
    covers = across.coverage or holes.coverage(gone) or covers
    slight = _slight(change, _latency(table)) if span else None
    if slight is not None and span:
        change = _no_change(change, span)
        totals = before_after.mark(table, change)
    shared = again[1] if again else correlates(table, found, totals) if change.onset else ()
    if span and not shared:
        change, totals, shared = _either(table, found, span, change, totals)
    counts = blast_radius.groups(table, found, shared)
    latency = _latency(table)
    trace_ids = _trace_ids(table, roles.trace_id.column) if roles.trace_id and change.onset else ()
    return LogSummary(
        source=name,
        lines=table.lines,
        records=table.records,
        skipped=table.skipped,
        roles=roles.found,
        first=found.first,
        last=found.last,
        error_means=found.error_means,
        bad_means=change.bad_means,
        changed=change.changed,
        judged=tuple(outcome for outcome, *_ in change.bad),
        shape=change.shape,
        onset=change.onset,
        series=series.points(table, span, found.stamp_s) if span else (),
        before_total=totals.before_total,
        before_bad=totals.before_bad,
        after_total=totals.after_total,
        after_bad=totals.after_bad,
        before_p50_ms=latency[0],
        before_p99_ms=latency[1],
        after_p50_ms=latency[2],
        after_p99_ms=latency[3],
        groups=counts,
        blast_radius=holes.of_radii(blast_radius.blast_radius(counts, totals), gone, change.onset)
        if change.onset
        else (),
        correlates=shared,
        messages=messages.bad_ones(table, change),
        trace_ids=trace_ids,
        gaps=_gaps(table, roles, found, change, covers),
        engine=table.engine,
        partial=bool(table.partial),
        shapes=_shapes(traffic, change, found) if span else (),
        further_onsets=change.further,
        of_part=change.of_part,
        coverage=covers,
        templates=messages.changes(table, change),
        numbers=messages.numbers(table, change),
        exceptions=exceptions.count(table, change),
        examples=example_traces.traces(table, roles.trace_id.column)
        if roles.trace_id and change.onset
        else (),
        end=change.end,
        extent=extent.measure(table, roles, found, since_s),
        alarms=alarms.found(table, roles, found, change) if span else (),
        outcomes=outcomes.shown(outcomes_of) if change.changed else (),
        slight=slight,
        began=_began(table, found, change),
        beginnings=across.beginnings,
        shifts=holes.of_shifts(
            beginnings.of_shifts(_shifts(table, found, roles, span, slight), begun, span), gone
        )
        if span and not shared
        else (),
        growing=growing_numbers.found(table, fields) if span else (),
        silences=silent_sources.counted(table, found, roles, holes.of_silences(quiet, gone)),
        changes=_changes(table, roles, found, change),
        holes=gone,
        unit_failures=unit_failures.counted(table),
        attempts=retries.count(table, roles.trace_id.column, change)
        if roles.trace_id and change.onset
        else None,
    )


def _either(
    table: Table, found: Events, span: tuple[float, float], change: Change, totals: Counts
) -> tuple[Change, Counts, tuple[Correlate, ...]]:
    """One of the outcomes that changed, if it hits a part of the requests and the others everyone."""
    for one in changes.alone(change, span):
        counted = before_after.mark(table, one)
        shared = correlates(table, found, counted)
        if shared:
            return one, counted, shared
    if len(change.bad) > 1:
        before_after.mark(table, change)
    return change, totals, ()


def _changes(table: Table, roles: Roles, found: Events, change: Change) -> tuple[ChangeLine, ...]:
    if roles.message is None or change.onset is None:
        return ()
    return change_notices.near(table, found, roles.message.column, change.onset)


def _began(table: Table, found: Events, change: Change) -> bool:
    """Whether the onset lies plainly before the first lines of the bad requests: it is when they began."""
    if not found.begins or change.onset is None or not change.onset.baseline_seen:
        return False
    (took,) = table.one(
        f"SELECT quantile_cont(dur, 0.5) FROM (SELECT dur FROM compared WHERE later AND bad ORDER BY t LIMIT {_LOOKED_AT})"  # noqa: S608 - a number
    )
    return took is not None and took >= _LONG_MS


def _shifts(
    table: Table, found: Events, roles: Roles, span: tuple[float, float], slight: Slight | None
) -> tuple[ValueShift, ...]:
    """Durations that are others are told as a slight change where they are one.

    Beside a change they tell of another mix: no value got worse, but a bad one more frequent.
    """
    shifts = value_shifts.found(table, found, roles, span)
    return tuple(s for s in shifts if s.field or slight is None)


def _slight(change: Change, latency: tuple[float | None, ...]) -> Slight | None:
    """Where only latency changed, and by less than anybody would notice."""
    if change.changed != ("latency",) or change.onset is None or None in latency:
        return None
    p50, p99, now_p50, now_p99 = (v or 0.0 for v in latency)
    little = (
        now_p99 < _QUICK_MS and now_p99 - p99 < _LITTLE_P99_MS and now_p50 - p50 < _LITTLE_P50_MS
    )
    return Slight(change.onset, p50, p99, now_p50, now_p99) if little else None


def _unseen(change: Change) -> Change:
    """The same change without a time before it: what is bad may be older than the log that it stands in."""
    onset = replace(change.onset, baseline_seen=False) if change.onset else None
    shapes = tuple(replace(s, onset=onset, before=None) if s.onset else s for s in change.shapes)
    return replace(change, onset=onset, before=None, shapes=shapes)


def _no_change(change: Change, span: tuple[float, float]) -> Change:
    return changes.Change((), change.bad_means, "flat", None, None, span)


def _no_time(found: Events) -> Change:
    return changes.Change((), found.error_means, "unknown", None, None, (0.0, 0.0))


def _latency(table: Table) -> tuple[float | None, ...]:
    found = dict(
        table.rows(
            f"SELECT later, quantile_cont({table.durations}, [0.5, 0.99]) FROM compared GROUP BY later"  # noqa: S608 - a number
        )
    )
    both = [*(found.get(False) or (None, None)), *(found.get(True) or (None, None))]
    return tuple(None if v is None else round(v, 3) for v in both)


def _shapes(
    traffic: MeasureShape | None, change: Change, found: Events
) -> tuple[MeasureShape, ...]:
    """Volume, errors and latency; what was looked at and did not change is flat."""
    known = {one.measure: one for one in change.shapes}
    measures: tuple[Outcome, ...] = ("errors", "latency") if found.has_duration else ("errors",)
    rest = (known.get(m) or MeasureShape(m, "flat") for m in measures)
    return (*((traffic,) if traffic else ()), *rest)


def _trace_ids(table: Table, column: str) -> tuple[str, ...]:
    """The first few different ones of bad requests since the onset."""
    first = table.rows(
        f"SELECT n FROM compared WHERE later AND bad ORDER BY n LIMIT {_LOOKED_AT}"  # noqa: S608 - a number
    )
    if not first:
        return ()
    listed = ", ".join(str(n) for (n,) in first)
    found = dict.fromkeys(
        trace
        for (trace,) in table.rows(f"SELECT {column} FROM raw WHERE _n IN ({listed}) ORDER BY _n")  # noqa: S608 - numbers
        if trace is not None
    )
    return tuple(found)[:_TRACE_IDS]


def _time_gaps(table: Table, roles: Roles) -> Iterator[str]:
    if roles.time is None:
        yield "no field with times that could be read: neither shape nor onset can be told"
        return
    if not roles.time_format.zoned:
        zone = roles.time_format.zone
        read = f"read as {zone}, as --log-tz says" if zone else "read as UTC; --log-tz says it"
        yield f"{roles.time.name} names no zone: {read}"
    yield from table.notes
    clocks = two_clocks.said(table)
    if clocks:
        yield clocks


def _gaps(
    table: Table, roles: Roles, found: Events, change: Change, covers: Coverage
) -> tuple[str, ...]:
    """What this log cannot answer, as input for the retro."""
    gaps = [*_time_gaps(table, roles)]
    if covers.kind != "whole":
        gaps.append(f"rates: the log is {covers.kind.replace('-', ' ')} ({covers.why})")
    if roles.status is None and roles.level is None and found.error == error_test.UNTOLD:
        gaps.append("neither a status nor a level: errors cannot be told from the rest")
    if roles.duration is None:
        gaps.append("no duration: slow requests cannot be seen")
    if roles.trace_id is None:
        gaps.append("no trace id: lines of one request cannot be joined")
    named = {r.role for r in roles.found}
    gaps.extend(
        f"no {role} field" for role in ("upstream", "endpoint", "instance") if role not in named
    )
    if table.fields_left_out:
        gaps.append(f"{table.fields_left_out} more fields than {len(table.columns)} were left out")
    if table.partial:
        gaps.append(f"read in part: {table.partial}")
    if change.onset is not None and not change.onset.baseline_seen:
        gaps.append("the log begins in the middle of it: no baseline was seen")
    if found.requests == 0:
        gaps.append("no record counts as a request")
    return tuple(gaps)
