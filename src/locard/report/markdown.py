"""The report as Markdown, for the ticket."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from locard.model.headline import share
from locard.model.place import HERE
from locard.model.wording import count
from locard.report import log_tables, times, told, words
from locard.report.plain import safe

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from locard.model.evidence import Evidence, Ran
    from locard.model.finding import ContributingFactor
    from locard.model.investigation import Investigation
    from locard.model.log_facts import LogSummary
    from locard.report.sentences import Said

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~-])")


def quoted(text: str) -> str:
    """Untrusted text that Markdown and the HTML made of it show as it is."""
    return _MARKUP.sub(r"\\\1", safe(text)).replace("&", "&amp;")


def code(text: str) -> str:
    """Untrusted text as inline code; backticks cannot end it."""
    clean = safe(text)
    runs = re.findall(r"`+", clean)
    fence = "`" * (max(map(len, runs)) + 1 if runs else 1)
    pad = " " if runs else ""
    return f"{fence}{pad}{clean}{pad}{fence}"


def text(found: Investigation, *, tz: dt.tzinfo | None = None) -> str:
    """The whole report."""
    story = words.story(found, tz)
    found = told.investigation(found, tz)
    lines = [f"# {quoted(story.headline)}", "", quoted(story.title), ""]
    lines += _said(
        "What changed",
        [*story.log, *story.changed, *story.coverage, *story.onset, *story.other_logs],
    )
    lines += _said("A bad request is one that", story.bad_means)
    lines += _said("Affected", story.affected)
    lines += _said("Confirmed unaffected", story.unaffected)
    lines += _said("Unknown", story.unknown)
    lines += _said("What the processes are doing", story.doing)
    lines += ["## Contributing factors", ""]
    for factor in found.contributing_factors:
        lines += _factor(factor)
    if not found.contributing_factors:
        lines += ["No rule found one.", ""]
    lines += _said("Also seen", story.also_seen)
    lines += _said("Looked at", story.healthy)
    lines += _said("Not looked at", story.not_looked_at)
    if story.next_commands:
        lines += ["## Next", "", "```sh", *map(safe, story.next_commands), "```", ""]
    chosen = words.chosen_log(found)
    if chosen is not None:
        lines += _log_says(chosen[1], tz)
    lines += _layers(found)
    lines += ["## Evidence", ""]
    for item in found.evidence:
        lines += _evidence(item, tz)
    head = found.head or "none: nothing was recorded"
    closing = (
        f"Incident {code(found.incident)}, ledger head {code(head)}, locard {found.version}, "
        f"{times.day(found.ended, tz)}, {count(found.redacted, 'secret')} redacted."
    )
    lines += ["---", "", closing]
    return "\n".join(lines) + "\n"


def _said(heading: str, lines: Iterable[Said]) -> list[str]:
    items = [f"- {quoted(s.text)}{_cites(s.evidence)}" for s in lines]
    return [f"## {heading}", "", *items, ""] if items else []


def _log_says(log: LogSummary, tz: dt.tzinfo | None) -> list[str]:
    lines = []
    for table in log_tables.tables(log, tz):
        marks = ("---:" if n in table.numbers else "---" for n in range(len(table.heads)))
        lines += [
            f"### {table.title}",
            "",
            f"| {' | '.join(table.heads)} |",
            f"|{'|'.join(marks)}|",
        ]
        lines += [f"| {' | '.join(map(quoted, row))} |" for row in table.rows]
        lines.append("")
    said = [f"- {quoted(gap)}" for gap in log.gaps]
    lines += ["### What this log cannot answer", "", *said, ""] if said else []
    return ["## What the log says", "", *lines] if lines else []


def _cites(ids: Iterable[str]) -> str:
    found = ", ".join(f"[{i}](#{i})" for i in ids)
    return f" ({found})" if found else ""


def _factor(factor: ContributingFactor) -> list[str]:
    explains = f", explains {share(factor.explains, 1)}" if factor.explains is not None else ""
    lines = [
        f"{factor.rank}. **{quoted(factor.title)}** ({factor.rule}, {factor.confidence}{explains})"
    ]
    for mark, supports in (("for", factor.evidence_for), ("against", factor.evidence_against)):
        lines += [f"   - {mark}: {quoted(s.says)}{_cites((s.evidence,))}" for s in supports]
    return [*lines, ""]


def _layers(found: Investigation) -> list[str]:
    lines = ["## Layers", "", "| layer | state | what it says |", "|---|---|---|"]
    for state in found.layers:
        says = "; ".join(filter(None, (r.headline or r.why for r in state.probes))) or state.why
        unlock = f" To unlock: {state.unlock}" if state.unlock else ""
        lines.append(f"| {state.layer} | {state.status} | {quoted(says + unlock)} |")
    lines += [f"| partial | | {quoted(why)} |" for why in found.partial]
    return [*lines, ""]


def _evidence(item: Evidence, tz: dt.tzinfo | None) -> list[str]:
    lines = [
        f'### <a id="{item.id}"></a>{item.id}: {item.layer}/{quoted(item.probe)}, {item.status}',
        "",
    ]
    if item.problem:
        lines += [quoted(item.problem), ""]
    return lines + [_ran(r, tz) for r in item.ran] + [""]


def _ran(ran: Ran, tz: dt.tzinfo | None) -> str:
    ended = "stopped at its bound" if ran.timed_out else f"exit {ran.exit_code}"
    return (
        f"- {code(shlex.join(ran.argv))}: {times.day(ran.started, tz)}, {ran.duration_s:.2f} s,"
        f" {ended}, {ran.impact}, as {quoted(ran.identity.user)} on {quoted(ran.identity.host)}{_at(ran)},"
        f" output {code(ran.stdout[:12])} ({count(ran.stdout_bytes, 'byte')})"
    )


def _at(ran: Ran) -> str:
    """The place, where it is another one."""
    return "" if ran.place == HERE.ref else f" ({quoted(ran.place)})"
