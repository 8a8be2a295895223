"""What the log itself says, on the screen: messages, exceptions and numbers that changed, changes made."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from locard.model.headline import milliseconds
from locard.report import words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from locard.model.facts import LogSummary

_SHOWN = 3
_CHARS = 56
_KINDS = {"new": "new", "vanished": "gone", "grown": "more", "shrunk": "less"}


def said(log: LogSummary, tz: tzinfo | None) -> Iterator[str]:
    """Each kind of it under its heading, a few lines of each."""
    yield from _messages(log)
    yield from _templates(log)
    yield from _numbers(log)
    yield from _exceptions(log)
    yield from _changes(log, tz)


def requests(log: LogSummary) -> Iterator[tuple[str, str]]:
    """Why one should look at a request, and the command that shows its lines.

    Log name and trace id are untrusted: quoted, so that pasting the line runs nothing else.
    """
    if not log.changed or log.source == "-":
        return
    for one in log.examples[:2]:
        took = "" if one.duration_ms is None else f", {milliseconds(one.duration_ms)}"
        yield (
            f"{one.why} such request{took}",
            f"locard logs {shlex.quote(log.source)} --trace {shlex.quote(one.trace_id)}",
        )


def _messages(log: LogSummary) -> Iterator[str]:
    grown = [m for m in log.messages if m.after][:_SHOWN]
    if grown and log.onset is not None:
        yield ""
        yield "  messages of bad requests (before, after)"
        for item in grown:
            yield f"    {item.before:>6,} {item.after:>7,}  {item.template[:_CHARS]}"


def _templates(log: LogSummary) -> Iterator[str]:
    """Those that came and went first; not again what is among the bad requests' messages."""
    shown = {m.template for m in log.messages[:_SHOWN]}
    changed = [t for t in log.templates if t.kind == "new" or t.template not in shown]
    if changed:
        yield ""
        yield "  messages since the onset (before, after)"
    for item in changed[: 2 * _SHOWN]:
        yield f"    {_KINDS[item.kind]:<5}{item.before:>6,} {item.after:>7,}  {item.template[:_CHARS]}"


def _numbers(log: LogSummary) -> Iterator[str]:
    if log.numbers:
        yield ""
        yield "  numbers that changed"
    for item in log.numbers[:_SHOWN]:
        yield f"    {item.before:g} → {item.after:g}  {item.example[:_CHARS]}"


def _exceptions(log: LogSummary) -> Iterator[str]:
    grown = [e for e in log.exceptions if e.after][:_SHOWN]
    if grown:
        yield ""
        yield "  exceptions (before, after)"
    for item in grown:
        at = f" at {item.frame}" if item.frame else ""
        yield f"    {item.before:>6,} {item.after:>7,}  {(item.type + at)[:_CHARS]}"


def _changes(log: LogSummary, tz: tzinfo | None) -> Iterator[str]:
    if log.changes:
        yield ""
        yield "  near the onset"
    for item in log.changes[: _SHOWN + 1]:
        count = f" ({item.near} lines)" if item.near > 1 else ""
        yield f"    {words.clock(item.first, tz):<12} {item.text}{count}"
