"""The verdict on one screen of a terminal: calm, verdict first, the next command last."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from locard.model.finding import Confidence
from locard.model.headline import share
from locard.model.wording import count, shorten
from locard.report import sparkline, times, told, words
from locard.report.plain import safe

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from rich.console import RenderableType

    from locard.model.finding import ContributingFactor, Support
    from locard.model.investigation import Investigation, LayerState
    from locard.report.sentences import Said
    from locard.report.words import Story

_SHOWN_FACTORS = 3
_NAMED_FACTORS = 10
_SHOWN_SUPPORTS = 4
_SHOWN_COMMANDS = 2
_SHOWN_LINES = 3
_SHOWN_PARTIAL = 4
_LONGEST = 230  # characters of a support: three lines
_WIDEST = 120
_SPARK_LEAST = 20  # cells
_CONFIDENCE = {Confidence.STRONG: "bold red", Confidence.MODERATE: "yellow", Confidence.WEAK: "dim"}


def show(
    found: Investigation,
    *,
    tz: dt.tzinfo | None = None,
    color: bool = True,
    report: str | None = None,
) -> None:
    """Print it to standard output, at most 120 columns wide, without colour where none is wanted."""
    plain = not color or "NO_COLOR" in os.environ or not sys.stdout.isatty()
    console = Console(no_color=plain, highlight=False, emoji=False, markup=False)
    console.width = min(_WIDEST, console.width)
    console.print(screen(found, console.width, tz=tz, report=report))


def screen(
    found: Investigation, width: int, *, tz: dt.tzinfo | None = None, report: str | None = None
) -> RenderableType:
    """The screen as something that Rich can print."""
    story = words.story(found, tz)
    found = told.investigation(found, tz)
    parts: list[RenderableType] = [
        Text(safe(story.title), style="dim"),
        Text(),
        *(Text(safe(said.text), style="bold") for said in (*story.state[:2], *story.verdict)),
        *_spark(found, width, tz),
        Text(),
    ]
    table = _grid()
    _row(table, "log", story.log)
    _row(table, "changed", [*story.changed, *story.coverage])
    _row(table, "onset", story.onset)
    _row(table, "other logs", story.other_logs)
    _row(table, "bad means", story.bad_means)
    _row(table, "affected", story.affected)
    _row(table, "unaffected", story.unaffected)
    _row(table, "unknown", story.unknown[:1])
    _row(table, "bad ones", story.bad_ones_say)
    _row(table, "log says", story.log_says)
    _row(table, "doing", story.doing)
    parts += [table, *_factors(found)]
    _row(seen := _grid(), "also seen", story.also_seen)
    parts += [Text(), *([seen] if seen.row_count else []), _layers(found, story)]
    parts += _footer(found, story.next_commands, report)
    return Group(*parts)


def _grid() -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=11, style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _row(table: Table, label: str, lines: Sequence[Said]) -> None:
    if not lines:
        return
    text = Text()
    for n, line in enumerate(lines[:_SHOWN_LINES]):
        text.append("\n" * bool(n) + safe(line.text))
    cited = dict.fromkeys(e for line in lines[:_SHOWN_LINES] for e in line.evidence)
    if cited:
        text.append(f"  [{' '.join(cited)}]", style="dim")
    table.add_row(label, text)


def _spark(found: Investigation, width: int, tz: dt.tzinfo | None) -> list[RenderableType]:
    chosen = words.chosen_log(found)
    if chosen is None or not chosen[1].series:
        return []
    log = chosen[1]
    first, last = times.clock(log.series[0].start, tz), times.clock(log.series[-1].start, tz)
    # Its labels decide how much room is left for the line itself.
    labels = sparkline.drawn(log, _SPARK_LEAST)
    if labels is None:
        return []
    spent = sum(map(len, (labels.what, first, last, labels.top))) + len(" | " * 2)
    spark = sparkline.drawn(log, width - spent) or labels
    text = Text(f"{spark.what} {first} ", style="dim")
    text.append(spark.line, style="cyan")
    text.append(f" {last} {spark.top}", style="dim")
    return [text]


def _factors(found: Investigation) -> list[RenderableType]:
    if not found.contributing_factors:
        return []
    parts: list[RenderableType] = [Text(), Text("contributing factors", style="dim")]
    for factor in found.contributing_factors[:_SHOWN_FACTORS]:
        parts.append(_factor(factor))
        full = factor.rank == 1
        shown = _SHOWN_SUPPORTS if full else 1
        parts += [_support("+", s) for s in factor.evidence_for[:shown]]
        parts += [_support("-", s) for s in factor.evidence_against[:shown]]
    # None of them is left out of sight: what is further down is named.
    parts += [_factor(f) for f in found.contributing_factors[_SHOWN_FACTORS:_NAMED_FACTORS]]
    return parts


def _factor(factor: ContributingFactor) -> Text:
    text = Text(f"{factor.rank} {factor.rule} ")
    text.append(str(factor.confidence), style=_CONFIDENCE[factor.confidence])
    if factor.explains is not None:
        text.append(f", explains {share(factor.explains, 1)} of the rise", style="dim")
    if factor.rank > 1:
        text.append(f": {safe(factor.title)}")
    return text


def _support(mark: str, support: Support) -> RenderableType:
    text = Text(f"{mark} {support.layer}: {safe(shorten(support.says, _LONGEST))}")
    text.append(f" [{support.evidence}]", style="dim")
    return Padding(text, (0, 0, 0, 2))


def _layers(found: Investigation, story: Story) -> RenderableType:
    table = _grid()
    read = ", ".join(_layer(s) for s in found.layers if s.status in {"ran", "partial"})
    table.add_row("read", read or "no layer")
    if story.healthy:
        table.add_row("looked at", safe("; ".join(said.text for said in story.healthy)))
    for said in story.not_looked_at:
        table.add_row("not read", safe(said.text))
    unread = tuple(f"{s.layer}/" for s in found.layers if s.status in {"skipped", "no_data"})
    partial = _by_reason([text for text in found.partial if not text.startswith(unread)])
    for text in partial[:_SHOWN_PARTIAL]:
        table.add_row("partial", safe(text))
    if len(partial) > _SHOWN_PARTIAL:
        table.add_row("", f"and {len(partial) - _SHOWN_PARTIAL} more (-o json)")
    return table


def _by_reason(partial: Sequence[str]) -> list[str]:
    """What was cut short, those probes together that were for the same reason."""
    probes: dict[str, list[str]] = {}
    for text in partial:
        probe, colon, why = text.partition(": ")
        known = bool(colon) and "/" in probe and " " not in probe
        probes.setdefault(why if known else text, []).extend([probe] if known else [])
    return [f"{', '.join(names)}: {why}" if names else why for why, names in probes.items()]


def _layer(state: LayerState) -> str:
    spent = sum(r.duration_s for r in state.probes)
    mark = " (partial)" if state.status == "partial" else ""
    return f"{state.layer} {spent:.1f} s{mark}"


def _footer(
    found: Investigation, commands: tuple[str, ...], report: str | None
) -> list[RenderableType]:
    table = _grid()
    commands_run = sum(len(e.ran) for e in found.evidence)
    head = f", head {found.head[:12]}" if found.head else ", NOT recorded"
    table.add_row(
        "record",
        f"{found.incident}: {len(found.evidence)} evidence, {count(commands_run, 'command')}{head}",
    )
    if report:
        table.add_row("report", safe(report))
    for n, command in enumerate(commands[:_SHOWN_COMMANDS]):
        table.add_row("" if n else "next", Text(safe(command), style="bold"))
    return [table]
