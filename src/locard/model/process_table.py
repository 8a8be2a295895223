"""The processes of a place at one moment, and what surrounds those of a target there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locard.model.target import Process


@dataclass(frozen=True, slots=True)
class ProcessTable:
    """All processes that could be seen, by pid; only the trees that were asked for if not `whole`.

    `boot` and `at` are Unix times in seconds by the clock of the place. `own` are the pids of the
    reader and its ancestors there, which are never the target; `ended` are zombies. `cgroups` holds the
    lines of /proc/PID/cgroup, `net` and `pid_ns` the inodes of namespaces, where they could be read.
    `cut` says what was left out.
    """

    node: str
    processes: Mapping[int, Process]
    boot: float = 0.0
    ticks_per_s: int = 100
    at: float = 0.0
    own: frozenset[int] = frozenset()
    ended: frozenset[int] = frozenset()
    cgroups: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    net: Mapping[int, int] = field(default_factory=dict)
    pid_ns: Mapping[int, int] = field(default_factory=dict)
    whole: bool = True
    cut: str = ""


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that looks like a log and is open for writing. `opens_as` is its path for the reader."""

    pid: int
    fd: int
    path: str
    opens_as: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Listening:
    """A TCP port of the target's network namespace. `address` is None where all are listened on."""

    port: int
    address: str | None
    loopback: str
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a target writes and listens and what limits it, as seen beside it.

    `own_network`: its ports are those of the reader's own network namespace. `cgroups`: directories
    by controller. `scripts`: pids whose program text imports an HTTP server. `request_logs`: logs whose
    end tells of HTTP requests. `not_asked`: (path, file system) of files on network and FUSE mounts.
    """

    files: tuple[WrittenFile, ...] = ()
    listening: tuple[Listening, ...] = ()
    own_network: bool = False
    cgroups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scripts: frozenset[int] = frozenset()
    request_logs: frozenset[str] = frozenset()
    not_asked: tuple[tuple[str, str], ...] = ()
    missed: tuple[str, ...] = ()
