"""How much memory the table of a log may take on this machine."""

from __future__ import annotations

import contextlib
import os

LEAST_MB = 512
SPILLING_MB = 280  # where the rest goes to a file: the whole process stays below 500
_MOST_MB = 4096
_SHARE = 0.25  # of what is free
_IDLE_NICE = 19
# As a container sees its own group, version 2 and 1: the limit, and what is used of it.
_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def cap_mb() -> int:
    """A quarter of what is free, up to 4 GB; 512 MB where a target runs and locard has stepped back."""
    if (
        os.getpriority(os.PRIO_PROCESS, 0) >= _IDLE_NICE
        or os.sched_getscheduler(0) == os.SCHED_IDLE
    ):
        return LEAST_MB
    return int(min(max(_free_bytes() * _SHARE / 1e6, LEAST_MB), _MOST_MB))


def _free_bytes() -> float:
    free = 0.0
    with (
        contextlib.suppress(OSError, ValueError, IndexError, StopIteration),
        open("/proc/meminfo", encoding="ascii") as lines,  # noqa: PTH123 - pathlib costs
    ):
        free = next(float(x.split()[1]) * 1024 for x in lines if x.startswith("MemAvailable:"))
    for limit, used in _GROUPS:
        with contextlib.suppress(OSError, ValueError):  # no such group, or "max"
            free = min(free, _number(limit) - _number(used))
    return free


def _number(path: str) -> float:
    with open(path, encoding="ascii") as file:  # noqa: PTH123 - as above
        return float(file.read())
