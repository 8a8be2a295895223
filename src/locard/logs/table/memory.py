"""How much memory the table of a log may take on this machine."""

from __future__ import annotations

import contextlib
import os
import resource
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_MB = 512
SPILLING_MB = 280  # where the rest goes to a file: the whole process stays below 500
_MOST_MB = 4096
_LEAST_ROOM_MB = 400  # beside a small log
_SHARE = 0.25  # of what is free
_IDLE_NICE = 19
# As a container sees its own group, version 2 and 1: the limit, and what is used of it.
_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def cap_mb() -> int:
    """A quarter of what is free, up to 4 GB; 512 MB where a target runs and locard has stepped back."""
    if os.getpriority(os.PRIO_PROCESS, 0) >= _IDLE_NICE:
        return LEAST_MB
    return int(min(max(_free_bytes() * _SHARE / 1e6, LEAST_MB), _MOST_MB))


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Whatever is asked meanwhile takes at most as much memory again as is in use, or 400 MB.

    DuckDB bounds its tables, but not one value: `repeat('x', 4e9)` is 8 GB. What needs more fails
    there. Counted is what can be written (RLIMIT_DATA): RLIMIT_AS would count what threads only reserve.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resident, data = _own_bytes()
    if not data:
        yield
        return
    wanted = data + min(max(_LEAST_ROOM_MB << 20, resident), _MOST_MB << 20)
    given = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min([wanted, *given]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _own_bytes() -> tuple[int, int]:
    """Resident and writable memory of this process; zeros where the kernel does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - pathlib costs
            pages = file.read().split()
            return int(pages[1]) * resource.getpagesize(), int(pages[5]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0, 0


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
