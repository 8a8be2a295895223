"""Time boxes: one for the whole investigation, from which every command's bound is cut."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from locard.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>ms|[smhd]?)")


def parse_duration(text: str) -> float:
    """Seconds in `90`, `90s`, `10m`, `1.5h`, `2d`, `250ms`; raises UsageError."""
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise UsageError(
            f"{text!r} is no duration",
            "a duration is a number with s, m, h or d",
            "Write for example 10m.",
        )
    return float(found["number"]) * _UNITS[found["unit"] or "s"]


class Budget:
    """What is left of the time that the investigation may take."""

    def __init__(self, total_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts running at once."""
        self.total_s = total_s
        self._clock = clock
        self._start = clock()

    @property
    def spent_s(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    @property
    def left_s(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.total_s - self.spent_s)

    def bound(self, wanted_s: float) -> float:
        """A command's own bound, cut to what is left."""
        return min(wanted_s, self.left_s)
