"""Reads the file systems that some processes write to, and the deleted files that they hold.

This file travels: its source goes to the target's python3 (3.6 or later) on standard input, it uses
the standard library only and leaves nothing. Arguments: pids; none for all file systems and processes
of the machine. One JSON object per line:

    {"fs": "8:1", "mount", "type", "blocks", "avail", "free" (for root), "used", "block", "files", "free_files", "paths",
     "pids", "image": file of a loop device, "root_only": whether all of these processes are root's,
     "crowded": [folder, entries, one name], where inodes are scarce}
    {"not_asked": "8:2", "mount", "type", "paths"}   a network or FUSE mount: it may hang
    {"deleted": pid, "fd", "path", "bytes", "fs", "unit"}   a deleted file that is still open
    {"unseen": processes whose open files were not looked at}  {"missed": "..."}  {"end": 1}
"""

import errno
import json
import os
import re
import stat
import sys
import time

MAX_FDS = 20000  # of all processes together
MAX_SHOWN = 3
MAX_DELETED = 200
MAX_MOUNTS = 200
MAX_LOOKED = 500  # folders that are looked at where inodes are scarce
LOOK_S = 0.4
SUBVOLUMES = frozenset(("btrfs", "overlay", "bcachefs"))  # whose files have a device of their own
SCARCE = 0.02  # of the inodes

# Their server may not answer, and then the question never returns.
REMOTE = re.compile(
    r"nfs|cifs|smb|9p|ceph|gluster|fuse|afs|lustre|gpfs|beegfs|autofs|virtiofs|ocfs|gfs"
)
# They hold no files of anybody's.
PSEUDO = frozenset(
    (
        "proc", "sysfs", "cgroup", "cgroup2", "devpts", "devtmpfs", "pipefs", "sockfs", "mqueue",
        "bpf", "tracefs", "debugfs", "securityfs", "configfs", "pstore", "efivarfs", "nsfs",
        "anon_inodefs", "hugetlbfs", "binfmt_misc", "rpc_pipefs", "fusectl",
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
        self.number, self.parent, self.device = part[0], part[1], part[2]
        self.point = unescape(part[4])
        self.kind, self.source = [*after.split(), ""][:2]
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


def unit_of(pid: int) -> str:
    """The systemd unit that a process runs in; empty where there is none."""
    for line in slurp(f"/proc/{pid}/cgroup").splitlines():
        parts = [p for p in line.split(":", 2)[-1].split("/") if p.endswith((".service", ".scope"))]
        if parts:
            return parts[-1]
    return ""


def is_roots(pid: int) -> bool:
    """Whether a process runs as root, for whom some space is kept."""
    found = re.search(r"^Uid:\s+\d+\s+(\d+)", slurp(f"/proc/{pid}/status"), re.MULTILINE)
    return bool(found) and int(found.group(1)) == 0  # type: ignore[union-attr]


def image_of(mount: Mount) -> str:
    """The file that a loop device is an image of; empty for any other one."""
    name = mount.source.rpartition("/")[2]
    if not re.match(r"loop\d+$", name):
        return ""
    return slurp(f"/sys/block/{name}/loop/backing_file").strip()


def kept_by_ext4(mount: Mount, says: "os.statvfs_result") -> int:
    """Blocks that ext4 keeps for itself, and root may not write either: it counts them as free."""
    if mount.kind != "ext4":
        return 0
    told = slurp(f"/sys/fs/ext4/{mount.source.rpartition('/')[2]}/reserved_clusters").strip()
    return int(told) if told.isdigit() else min(4096, says.f_blocks // 50)


def is_scarce(says: "os.statvfs_result") -> bool:
    """Whether hardly an inode is left."""
    return bool(says.f_files) and says.f_favail < SCARCE * says.f_files


def crowded(top: str) -> "list[object] | None":
    """The folder with the most entries that a short look finds: it, how many, and one of their names."""
    until, best, todo, looked = time.monotonic() + LOOK_S, None, [top], 0
    try:
        device = os.stat(top).st_dev  # noqa: PTH116 - as above
        if not stat.S_ISDIR(os.stat(top).st_mode):  # noqa: PTH116
            return None
    except OSError:
        return None
    while todo and looked < MAX_LOOKED and time.monotonic() < until:
        folder, entries, last = todo.pop(0), 0, ""
        looked += 1
        try:
            if os.lstat(folder).st_dev != device and folder != top:  # another file system
                continue
            with os.scandir(folder) as listed:
                for entry in listed:
                    entries, last = entries + 1, entry.name
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(f"{folder}/{entry.name}")
                    if not entries % 1000 and time.monotonic() > until:
                        break
        except OSError:
            continue
        if best is None or entries > best[1]:  # type: ignore[operator]
            best = [folder, entries, last]
    return best


class Found:
    """The file systems seen so far, each asked once."""

    def __init__(self) -> None:
        """Nothing is seen yet."""
        self.systems: dict[str, dict[str, object]] = {}
        self.deleted = 0
        self.unseen = 0  # processes whose open files may not be looked at

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
        if pid and pid not in pids:  # type: ignore[operator]
            pids.append(pid)  # type: ignore[attr-defined]
            entry["root_only"] = entry.get("root_only", True) and is_roots(pid)

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
            used=says.f_blocks - says.f_bfree,
            avail=says.f_bavail,
            free=max(says.f_bavail, says.f_bfree - kept_by_ext4(mount, says)),
            block=says.f_frsize,
            files=says.f_files,
            free_files=says.f_favail,
            image=image_of(mount),
            crowded=crowded(handle) if is_scarce(says) else None,
        )

    def tell(self) -> None:
        """Print the file systems; what is said is safe if this program is stopped later."""
        for entry in self.systems.values():
            emit(entry)
        sys.stdout.flush()

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
                "unit": unit_of(pid),
            }
        )


def descriptors(pid: int, found: Found, *, whole: bool = False) -> int:
    """Files that a process has open for writing, and deleted ones; returns how many it has open.

    Of the `whole` machine only deleted ones: what it is written to is known.
    """
    by_number: dict[str, Mount] = {}  # read once it is needed: most processes hold nothing
    try:
        names = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208 - as above
    except OSError as error:
        if not whole:
            emit({"missed": f"pid {pid}: {os.strerror(error.errno or 0)}"})
        elif error.errno in (errno.EACCES, errno.EPERM):
            found.unseen += 1
        return 0
    for fd in names[:MAX_FDS]:
        to = link(f"/proc/{pid}/fd/{fd}")
        if not to.startswith("/") or to.startswith(("/dev/", "/memfd:", "/SYSV", "/proc/")):
            continue
        if whole and not to.endswith(" (deleted)"):
            continue
        info = slurp(f"/proc/{pid}/fdinfo/{fd}")
        flags = re.search(r"^flags:\s*([0-7]+)", info, re.MULTILINE)
        number = re.search(r"^mnt_id:\s*(\d+)", info, re.MULTILINE)
        by_number = by_number or {m.number: m for m in mounts(pid)}
        mount = by_number.get(number.group(1)) if number else None
        if mount is None or flags is None:
            continue
        writes = int(flags.group(1), 8) & (os.O_WRONLY | os.O_RDWR)
        if writes and not whole:
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


def machine(found: Found) -> "list[int]":
    """All file systems that this program sees; returns all processes."""
    seen = mounts(os.getpid())
    by_number = {m.number: m for m in seen}
    on_top = {m.point: m for m in seen}  # of several at one point the last one hides the others
    for mount in list(on_top.values())[:MAX_MOUNTS]:
        # What lies above an overlay is the file system below it, and is counted there.
        if mount.kind == "overlay" and mount.point != "/":
            continue
        above = by_number.get(mount.parent)
        while above is not None and not is_behind(above, mount):
            above = by_number.get(above.parent) if above.parent != above.number else None
        if above is None or REMOTE.search(mount.kind):
            if REMOTE.search(mount.kind) or is_seen(mount):
                found.add(0, mount, mount.point, mount.point)
        else:  # its path leads through the one that may hang
            found.systems[mount.device] = {
                "not_asked": mount.device, "mount": mount.point, "type": above.kind, "paths": [], "pids": [],
            }  # fmt: skip
    return sorted(int(n) for n in os.listdir("/proc") if n.isdigit())  # noqa: PTH208 - as above


def is_seen(mount: Mount) -> bool:
    """Whether its path leads to it, and not to what was mounted over a folder above."""
    if mount.kind in SUBVOLUMES:
        return True
    try:
        device = os.stat(mount.point).st_dev  # noqa: PTH116 - as above
    except OSError:
        return False
    return f"{os.major(device)}:{os.minor(device)}" == mount.device


def is_behind(above: Mount, mount: Mount) -> bool:
    """Whether the path to a mount leads through one that may hang; an automount below it is over."""
    covered = above.kind == "autofs" and above.point == mount.point
    return bool(REMOTE.search(above.kind)) and not covered


def main(argv: "list[str]") -> int:
    """Read all processes; print each file system once, those of a machine before its processes are read."""
    found, left = Found(), MAX_FDS
    whole = not argv
    pids = machine(found) if whole else [int(a) for a in argv]
    if whole:
        found.tell()
    for pid in pids:
        if not whole:
            places(pid, found, list(reversed(mounts(pid))))
        left -= descriptors(pid, found, whole=whole)
        if left <= 0:
            emit({"missed": f"processes after pid {pid} were not looked at: too many open files"})
            found.unseen += len(pids) - pids.index(pid) - 1
            break
    if not whole:
        found.tell()
    if found.unseen:
        emit({"unseen": found.unseen})
    emit({"end": 1})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
