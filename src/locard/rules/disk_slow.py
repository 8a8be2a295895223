"""A disk answers slowly: requests wait in the device itself.

Pattern: a device that is broken, saturated or throttled behind the scenes (a cloud volume out of credit);
  whatever has to be on it waits, whoever asks.
Evidence: time from issue to completion of requests by device.
Against: a cgroup's I/O limit delays before a request exists: then the device is fast and io-limited says so.
Next: queue depth and utilisation of that device, its errors, who else uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.kernel_words import duration
from locard.model.wording import count
from locard.rules import _kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding
    from locard.model.kernel_facts import Row

_SLOW_S = 0.02  # a spinning disk seeks in ten milliseconds
_LEAST = 5


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each device that is slow by its own time."""
    for evidence, trace in _kernel.traces(case, "disk-latency"):
        devices: dict[str, list[Row]] = {}
        for row in trace.rows:
            if row.result == "ok" and row.total_s is not None:
                devices.setdefault(row.what, []).append(row)
        for device, rows in devices.items():
            number = sum(r.count for r in rows)
            took = sum(r.total_s or 0.0 for r in rows)
            if number < _LEAST or took < _SLOW_S * number:
                continue
            top = max(rows, key=lambda r: r.count)
            says = (
                f"{device} answered {count(number, 'request')} in {duration(took / number)} on"
                f" average, longest {duration(max(r.max_s or 0.0 for r in rows))}; most of them by"
                f" {top.thread or 'unknown'}"
            )
            yield _kernel.finding(
                "disk-slow",
                case,
                f"The disk {device} takes {duration(took / number)} for a request",
                [_kernel.support(evidence, says)],
                values=(("device", device),),
                next_commands=("iostat -x 1 3", f"cat /sys/block/{device}/stat"),
            )
