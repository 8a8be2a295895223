"""Words that several rules and reports need: the verb that fits two numbers, and texts made shorter."""

from __future__ import annotations

import re
from typing import Literal

Moved = Literal["rose", "fell", "stayed"]
_SAME = 0.05  # of the larger one: a difference that nobody would call a change
_WORD = 24
_LONG_WORD = re.compile(r"\S{33,}")  # a path, an id, a host with its domain
_HEAD = 0.4  # of a shortened text is its begin: the cause stands at the end


def moved(before: float, after: float) -> Moved:
    """Which way a number went: every sentence about two numbers takes its verb from here."""
    if abs(after - before) <= _SAME * max(abs(before), abs(after)):
        return "stayed"
    return "rose" if after > before else "fell"


def shorten(text: str, width: int) -> str:
    """A text of at most `width` characters: head and tail stay, the middle goes.

    Its long words go first, each in the middle: paths and ids crowd out what happened to them.
    """
    if len(text) <= width:
        return text
    text = _LONG_WORD.sub(lambda word: _cut(word[0], _WORD), text)
    return text if len(text) <= width else _cut(text, width)


def _cut(text: str, width: int) -> str:
    if width <= 1:
        return "…"[:width]
    head = max(1, int(_HEAD * (width - 1)))
    tail = width - 1 - head
    return f"{text[:head]}…{text[len(text) - tail :]}"
