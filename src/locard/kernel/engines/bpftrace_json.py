"""What bpftrace prints with -f json: maps, histograms, statistics and lines, of 0.17 and of 0.27."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from locard.model.foreign_json import parsed
from locard.model.kernel_facts import Bucket, Histogram

if TYPE_CHECKING:
    from collections.abc import Iterator

# Entries that bpftrace keeps of one map: 4096 in all versions. Whatever comes then is not counted.
MOST_KEYS = 4096


@dataclass(slots=True)
class Said:
    """One run of bpftrace."""

    maps: dict[str, Any] = field(default_factory=dict)
    stats: dict[str, Any] = field(default_factory=dict)
    hists: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    probes: int | None = None
    lost: int = 0

    def full(self) -> list[str]:
        """Maps that can hold no more."""
        every = {**self.maps, **self.stats, **self.hists}
        return [n for n, v in every.items() if isinstance(v, dict) and len(v) >= MOST_KEYS]

    def losses(self) -> list[str]:
        """What was lost, in words."""
        words = [
            f"the table {n} of bpftrace was full: what came later is not in it" for n in self.full()
        ]
        return words + [f"{self.lost:,} events were lost: bpftrace says so"] * bool(self.lost)


def said(text: str) -> Said:
    """What it said; what is no record is not there."""
    found = Said()
    for line in text.splitlines():
        if not line.startswith("{"):
            continue
        try:
            row = parsed(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            _take(found, str(row.get("type")), row.get("data"))
    return found


def _take(found: Said, kind: str, data: Any) -> None:
    into = {"map": found.maps, "stats": found.stats, "hist": found.hists}.get(kind)
    if into is not None and isinstance(data, dict):
        into.update(data)
    elif kind in {"printf", "time", "join", "value", "strftime"}:
        found.lines.append(str(data))
    elif kind == "attached_probes" and isinstance(data, dict):
        found.probes = data["probes"] if isinstance(data.get("probes"), int) else None
    elif kind == "lost_events" and isinstance(data, dict):
        lost = data.get("events")
        found.lost += lost if isinstance(lost, int) else 0


def entries(value: Any) -> Iterator[tuple[str, Any]]:
    """(key, value) of a map; one without keys has one, by an empty key."""
    if isinstance(value, dict) and not _is_stats(value):
        yield from value.items()
    else:
        yield "", value


def _is_stats(value: dict[str, Any]) -> bool:
    return set(value) == {"count", "average", "total"}


def numbers(key: str) -> tuple[int, ...] | None:
    """A key of numbers: "23560,-2"."""
    return (
        tuple(map(int, key.split(","))) if re.fullmatch(r"-?\d{1,18}(,-?\d{1,18})*", key) else None
    )


def histogram(name: str, rows: Any, unit: str, scale: float = 1.0) -> Histogram | None:
    """A hist or lhist as bars."""
    slots = []
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, dict) or not isinstance(row.get("count"), int):
            return None
        least, most = row.get("min"), row.get("max")
        if not row["count"]:
            continue
        if not isinstance(least, int):
            least = most if isinstance(most, int) else 0
        if not isinstance(most, int):
            most = least
        slots.append(Bucket(least * scale, (most + 1) * scale, row["count"]))
    return Histogram(name, unit, tuple(slots)) if slots else None


def frames(text: str) -> tuple[tuple[str, ...], str]:
    """A key that begins with a stack: its frames, outermost first, and what stands behind it."""
    lines = text.split("\n")
    stack = [x.strip() for x in lines if x.startswith("    ")]
    stack = stack or [x.strip() for x in lines[1:-1]]
    return tuple(reversed([s for s in stack if s])), lines[-1].lstrip(",")
