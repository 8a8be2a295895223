"""The dry run as text: every command with impact, residue and bound."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from locard.report.plain import safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locard.investigate.plan import Planned
    from locard.model.target import Context


def text(context: Context, planned: Iterable[Planned]) -> str:
    """What would run, in order, with the exact argv; then what would not, and why."""
    target = context.target
    at = context.place.ref
    lines = [f"Would investigate {safe(target.ref)} on {safe(target.host)}, at {safe(at)}:"]
    lines += [
        f"  pid {p.pid}  {safe(' '.join(p.cmdline)[:90] or p.comm)}" for p in target.processes
    ]
    layer = ""
    for item in planned:
        if item.layer != layer:
            layer = item.layer
            lines += ["", layer]
        if not item.argv:
            lines.append(f"  {item.probe}: skipped, {item.why}. To unlock: {item.unlock}")
            continue
        residue = ", ".join(item.residue) or "none"
        lines.append(
            f"  {item.probe}: impact {item.impact}, residue {residue}, at most {item.bound_s:g} s"
            + (f", from {item.place}" if item.place != at else "")
        )
        lines.append(f"    {safe(shlex.join(item.argv))}")
        if item.program_digest:
            lines.append(
                f"      standard input: a reader of locard's, sha256 {item.program_digest}"
            )
        if item.by_hand != shlex.join(item.argv):
            lines.append(f"      by hand: {safe(item.by_hand)}")
        if item.why:
            lines.append(f"      would not run: {safe(item.why)}. {safe(item.unlock)}")
    read = "the process table was read" if target.processes else "only the target was looked for"
    lines += ["", f"None of these was run; to plan them {read}."]
    return "\n".join(lines) + "\n"
