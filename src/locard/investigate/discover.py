"""Where a target's logs, metrics and limits are, from what surrounds its processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.investigate.speaks_http import is_web_server, serves_some_http

if TYPE_CHECKING:
    from locard.model.process_table import Surroundings
    from locard.model.target import Target

_MAX_SOURCES = 4
_MAX_PORTS = 4
_DELETED = " (deleted)"


def log_files(around: Surroundings) -> tuple[str, ...]:
    """Files that the target writes as logs: those with such a name first, then its standard output.

    A deleted one comes last, and not at all where another stands at its path.
    """
    there = {f.path for f in around.files}
    kept = [
        f
        for f in around.files
        if f.path.removesuffix(_DELETED) == f.path or f.path.removesuffix(_DELETED) not in there
    ]
    files = sorted(kept, key=lambda f: (f.path.endswith(_DELETED), f.fd in {1, 2}))  # stable
    return tuple(dict.fromkeys(f.opens_as for f in files if f.size > 0))[:_MAX_SOURCES]


def log_sources(target: Target, around: Surroundings) -> tuple[str, ...]:
    """The files that it writes as logs; of a unit that writes none, its journal."""
    files = log_files(around)
    journal = (f"unit/{target.name}",) if target.kind == "unit" else ()
    return files or journal


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where metrics may be asked for, and the ports that are not asked, with why."""

    urls: tuple[str, ...] = ()
    not_asked: tuple[str, ...] = ()


def endpoints(target: Target, around: Surroundings) -> Endpoints:
    """`/metrics` on each TCP port of the target on which it speaks HTTP, by evidence."""
    if not around.own_network:  # there these are the ports of someone else
        return Endpoints()
    processes = {p.pid: p for p in target.processes}
    urls, not_asked = [], []
    for listening in around.listening:
        who = [processes[pid] for pid in listening.pids if pid in processes]
        # Of several ports a script or a log does not say which one it is.
        alone = len(around.listening) == 1
        some = alone and any(serves_some_http(p, around) for p in who)
        if some or any(map(is_web_server, who)):
            address = listening.address or listening.loopback
            urls.append(f"http://{address}:{listening.port}/metrics")
        else:
            not_asked.append(f"port {listening.port}: not asked, nothing says that it speaks HTTP")
    return Endpoints(tuple(urls)[:_MAX_PORTS], tuple(not_asked)[:_MAX_PORTS])


def cgroups(around: Surroundings, controller: str) -> tuple[str, ...]:
    """Directories of a controller's cgroups that the target is in, each before its ancestors."""
    return around.cgroups.get(controller, ())
