"""ltrace -c: calls of library functions with count and wall time; it writes breakpoints into the target."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.guard import needs
from locard.guard.command import Impact, Residue, Template
from locard.kernel import engines
from locard.kernel._observing import ranked
from locard.model.kernel_facts import NotObserved, Row, Trace
from locard.model.kernel_words import rate
from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.model.evidence import Output
    from locard.probe import Step

TOOL = "ltrace"
VERSION = Template(("ltrace", "-V"), Impact.READS, 5.0, needs=(needs.LTRACE,))
SUMMARY = Template(
    ("ltrace", "-c", "-f", "-e", "{expression:source}", "-p{pid:pid*}"),
    Impact.INJECTS,  # breakpoints are code
    engines.MOST_S,
    needs=(needs.LTRACE,),
    residue=(
        Residue(
            "where ltrace is killed, breakpoints in the target's code: they end it at the next call"
        ),
    ),
    ends="only interrupted",
    merged=True,
)
COMMANDS = (VERSION, SUMMARY)
_BLIND = (
    "ltrace sees what the program calls through its table of imports: nothing between libraries, nothing without one",
    "the times have ltrace's own stops in them",
)
_ROW = re.compile(
    r"^ *[0-9.]+ +(?P<total>[0-9.]+) +[0-9]+ +(?P<calls>[0-9]+) +(?P<name>\S+)$", re.MULTILINE
)


def plan(seconds: float, expression: str, pids: tuple[int, ...]) -> Generator[Step, Output, None]:
    """`expression` as ltrace -e takes it."""
    command = SUMMARY.fill(expression=expression, pid=pids)
    yield from engines.steps(engines.bounded(command, seconds), VERSION, seconds, pids)


def read(outputs: Sequence[Output]) -> Trace | NotObserved | None:
    """The summary as a Trace; None where ltrace was not asked."""
    it = engines.ran(outputs, (TOOL,))
    if not isinstance(it, engines.Ran):
        return it
    if "% time" not in it.text:
        return engines.failed(it, "libcalls")
    rows = [
        Row(f["name"], count=int(f["calls"]), total_s=float(f["total"]))
        for f in _ROW.finditer(it.text)
    ]
    seen = engines.observed(it, TOOL, blind=[*_BLIND, engines.WARNINGS[TOOL]])
    return Trace("libcalls", says(rows, seen.seconds, TOOL), seen, ranked(rows))


def says(rows: list[Row], seconds: float, tool: str) -> str:
    """The headline: what a tool recorded, which is not always what was called."""
    total = sum(r.count for r in rows)
    if not total:
        return f"{tool} recorded no call in {seconds:.1f} s: that is not known to be none"
    top = sorted(rows, key=lambda r: -r.count)[:4]
    each = ", ".join(f"{r.what} {r.count:,}" for r in top)
    return f"{count(total, 'call')} in {seconds:.1f} s ({rate(total, seconds)}): {each}"
