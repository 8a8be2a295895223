"""Prints where some processes write their logs, where they listen and what limits them, as JSON.

This file travels like `process_table.py`: standard library only, Python 3.6 or later, nothing stays.
Arguments: pids of the target, then paths of logs that the user named. It prints one document:

    {"files": [{"pid", "fd", "path", "open", "size"}], opened for writing, log-like; "open" is the path
              under which this very file is opened from where this program runs
     "not_asked": [{"path", "type"}], files on a network or FUSE mount, which may never answer
     "listening": [{"port", "address" (null: all of them), "loopback", "pids"}],
     "own_network": whether these are ports of the network namespace that this program runs in,
     "cgroups": {"memory", "cpu", "pids": [directories that exist, each before its ancestors]},
     "scripts": [pids whose program text imports an HTTP server],
     "request_logs": [paths of logs whose end tells of HTTP requests], "missed": [what and why]}
"""

import json
import os
import re
import socket
import stat
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

PROC = "/proc"
MOUNTS = "/sys/fs/cgroup"
MOST_FILES = 64  # log-like files that are told
MOST_FDS = 65536  # of one process that are looked at
MOST_LISTENING = 256
MOST_CGROUPS = 16  # of one controller, ancestors included
MOST_TABLE = 4 << 20  # bytes of one socket table: those that listen stand first in it
MOST_TEXT = 1 << 20  # bytes of any other file of /proc
MOST_SCRIPT = 1 << 18
MOST_TAIL = 1 << 16
CONTROLLERS = ("memory", "cpu", "pids")

# Asking one of these may wait for a server for ever; `fuse…` likewise, and autofs mounts another.
_FAR_MOUNTS = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "ncpfs",
        "9p",
        "afs",
        "ceph",
        "coda",
        "lustre",
        "gpfs",
        "beegfs",
        "glusterfs",
        "ocfs2",
        "gfs2",
        "autofs",
        "pvfs2",
        "orangefs",
        "davfs",
        "virtiofs",
    ]
)
# Also as it is called after its rotation, while the writer still holds it.
_LOG_NAME = re.compile(
    r"(\.log|\.jsonl?|\.ndjson|\.out|\.err|/log[^/]*)([.-][0-9]{1,10}){0,2}$", re.IGNORECASE
)
_MODULES = (
    r"http\.server|wsgiref|flask|fastapi|starlette|aiohttp|bottle|django|tornado|sanic|falcon|pyramid"
    r"|cherrypy|uvicorn|hypercorn|waitress|werkzeug|quart|litestar|prometheus_client"
)
_IMPORTS = re.compile(
    r"^\s*(?:from|import)\s+(?:" + _MODULES + r")\b"
    r"|require\(['\"](?:node:)?(?:https?|http2|express|fastify|koa|hapi|restify|prom-client)['\"]\)"
    r"|^\s*import\b[^\n]*['\"](?:node:)?(?:https?|express|fastify|koa)['\"]"
    r"|^\s*require\s+['\"](?:sinatra|rack|webrick|puma)['\"]",
    re.MULTILINE,
)
_DELETED = " (deleted)"  # at the end of the link of a file that has no name any more
# "GET /x HTTP/1.1" as access logs write it, or a method beside a path and a status.
_ACCESS = re.compile(
    rb"\"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) [^\"\s]{1,2000} HTTP/[0-9.]+\"?"
    rb"|\b(?:GET|POST|PUT|PATCH|DELETE) /[^\s\"]{0,500}[^\n]{0,80}\b[1-5][0-9]{2}\b"
    rb"|\"(?:path|uri|url|route|http\.route|http_path|request_uri)\": ?\"/[^\n]{0,2000}\"(?:status|status_code|http_status)\": ?[\"]?[1-5][0-9]{2}"
    rb"|\"(?:status|status_code|http_status)\": ?[\"]?[1-5][0-9]{2}[^\n]{0,2000}\"(?:path|uri|url|route)\": ?\"/"
)


def text_of(path: str, most: int = MOST_TEXT) -> str:
    """The beginning of a file of /proc; empty where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(most).decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def is_far(kind: str) -> bool:
    """Whether a mount of that type may keep whoever asks it waiting."""
    return (kind.startswith("fuse") and kind not in ("fusectl", "fuseblk")) or kind in _FAR_MOUNTS


class Mounts:
    """The mounts that a process sees: which type of file system a path is on, without asking it."""

    def __init__(self, text: str) -> None:
        """`text` is that of /proc/PID/mountinfo."""
        self.by_id: "dict[str, str]" = {}
        self.points: "list[tuple[str, str]]" = []
        for line in text.split("\n"):
            first, _, rest = line.partition(" - ")
            fields = first.split(" ")
            if len(fields) > 4:
                kind = rest.split(" ")[0]
                point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m.group(1), 8)), fields[4])
                self.by_id[fields[0]] = kind
                self.points.append((point.rstrip("/"), kind))

    def type_of(self, path: str) -> str:
        """The type of the file system at a path; of two mounts at one point the later one counts."""
        best, kind = -1, ""
        for point, found in self.points:
            if (path == point or path.startswith(point + "/")) and len(point) >= best:
                best, kind = len(point), found
        return kind


class Around:
    """One look at the target: what was found so far."""

    def __init__(self, pids: "Sequence[int]", proc: str, cgroup_mounts: str) -> None:
        """Nothing is read yet but the mounts that this program sees."""
        self.pids = pids
        self.proc = proc
        self.cgroup_mounts = cgroup_mounts
        self.own_mounts = Mounts(text_of(proc + "/self/mountinfo"))
        self.files: "list[dict[str, Any]]" = []
        self.not_asked: "dict[str, str]" = {}
        self.holders: "dict[str, list[int]]" = {}
        self.missed: "list[str]" = []
        self.seen: "dict[tuple[str, int, int], str]" = {}

    def descriptors(self, pid: int) -> None:
        """Look at what a process has open: files it writes, and its sockets."""
        base = f"{self.proc}/{pid}"
        try:
            names = sorted((n for n in os.listdir(base + "/fd") if n.isdigit()), key=int)
        except OSError as error:  # ended, or not ours to look at: the caller names logs then
            self.missed.append(f"open files of {pid}: {error.strerror}")
            return
        mounts = Mounts(text_of(base + "/mountinfo"))
        for name in names[:MOST_FDS]:
            try:
                link = os.readlink(base + "/fd/" + name)
            except OSError:
                continue
            if link.startswith("socket:["):
                self.holders.setdefault(link[8:-1], []).append(pid)
            elif link.startswith("/") and (
                name in ("1", "2") or _LOG_NAME.search(link.replace(_DELETED, ""))
            ):
                self.log_file(pid, name, link, mounts)

    def log_file(self, pid: int, name: str, path: str, mounts: "Mounts") -> None:
        """Note a file that looks like a log, if it is open for writing and may be asked."""
        base = f"{self.proc}/{pid}"
        info = text_of(base + "/fdinfo/" + name)
        flags = re.search(r"^flags:\s*([0-7]+)", info, re.MULTILINE)
        if not flags or not int(flags.group(1), 8) & (os.O_WRONLY | os.O_RDWR):
            return
        mount = re.search(r"^mnt_id:\s*([0-9]+)", info, re.MULTILINE)
        kind = mounts.by_id.get(mount.group(1), "") if mount else ""
        if is_far(kind):
            self.not_asked[path] = kind
            return
        link = base + "/fd/" + name
        try:
            status = os.stat(link)
        except OSError:
            return
        if not stat.S_ISREG(status.st_mode) or len(self.files) >= MOST_FILES:
            return
        key = (path, status.st_dev, status.st_ino)
        if key not in self.seen:
            self.seen[key] = self.as_seen_here(base, link, path, status)
        self.files.append(
            {
                "pid": pid,
                "fd": int(name),
                "path": path,
                "open": self.seen[key],
                "size": status.st_size,
            }
        )

    def as_seen_here(self, base: str, link: str, path: str, status: os.stat_result) -> str:
        """The path under which this very file can be opened from here.

        In a container the same path is another file on the host: compare device and inode, and go
        through the target's root directory or, where the file was renamed, its open descriptor.
        """
        if printable(path) != path:
            return link  # no text can name it
        for candidate in (path, base + "/root" + path):
            if candidate is path and is_far(self.own_mounts.type_of(path)):
                continue
            try:
                if os.path.samestat(os.stat(candidate), status):
                    return candidate
            except OSError:
                continue
        return link

    def listening(self) -> "list[dict[str, Any]]":
        """The TCP ports that the target holds, in its own network namespace."""
        ports: "dict[int, dict[str, Any]]" = {}
        for pid in self.pids[:1]:
            for name, loopback in (("tcp", "127.0.0.1"), ("tcp6", "[::1]")):
                path = f"{self.proc}/{pid}/net/{name}"
                for address, port, inode in listeners(text_of(path, MOST_TABLE)):
                    if inode in self.holders and port not in ports:
                        ports[port] = {
                            "port": port,
                            "address": address,
                            "loopback": loopback,
                            "pids": sorted(set(self.holders[inode])),
                        }
        return [ports[port] for port in sorted(ports)][:MOST_LISTENING]

    def own_network(self) -> bool:
        """Whether the target's ports are those of this program's own network namespace."""
        try:
            return os.path.samestat(
                os.stat(self.proc + "/self/ns/net"),
                os.stat(f"{self.proc}/{self.pids[0]}/ns/net"),
            )
        except (OSError, IndexError):
            return False

    def cgroups(self, controller: str) -> "list[str]":
        """Directories of a controller's cgroups that the target is in, each before its ancestors.

        Both hierarchies are named where both exist, since either may hold the controller. Inside a
        container the group's own directory can be the root, so that the root is named as well.
        """
        mounts = self.cgroup_mounts
        found: "list[str]" = []
        unified = mounts + "/unified"  # where systemd mounts version 2 beside version 1
        for pid in self.pids:
            for line in text_of(f"{self.proc}/{pid}/cgroup", 1 << 16).split("\n"):
                number, _, rest = line.partition(":")
                controllers, _, path = rest.partition(":")
                if controller in controllers.split(","):
                    # Version 1 mounts "cpu,cpuacct", with links for each where systemd made them.
                    alone = mounts + "/" + controller
                    root = alone if os.path.isdir(alone) else mounts + "/" + controllers
                elif number == "0" and not controllers:
                    root = unified if os.path.isdir(unified) else mounts
                else:
                    continue
                # A group outside of the reader's own namespace begins with "..".
                parts = [p for p in path.split("/") if p and p != ".."]
                for depth in range(len(parts), -1, -1):
                    directory = "/".join([root, *parts[:depth]])
                    if directory not in found:
                        found.append(directory)
        return [d for d in found if "\0" not in d and os.path.isdir(d)][:MOST_CGROUPS]

    def script_serves(self, pid: int) -> bool:
        """Whether the program text that an interpreter was given imports an HTTP server."""
        base = f"{self.proc}/{pid}"
        words = [w for w in text_of(base + "/cmdline", MOST_SCRIPT).split("\0") if w]
        for at, word in enumerate(words[1:7], 1):
            if word in ("-c", "-e", "--eval"):
                return at + 1 < len(words) and bool(_IMPORTS.search(words[at + 1]))
            if word.startswith("-"):
                continue
            if not word.endswith((".py", ".js", ".mjs", ".cjs", ".ts", ".rb")):
                return False
            return bool(_IMPORTS.search(self.script(base, word)))
        return False

    def script(self, base: str, word: str) -> str:
        """The beginning of a script; empty where its mount may not be asked."""
        try:
            whole = word if word.startswith("/") else os.readlink(base + "/cwd") + "/" + word
        except OSError:
            whole = word
        kind = Mounts(text_of(base + "/mountinfo")).type_of(whole)
        if is_far(kind):
            self.not_asked[whole] = kind
            return ""
        path = base + "/root" + word if word.startswith("/") else base + "/cwd/" + word
        try:
            if not os.path.isfile(path):
                return ""
            with open(path, "rb") as file:
                return file.read(MOST_SCRIPT).decode("utf-8", "replace")
        except (OSError, ValueError):
            return ""

    def tells_requests(self, path: str) -> bool:
        """Whether the end of a log tells of HTTP requests."""
        kind = self.own_mounts.type_of(os.path.abspath(path))
        if is_far(kind):
            self.not_asked[path] = kind
            return False
        try:
            if not os.path.isfile(path):
                return False
            with open(path, "rb") as file:
                file.seek(max(0, os.path.getsize(path) - MOST_TAIL))
                return bool(_ACCESS.search(file.read(MOST_TAIL)))
        except (OSError, ValueError):
            return False


def listeners(text: str) -> "Iterator[tuple[str | None, int, str]]":
    """(address, None for all; port; inode) of each listening socket of a table."""
    for line in text.split("\n")[1:]:
        fields = line.split()
        if len(fields) < 10:
            continue
        if fields[3] != "0A":
            break  # those that listen stand first
        raw, _, port = fields[1].rpartition(":")
        try:
            yield address_of(raw), int(port, 16), fields[9]
        except (ValueError, struct.error, OSError):
            continue


def address_of(raw: str) -> "str | None":
    """The address in the kernel's words (host byte order), None where it is that of all."""
    words = [int(raw[i : i + 8], 16) for i in range(0, len(raw), 8)]
    if not any(words):
        return None
    data = struct.pack(f"={len(words)}I", *words)
    if len(data) == 4:
        return socket.inet_ntop(socket.AF_INET, data)
    if data[:12] == b"\0" * 10 + b"\xff\xff":
        return socket.inet_ntop(socket.AF_INET, data[12:]) if any(data[12:]) else None
    return "[" + socket.inet_ntop(socket.AF_INET6, data) + "]"


def printable(text: str) -> str:
    """A name as JSON may hold it: what is no UTF-8 is replaced."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def look(
    pids: "Sequence[int]",
    logs: "Sequence[str]" = (),
    proc: str = PROC,
    mounts: str = MOUNTS,
) -> "dict[str, Any]":
    """The document."""
    around = Around(pids, proc, mounts)
    for pid in pids:
        around.descriptors(pid)
    every = dict.fromkeys(list(logs) + [f["open"] for f in around.files if f["size"]])
    found: "dict[str, Any]" = {
        "files": [
            dict(f, path=printable(f["path"]), open=printable(f["open"])) for f in around.files
        ],
        "listening": around.listening(),
        "own_network": around.own_network(),
        "cgroups": {c: [printable(d) for d in around.cgroups(c)] for c in CONTROLLERS},
        "scripts": [pid for pid in pids if around.script_serves(pid)],
        "request_logs": [
            printable(p) for p in list(every)[:MOST_FILES] if around.tells_requests(p)
        ],
        "missed": around.missed[:16],
    }
    found["not_asked"] = [
        {"path": printable(p), "type": printable(k)}
        for p, k in list(around.not_asked.items())[:MOST_FILES]
    ]
    return found


def main(words: "list[str]") -> int:
    """Print it."""
    pids = [int(word) for word in words if word.isdigit()]
    logs = [word for word in words if not word.isdigit()]
    sys.stdout.write(json.dumps(look(pids, logs), separators=(",", ":")) + "\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
