"""What the log itself says, on the screen: messages, exceptions and numbers that changed, changes made."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model.headline import milliseconds
from locard.model.wording import shorten
from locard.report import times
from locard.report.log_tables import KINDS, trace_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from locard.model.log_facts import LogSummary

_SHOWN = 4
_CHARS = 100


def said(log: LogSummary, tz: tzinfo | None) -> Iterator[tuple[str, list[str]]]:
    """Each kind of it: its label and its lines, what tells most first; counts are before → after."""
    if log.onset is None:
        yield "bad ones say", list(bad_ones(log))
        return
    yield "near onset", list(_changes(log, tz))
    yield "exceptions", list(_exceptions(log))
    if log.onset.baseline_seen:
        yield "numbers", list(_numbers(log))
    yield "bad ones say", list(bad_ones(log))
    if log.onset.baseline_seen:
        yield "messages", list(_templates(log))


def requests(log: LogSummary) -> Iterator[tuple[str, str]]:
    """Why one should look at a request, and the command that shows its lines."""
    if not log.changed or log.source == "-":
        return
    for one in log.examples[:2]:
        took = "" if one.duration_ms is None else f", {milliseconds(one.duration_ms)}"
        yield f"{one.why} such request{took}", trace_command(log.source, one.trace_id)


def bad_ones(log: LogSummary) -> Iterator[str]:
    """What the bad requests say, on this screen and on the one of an investigation, a line each."""
    grown = [m for m in log.messages if m.after > m.before]
    for item in grown[:_SHOWN]:
        sides = (item.before, item.after)
        if log.onset is not None and not log.onset.baseline_seen:
            sides = (item.after, item.before)  # in the order of time
        counts = " → ".join(f"{n:,}" for n in sides) if log.onset is not None else f"{item.after:,}"
        yield f"{counts}  {_cut(item.template)}"


def _templates(log: LogSummary) -> Iterator[str]:
    """Not again what is among the bad requests' messages."""
    shown = [_plain(m.template) for m in log.messages[:_SHOWN]]
    rest = [t for t in log.templates if not any(s.startswith(_plain(t.template)) for s in shown)]
    for item in rest[:_SHOWN]:
        yield f"{KINDS[item.kind]}: {item.before:,} → {item.after:,}  {_cut(item.template)}"


def _plain(template: str) -> str:
    """A template without the marks of its variables, of which there are two kinds."""
    return re.sub(r"(<\*>|#)\S*", "", template)


def _numbers(log: LogSummary) -> Iterator[str]:
    for item in log.numbers[:_SHOWN]:
        yield f"{item.before:g} → {item.after:g}  {_cut(item.example)}"


def _exceptions(log: LogSummary) -> Iterator[str]:
    for item in [e for e in log.exceptions if e.after][:_SHOWN]:
        at = f" at {item.frame}" if item.frame else ""
        yield f"{item.before:,} → {item.after:,}  {_cut(item.type + at)}"


def _changes(log: LogSummary, tz: tzinfo | None) -> Iterator[str]:
    for item in log.changes[:_SHOWN]:
        count = f" ({item.near} lines)" if item.near > 1 else ""
        yield f"{times.clock(item.first, tz)}  {_cut(item.text)}{count}"


def _cut(text: str) -> str:
    return shorten(text, _CHARS)
