"""The first pass over a log on one screen: what changed, who is hit, the key finding last."""

from __future__ import annotations

import math
import shlex
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model import workload_words
from locard.model.beginning_words import reads_older
from locard.model.finding import Role
from locard.model.headline import milliseconds, share
from locard.model.log_state import counted_as, judge
from locard.model.wording import count, example, last_lines, shorten, with_flags
from locard.report import logs_said, sparkline, times, told
from locard.report.plain import safe
from locard.report.sentences import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import tzinfo

    from locard.model.claim import Licensed, Slot
    from locard.model.finding import Finding
    from locard.model.log_facts import LogSummary, MeasureShape, Silence
    from locard.model.workload import WorkloadStates
    from locard.report.sentences import Said

COLUMNS = 78
LINES = 40
_PARTIAL = "read in part: "
_SHOWN = 4
_SKIPPED = 2  # lines for reasons
_AROUND_S = 5
_LABEL = 15  # columns up to the texts after their labels
_SPARK = 44
_VALUES = frozenset({"values_hit", "values_spared", "values_unknown"})  # rows, not sentences
_LONGEST = 320  # characters of a sentence that quotes the log


@dataclass(frozen=True, slots=True)
class _Block:
    """Rows that may be left out from the end, each of one line or more, under a head."""

    head: list[str]
    rows: list[list[str]]


def screen(
    log: LogSummary,
    claims: Sequence[Licensed],
    findings: Sequence[Finding] = (),
    tz: tzinfo | None = None,
    *,
    workload: WorkloadStates | None = None,
) -> Iterator[str]:
    """The first pass as lines of at most 80 columns, the key finding and the next command last.

    `claims` are what may be said of the log, `findings` those of the rules, what tells most first. What does not fit on one screen of
    LINES lines is left out, the least telling of each part first. Only a command may be longer than
    the screen is wide: folded, it could not be pasted.
    """
    # What a sentence of the log's own state says already is not said twice.
    findings = [told.finding(f, tz) for f in findings]
    states = {say(c, tz).text.rstrip(".") for c in claims if c.claim.slot == "changed"}
    telling = [f for f in findings if f.values or f.role is Role.MECHANISM]
    telling = [f for f in telling if f.title not in states]
    top = _folded(_top(log, claims, tz, workload))
    end = _folded(_end(log, claims, telling, tz))
    commands = [_with_flags(c, log.source, log.flags) for c in _commands(log, telling)]
    yield from top
    yield from _fitted(list(_blocks(log, claims, tz)), LINES - len(top) - len(end) - len(commands))
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
    for block, rows in zip(blocks, taken, strict=True):
        if rows:
            yield from block.head
            for row in block.rows[:rows]:
                yield from row


def _top(
    log: LogSummary,
    claims: Sequence[Licensed],
    tz: tzinfo | None,
    workload: WorkloadStates | None,
) -> Iterator[str]:
    head = f"{count(log.records, 'record')}, read by {log.engine}: "
    room = COLUMNS - len(head)
    yield head + (log.source if len(log.source) <= room else "…" + log.source[1 - room :])
    if log.first is not None and log.last is not None:
        yield _labelled("from", times.span(log.first, log.last, tz))
    yield from _workload(log, workload, tz)
    for said in _of(claims, "bad_means", tz):  # its rates have a line of their own
        yield _labelled("bad means", said.text.partition("; ")[0])
    if log.records and (log.error_means not in log.bad_means or not log.changed):
        yield _labelled("error", log.error_means)
    yield from _coverage(claims, tz)
    yield from _skipped(log)
    if log.extent.own_requests:
        own = count(log.extent.own_requests, "line")
        yield _labelled("left out", f"{own} of what locard itself asked")
    for gap in log.gaps:
        if gap.startswith(_PARTIAL):
            yield _labelled("partial", gap)
    spark = sparkline.drawn(log, _SPARK)
    if spark is not None:
        yield ""
        yield _labelled(spark.what, f"{spark.line}  {spark.top}")
    yield from _onset(log, tz)


def _workload(log: LogSummary, found: WorkloadStates | None, tz: tzinfo | None) -> Iterator[str]:
    """How the pods stand that write it, and what was before them."""
    if found is None:
        return
    for label, texts in workload_words.lines(found, log):
        for n, text in enumerate(texts):
            yield _labelled("" if n else label, _cut(times.told(text, tz)))


def _coverage(claims: Sequence[Licensed], tz: tzinfo | None) -> Iterator[str]:
    """What part of the requests it holds, and where it begins."""
    for item in claims:
        if item.claim.slot != "coverage":
            continue
        text = say(item, tz).text
        if item.claim.kind == "log_begins":
            yield _labelled("begins", text.removeprefix("The log begins "))
        else:
            yield _labelled("holds", text.removeprefix("The log holds "))


def _skipped(log: LogSummary) -> Iterator[str]:
    """Two lines at most: the first reasons, and how many lines there are for others."""
    told = log.skipped if len(log.skipped) <= _SKIPPED else log.skipped[: _SKIPPED - 1]
    for item in told:
        text = f"{count(item.lines, 'line')}: {item.reason}{example(item.lines, item.sample)}"
        yield _labelled("skipped", text)
    rest = log.skipped[len(told) :]
    if rest:
        reasons = count(len(rest), "other reason")
        lines = count(sum(item.lines for item in rest), "line")
        yield _labelled("skipped", f"{lines} for {reasons}: -o json names each")


def _onset(log: LogSummary, tz: tzinfo | None) -> Iterator[str]:
    if log.onset is None:
        return
    sure = f"{100 * log.onset.confidence:.0f} %"
    began = ", by when the bad requests began" if log.began else ""
    shape = "" if log.shape == "unknown" else f", {log.shape}"
    certain = f" ({sure})" if log.onset.baseline_seen else ""
    yield _labelled("onset", f"{_interval(log, tz)}{certain}{shape}{began}")
    state = judge(log)
    over = state.over
    if state.kind == "alarms":
        return
    if over and log.end is not None:
        yield _labelled("until", times.clock(log.end, tz, zone=True))
    during = "while it lasted" if over else "after"
    if state.kind == "comes-and-goes":
        during = "since the first burst"
    if log.claims_rates:
        early, late = share(log.before_bad, log.before_total), share(log.after_bad, log.after_total)
        of = " of all" if log.of_part else ""
        if log.onset.baseline_seen:
            yield _labelled("rate", f"{early} bad {_other(log)}, {late} {during}{of}")
        else:  # in the order of time
            then = f"until {times.clock(log.end, tz)}" if log.end is not None else "from then on"
            yield _labelled("rate", f"{late} bad {then}, {early} since{of}")
    elif log.before_total:
        yield _labelled(
            "bad", f"{count(log.before_bad, 'line')} before, {log.after_bad:,} {during}"
        )
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
    yield "volume", [_volume(s, counted_as(log), tz) for s in shaped if s.measure == "volume"]


def _silence(one: Silence, tz: tzinfo | None) -> str:
    what = f"{one.field[:32]}={one.value[:32]}" if one.field else "all requests"
    until = "" if one.until is None else f" until {times.clock(one.until, tz)}"
    when = times.clock(one.since.latest, tz)
    return f"{what} from {when}{until} ({one.per_s:.3g} lines/s before)"


def _volume(shape: MeasureShape, what: str, tz: tzinfo | None) -> str:
    if shape.shape == "periodic":
        return f"a rhythm of {_period(shape.period_s or 0.0)}"
    to = shape.after if shape.peak is None else shape.peak
    said = f"{shape.shape}, from {shape.before or 0.0:.3g} to {to or 0.0:.3g} {what}/s"
    until = "" if shape.end is None else f", until {times.clock(shape.end, tz)}"
    return said if shape.onset is None else f"{said}, {times.interval(shape.onset, tz)}{until}"


def _period(seconds: float) -> str:
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _blocks(log: LogSummary, claims: Sequence[Licensed], tz: tzinfo | None) -> Iterator[_Block]:
    first = [""]
    sides: tuple[Slot, ...] = ("affected", "unaffected", "unknown")
    for side in sides:
        values = (c for c in claims if c.claim.slot == side and c.claim.kind in _VALUES)
        hit = [_unknown(log)] if side == "unknown" else [say(c, tz).text for c in values]
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
    more = f" and of {count(len(counts) - _SHOWN, 'more field')}" if len(counts) > _SHOWN else ""
    return f"too few requests: {', '.join(counts[:_SHOWN])}{more}" if counts else ""


def _end(
    log: LogSummary,
    claims: Sequence[Licensed],
    findings: Sequence[Finding],
    tz: tzinfo | None,
) -> Iterator[str]:
    gaps = list(_gaps(log))
    if gaps:
        yield ""
        yield _labelled("cannot tell:", "; ".join(gaps))
    apart = list(_what_sets_apart(claims, findings, tz))
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
        yield f"and {count(len(findings) - _SHOWN, 'more finding')} (-o json shows all)"
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
    if not commands and (older := reads_older(log)):
        commands = [older]
    if not commands and log.onset is None and log.source != "-" and judge(log).incident:
        commands = [*last_lines(log.source, log.extent.last_line or log.last)]
    if log.onset is not None and log.source != "-" and not traces and not commands:
        at = times.stamp((log.onset.earliest + log.onset.latest) / 2)
        # The whole interval and a little of both sides.
        window = math.ceil((log.onset.latest - log.onset.earliest) / 2) + _AROUND_S
        source = shlex.quote(log.source)
        commands = [f"locard logs {source} --around {at} --window {window}s"]
    if commands:
        yield "next:"
        yield f"  {commands[0]}"


def _with_flags(line: str, source: str, flags: str) -> str:
    """A command as it is shown, two blanks before it, that finds the source again."""
    command = line.removeprefix("  ")
    return line if command == line else f"  {with_flags(command, source, flags)}"


def _what_sets_apart(
    claims: Sequence[Licensed], findings: Sequence[Finding], tz: tzinfo | None
) -> Iterator[str]:
    """How the log stands, then who is hit; what stands with its finding is not said twice."""
    named = {", ".join(f"{field}={value}" for field, value in f.values) for f in findings}
    for slot in ("changed", "log_says", "affected"):
        for item in claims:
            claim = item.claim
            again = claim.kind == "set_hit" and claim.subject in named
            if claim.slot == slot and claim.kind not in _VALUES and not again:
                yield _cut(say(item, tz).text)


def _of(claims: Sequence[Licensed], slot: Slot, tz: tzinfo | None) -> Iterator[Said]:
    return (say(c, tz) for c in claims if c.claim.slot == slot)
