"""Entries of sums.h's `struct times` added up, as fields of a Row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from locard.kernel import _observing

_NONE = 1 << 64


@dataclass(slots=True)
class Sums:
    """Several of them as one."""

    count: int = 0
    total_ns: int = 0
    max_ns: int = 0
    min_ns: int = _NONE
    slots: dict[str, int] = field(default_factory=dict)

    def add(self, times: Any) -> None:
        """Add an entry; raises KeyError or TypeError where it is none."""
        number, total = times["count"] + 0, times["total_ns"] + 0
        most, least = max(self.max_ns, times["max_ns"]), min(self.min_ns, times["min_ns"])
        self.count += number
        self.total_ns += total
        self.max_ns, self.min_ns = most, least
        _observing.add_slots(self.slots, times["slots"])

    def add_one(self, took: int) -> None:
        """Add a single value, as kernel.h's `slot_of` sorts it."""
        bits = max(0, took.bit_length() - 1)
        slot = took if took < 8 else (bits - 2) * 8 + ((took >> (bits - 3)) & 7)  # noqa: PLR2004 - as there
        self.add(
            {"count": 1, "total_ns": took, "max_ns": took, "min_ns": took, "slots": {str(slot): 1}}
        )

    @property
    def fields(self) -> dict[str, Any]:
        """Seconds: total, least, median, p99, greatest. No share lies below the least."""
        if not self.count:
            return {}
        row = {"total_ns": self.total_ns, "max_ns": self.max_ns, "slots": self.slots}
        least = round(self.min_ns / 1e9, 9)
        found = _observing.latencies(row)
        return {k: max(v, least) for k, v in found.items()} | {"min_s": least}

    def share_s(self, share: float) -> float | None:
        """The value below which a share of them lies."""
        found = _observing.percentile(self.slots, share, self.max_ns)
        return None if found is None else round(found / 1e9, 9)
