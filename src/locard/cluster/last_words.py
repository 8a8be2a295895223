"""The line by which a run of a container says why it ends, among its last ones."""

from __future__ import annotations

import re

_LONGEST = 400
_TELLING = re.compile(r"panic:|\b(?:fatal|critical|error|exception|emerg|alert)\b", re.IGNORECASE)
# Lines of a stack trace, and the end of a Go panic: they say where, not what.
_TRACE = re.compile(r"^(?:\s+at |\s+File \"|\t|goroutine \d+|exit status \d+|\s*\.\.\. \d+ more)")


def telling_line(lines: str) -> str:
    """The last line that names an error; the last one at all where none does; empty without lines."""
    every = [line.strip("\r") for line in lines.splitlines() if line.strip()]
    whole = [line for line in every if not _TRACE.match(line)] or every
    named = [line for line in whole if _TELLING.search(line)]
    chosen = (named or whole or [""])[-1]
    return " ".join(chosen.split())[:_LONGEST]
