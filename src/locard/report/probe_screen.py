"""The answer of one probe on one screen: what it says, what it read, and how it asked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from locard.model import columns, kernel_words
from locard.model.codec import encode
from locard.model.facts import Readings
from locard.model.finding import Role
from locard.model.headline import headline
from locard.model.kernel_facts import SystemCalls
from locard.model.wording import count, shorten
from locard.report import (
    heap_screen,
    kernel_screen,
    metrics_screen,
    page_screen,
    stack_screen,
    told,
    watch_screen,
)
from locard.report.kernel_table import Sheet
from locard.report.words import where

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.finding import Finding
    from locard.model.investigation import Investigation

_MOST_LINES = 40  # of one fact
_WIDE = 110
_LONGEST = 400  # characters of a command that is shown


def screen(found: Investigation, tz: dt.tzinfo | None, *, live: bool = False) -> Iterator[str]:
    """The lines of the screen, each without an end: what was found first, and again at its end with what is next.

    `live`: events were told as they came, so that only their sums are left.
    """
    prose = Sheet(columns.of(sys.stdout)).prose
    for line in _screen(found, tz, live=live):
        if isinstance(line, _Whole):
            yield line
        else:
            yield from prose(line) if line else ("",)


class _Whole(str):
    """A line that fits already."""

    __slots__ = ()


def _screen(found: Investigation, tz: dt.tzinfo | None, *, live: bool) -> Iterator[str]:
    yield f"{found.target.ref} {where(found)}"
    findings = told.investigation(found, tz).findings
    for finding in findings:
        yield f"{_label(finding, found)}: {finding.rule}: {finding.title}"
    for item in found.evidence:
        yield from _evidence(item, tz, live=live)
    for layer in found.layers:
        for run in layer.probes:
            if run.status == "skipped":
                yield f"{run.layer}/{run.probe}: not asked: {run.why}. To unlock: {run.unlock}"
    for why in found.partial:
        yield f"partial: {why}"
    yield f"record: {found.incident}{'' if found.head else ', NOT recorded to its end'}"
    asked = {f"locard {e.probe} " for e in found.evidence}
    for finding in findings:
        yield f"{_label(finding, found)}: {finding.rule}: {finding.title}"
        # What was just asked for says nothing new.
        after = [c for c in finding.next_commands if not c.startswith(tuple(asked))]
        if after:
            yield _Whole(f"next: {after[0]}")
    if not findings and found.target.pids and any(e.layer == "kernel" for e in found.evidence):
        yield f"next: no rule found anything in this; logs, stacks and host: locard investigate {found.target.ref}"


def _label(finding: Finding, found: Investigation) -> str:
    """Whether it is a finding about the target, or context."""
    context = finding.role is Role.CONTEXT and found.target.kind != "host"
    return "context" if context else "finding"


def _evidence(item: Evidence, tz: dt.tzinfo | None, *, live: bool) -> Iterator[str]:
    asked = "".join(f" {name}={value}" for name, value in item.params)
    yield f"{item.layer}/{item.probe}{asked}: {headline(item)}"
    yield ""
    for fact in item.facts:
        if isinstance(fact, SystemCalls) and (none := kernel_words.none_slow(fact, item.params)):
            yield f"  {none}"
            yield ""
        if isinstance(fact, Readings):
            for r in fact.readings:
                limit = f" of {r.limit:g}" if r.limit is not None else ""
                yield f"  {r.verdict:<8} {r.name} ({r.subject}): {r.value:g}{limit} {r.unit}  {r.detail}".rstrip()
            continue
        room = columns.of(sys.stdout)
        rows = kernel_screen.lines(fact, None if room is None else room - 2)
        rows = (
            rows
            or stack_screen.lines(fact)
            or watch_screen.lines(fact, tz, live=live)
            or heap_screen.lines(fact)
            or page_screen.lines(fact)
            or metrics_screen.lines(fact, tz, None if room is None else room - 2)
        )
        if rows is not None:
            yield from (_Whole(f"  {line}".rstrip()) for line in rows)
            continue
        lines = list(_lines(encode(fact), ""))
        yield from (f"  {shorten(line, _WIDE)}" for line in lines[:_MOST_LINES])
        if len(lines) > _MOST_LINES:
            yield f"  and {count(len(lines) - _MOST_LINES, 'line')} more, in -o json"
    yield ""
    for ran in {r.by_hand: r for r in reversed(item.ran[:3])}.values():
        again = "again" if ran.by_hand.startswith("locard ") else "the same by hand"
        # Whole, since people paste it; what is too long for that stands in -o json.
        words = ran.by_hand if len(ran.by_hand) <= _LONGEST else "in -o json"
        yield _Whole(f"  {again}: {words}")
    if len(item.ran) > 3:  # noqa: PLR2004 - as many as are shown
        yield f"  and {count(len(item.ran) - 3, 'command')} more, in -o json"


def _lines(value: Any, name: str) -> Iterator[str]:
    """Plain data as `a.b: value` lines; what is empty or unknown is left out."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _lines(part, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        if value and all(not isinstance(part, dict | list) for part in value):
            yield f"{name}: {', '.join(map(str, value))}"
            return
        for number, part in enumerate(value):
            if isinstance(part, dict) and all(
                not isinstance(v, dict | list) for v in part.values()
            ):
                words = (f"{k}={v}" for k, v in part.items() if v not in (None, "", 0, False))
                yield f"{name}: {' '.join(words)}"
            else:
                yield from _lines(part, f"{name}[{number}]")
    elif value not in (None, "", False):
        yield f"{name}: {value}"
