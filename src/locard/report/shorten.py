"""Long texts made short without losing what they end with: the cause mostly stands last."""

from __future__ import annotations

_TAIL = 0.6  # of the room, for the end


def shorten(text: str, width: int) -> str:
    """At most `width` characters: a longer text is cut in the middle."""
    if len(text) <= width:
        return text
    tail = int((width - 1) * _TAIL)
    return f"{text[: width - 1 - tail]}…{text[-tail:]}" if tail else text[:width]
