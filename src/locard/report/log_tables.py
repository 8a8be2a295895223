"""What a log says in its own words, as tables for the reports: each part in full, one table a part."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model.headline import milliseconds, share
from locard.model.wording import count, shorten
from locard.report import times

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from locard.model.log_facts import LogSummary, MeasureShape

KINDS = {"new": "new", "vanished": "gone", "grown": "more", "shrunk": "less"}
_CHARS = 90


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of untrusted text under their heads; `numbers` are the places of right-aligned columns."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()


def tables(log: LogSummary, tz: tzinfo | None) -> tuple[Table, ...]:
    """Those that have a row, what tells most first."""
    made = (
        _changes(log, tz), _messages(log), _exceptions(log), _numbers(log), _templates(log),
        _silences(log, tz), _attempts(log), _shapes(log, tz), _onsets(log, tz), _examples(log),
    )  # fmt: skip
    return tuple(t for t in made if t.rows)


def telling(log: LogSummary, tz: tzinfo | None) -> Iterator[str]:
    """What of it is worth a line on one screen: what is new, and what was changed."""
    for change in log.changes[:1]:
        yield f"{times.clock(change.first, tz)} {_cut(change.text)}"
    for thrown in [e for e in log.exceptions if e.after and not e.before][:1]:
        at = f" at {thrown.frame}" if thrown.frame else ""
        yield f"new exception, {count(thrown.after, 'time')}: {_cut(thrown.type + at)}"
    for number in log.numbers[:1]:
        yield f"{number.before:g} became {number.after:g}: {_cut(number.example)}"
    for message in [t for t in log.templates if t.kind == "new"][:1]:
        yield f"new message, {count(message.after, 'time')}: {_cut(message.template)}"
    for silence in [s for s in log.silences if s.field][:1]:
        yield f"silent from {times.clock(silence.since.latest, tz)}: {_cut(_who(silence.field, silence.value))}"


def _cut(text: str) -> str:
    return shorten(text, _CHARS)


def _who(field: str, value: str) -> str:
    return f"{field}={value}" if field else "all requests"


def _messages(log: LogSummary) -> Table:
    rows = tuple((f"{m.before:,}", f"{m.after:,}", m.template, m.example) for m in log.messages)
    heads = ("before", "after", "message", "for example")
    return Table("Messages of bad requests", heads, rows, frozenset({0, 1}))


def _templates(log: LogSummary) -> Table:
    rows = tuple(
        (KINDS[t.kind], f"{t.before:,}", f"{t.after:,}", t.template, t.example)
        for t in log.templates
    )
    heads = ("", "before", "after", "message", "for example")
    return Table("Messages whose share changed", heads, rows, frozenset({1, 2}))


def _numbers(log: LogSummary) -> Table:
    rows = tuple(
        (f"{n.before:g}", f"{n.after:g}", str(n.place), n.template, n.example) for n in log.numbers
    )
    heads = ("median before", "after", "number", "of the message", "for example")
    return Table("Numbers that changed", heads, rows, frozenset({0, 1, 2}))


def _exceptions(log: LogSummary) -> Table:
    rows = tuple(
        (f"{e.before:,}", f"{e.after:,}", e.type, e.frame, f"{e.line:,}") for e in log.exceptions
    )
    heads = ("before", "after", "type", "top frame", "first on line")
    return Table("Exceptions", heads, rows, frozenset({0, 1, 4}))


def _changes(log: LogSummary, tz: tzinfo | None) -> Table:
    rows = tuple(
        (times.clock(c.first, tz, zone=True), c.kind, c.text, f"{c.near:,}", f"{c.elsewhere:,}")
        for c in log.changes
    )
    heads = ("first", "kind", "line", "lines near", "elsewhere")
    return Table("Changes near the onset", heads, rows, frozenset({3, 4}))


def _silences(log: LogSummary, tz: tzinfo | None) -> Table:
    rows = tuple(
        (
            _who(s.field, s.value),
            times.interval(s.since, tz),
            "the end" if s.until is None else times.clock(s.until, tz, zone=True),
            f"{s.per_s:.3g}",
            s.last_words,
        )
        for s in log.silences
    )
    heads = ("who", "from", "until", "lines/s before", "last line")
    return Table("Silences", heads, rows, frozenset({3}))


def _attempts(log: LogSummary) -> Table:
    seen = log.attempts
    if seen is None or (
        seen.before_lines == seen.before_traces and seen.after_lines == seen.after_traces
    ):  # each comes once
        return Table("", (), ())
    sides = (
        ("before", seen.before_lines, seen.before_traces, seen.before_s),
        ("after", seen.after_lines, seen.after_traces, seen.after_s),
    )
    rows = tuple(
        (side, f"{lines:,}", f"{traces:,}", f"{lines / traces:.2f}" if traces else "", f"{seconds:.0f}")
        for side, lines, traces, seconds in sides
    )  # fmt: skip
    heads = ("", "request lines", "trace ids", "lines a trace id", "seconds")
    return Table("How often a request comes (of a sample)", heads, rows, frozenset({1, 2, 3, 4}))


def _shapes(log: LogSummary, tz: tzinfo | None) -> Table:
    rows = tuple(
        (
            s.measure,
            s.shape if s.period_s is None else f"{s.shape}, every {s.period_s:.3g} s",
            "" if s.onset is None else times.interval(s.onset, tz),
            _level(log, s, s.before),
            _level(log, s, s.after if s.peak is None else s.peak),
        )
        for s in log.shapes
        if s.shape != "unknown"
    )
    heads = ("measure", "shape", "onset", "before", "after")
    return Table("Shapes", heads, rows, frozenset({3, 4}))


def _level(log: LogSummary, shape: MeasureShape, level: float | None) -> str:
    if level is None:
        return ""
    if shape.measure == "volume":
        return f"{level:.3g} requests/s"
    return f"{share(level, 1)} bad" if log.claims_rates else ""


def _onsets(log: LogSummary, tz: tzinfo | None) -> Table:
    rows = tuple((times.interval(o, tz), f"{100 * o.confidence:.0f} %") for o in log.further_onsets)
    return Table("Further onsets", ("interval", "confidence"), rows, frozenset({1}))


def _examples(log: LogSummary) -> Table:
    rows = tuple(
        (e.why, "" if e.duration_ms is None else milliseconds(e.duration_ms), e.trace_id,
         trace_command(log.source, e.trace_id))
        for e in log.examples
    )  # fmt: skip
    return Table(
        "Bad requests to look at", ("", "took", "trace id", "its lines"), rows, frozenset({1})
    )


def trace_command(source: str, trace_id: str) -> str:
    """The command that shows the lines of one request.

    Log name and trace id are untrusted: quoted, so that pasting the line runs nothing else.
    """
    if source == "-":
        return ""
    return f"locard logs {shlex.quote(source)} --trace {shlex.quote(trace_id)}"
