"""What is inspected: a target, resolved to processes that cannot be confused with later ones."""

from __future__ import annotations

from dataclasses import dataclass

from locard.model.place import HERE, Ground, Place


@dataclass(frozen=True, slots=True)
class Process:
    """One process. `start_ticks` (field 22 of /proc/PID/stat) tells a reused pid apart."""

    pid: int
    ppid: int
    start_ticks: int
    started: float  # Unix time, seconds
    uid: int
    comm: str
    cmdline: tuple[str, ...]
    threads: int = 1
    state: str = ""  # R S D T t Z, of its first thread


@dataclass(frozen=True, slots=True)
class Target:
    """A resolved target. `ref` is as the user wrote it (`proc/gunicorn`).

    `processes` is the whole tree, the root first. Empty for `host/local`.
    """

    ref: str
    kind: str
    name: str
    host: str
    processes: tuple[Process, ...] = ()

    @property
    def pids(self) -> tuple[int, ...]:
        """The pids of the tree, the root first."""
        return tuple(p.pid for p in self.processes)


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that a probe may take into account when it plans.

    `log_sources` are paths or `-`; `metrics_urls` are http(s) URLs that the user named,
    `metrics_found` those of ports of the target that speak HTTP, `ports_not_asked` says of its other
    ports why they were left alone. `first` is the target as it was resolved first: `target` is as
    it is now, since processes come and go. `window_s` is the window of
    interest in seconds before now, `budget_s` what the whole investigation may take. `pause_s` is how long a probe that measures a rate may wait
    between two readings. `memory_cgroups`, `cpu_cgroups` and `pids_cgroups` are the directories of the control groups
    that the target is in, with their ancestors, whose limits bind as well. `place` is where it runs,
    `ground` what was found there; a template that runs `here` runs where locard was started.
    """

    target: Target
    log_sources: tuple[str, ...] = ()
    metrics_urls: tuple[str, ...] = ()
    window_s: float = 600.0
    budget_s: float = 180.0
    pause_s: float = 2.0
    root: bool = True
    memory_cgroups: tuple[str, ...] = ()
    cpu_cgroups: tuple[str, ...] = ()
    pids_cgroups: tuple[str, ...] = ()
    metrics_found: tuple[str, ...] = ()
    ports_not_asked: tuple[str, ...] = ()
    first: Target | None = None
    place: Place = HERE
    ground: Ground | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """Why a probe or a layer was not run, and what would unlock it."""

    why: str
    unlock: str
