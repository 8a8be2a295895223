"""How wide the terminal of a stream is, and text that fits into it."""

from __future__ import annotations

import os
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

WIDEST = 80
_LEAST = 40


def asked_for() -> int | None:
    """Columns as the environment has them (COLUMNS); None where it has none."""
    try:
        return max(_LEAST, int(os.environ["COLUMNS"]))
    except (KeyError, ValueError):
        return None


def of(stream: TextIO) -> int | None:
    """Columns of the terminal that a stream writes to; None where it is no terminal."""
    try:
        if not stream.isatty():
            return None
        return asked_for() or max(_LEAST, os.get_terminal_size(stream.fileno()).columns)
    except (OSError, ValueError, AttributeError):
        return None


def cut(line: str, columns: int | None) -> str:
    """A line of at most so many columns, with no blanks at its end; whole where there is no limit."""
    line = line.rstrip()
    return line if columns is None or len(line) <= columns else line[: columns - 1].rstrip() + "…"


def labelled(label: str, text: str, columns: int | None) -> str:
    """A text beside its label, its lines below each other; words stay whole, so paths can be pasted."""
    if columns is None:
        return label + text
    indent = " " * len(label)
    first, *rest = text.split("\n")
    lines = [_filled(first, columns, label, indent)]
    for line in rest:  # of a list
        begin = line[: len(line) - len(line.lstrip())]
        lines.append(_filled(line.strip(), columns, begin, begin + "  "))
    return "\n".join(lines)


def _filled(text: str, columns: int, first: str, rest: str) -> str:
    return (
        textwrap.fill(
            text,
            columns,
            initial_indent=first,
            subsequent_indent=rest,
            break_on_hyphens=False,
            break_long_words=False,
        )
        or first.rstrip()
    )
