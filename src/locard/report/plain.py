"""Untrusted text made harmless for a terminal."""

from __future__ import annotations

import unicodedata

# Characters that reorder or hide text: bidirectional controls, zero-width and tag characters.
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def safe(text: str, *, lines: bool = False) -> str:
    """The text with every control or invisible character shown as an escape, such as `u200b`.

    `lines` keeps line breaks, for text of locard's own that has several lines.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if (lines and c == "\n") or unicodedata.category(c) not in _INVISIBLE else _escaped(c)
        for c in text
    )


def _escaped(char: str) -> str:
    return (
        f"\\x{ord(char):02x}" if char.isascii() else char.encode("unicode_escape").decode("ascii")
    )
