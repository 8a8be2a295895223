"""The line by which a run of a container says why it ends, among its last ones."""

from __future__ import annotations

import json
import re

_LONGEST = 400
_TELLING = re.compile(r"panic:|\b(?:fatal|critical|error|exception|emerg|alert)\b", re.IGNORECASE)
# Lines of a stack trace, and the end of a Go panic: they say where, not what.
_TRACE = re.compile(r"^(?:\s+at |\s+File \"|\t|goroutine \d+|exit status \d+|\s*\.\.\. \d+ more)")
_SAYS = ("msg", "message", "event", "error", "err")
_LEVELS = ("level", "severity", "lvl")


def telling_line(lines: str) -> str:
    """The last line that names an error; the last one at all where none does; empty without lines."""
    every = [line.strip("\r") for line in lines.splitlines() if line.strip()]
    whole = [line for line in every if not _TRACE.match(line)] or every
    named = [line for line in whole if _TELLING.search(line)]
    chosen = (named or whole or [""])[-1]
    return " ".join(_plain(chosen).split())[:_LONGEST]


def _plain(line: str) -> str:
    """What a JSON line says, with its level; any other as it is."""
    if not line.lstrip().startswith("{"):
        return line
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return line
    said = [found[k] for k in _SAYS if isinstance(found.get(k), str) and found[k]]
    if not said:
        return line
    level = next((found[k] for k in _LEVELS if isinstance(found.get(k), str)), "")
    return ": ".join(filter(None, (level, *dict.fromkeys(said))))
