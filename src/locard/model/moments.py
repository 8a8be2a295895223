"""Moments inside of texts: a rule writes when, and the reader's zone decides how that reads.

A moment stands in a text as a mark that no screen shows: `report.times.told` writes it out.
"""

from __future__ import annotations

import re

_BEGIN, _END = "\ue0f0", "\ue0f1"  # private-use characters: shown nowhere as they are
MARK = re.compile(f"{_BEGIN}([0-9]{{1,12}}(?:\\.[0-9]{{1,6}})?){_END}")


def moment(at: float) -> str:
    """The mark of a Unix time in seconds."""
    return f"{_BEGIN}{max(0.0, at):.3f}{_END}"
