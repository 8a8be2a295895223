"""Words that several rules and reports need: the verb that fits two numbers, and texts made shorter."""

from __future__ import annotations

from typing import Literal

Moved = Literal["rose", "fell", "stayed"]
_SAME = 0.05  # of the larger one: a difference that nobody would call a change
_HEAD = 0.4  # of a shortened text is its begin: the cause stands at the end


def moved(before: float, after: float) -> Moved:
    """Which way a number went: every sentence about two numbers takes its verb from here."""
    if abs(after - before) <= _SAME * max(abs(before), abs(after)):
        return "stayed"
    return "rose" if after > before else "fell"


def shorten(text: str, width: int) -> str:
    """A text of at most `width` characters: head and tail stay, the middle goes."""
    if len(text) <= width:
        return text
    if width <= 1:
        return "…"[:width]
    head = max(1, int(_HEAD * (width - 1)))
    tail = width - 1 - head
    return f"{text[:head]}…{text[len(text) - tail :]}"
