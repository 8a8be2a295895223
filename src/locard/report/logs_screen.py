"""The first pass over a log on one screen: what changed, who is hit, the key finding last."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

from locard.model.finding import Role
from locard.model.headline import milliseconds
from locard.report import logs_said, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

    from locard.model.facts import AffectedValue, BlastRadius, LogSummary, MeasureShape
    from locard.model.finding import Finding

COLUMNS = 78
_SHOWN = 4
_NEARLY_ALL = 99  # percent; from there on two figures say 100


def screen(
    log: LogSummary, findings: Sequence[Finding] = (), tz: tzinfo | None = None
) -> Iterator[str]:
    """The first pass as lines of at most 80 columns, the key finding and the next command last.

    `findings` are those of the rules, what tells most first. Only a command may be longer: folded,
    it could not be pasted.
    """
    telling = [f for f in findings if f.values or f.role is Role.MECHANISM]
    for line in _lines(log, telling, tz):
        yield from _folded(line)
    traces = []
    for why, command in logs_said.requests(log):
        yield f"{why}:"
        yield f"  {command}"
        traces.append(command)
    commands = [c for f in telling[:1] for c in f.next_commands if c not in traces]
    if commands:
        yield "next:"
        yield f"  {commands[0]}"


def _folded(line: str) -> list[str]:
    if len(line) <= COLUMNS:
        return [line]
    # As far as the texts after their labels: see the widths in `_row` and `_lines`.
    indent = " " * (17 if line.startswith("    ") else 10 if ":" in line[:16] else 4)
    return textwrap.wrap(
        line,
        COLUMNS,
        subsequent_indent=indent,
        replace_whitespace=False,
        drop_whitespace=True,
        break_on_hyphens=False,
    )


def _lines(log: LogSummary, findings: Sequence[Finding], tz: tzinfo | None) -> Iterator[str]:
    yield from _head(log, tz)
    if log.series:
        points = log.series
        kind = "errors"
        if "errors" not in log.changed and "latency" in log.changed:
            points = tuple(replace(p, errors=0) for p in points)
            kind = "p99"
        yield ""
        yield f"  {kind:<7} {words.sparkline(points, 64, log.onset)}"
    if log.onset is not None:
        yield f"  onset   {words.interval(log.onset, tz, dated=words.days_long(log, tz))} (95 %), {log.shape}"
        yield from _rates(log)
    yield from _courses(log, tz)
    if log.onset is not None:
        yield from _radius(log)
    yield from logs_said.said(log, tz)
    for gap in log.gaps:
        yield f"  cannot tell: {gap}"
    apart = list(_what_sets_apart(log, findings))
    yield from ("", *apart) if apart else ()
    yield from _findings(findings)


def _head(log: LogSummary, tz: tzinfo | None) -> Iterator[str]:
    head = f"{log.records:,} record{'s'[: log.records != 1]}, read by {log.engine}: "
    room = COLUMNS - len(head)
    yield head + (log.source if len(log.source) <= room else "…" + log.source[1 - room :])
    if log.first is not None and log.last is not None:
        yield f"  {words.span(log.first, log.last, tz)}"
    yield f"  error: {log.error_means}"
    if log.bad_means != log.error_means:
        yield f"  bad:   {log.bad_means}"
    for item in log.skipped:
        sample = f", such as {item.sample[:40]!r}" if item.sample else ""
        yield f"  skipped {item.lines:,} line{'s'[: item.lines != 1]}: {item.reason}{sample}"


def _rates(log: LogSummary) -> Iterator[str]:
    if log.coverage.kind == "whole":
        early = _share(log.before_bad, log.before_total)
        yield f"  rate    {early} bad before, {_share(log.after_bad, log.after_total)} after"
    else:
        counts = f"{log.before_bad:,} lines before, {log.after_bad:,} after"
        yield f"  bad     {counts}; rates are unknown"
    if log.before_p99_ms is not None and log.after_p99_ms is not None:
        early, late = milliseconds(log.before_p99_ms), milliseconds(log.after_p99_ms)
        yield f"  p99     {early} before, {late} after"


def _courses(log: LogSummary, tz: tzinfo | None) -> Iterator[str]:
    """What else went on: other onsets, the shape of each measure that has one, silences."""
    dated = words.days_long(log, tz)
    for onset in log.further_onsets:
        yield f"  also    {words.interval(onset, tz, dated=dated)} ({100 * onset.confidence:.0f} %) another onset"
    shaped = [s for s in log.shapes if s.shape not in {"flat", "unknown"}]
    if len(shaped) > 1 and log.changed:
        yield f"  shapes  {', '.join(f'{s.measure} {s.shape}' for s in shaped)}"
    for shape in shaped:
        if shape.measure == "volume":
            yield f"  volume  {_volume(shape, tz, dated=dated)}"
    for one in log.silences[:_SHOWN]:
        what = f"{one.field[:32]}={one.value[:32]}" if one.field else "all requests"
        tell = words.day if dated else words.clock
        until = "" if one.until is None else f" until {tell(one.until, tz)}"
        yield f"  silent  {what} from {tell(one.since.latest, tz)}{until} ({one.per_s:.3g} lines/s before)"
    if len(log.silences) > _SHOWN:
        yield f"          and {len(log.silences) - _SHOWN} more"


def _volume(shape: MeasureShape, tz: tzinfo | None, *, dated: bool) -> str:
    if shape.shape == "periodic":
        return f"a rhythm of {_period(shape.period_s or 0.0)}"
    to = shape.after if shape.peak is None else shape.peak
    said = f"{shape.shape}, from {shape.before or 0.0:.3g} to {to or 0.0:.3g} requests/s"
    return (
        said if shape.onset is None else f"{said}, {words.interval(shape.onset, tz, dated=dated)}"
    )


def _period(seconds: float) -> str:
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _share(part: int, whole: int) -> str:
    if not whole:
        return "unknown"
    percent = 100 * part / whole
    return f"{percent:.{2 if percent < _NEARLY_ALL else 4}g} %"


def _radius(log: LogSummary) -> Iterator[str]:
    telling = [r for r in log.blast_radius if r.affected and (r.unaffected or r.unknown)]
    everyone = [r.field for r in log.blast_radius if r.affected and r not in telling]
    for side, title in (
        ("affected", "affected"),
        ("unaffected", "confirmed unaffected"),
        ("unknown", "unknown (too few requests)"),
    ):
        rows = [(r, getattr(r, side)) for r in telling if getattr(r, side)]
        if rows:
            yield ""
            yield f"  {title}"
        for radius, values in rows:
            yield f"    {_row(radius, values, rates=side == 'affected' and log.coverage.kind == 'whole')}"
    if everyone:
        yield f"  every value is affected: {', '.join(everyone)}"


def _row(radius: BlastRadius, values: tuple[AffectedValue, ...], *, rates: bool) -> str:
    shown = [
        f"{v.value[:32]} {100 * v.after_rate:.2g} %" if rates else v.value[:32]
        for v in values[:_SHOWN]
    ]
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return f"{radius.field:<12} {', '.join(shown)}{more}"


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    """The rules' findings, the one that tells most last and with what speaks for and against it."""
    for finding in reversed(findings):
        yield ""
        yield _title(finding)
    for finding in findings[:1]:
        for side, supports in (("for", finding.supports), ("against", finding.against)):
            for support in supports:
                yield f"    {side:<12} {support.says}"


def _title(finding: Finding) -> str:
    return f"{finding.title} ({finding.rule}, {finding.confidence} evidence)"


def _what_sets_apart(log: LogSummary, findings: Sequence[Finding]) -> Iterator[str]:
    if not log.changed:
        silent = [s for s in log.silences if s.until is None]
        if silent:
            names = ", ".join(f"{s.field[:32]}={s.value[:32]}" for s in silent[:_SHOWN] if s.field)
            yield f"{names or 'All requests'} fell silent while the log went on."
            yield "No onset of errors or latency was found."
        elif any(s.shape in {"step", "ramp", "spike"} for s in log.shapes):
            yield "The traffic changed; no onset of errors or latency was found."
        else:
            yield "Nothing changed in this log: no onset of errors or latency was found."
        return
    if not log.correlates:
        yield f"{' and '.join(log.changed).capitalize()} changed; nothing sets the bad requests"
        yield "apart: it is everyone."
    said = [f.values for f in findings]
    for item in log.correlates:
        if item.values in said:  # with the finding, below
            continue
        pairs = " and ".join(f"{f}={v}" for f, v in item.values)
        yield f"{pairs}"
        yield (
            f"  explains {100 * item.share_of_excess:.0f} % of the excess "
            f"({item.support:,} bad requests, {item.lift:.1f} times the overall rate)"
        )
