"""The first pass over a log on one screen: what changed, who is hit, the key finding last."""

from __future__ import annotations

import datetime as dt
import shlex
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model import log_sentences
from locard.model.finding import Role
from locard.model.headline import milliseconds, share
from locard.model.log_state import judge, spread
from locard.model.wording import shorten
from locard.report import log_words, logs_said, sparkline, times
from locard.report.plain import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import tzinfo

    from locard.model.finding import Finding
    from locard.model.log_facts import LogSummary, MeasureShape, OutcomeField, Silence

COLUMNS = 78
LINES = 40
_PARTIAL = "read in part: "
_SHOWN = 4
_LABEL = 15  # columns up to the texts after their labels
_SPARK = 44
_LONGEST = 320  # characters of a sentence that quotes the log


@dataclass(frozen=True, slots=True)
class _Block:
    """Rows that may be left out from the end, each of one line or more, under a head."""

    head: list[str]
    rows: list[list[str]]


def screen(
    log: LogSummary, findings: Sequence[Finding] = (), tz: tzinfo | None = None
) -> Iterator[str]:
    """The first pass as lines of at most 80 columns, the key finding and the next command last.

    `findings` are those of the rules, what tells most first. What does not fit on one screen of
    LINES lines is left out, the least telling of each part first. Only a command may be longer than
    the screen is wide: folded, it could not be pasted.
    """
    # What a sentence of the log's own state says already is not said twice.
    states = {text.rstrip(".") for text in log_words.states(log, dt.UTC)}
    telling = [f for f in findings if f.values or f.role is Role.MECHANISM]
    telling = [f for f in telling if f.title not in states]
    top = _folded(_top(log, tz))
    end = _folded(_end(log, telling, tz))
    commands = list(_commands(log, telling))
    yield from top
    yield from _fitted(list(_blocks(log, tz)), LINES - len(top) - len(end) - len(commands))
    yield from end
    yield from commands


def _folded(lines: Iterable[str]) -> list[str]:
    return [part for line in lines for part in _fold(safe(line))]


def _fold(line: str) -> list[str]:
    if len(line) <= COLUMNS:
        return [line]
    labelled = line.startswith("  ") and line[_LABEL - 1 : _LABEL] == " "
    return textwrap.wrap(
        line,
        COLUMNS,
        subsequent_indent=" " * (_LABEL if labelled else 4),
        replace_whitespace=False,
        drop_whitespace=True,
        break_on_hyphens=False,
    )


def _labelled(label: str, text: str) -> str:
    return f"  {label:<{_LABEL - 3}} {text}"


def _fitted(blocks: Sequence[_Block], room: int) -> Iterator[str]:
    """The first row of each block, then the second of each, and so on, as far as there is room."""
    taken = [0] * len(blocks)
    for depth in range(max((len(b.rows) for b in blocks), default=0)):
        for n, block in enumerate(blocks):
            if depth != taken[n] or depth >= len(block.rows):
                continue
            cost = len(block.rows[depth]) + (0 if depth else len(block.head))
            if cost <= room:
                room -= cost
                taken[n] += 1
    for block, count in zip(blocks, taken, strict=True):
        if count:
            yield from block.head
            for row in block.rows[:count]:
                yield from row


def _top(log: LogSummary, tz: tzinfo | None) -> Iterator[str]:
    head = f"{log.records:,} record{'s'[: log.records != 1]}, read by {log.engine}: "
    room = COLUMNS - len(head)
    yield head + (log.source if len(log.source) <= room else "…" + log.source[1 - room :])
    if log.first is not None and log.last is not None:
        yield _labelled("from", times.span(log.first, log.last, tz))
    if log.changed:
        yield _labelled("bad means", log_words.bad_means(log))
    if log.error_means not in log.bad_means or not log.changed:
        yield _labelled("error", log.error_means)
    if not log.claims_rates:
        yield _labelled("holds", log_words.coverage(log).removeprefix("The log holds "))
    for item in log.skipped[:2]:
        lines = f"{item.lines:,} line{'s'[: item.lines != 1]}"
        text = f"{lines}: {item.reason}, such as {item.sample[:40]!r}"
        yield _labelled("skipped", text)
    if log.extent.own_requests:
        count = log.extent.own_requests
        yield _labelled(
            "left out", f"{count:,} line{'s'[: count != 1]} of what locard itself asked"
        )
    for gap in log.gaps:
        if gap.startswith(_PARTIAL):
            yield _labelled("partial", gap)
    spark = sparkline.drawn(log, _SPARK)
    if spark is not None:
        yield ""
        yield _labelled(spark.what, f"{spark.line}  {spark.top}")
    yield from _onset(log, tz)


def _onset(log: LogSummary, tz: tzinfo | None) -> Iterator[str]:
    if log.onset is None:
        return
    sure = f"{100 * log.onset.confidence:.0f} %"
    yield _labelled("onset", f"{_interval(log, tz)} ({sure}), {log.shape}")
    state = judge(log)
    over = state.over
    if state.kind == "alarms":
        return
    if over and log.end is not None:
        yield _labelled("until", times.clock(log.end, tz, zone=True))
    during = "while it lasted" if over else "after"
    if log.claims_rates:
        early, late = share(log.before_bad, log.before_total), share(log.after_bad, log.after_total)
        of = " of all" if log.of_part else ""
        yield _labelled("rate", f"{early} bad {_other(log)}, {late} {during}{of}")
    else:
        yield _labelled("bad", f"{log.before_bad:,} lines before, {log.after_bad:,} {during}")
    known = log.before_p99_ms is not None and log.after_p99_ms is not None
    if known and "latency" not in log.changed:  # else the sentence below has it
        early, late = milliseconds(log.before_p99_ms), milliseconds(log.after_p99_ms)
        yield _labelled("p99", f"{early} {_other(log)}, {late} {during}")


def _other(log: LogSummary) -> str:
    """The time that it is compared with: after its end where the log begins in the middle of it."""
    return "before" if log.onset is None or log.onset.baseline_seen else "since its end"


def _interval(log: LogSummary, tz: tzinfo | None) -> str:
    days = log.first is not None and log.last is not None
    dated = days and not times.same_day(log.first or 0.0, log.last or 0.0, tz)
    return times.interval(log.onset, tz, dated=dated) if log.onset else ""


def _courses(log: LogSummary, tz: tzinfo | None) -> Iterator[tuple[str, list[str]]]:
    """What else went on: other onsets, the shape of each measure that has one, silences."""
    more = len(log.silences) - _SHOWN
    rest = [f"and {more} more"] if more > 0 else []
    yield "silent", [*(_silence(one, tz) for one in log.silences[:_SHOWN]), *rest]
    yield (
        "also",
        [
            f"{times.interval(o, tz)} ({100 * o.confidence:.0f} %), another onset"
            for o in log.further_onsets[:_SHOWN]
        ],
    )
    shaped = [s for s in log.shapes if s.shape not in {"flat", "unknown"}]
    if log.changed and len({s.shape for s in shaped if s.measure != "volume"}) > 1:
        yield "shapes", [", ".join(f"{s.measure} {s.shape}" for s in shaped)]
    yield "volume", [_volume(s, tz) for s in shaped if s.measure == "volume"]


def _silence(one: Silence, tz: tzinfo | None) -> str:
    what = f"{one.field[:32]}={one.value[:32]}" if one.field else "all requests"
    until = "" if one.until is None else f" until {times.clock(one.until, tz)}"
    when = times.clock(one.since.latest, tz)
    return f"{what} from {when}{until} ({one.per_s:.3g} lines/s before)"


def _volume(shape: MeasureShape, tz: tzinfo | None) -> str:
    if shape.shape == "periodic":
        return f"a rhythm of {_period(shape.period_s or 0.0)}"
    to = shape.after if shape.peak is None else shape.peak
    said = f"{shape.shape}, from {shape.before or 0.0:.3g} to {to or 0.0:.3g} requests/s"
    return said if shape.onset is None else f"{said}, {times.interval(shape.onset, tz)}"


def _period(seconds: float) -> str:
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _blocks(log: LogSummary, tz: tzinfo | None) -> Iterator[_Block]:
    first = [""]
    for side in ("affected", "unaffected", "unknown"):
        hit = [_unknown(log)] if side == "unknown" else list(log_words.radius(log, side))
        if rows := _rows(side, hit):
            yield _Block(first, rows)
            first = []
    first = [""]
    for label, said in (*logs_said.said(log, tz), *_courses(log, tz)):
        if rows := _rows(label, said):
            yield _Block(first, rows)
            first = []


def _rows(label: str, said: Iterable[str]) -> list[list[str]]:
    texts = [text for text in said if text]
    return [_folded([_labelled("" if n else label, text)]) for n, text in enumerate(texts)]


def _unknown(log: LogSummary) -> str:
    """Which fields have values with too few requests: their names tell little."""
    counts = [f"{len(r.unknown)} of {r.field}" for r in log.blast_radius if r.unknown]
    more = f" and of {len(counts) - _SHOWN} more fields" if len(counts) > _SHOWN else ""
    return f"too few requests: {', '.join(counts[:_SHOWN])}{more}" if counts else ""


def _end(log: LogSummary, findings: Sequence[Finding], tz: tzinfo | None) -> Iterator[str]:
    gaps = list(_gaps(log))
    if gaps:
        yield ""
        yield _labelled("cannot tell:", "; ".join(gaps))
    apart = list(_what_sets_apart(log, findings, tz))
    yield from ("", *apart) if apart else ()
    yield from _findings(findings)


def _gaps(log: LogSummary) -> Iterator[str]:
    """What the log cannot answer, the fields that it lacks as one; the rest stands at the top."""
    lacking = [g for g in log.gaps if g.startswith("no ") and g.endswith(" field")]
    yield from (g for g in log.gaps if g not in lacking and not g.startswith(("rates: ", _PARTIAL)))
    if lacking:
        names = [g.removeprefix("no ").removesuffix(" field") for g in lacking]
        yield f"no {' or '.join(names)} field"


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    """The rules' findings, the one that tells most last and with what speaks for and against it."""
    if len(findings) > _SHOWN:
        yield ""
        yield f"and {len(findings) - _SHOWN} more findings (-o json shows all)"
    for finding in reversed(findings[:_SHOWN]):
        yield ""
        yield _cut(f"{finding.title} ({finding.rule}, {finding.confidence} evidence)")
    for finding in findings[:1]:
        for side, supports in (("for", finding.supports), ("against", finding.against)):
            for n, support in enumerate(supports[:_SHOWN]):
                yield _labelled("" if n else f"  {side}", _cut(support.says))


def _cut(text: str) -> str:
    return shorten(text, _LONGEST)


def _commands(log: LogSummary, findings: Sequence[Finding]) -> Iterator[str]:
    traces = []
    for why, command in logs_said.requests(log):
        yield f"{why}:"
        yield f"  {command}"
        traces.append(command)
    commands = [c for f in findings[:1] for c in f.next_commands if c not in traces]
    if not commands and log.onset is None and log.source != "-" and judge(log).incident:
        commands = [f"tail -n 20 {shlex.quote(log.source)}"]
    if log.onset is not None and log.source != "-" and not traces and not commands:
        at = times.stamp(log.onset.earliest)
        commands = [f"locard logs {shlex.quote(log.source)} --around {at} --window 10s"]
    if commands:
        yield "next:"
        yield f"  {commands[0]}"


def _what_sets_apart(
    log: LogSummary, findings: Sequence[Finding], tz: tzinfo | None
) -> Iterator[str]:
    yield from (_cut(text) for text in log_words.states(log, tz))
    if not log.changed:
        return
    state = judge(log)
    if not log.correlates and state.kind != "alarms":
        yield log_sentences.everyone(log, spread(log), over=state.over)
    for item in log.outcomes[:1]:
        yield _outcome(item)
    said = [f.values for f in findings]
    # What stands with its finding is not said twice.
    for correlate in [c for c in log.correlates if c.values not in said][:_SHOWN]:
        yield log_words.correlate(log, correlate)
    rest = log_words.hit_everyone(log)
    if rest:
        yield rest


def _outcome(item: OutcomeField) -> str:
    total = item.bad + item.good
    counts = f"{item.bad:,} of {total:,} requests with it failed"
    return f"{item.field}={shorten(item.value, 40)} says in other words that it failed ({counts})."
