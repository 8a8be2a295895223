"""Where a log begins, and why: what its source knows, matched with its lines.

A log of several parts (pods, files) steps where one of them begins, for no reason of the service.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from locard.logs.table.sql_text import literal
from locard.model.log_beginning import LogBeginning, Origin
from locard.model.log_facts import Coverage, Onset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.logs.judge.change import Change
    from locard.logs.table.table import Table
    from locard.model.log_beginning import BeginningKind
    from locard.model.log_facts import MeasureShape, ValueShift

# The first line of what has just started, or the oldest entry of what was cut, is not later than this.
_SOON_S = 10.0
_AT_ONCE_S = 2.0  # the same where a burst at the start may have been rotated away since
_WARM_UP_S = 120.0  # what was just started gets its traffic so soon after
_MOST_PARTS = 50
_NEAR_SHARE = 0.02  # of the log: how near to an onset a beginning explains it
_LEAST_NEAR_S, _MOST_NEAR_S = 1.0, 60.0
_HALF = 0.5
_NAMED = 2
# Fields by which a tool that joins several logs names the writer of each line.
_WRITERS = (("k8s.pod.name", "k8s.container.name"), ("container.name",))


def found(table: Table, origins: Sequence[Origin]) -> tuple[LogBeginning, ...]:
    """The beginning of the log, then those of its parts that begin later, in the order of time."""
    (first,) = table.one("SELECT min(t_end) FROM ev")
    parts = [o for o in origins if o.name]
    timed = sorted(_timed(table, parts), key=lambda item: item[1]) if first is not None else []
    whole = next((o for o in origins if not o.name), None) or _first_of(timed, parts)
    first = whole.first if first is None else first
    if first is None:
        return ()
    cut = table.cut_before
    late = [replace(_told(part, at), part=part.name) for part, at in timed if at > first]
    beginning = LogBeginning("cut", first, detail=cut) if cut else _told(whole, first)
    return (beginning, *late[:_MOST_PARTS])


def _first_of(timed: Sequence[tuple[Origin, float]], parts: Sequence[Origin]) -> Origin:
    """The origin of the log of several: of the one that begins first."""
    earliest = timed[0][0] if timed else parts[0] if len(parts) == 1 else Origin()
    evidence = earliest.evidence or tuple(dict.fromkeys(e for part in parts for e in part.evidence))
    return replace(earliest, name="", values=(), lines=(), evidence=evidence)


def _told(origin: Origin, at: float) -> LogBeginning:
    """Why it begins at a time, by what the source knows."""
    kind, began, detail = _why(origin, at)
    own = kind != "started" or origin.restarts  # else it has no older lines
    return LogBeginning(
        kind,
        at,
        writer=origin.writer,
        began=began,
        restarts=origin.restarts,
        ended=origin.ended,
        detail=detail,
        evidence=origin.evidence,
        rest=(*(origin.rest if own else ()), *origin.others),
    )


def _why(origin: Origin, at: float) -> tuple[BeginningKind, float | None, str]:
    at = at if origin.first is None else origin.first
    soon = _AT_ONCE_S if origin.rotates else _SOON_S
    start = next((s for s in origin.starts if abs(at - s) <= soon), None)
    if start is not None:
        return "started", start, ""
    if origin.asked and (origin.asked_from is None or at - origin.asked_from <= _SOON_S):
        return "asked", None, origin.note
    if origin.unread:
        return "rotated", None, origin.unread
    if origin.kept_from is not None:
        kind: BeginningKind = "kept-from" if at - origin.kept_from <= _SOON_S else "first-words"
        return kind, origin.kept_from, origin.keeper
    if origin.rotates:
        earlier = [s for s in origin.starts if s < at]
        return "may-be-rotated", max(earlier, default=None), origin.rotates
    return "unknown", None, origin.note


def _writers(table: Table, parts: Sequence[Origin]) -> str:
    """SQL over `raw` of who wrote a line, where a tool has joined several logs; else empty.

    Elsewhere such a field is one of many, and the log of a writer that is new in it is whole.
    """
    if not table.unwrapped and not any(p.values for p in parts):
        return ""
    for fields in _WRITERS:
        columns = [table.columns.get(name) for name in fields]
        if None not in columns:
            return " || '/' || ".join(f"CAST({c} AS VARCHAR)" for c in columns)
    return ""


def _in_lines(part: Origin) -> str:
    """SQL over `ev` of whether a line is of a part that is known by the numbers of its lines."""
    return " OR ".join(f"(n >= {low} AND n < {high})" for low, high in part.lines) or "false"


def _timed(table: Table, parts: Sequence[Origin]) -> Iterator[tuple[Origin, float]]:
    """Each part with the time of its first line."""
    for part in [p for p in parts if p.lines][:_MOST_PARTS]:
        (at,) = table.one(f"SELECT min(t_end) FROM ev WHERE {_in_lines(part)}")  # noqa: S608 - numbers
        if at is not None:
            yield part, at
    sql = _writers(table, parts)
    if not sql:
        return
    known = {p.name: p for p in parts}
    rows = table.rows(
        f"SELECT {sql} AS part, min(t_end), count(*) AS k FROM ev JOIN raw ON n = _n "  # noqa: S608 - columns are ours
        f"GROUP BY part ORDER BY k DESC, part LIMIT {_MOST_PARTS}"
    )
    for name, at, _ in rows:
        if name is not None and at is not None:
            yield known.get(name) or Origin(name), at


def of_traffic(
    table: Table,
    traffic: MeasureShape | None,
    beginnings: Sequence[LogBeginning],
    origins: Sequence[Origin],
    span: tuple[float, float] | None,
) -> tuple[MeasureShape | None, tuple[LogBeginning, ...]]:
    """The shape of the traffic without a rise that stands where a log begins, and which one that is.

    What was just started gets its traffic after a while, and the log of what ran before it is gone.
    """
    told = tuple(beginnings)
    if traffic is None or traffic.onset is None or span is None:
        return traffic, told
    before, reached = traffic.before or 0.0, traffic.after if traffic.peak is None else traffic.peak
    if (reached or 0.0) <= before:
        return traffic, told
    near, onset = _near_s(span), traffic.onset
    since = f"ev WHERE request AND t >= {onset.latest!r} AND t < {traffic.end or span[1]!r}"
    brought = _HALF * (1 - before / (reached or 1.0))
    fresh = [b for b in told if _is_near(onset, b, near, _WARM_UP_S if _is_new(b) else near)]
    for here in ([b for b in fresh if _is_near(onset, b, near, near)], fresh):
        parts = [b for b in here if b.part]
        if parts and _share_of(table, parts, origins, since) >= brought:
            return None, _marked(told, parts)
    whole = [b for b in fresh if not b.part]
    return (None if whole else traffic), _marked(told, whole)


def of_shifts(
    shifts: Sequence[ValueShift],
    beginnings: Sequence[LogBeginning],
    span: tuple[float, float],
) -> tuple[ValueShift, ...]:
    """The values that became frequent, but for those that did where a part begins: it brings its own."""
    near = _near_s(span)
    parts = [b for b in beginnings if b.part]
    return tuple(s for s in shifts if not any(_is_near(s.since, b, near, near) for b in parts))


@dataclass(frozen=True, slots=True)
class Across:
    """What an onset, or the end of a change, is worth that stands where a part begins.

    `unseen`: what is bad may have begun before that part does. `nothing`: all that changed is that it begins.
    """

    beginnings: tuple[LogBeginning, ...]
    coverage: Coverage | None = None
    unseen: bool = False
    nothing: bool = False


def of_change(
    table: Table,
    change: Change,
    beginnings: Sequence[LogBeginning],
    origins: Sequence[Origin],
    span: tuple[float, float] | None,
) -> Across:
    """Whether a change stands across the beginning of a part that has most of what came then.

    Asked once `compared` stands: the time before holds none of the part's lines, so it is no baseline of them.
    """
    told = tuple(beginnings)
    parts = [b for b in told if b.part]
    if change.onset is None or span is None or not parts:
        return Across(told)
    near = _near_s(span)
    seen = change.onset.baseline_seen
    begun = [b for b in parts if seen and _is_near(change.onset, b, near, near)]
    if begun and _share_of(table, begun, origins, "compared WHERE later AND bad") >= _HALF:
        unseen = any(map(_may_be_older, begun))
        return Across(_marked(told, begun), _joined(begun), unseen=unseen)
    if change.end is None:
        return Across(told)
    end = Onset(change.end, change.end, 1.0)
    over = [b for b in parts if _is_near(end, b, near, near)]
    if (
        over
        and _share_of(table, over, origins, f"ev WHERE request AND t >= {change.end!r}") >= _HALF
    ):
        return Across(_marked(told, over), _joined(over), nothing=not seen)
    return Across(told)


def _may_be_older(one: LogBeginning) -> bool:
    """Whether its writer may have written before: not where it started there, or no older file stands beside it."""
    if one.kind == "unknown":
        return not one.evidence
    return one.kind not in {"started", "first-words"}


def _joined(here: Sequence[LogBeginning]) -> Coverage:
    rest = len(here) - _NAMED
    names = ", ".join(b.part for b in here[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
    verb = "begins" if len(here) == 1 else "begin"
    return Coverage("joined", f"the log of {names} {verb} where its rates change")


def _marked(
    told: tuple[LogBeginning, ...], here: Sequence[LogBeginning]
) -> tuple[LogBeginning, ...]:
    return tuple(replace(b, steps=True) if b in here else b for b in told)


def _is_near(onset: Onset, one: LogBeginning, near: float, late: float) -> bool:
    """Whether a log begins at an onset, or no more than `late` seconds before."""
    return one.at is not None and onset.earliest - late <= one.at <= onset.latest + near


def _is_new(one: LogBeginning) -> bool:
    """Whether its writer had just started."""
    if one.kind not in {"started", "may-be-rotated"} or one.at is None or one.began is None:
        return False
    return abs(one.at - one.began) <= _SOON_S


def _near_s(span: tuple[float, float]) -> float:
    return min(_MOST_NEAR_S, max(_LEAST_NEAR_S, _NEAR_SHARE * (span[1] - span[0])))


def _share_of(
    table: Table, here: Sequence[LogBeginning], origins: Sequence[Origin], which: str
) -> float:
    """The share of some requests (SQL: from where) that stand in these parts."""
    names = {b.part for b in here}
    tests = [f"({_in_lines(o)})" for o in origins if o.name in names and o.lines]
    if writers := _writers(table, origins):
        tests.append(f"coalesce({writers} IN ({', '.join(map(literal, names))}), false)")
    own = " OR ".join(tests) or "false"
    some, found = table.one(
        f"SELECT count(*), count_if({own}) FROM (SELECT n FROM {which}) JOIN raw ON n = _n"  # noqa: S608 - names are quoted
    )
    return found / some if some else 0.0
