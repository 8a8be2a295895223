"""strace -c: calls with count, wall time, shortest, longest and failures; it stops the target at each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.kernel import engines, syscall_table
from locard.kernel._observing import ranked
from locard.model.kernel_facts import NotObserved, Row, SystemCalls

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.model.evidence import Output
    from locard.probe import Step

TOOL = "strace"
VERSION = Template(("strace", "-V"), Impact.READS, 5.0, needs=(needs.STRACE,))
_ARGV = ("strace", "-c", "-w", "-f", "-qq")
_COLUMNS = ("-U", "time-percent,total-time,min-time,max-time,calls,errors,name")
_WHOM = ("-e", "trace={calls:source}", "-p{pid:pid*}")
SUMMARY = Template(
    (*_ARGV, *_COLUMNS, *_WHOM),
    Impact.PAUSES,
    engines.MOST_S,
    needs=(needs.STRACE,),
    ends="interrupted",
    merged=True,
)
# Before strace 5.7.
OLD_SUMMARY = Template(
    (*_ARGV, *_WHOM),
    Impact.PAUSES,
    engines.MOST_S,
    needs=(needs.STRACE,),
    ends="interrupted",
    merged=True,
)
COMMANDS = (VERSION, SUMMARY, OLD_SUMMARY)
_BLIND = (
    "strace -c sums by call: not by thread, file, peer, lock or errno; calls that had not ended are not in it",
    "the times have strace's own stops in them, and the target ran slower meanwhile",
)
_ROW = re.compile(
    r"^ *[0-9.]+ +(?P<total>[0-9.]+) +(?:(?P<min>[0-9]+\.[0-9]+) +(?P<max>[0-9]+\.[0-9]+)|(?P<each>[0-9]+))"
    r" +(?P<calls>[0-9]+) +(?:(?P<errors>[0-9]+) +)?(?P<name>[a-z_][A-Za-z0-9_]*)$",
    re.MULTILINE,
)
_KNOWS_COLUMNS = (5, 7)


def plan(
    seconds: float, calls: Sequence[str], pids: tuple[int, ...]
) -> Generator[Step, Output, None]:
    """`calls`: their names; none: all."""
    # A call that this strace does not know is none that it could see.
    words = ",".join(f"?{c}" for c in calls) or "all"
    version = yield VERSION.fill()
    if version.problem:
        return
    found = re.search(r"version ([0-9]+)\.([0-9]+)", version.text)
    old = found is not None and (int(found[1]), int(found[2])) < _KNOWS_COLUMNS
    command = (OLD_SUMMARY if old else SUMMARY).fill(calls=words, pid=pids)
    yield from engines.steps(engines.bounded(command, seconds), None, seconds, pids)


def read(outputs: Sequence[Output]) -> SystemCalls | NotObserved | None:
    """The summary as calls; None where strace was not asked."""
    it = engines.ran(outputs, (TOOL,))
    if not isinstance(it, engines.Ran):
        return it
    rows = [_row(found) for found in _ROW.finditer(it.text) if found["name"] != "total"]
    if not rows and not re.search(r"^100\.00 .* total$|^% time", it.text, re.MULTILINE):
        said = [x for x in it.text.splitlines() if "attach" in x or "error" in x or "invalid" in x]
        if said or it.output.exit_code:
            return engines.failed(it, "syscalls")
    blind = [*_BLIND, engines.WARNINGS[TOOL]]
    return SystemCalls(
        observed=engines.observed(it, TOOL, blind=blind),
        calls=ranked(rows),
        threads=(), files=(), errors=(), locks=(), blocked=(), slow=(), ready=(),
    )  # fmt: skip


def _row(found: re.Match[str]) -> Row:
    name = found["name"]
    return Row(
        name,
        count=int(found["calls"]),
        errors=int(found["errors"] or 0),
        total_s=float(found["total"]),
        min_s=float(found["min"]) if found["min"] else None,
        max_s=float(found["max"]) if found["max"] else None,
        detail="waits" if name in syscall_table.WAITS else "",
    )
