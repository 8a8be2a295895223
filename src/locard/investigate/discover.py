"""Where a target's logs, metrics and limits are, from its open files, its sockets and its cgroups."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from locard.investigate.speaks_http import is_web_server, serves_some_http

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.target import Process, Target

_MAX_SOURCES = 4
_MAX_PORTS = 4
_MAX_CGROUPS = 16  # of one controller, ancestors included
_MAX_CGROUP_BYTES = 1 << 16
_LISTEN = "0A"
_APPENDING = os.O_WRONLY | os.O_RDWR
_LOG_NAME = re.compile(r"(\.log|\.jsonl?|\.ndjson|\.out|\.err|/log[^/]*)$", re.IGNORECASE)


def log_files(target: Target, proc: Path = Path("/proc")) -> tuple[str, ...]:
    """Files that the target writes as logs: its standard output first, then by name."""
    standard: list[str] = []
    named: list[str] = []
    for pid in target.pids:
        for fd, path in _written_files(proc / str(pid)):
            if fd in {"1", "2"} or _LOG_NAME.search(path):
                readable = _as_seen_here(proc / str(pid), fd, path)
                (standard if fd in {"1", "2"} else named).append(readable)
    found = dict.fromkeys(named + standard)
    return tuple(p for p in found if _has_content(p))[:_MAX_SOURCES]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where metrics may be asked for, and the ports that are not asked, with why."""

    urls: tuple[str, ...] = ()
    not_asked: tuple[str, ...] = ()


def endpoints(target: Target, logs: tuple[str, ...] = (), proc: Path = Path("/proc")) -> Endpoints:
    """`/metrics` on each TCP port of the target on which it speaks HTTP, by evidence."""
    if not target.pids or not _same_network(proc, target.pids[0]):
        return Endpoints()
    holders: dict[str, list[Process]] = {}
    for process in target.processes:
        for inode in _socket_inodes(proc / str(process.pid)):
            holders.setdefault(inode, []).append(process)
    ports: dict[int, tuple[str, list[Process]]] = {}
    for name, loopback in (("tcp", "127.0.0.1"), ("tcp6", "[::1]")):
        for address, port, inode in _listening(proc / str(target.pids[0]) / "net" / name):
            if inode in holders:
                ports.setdefault(port, (address or loopback, holders[inode]))
    urls, not_asked = [], []
    for port, (address, who) in sorted(ports.items()):
        # Of several ports a script or a log does not say which one it is.
        some = len(ports) == 1 and any(serves_some_http(p, logs, proc) for p in who)
        if some or any(map(is_web_server, who)):
            urls.append(f"http://{address}:{port}/metrics")
        else:
            not_asked.append(f"port {port}: not asked, nothing says that it speaks HTTP")
    return Endpoints(tuple(urls)[:_MAX_PORTS], tuple(not_asked)[:_MAX_PORTS])


def cgroups(
    target: Target,
    controller: str,
    proc: Path = Path("/proc"),
    mounts: Path = Path("/sys/fs/cgroup"),
) -> tuple[str, ...]:
    """Directories of a controller's cgroups that the target is in, each before its ancestors.

    Both hierarchies are named where both exist, since either may hold the controller. Inside a
    container the group's own directory can be the root, so that the root is named as well.
    """
    unified = mounts / "unified"  # where systemd mounts version 2 beside version 1
    found: dict[str, None] = {}
    for pid in target.pids:
        for number, controllers, path in _memberships(proc / str(pid)):
            if controller in controllers.split(","):
                # Version 1 mounts "cpu,cpuacct", with links for each where systemd made them.
                alone = mounts / controller
                root = alone if alone.is_dir() else mounts / controllers
            elif number == "0" and not controllers:
                root = unified if unified.is_dir() else mounts
            else:
                continue
            # A group outside of the reader's own namespace begins with "..".
            parts = [p for p in path.split("/") if p and p != ".."]
            for depth in range(len(parts), -1, -1):
                found["/".join((str(root), *parts[:depth]))] = None
    return tuple(d for d in found if Path(d).is_dir())[:_MAX_CGROUPS]


def _memberships(entry: Path) -> Iterator[tuple[str, str, str]]:
    """(number, controllers, path) of each hierarchy that a process is in."""
    try:
        with (entry / "cgroup").open("rb") as file:
            text = file.read(_MAX_CGROUP_BYTES).decode("utf-8", "replace")
    except OSError:
        return
    for line in text.split("\n"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        yield number, controllers, path


def _as_seen_here(entry: Path, fd: str, path: str) -> str:
    """The path under which this very file can be opened from here.

    In a container the same path is another file on the host: compare device and inode, and go
    through the target's root directory or, where the file was renamed, its open descriptor.
    """
    link = entry / "fd" / fd
    for candidate in (Path(path), Path(f"{entry}/root{path}")):
        try:
            if candidate.samefile(link):
                return str(candidate)
        except OSError:
            continue
    return str(link)


def _written_files(entry: Path) -> Iterator[tuple[str, str]]:
    try:
        fds = sorted((entry / "fd").iterdir(), key=lambda p: int(p.name))
    except OSError:  # ended, or not ours to look at: the caller gives --logs then
        return
    for fd in fds:
        try:
            path = os.readlink(fd)  # noqa: PTH115 - the raw link, not resolved further
            info = (entry / "fdinfo" / fd.name).read_text()
        except OSError:
            continue
        flags = re.search(r"^flags:\s*([0-7]+)", info, re.MULTILINE)
        if path.startswith("/") and flags and int(flags[1], 8) & _APPENDING:
            yield fd.name, path


def _has_content(path: str) -> bool:
    file = Path(path)
    try:
        return file.is_file() and file.stat().st_size > 0
    except OSError:
        return False


def _same_network(proc: Path, pid: int) -> bool:
    """Whether the target's ports are ours: in another network namespace they are someone else's."""
    try:
        return (proc / "self/ns/net").samefile(proc / str(pid) / "ns/net")
    except OSError:
        return False


def _socket_inodes(entry: Path) -> Iterator[str]:
    try:
        fds = list((entry / "fd").iterdir())
    except OSError:
        return
    for fd in fds:
        try:
            link = os.readlink(fd)  # noqa: PTH115 - a socket's link is no path
        except OSError:
            continue
        if link.startswith("socket:["):
            yield link[8:-1]


def _listening(path: Path) -> Iterator[tuple[str | None, int, str]]:
    """(address if it is a particular IPv4 one, port, inode) of each listening socket."""
    try:
        lines = path.read_text().splitlines()[1:]
    except OSError:
        return
    for line in lines:
        fields = line.split()
        if fields[3] != _LISTEN:
            continue
        raw, _, port = fields[1].rpartition(":")
        address = None
        if len(raw) == 8 and int(raw, 16):  # noqa: PLR2004 - IPv4, in host byte order
            address = ".".join(str(b) for b in int(raw, 16).to_bytes(4, "little"))
        yield address, int(port, 16), fields[9]
