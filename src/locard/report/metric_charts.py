"""What a window of series shows, for the page: charts of the series that confirm, the onset marked, and the sweep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model import history_words
from locard.model.metric_facts import MetricHistory
from locard.report import times
from locard.report.metrics_screen import family_words

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.investigation import Investigation
    from locard.model.log_facts import Onset
    from locard.model.metric_facts import Course, MeasuredSignal

_WIDTH, _HEIGHT = 1000.0, 100.0
_MOST_POINTS = 250
_MOST_CHARTS = 10


@dataclass(frozen=True, slots=True)
class Chart:
    """One measure: SVG path data in a 1000 x 100 box, its top in words, the onset's place in the box's units."""

    label: str
    name: str
    says: str
    top: str
    path: str
    query: str
    onset_x: float | None
    onset_width: float


@dataclass(frozen=True, slots=True)
class Section:
    """One source: sentences, charts, rows of the sweep with their queries, what happened, what is not told."""

    evidence: Evidence
    source: str
    verdict: tuple[str, ...]
    charts: tuple[Chart, ...]
    span: tuple[str, str]
    swept: tuple[tuple[str, str, str], ...]  # rank and words, notes, query
    happened: tuple[tuple[str, str], ...]
    not_told: tuple[str, ...]


def sections(found: Investigation, tz: dt.tzinfo | None) -> Iterator[Section]:
    """One for each source that gave series."""
    for evidence in found.evidence:
        for fact in evidence.facts:
            if isinstance(fact, MetricHistory):
                yield _section(evidence, fact, tz)


def _section(evidence: Evidence, fact: MetricHistory, tz: dt.tzinfo | None) -> Section:
    moved = [s for s in fact.signals if s.onset is not None]
    still = [s for s in fact.signals if s.onset is None and s.signal != "saturation"]
    return Section(
        evidence=evidence,
        source=f"{fact.source} at {fact.url}, {fact.series:,} series, every {fact.step_s:g} s",
        verdict=tuple(times.told(words, tz) for words in history_words.verdict(fact)),
        charts=tuple(
            filter(None, (_chart(s, fact.onset, tz) for s in (moved + still)[:_MOST_CHARTS]))
        ),
        span=(
            times.clock(fact.start_seen, tz, zone=True),
            times.clock(fact.end_seen, tz, zone=True),
        ),
        swept=tuple(
            (
                f"{c.rank}. {family_words(c, tz)}",
                "; ".join(filter(None, (c.note, ", ".join(c.moves_with)))),
                c.query,
            )
            for c in fact.changed
        ),
        happened=tuple((times.clock(c.at, tz), f"{c.kind}: {c.what}") for c in fact.changes),
        not_told=fact.not_told,
    )


def _chart(signal: MeasuredSignal, onset: Onset | None, tz: dt.tzinfo | None) -> Chart | None:
    course = signal.course
    known = [v for v in course.values if v is not None] if course else []
    if course is None or not known or max(known) <= 0:
        return None
    unit = "1" if signal.signal == "errors" else signal.unit
    words = history_words.signal_words(signal) if signal.onset else history_words.steady(signal)
    x, width = _place(course, onset)
    return Chart(
        label=" ".join(
            filter(None, (signal.signal if signal.signal != "saturation" else "", signal.resource))
        ),
        name=f"{signal.metric}{history_words.of(signal.subject)}",
        says=times.told(words, tz),
        top=history_words.amount(max(known), unit),
        path=path(course),
        query=signal.query,
        onset_x=x,
        onset_width=width,
    )


def _place(course: Course, onset: Onset | None) -> tuple[float | None, float]:
    if onset is None:
        return None, 0.0
    scale = _WIDTH / (course.step_s * len(course.values))
    x = (onset.earliest - course.start) * scale
    return (max(0.0, min(_WIDTH, x)), max(2.0, (onset.latest - onset.earliest) * scale))


def path(course: Course) -> str:
    """Filled steps from the base line; where there is no data the line is broken."""
    per = max(1, -(-len(course.values) // _MOST_POINTS))
    groups = [
        [v for v in course.values[i : i + per] if v is not None]
        for i in range(0, len(course.values), per)
    ]
    top = max((max(g) for g in groups if g), default=1.0) or 1.0
    step, parts, down = _WIDTH / len(groups), [], True
    for n, group in enumerate(groups):
        x = n * step
        if not group:
            if not down:
                parts.append(f"L{x:.1f} {_HEIGHT:g}Z")
            down = True
            continue
        y = _HEIGHT * (1 - max(0.0, *group) / top)
        if down:
            parts.append(f"M{x:.1f} {_HEIGHT:g}")
        parts.append(f"L{x:.1f} {y:.1f}L{x + step:.1f} {y:.1f}")
        down = False
    return "".join(parts) + ("" if down else f"L{_WIDTH:g} {_HEIGHT:g}Z")
