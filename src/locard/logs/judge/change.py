"""Whether errors or latency changed, when, and in which shape."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from locard.logs.judge import series, slowness
from locard.model.log_facts import MeasureShape, Onset, Outcome, ShapeName
from locard.stats.onset import locate
from locard.stats.rise import CONFIDENCE, Rise, describe, further, significant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.logs.judge.events import Events
    from locard.logs.judge.series import Bins
    from locard.logs.table.table import Table
    from locard.stats.changes import Stretch

_FEWEST_BETWEEN = 100  # requests between two incidents, to be what the later one is compared with


@dataclass(frozen=True, slots=True)
class Change:
    """What the time series says. `end` is when it was over, None if it lasts.

    `before` and `after` are the times [from, to) whose requests are compared; the onset's own
    interval belongs to neither. `bad` holds what makes a request a bad one: SQL over `ev` and words
    for each outcome that does.
    """

    changed: tuple[Outcome, ...]
    bad_means: str
    shape: ShapeName
    onset: Onset | None
    before: tuple[float, float] | None
    after: tuple[float, float]
    end: float | None = None
    shapes: tuple[MeasureShape, ...] = ()  # of what changed
    further: tuple[Onset, ...] = ()
    bad: tuple[tuple[Outcome, str, str], ...] = ()
    of_part: bool = False  # errors rose for some requests only, too little to be seen in all

    @property
    def is_bad(self) -> str:
        """SQL over `ev` of whether a request is a bad one."""
        return "(" + (" OR ".join(sql for _, sql, _ in self.bad) or "err") + ")"


def alone(change: Change, span: tuple[float, float]) -> Iterator[Change]:
    """Where several outcomes changed together, each of them by itself, with its own onset.

    What hits a part of the requests is lost among bad ones of everybody's: errors of one segment
    while the machine made all requests slower.
    """
    if len(change.bad) < 2:  # noqa: PLR2004 - else it is by itself
        return
    for item in change.bad:
        shape = next((s for s in change.shapes if s.measure == item[0]), None)
        if shape is None or shape.onset is None or not shape.onset.baseline_seen:
            continue
        stop = span[1] if shape.end is None else shape.end
        yield replace(
            change,
            bad_means=item[2],
            shape=shape.shape,
            onset=shape.onset,
            before=(span[0], shape.onset.earliest),
            after=(shape.onset.latest, stop),
            end=shape.end,
            bad=(item,),
        )


def of_part(table: Table, events: Events, span: tuple[float, float], whose: str) -> Change:
    """Onset and shape of the errors of those requests that meet a condition (SQL over `ev`)."""
    wide = series.width(span[1] - span[0], events.requests, least_s=events.stamp_s)
    found = _date(table, span, wide, [("errors", "err", events.error_means)], whose)
    return replace(found, of_part=True)


def of_volume(
    traffic: MeasureShape | None, events: Events, span: tuple[float, float]
) -> Change | None:
    """The change of a log that holds errors only: more lines are more errors."""
    if traffic is None or traffic.onset is None:
        return None
    reached = traffic.after if traffic.peak is None else traffic.peak
    if (reached or 0.0) <= (traffic.before or 0.0):
        return None
    before = (span[0], traffic.onset.earliest)
    after = (traffic.onset.latest, span[1])
    means = events.error_means
    return Change(("errors",), means, traffic.shape, traffic.onset, before, after)


def judge(table: Table, events: Events, span: tuple[float, float]) -> Change:
    """Find the change, say what makes a request a bad one, and date it."""
    wide = series.width(span[1] - span[0], events.requests, least_s=events.stamp_s)
    counted = series.bins(table, span, wide, ["err"])
    errors = significant(counted.total, counted.counts[0], slowness.SCANS)
    slow = slowness.stretch(table, span, wide) if events.has_duration else None
    if errors and slow and errors.baseline_seen and not slow[0].baseline_seen:
        slow = None  # it got faster as the errors came: those fail sooner than the rest is done
    apart: MeasureShape | None = None
    if errors and slow and not _overlap(errors, slow[0]):
        # Two incidents: the plainer one is looked into, the other is named with its onset.
        if errors.evidence >= slow[0].evidence:
            limit = slowness.limit(table, slow[1], slow[0])
            late = series.bins(table, span, wide, [f"coalesce(dur > {limit!r}, false)"])
            apart = _shape(late, span, late.counts[0], "latency")
            slow = None
        else:
            apart = _shape(counted, span, counted.counts[0], "errors")
            errors = None
    bad: list[tuple[Outcome, str, str]] = []
    if errors:
        bad.append(("errors", "err", events.error_means))
    if slow:
        stretch, merged = slow
        limit = slowness.limit(table, merged, stretch)
        sql = f"coalesce(dur > {limit!r}, false)"
        bad.append(("latency", sql, f"slower than {limit:.4g} ms"))
    if not bad:
        return Change((), events.error_means, "flat", None, None, span)
    found = _date(table, span, wide, bad)
    return found if apart is None else _with(found, apart)


def _overlap(one: Stretch, two: Stretch) -> bool:
    return one.start < two.end and two.start < one.end


def _date(
    table: Table,
    span: tuple[float, float],
    wide: float,
    outcomes: Sequence[tuple[Outcome, str, str]],
    whose: str = "true",
) -> Change:
    """Onset and shape from the final definition of bad, and of each outcome by its condition."""
    changed = tuple(outcome for outcome, *_ in outcomes)
    conditions = [sql for _, sql, _ in outcomes]
    means = ", or ".join(words for *_, words in outcomes)
    either = " OR ".join(conditions)
    bins = series.bins(table, span, wide, [either, *conditions], whose)
    total, bad = bins.total, bins.counts[0]
    rise = describe(total, bad)
    if rise is None:
        return Change((), means, "flat", None, None, span)
    if len(changed) == 1:
        found = [_of_rise(bins, span, bad, changed[0], rise)]
    else:
        each = zip(changed, bins.counts[1:], strict=True)
        found = [_shape(bins, span, counts, name) for name, counts in each]
    shapes = tuple(one for one in found if one is not None)
    end = None if rise.end is None else bins.edge(rise.end)
    stop = span[1] if end is None else end
    onset = _onset(bins, span, rise)
    before = (end, span[1]) if end is not None else None
    after = (span[0], stop)
    others: tuple[Onset, ...] = ()
    if rise.begin is not None:
        more = further(total, bad, rise)
        others = tuple(_onset(bins, span, one) for one in more)
        if not rise.begin.ramp and wide > series.width(0.0, 1 << 40):
            rough = (onset.earliest, onset.latest)
            some = (either, whose)
            near = _refine(table, (span[0], stop), some, rough, rise.noise)
            onset = Onset(max(near[0], span[0]), min(near[1], stop), CONFIDENCE)
        before = (_calm_since(bins, more, onset, span[0]), onset.earliest)
        # What comes in bursts is counted over all of them.
        in_bursts = rise.shape == "periodic" or (rise.shape == "spike" and others)
        after = (onset.latest, span[1] if in_bursts else stop)
    said = tuple(outcomes)
    return Change(changed, means, rise.shape, onset, before, after, end, shapes, others, said)


def _calm_since(bins: Bins, others: Sequence[Rise], onset: Onset, start: float) -> float:
    """Where the time before an onset begins that is compared: after what came earlier and was over.

    The whole of it where too few requests were in between.
    """
    ends = [math.ceil(one.end) for one in others if one.end is not None]
    past = [end for end in ends if bins.edge(end) < onset.earliest]
    if not past:
        return start
    stop = math.floor((onset.earliest - bins.start) / bins.width_s)
    enough = sum(bins.total[max(past) : stop]) >= _FEWEST_BETWEEN
    return bins.edge(max(past)) if enough else start


def _onset(bins: Bins, span: tuple[float, float], rise: Rise) -> Onset:
    if rise.begin is None:
        return Onset(span[0], span[0], CONFIDENCE, baseline_seen=False)
    stop = span[1] if rise.end is None else min(span[1], bins.edge(rise.end))
    earliest, latest = bins.edge(rise.begin.earliest), bins.edge(rise.begin.latest)
    return Onset(max(earliest, span[0]), min(latest, stop), CONFIDENCE)


def _shape(
    bins: Bins, span: tuple[float, float], counts: list[int], name: Outcome
) -> MeasureShape | None:
    rise = describe(bins.total, counts)
    return None if rise is None else _of_rise(bins, span, counts, name, rise)


def _of_rise(
    bins: Bins, span: tuple[float, float], counts: list[int], name: Outcome, rise: Rise
) -> MeasureShape | None:
    """The shape of one outcome with its shares of requests before and after."""
    start = 0 if rise.begin is None else math.ceil(rise.begin.latest)
    stop = len(counts) if rise.end is None else rise.end
    early = 0 if rise.begin is None else math.floor(rise.begin.earliest)
    return MeasureShape(
        name,
        rise.shape,
        _onset(bins, span, rise),
        None if rise.end is None else bins.edge(rise.end),
        _share(counts[:early], bins.total[:early]),
        _share(counts[start:stop], bins.total[start:stop]),
    )


def _with(found: Change, apart: MeasureShape) -> Change:
    further = (*found.further, apart.onset) if apart.onset else found.further
    return replace(found, shapes=(*found.shapes, apart), further=further)


def _share(hits: list[int], of: list[int]) -> float | None:
    whole = sum(of)
    return sum(hits) / whole if whole else None


def _refine(
    table: Table,
    span: tuple[float, float],
    which: tuple[str, str],
    near: tuple[float, float],
    noise: float,
) -> tuple[float, float]:
    """The onset of a sudden change again, in narrow bins around the coarse interval.

    `which` is SQL over `ev`: what a bad request is, and which requests count at all.
    """
    bad, whose = which
    margin = max(near[1] - near[0], 1.0)
    low, high = max(span[0], near[0] - margin), min(span[1], near[1] + margin)
    some = f"FROM ev WHERE request AND {whose}"
    requests, seconds, minutes = table.one(
        f"SELECT count(*), bool_and(t_end % 1 = 0), bool_and(t_end % 60 = 0) {some} "
        "AND t >= ? AND t <= ?",
        [low, high],
    )
    stamp_s = 60.0 if minutes else 1.0 if seconds else 0.0
    narrow = series.width(high - low, requests, 400, stamp_s)
    fine = series.bins(table, (low, high), narrow, [bad], whose)
    n0, k0 = table.one(
        f"SELECT count(*), count(*) FILTER ({bad}) {some} AND t >= ? AND t < ?",
        [span[0], low],
    )
    n1, k1 = table.one(
        f"SELECT count(*), count(*) FILTER ({bad}) {some} AND t > ? AND t <= ?",
        [high, span[1]],
    )
    # What lies outside goes in as one bin at each end.
    found = locate([n0, *fine.total, n1], [k0, *fine.counts[0], k1], noise, CONFIDENCE)
    if found is None or found.ramp:
        return near
    earliest = fine.edge(max(found.earliest - 1, 0))
    latest = fine.edge(min(found.latest - 1, len(fine.total)))
    return (earliest, latest) if earliest < latest else near
