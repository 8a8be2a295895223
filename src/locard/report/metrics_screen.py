"""A window of many series on one screen: signals, what changed of everything, alerts, what could not be told."""

from __future__ import annotations

import re
import textwrap
from itertools import pairwise
from typing import TYPE_CHECKING

from locard.model import history_words, metric_levels
from locard.model.metric_facts import MetricHistory
from locard.model.wording import shorten
from locard.report import times

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from locard.model.log_facts import Onset
    from locard.model.metric_facts import ChangedFamily, Course, MeasuredSignal, MetricChange

_MARKS = "▁▂▃▄▅▆▇█"
_WIDTH = 24  # marks of a sparkline
_SIGNALS, _STILL, _FAMILIES, _CHANGES = 14, 6, 12, 10
_NARROW = 70  # columns: below, nothing is aligned with the words behind a sparkline
_QUERY = re.compile(r"(sum|histogram_quantile)\(|\w+\{")
_MARKED = re.compile(rf"(\*|  |[ 0-9]{{3}}) [{_MARKS}|·]{{{_WIDTH}}}  ")


def lines(found: object, tz: dt.tzinfo | None, room: int | None = None) -> Iterator[str] | None:
    """The lines of a MetricHistory, filled to `room` columns where there is a limit; None for any other fact."""
    if not isinstance(found, MetricHistory):
        return None
    every = _lines(found, tz)
    return every if room is None else (part for line in every for part in _filled(line, room))


def _filled(line: str, room: int) -> Iterator[str]:
    """A line that does not fit goes on below its words; a query stays whole, since people paste it."""
    text = line.lstrip()
    if len(line) <= room or not text or _QUERY.match(text):
        yield line
        return
    begin = len(line) - len(text)
    marked = _MARKED.match(line)
    hang = len(marked[0]) if marked and room > _NARROW else begin + 4
    yield from textwrap.wrap(
        text, room, initial_indent=line[:begin], subsequent_indent=" " * hang,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _lines(found: MetricHistory, tz: dt.tzinfo | None) -> Iterator[str]:
    for sentence in history_words.verdict(found):
        yield times.told(_capital(sentence), tz)
    if found.nothing:
        yield from (f"tried: {words}" for words in found.tried)
        return
    yield ""
    yield (
        f"{found.source} at {found.url}, {found.series:,} series, {times.span(found.start_seen, found.end_seen, tz)}, "
        f"every {found.step_s:g} s" + (f"; {found.queries} queries" if found.queries else "")
    )
    if found.onset is not None:
        span = f"{times.clock(found.onset.earliest, tz)} to {times.clock(found.onset.latest, tz, zone=True)}"
        yield f"onset {span}, of {found.onset_of}; | in the lines below marks it"
    if found.skew_s is not None and abs(found.skew_s) >= 1:
        ahead = "ahead of" if found.skew_s > 0 else "behind"
        yield f"the server's clock is {abs(found.skew_s):.1f} s {ahead} this one: its times are used as they are"
    yield ""
    yield from _signals(found, tz)
    yield from _families(found, tz)
    yield from _around(found, tz)
    for words in found.not_told:
        yield f"could not be told: {words}"
    for words in found.tried:
        yield f"tried: {words}"


def _around(found: MetricHistory, tz: dt.tzinfo | None) -> Iterator[str]:
    """Components, and what happened near the onset."""
    if found.components:
        yield "components that it may come from, likeliest first:"
        yield from (f"  {c.name}: {c.because}" for c in found.components)
        yield ""
    if found.changes:
        yield "what happened:"
        yield from (
            f"  {times.clock(c.at, tz)}  {c.kind}: {c.what}"
            for c in _near(found.changes, found.onset)
        )
        if len(found.changes) > _CHANGES:
            yield f"  and {len(found.changes) - _CHANGES} more, in -o json"
        yield ""


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _near(changes: Sequence[MetricChange], onset: Onset | None) -> list[MetricChange]:
    """Those that lie next to the onset, in the order of time."""
    nearest = sorted(changes, key=lambda c: abs(c.at - onset.latest) if onset else -c.at)[:_CHANGES]
    return sorted(nearest, key=lambda c: c.at)


def _signals(found: MetricHistory, tz: dt.tzinfo | None) -> Iterator[str]:
    if not found.signals:
        return
    moved = [s for s in found.signals if s.onset is not None]
    still = [s for s in found.signals if s.onset is None]
    yield "* changed; lines from lowest to highest over the whole time, · no data" + (
        ", | the onset" if found.onset else ""
    )
    for signal in moved[:_SIGNALS]:
        yield from _moved(signal, found.onset, tz)
    for signal in still[: _still(found, moved)]:
        name = f"{signal.signal} {signal.resource} {signal.metric}{history_words.of(signal.subject)}".replace(
            "  ", " "
        )
        words = history_words.steady(signal)
        if signal.after_words:
            words += f"; {signal.after_words}"
        yield f"  {sparkline(signal.course, found.onset)}  {name}: {words}{_scope(signal)}"
        if signal.detail and signal.signal == "traffic":
            yield f"      {signal.detail}"
    more = len(found.signals) - min(len(moved), _SIGNALS) - min(len(still), _still(found, moved))
    if more > 0:
        yield f"  and {more} more, in -o json"
    yield ""


def _still(found: MetricHistory, moved: Sequence[MeasuredSignal]) -> int:
    """How many that stayed are worth a line: more where nothing moved, or where levels are all there is."""
    return _SIGNALS if metric_levels.is_sampled(found) else _STILL if moved else _STILL + 4


def _scope(signal: MeasuredSignal) -> str:
    return f" [{signal.scope}]" if signal.scope else ""


def _moved(signal: MeasuredSignal, onset: Onset | None, tz: dt.tzinfo | None) -> Iterator[str]:
    yield f"* {sparkline(signal.course, onset)}  {times.told(history_words.signal_words(signal), tz)}{_scope(signal)}"
    if signal.before_words or signal.after_words:
        yield f"      before: {signal.before_words or 'nothing'}"
        yield f"      after:  {signal.after_words or 'nothing'}"
    if signal.detail:
        yield f"      {signal.detail}"
    if signal.parts:
        yield f"      affected: {', '.join(signal.parts)}"
    if signal.unaffected:
        yield f"      not affected: {', '.join(signal.unaffected)}"
    if signal.query:
        yield f"      {signal.query}"
    if signal.exemplars:
        yield f"      slow requests: trace {', '.join(signal.exemplars)}"


def _families(found: MetricHistory, tz: dt.tzinfo | None) -> Iterator[str]:
    if not found.changed and metric_levels.levels_only(found):
        return
    if not found.changed:
        yield "the sweep: no further series is told from what it does anyway"
        yield ""
        return
    more = f", {found.changed_in_all} in all" if found.changed_in_all > _FAMILIES else ""
    yield f"the sweep, all that changed, what came first and clearest first{more}:"
    for one in found.changed[:_FAMILIES]:
        yield f"{one.rank:>3} {sparkline(one.course, found.onset)}  {family_words(one, tz)}"
        for words in (
            one.note,
            f"moves with {', '.join(one.moves_with)}" if one.moves_with else "",
        ):
            if words:
                yield f"      {words}"
    yield ""


def family_words(one: ChangedFamily, tz: dt.tzinfo | None) -> str:
    """One line of the sweep."""
    what = "" if one.what == "level" else f"{one.what} of "
    labels = ", ".join(f"{k}={shorten(v, 24)}" for k, v in one.labels[:4])
    name = f"{what}{one.metric}" + (f"{{{labels}}}" if labels else "")
    sets = f" ({one.changed} of {one.all} label sets)" if one.all > 1 else ""
    at = times.clock(one.onset.latest, tz) if one.onset else "?"
    late = ", after the first" if one.lagging else ""
    unit = (
        "By"
        if one.what == "level" and "bytes" in one.metric
        else "s"
        if one.what == "mean" and one.metric.endswith(("_seconds", ".duration"))
        else ""
    )
    before, after = (
        history_words.amount(v, unit) if unit else number(v) for v in (one.before, one.after)
    )
    return f"{name} {before} → {after}{one.unit} ({one.shape} by {at}{late}){sets}"


def number(value: float) -> str:
    """A number in three digits, large ones with a prefix."""
    for size, mark in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if mark == 'k' else size):.3g}{mark}"
    return f"{value:.3g}"


def sparkline(course: Course | None, onset: Onset | None, width: int = _WIDTH) -> str:
    """A course in marks, `|` where the onset lies, `·` where there is no data."""
    if course is None or not course.values:
        return " " * width
    values = course.values
    cuts = [i * len(values) // width for i in range(width + 1)]
    groups = [[v for v in values[a:b] if v is not None] for a, b in pairwise(cuts)]
    known = [v for g in groups for v in g]
    if not known:
        return "·" * width
    low, high = min(0.0, *known), max(known)
    span = (high - low) or 1.0
    marks = ["·" if not g else _MARKS[min(7, int(8 * (max(g) - low) / span))] for g in groups]
    if onset is not None:
        begun = int((onset.latest - course.start) / (course.step_s * len(values)) * width)
        if 0 < begun < width:
            marks[begun - 1] = "|"
    return "".join(marks)
