"""Reads the file systems that some processes write to, and the deleted files that they hold.

This file travels: its source goes to the target's python3 (3.6 or later) on standard input, it uses
the standard library only and leaves nothing. Arguments: pids. One JSON object per line:

    {"fs": "8:1", "mount", "type", "blocks", "avail", "block", "files", "free_files", "paths", "pids"}
    {"not_asked": "8:2", "mount", "type", "paths"}   a network or FUSE mount: it may hang
    {"deleted": pid, "fd", "path", "bytes", "fs"}    a deleted file that is still open
    {"missed": "..."}  {"end": 1}
"""

import json
import os
import re
import stat
import sys

MAX_FDS = 20000  # of all processes together
MAX_SHOWN = 3
MAX_DELETED = 200

# Their server may not answer, and then the question never returns.
REMOTE = re.compile(
    r"nfs|cifs|smb|9p|ceph|gluster|fuse|afs|lustre|gpfs|beegfs|autofs|virtiofs|ocfs|gfs"
)
# They hold no files of anybody's.
PSEUDO = frozenset(
    (
        "proc", "sysfs", "cgroup", "cgroup2", "devpts", "devtmpfs", "pipefs", "sockfs", "mqueue",
        "bpf", "tracefs", "debugfs", "securityfs", "configfs", "pstore", "efivarfs", "nsfs",
        "anon_inodefs", "hugetlbfs", "binfmt_misc", "rpc_pipefs",
    )
)  # fmt: skip


def slurp(path: str, limit: int = 1 << 20) -> str:
    """The text of a /proc file up to a limit; empty where it cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - no Path per file: thousands are read
            return file.read(limit).decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def link(path: str) -> str:
    """Where a link leads; empty where it cannot be read."""
    try:
        return os.readlink(path)  # noqa: PTH115 - as above
    except OSError:
        return ""


def emit(value: "dict[str, object]") -> None:
    """One JSON line; pure ASCII."""
    sys.stdout.write(json.dumps(value) + "\n")


def unescape(text: str) -> str:
    """Octal escapes of mountinfo: spaces, tabs, newlines and backslashes."""
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m.group(1), 8)), text)


class Mount:
    """One line of mountinfo."""

    def __init__(self, line: str) -> None:
        """The optional fields end with a lone dash."""
        before, _, after = line.partition(" - ")
        part = before.split()
        self.number, self.device = part[0], part[2]
        self.point = unescape(part[4])
        self.kind = after.split()[0]
        self.read_only = "ro" in part[5].split(",") or "ro" in after.split()[-1].split(",")


def mounts(pid: int) -> "list[Mount]":
    """The mounts that a process sees."""
    found = []
    for line in slurp(f"/proc/{pid}/mountinfo").splitlines():
        try:
            found.append(Mount(line))
        except IndexError:
            continue
    return found


class Found:
    """The file systems seen so far, each asked once."""

    def __init__(self) -> None:
        """Nothing is seen yet."""
        self.systems: dict[str, dict[str, object]] = {}
        self.deleted = 0

    def add(self, pid: int, mount: Mount, handle: str, path: str) -> None:
        """A process writes to a path of a mount, reachable from here by a handle."""
        if mount.kind in PSEUDO or mount.read_only:
            return
        key = mount.device
        if key not in self.systems:
            self.systems[key] = self.ask(mount, handle)
        entry = self.systems[key]
        paths, pids = entry["paths"], entry["pids"]
        if path not in paths and len(paths) < MAX_SHOWN:  # type: ignore[operator,arg-type]
            paths.append(path)  # type: ignore[attr-defined]
        if pid not in pids:  # type: ignore[operator]
            pids.append(pid)  # type: ignore[attr-defined]

    def ask(self, mount: Mount, handle: str) -> "dict[str, object]":
        """Its space and inodes; a network mount is only named."""
        entry: dict[str, object] = {"mount": mount.point, "type": mount.kind}
        entry.update({"paths": [], "pids": []})
        if REMOTE.search(mount.kind):
            return dict(entry, not_asked=mount.device)
        try:
            says = os.statvfs(handle)
        except OSError as error:
            return dict(entry, missed=f"{mount.point}: {os.strerror(error.errno or 0)}")
        return dict(
            entry,
            fs=mount.device,
            blocks=says.f_blocks,
            avail=says.f_bavail,
            block=says.f_frsize,
            files=says.f_files,
            free_files=says.f_favail,
        )

    def hold(self, pid: int, fd: str, path: str, mount: Mount) -> None:
        """A deleted file that is open: how much of its file system it takes."""
        if mount.kind in PSEUDO or REMOTE.search(mount.kind) or self.deleted >= MAX_DELETED:
            return
        try:
            says = os.stat(f"/proc/{pid}/fd/{fd}")  # noqa: PTH116 - a magic link
        except OSError:
            return
        if not stat.S_ISREG(says.st_mode):
            return
        self.deleted += 1
        emit(
            {
                "deleted": pid,
                "fd": int(fd),
                "path": path[: -len(" (deleted)")],
                "bytes": says.st_blocks * 512,
                "inode": says.st_ino,
                "fs": mount.device,
            }
        )


def descriptors(pid: int, found: Found, seen: "list[Mount]") -> int:
    """Files that a process has open for writing, and deleted ones; returns how many it has open."""
    by_number = {m.number: m for m in seen}
    try:
        names = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208 - as above
    except OSError as error:
        emit({"missed": f"pid {pid}: {os.strerror(error.errno or 0)}"})
        return 0
    for fd in names[:MAX_FDS]:
        to = link(f"/proc/{pid}/fd/{fd}")
        if not to.startswith("/") or to.startswith(("/dev/", "/memfd:", "/SYSV", "/proc/")):
            continue
        info = slurp(f"/proc/{pid}/fdinfo/{fd}")
        flags = re.search(r"^flags:\s*([0-7]+)", info, re.MULTILINE)
        number = re.search(r"^mnt_id:\s*(\d+)", info, re.MULTILINE)
        mount = by_number.get(number.group(1)) if number else None
        if mount is None or flags is None:
            continue
        writes = int(flags.group(1), 8) & (os.O_WRONLY | os.O_RDWR)
        if writes:
            found.add(pid, mount, f"/proc/{pid}/fd/{fd}", to)
        if to.endswith(" (deleted)"):
            found.hold(pid, fd, to, mount)
    return len(names)


def places(pid: int, found: Found, seen: "list[Mount]") -> None:
    """The current folder of a process and its /tmp: where it writes if it opens a file."""
    for path, handle in ((link(f"/proc/{pid}/cwd"), "cwd"), ("/tmp", "root/tmp")):  # noqa: S108 - looked at
        fits = [m for m in seen if path == m.point or path.startswith(m.point.rstrip("/") + "/")]
        if fits:
            best = max(fits, key=lambda m: len(m.point))  # of two at one point, the last hides
            found.add(pid, best, f"/proc/{pid}/{handle}", path)


def main(argv: "list[str]") -> int:
    """Read all processes; print each file system once."""
    found, left = Found(), MAX_FDS
    for pid in (int(a) for a in argv):
        seen = mounts(pid)
        places(pid, found, list(reversed(seen)))
        left -= descriptors(pid, found, seen)
        if left <= 0:
            emit({"missed": f"processes after pid {pid} were not looked at: too many open files"})
            break
    for entry in found.systems.values():
        emit(entry)
    emit({"end": 1})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
