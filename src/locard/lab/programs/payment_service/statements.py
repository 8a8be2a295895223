"""Account statements: the lines of a payment's account, in the order in which banks want them."""

from __future__ import annotations

import random
import time

_FULL_MS = 60.0
_SHORT = 40  # lines


class Statements:
    """The lines of the day, as the ledger left them."""

    def __init__(self, full_ms: float = _FULL_MS) -> None:
        """As many lines as this machine orders in `full_ms`: an account of one size everywhere."""
        draw = random.Random(7)  # noqa: S311 - the same lines in every worker
        sample = [f"{draw.getrandbits(64):016x}" for _ in range(20000)]
        took = min(_measured(sample) for _ in range(3))
        count = int(len(sample) * full_ms / 1000 / took)
        self._lines = [f"{draw.getrandbits(64):016x}" for _ in range(count)]

    def page(self, *, full: bool, short: bool) -> list[str]:
        """The first lines of a statement; a full one is of all lines of the account."""
        if full:
            return sorted(self._lines)[:_SHORT]
        if short:
            return sorted(self._lines[:_SHORT])
        return self._lines[:1]


def _measured(lines: list[str]) -> float:
    began = time.perf_counter()
    sorted(lines)
    return time.perf_counter() - began
