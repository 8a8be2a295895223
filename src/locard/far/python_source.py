"""Source lines of frames, from the file that the *target* sees under that name; standard library only, 3.6 or later.

A path is followed from the target's own root, link by link: one that leads elsewhere ends there, never in a file of
ours; and it is opened with the rights of the target, never with ours. What was changed since the process began may not
be what it runs, and says so.
"""

import contextlib
import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MOST_SOURCES, MOST_SOURCE_BYTES, MOST_LINKS, MOST_LINE = 200, 4 << 20, 40, 200


class Sources:
    """The files of one process."""

    def __init__(self, pid: int) -> None:
        """Raises OSError where its root is closed to us."""
        self.root = os.open(
            "/proc/%d/root" % pid, getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY
        )
        self.began = began(pid)
        self.rights = rights(pid)
        self.files = {}  # type: dict[str, tuple[list[bytes], str]]

    def line(self, path: str, number: int) -> "dict[str, Any]":
        """{"text", "note"} of one line; without text where it cannot be told, and why."""
        if path not in self.files:
            if len(self.files) >= MOST_SOURCES:
                return {"note": "more than %d files" % MOST_SOURCES}
            self.files[path] = self.read(path)
        lines, note = self.files[path]
        if not lines:
            return {"note": note}
        if not 0 < number <= len(lines):
            return {"note": "the file has no such line: it is another one than what runs"}
        text = lines[number - 1].decode("utf-8", "replace").strip()
        return {"text": text[:MOST_LINE], "note": note}

    def read(self, path: str) -> "tuple[list[bytes], str]":
        """The lines of a file, and what is to be said of it."""
        if path.startswith("<"):
            return [], "no file"
        if not path.startswith("/"):
            return [], "a relative path: from where is not known"
        try:
            with as_owner(self.rights):
                fd = self.open(path)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return [], "the file is not there"
            return [], "the file cannot be opened: %s" % (error.strerror or error)
        try:
            about = os.fstat(fd)
            if not stat.S_ISREG(about.st_mode) or about.st_size > MOST_SOURCE_BYTES:
                return [], "no file of a source's size"
            raw = b""
            while len(raw) <= MOST_SOURCE_BYTES:
                part = os.read(fd, 1 << 20)
                if not part:
                    break
                raw += part
        finally:
            os.close(fd)
        changed = max(about.st_mtime, about.st_ctime)
        newer = self.began is None or changed > self.began
        return raw.split(b"\n"), "the file was changed after the process began" if newer else ""

    def open(self, path: str) -> int:
        """A file below the root as the process sees it; raises OSError."""
        todo = [p for p in path.split("/") if p and p != "."][::-1]
        done = []  # type: list[str]
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                done = done[:-1]
                continue
            here = "/".join(done + [part])
            try:
                where = os.readlink(here, dir_fd=self.root)
            except OSError as error:
                if error.errno != errno.EINVAL:  # which says that it is no link
                    raise
                done.append(part)
                continue
            links += 1
            if links > MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if where.startswith("/"):
                done = []
            todo += [p for p in where.split("/") if p and p != "."][::-1]
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open("/".join(done) or ".", flags, dir_fd=self.root)

    def close(self) -> None:
        """Let go of it."""
        os.close(self.root)


def rights(pid: int) -> "tuple[int, int, list[int]] | None":
    """(user, group, groups) by which a process opens files; None where they are not known."""
    try:
        with open("/proc/%d/status" % pid) as file:
            said = dict(line.split(":", 1) for line in file if ":" in line)
        groups = [int(w) for w in said["Groups"].split()]
        return int(said["Uid"].split()[3]), int(said["Gid"].split()[3]), groups
    except (OSError, ValueError, KeyError, IndexError):
        return None


@contextlib.contextmanager
def as_owner(given: "tuple[int, int, list[int]] | None") -> "Any":
    """Open files with the rights of the process that names them: it may name one that it may not read itself."""
    if os.geteuid() or given is None or given[0] == 0:
        yield
        return
    user, group, groups = given
    before = os.getgroups(), os.getegid()
    os.setgroups(groups)
    os.setegid(group)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(before[1])
        os.setgroups(before[0])


def began(pid: int) -> "float | None":
    """When a process began, in Unix time; None where that is not known."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        with open("/proc/stat") as file:
            boot = next(int(line.split()[1]) for line in file if line.startswith("btime "))
    except (OSError, ValueError, IndexError, StopIteration):
        return None
    return boot + ticks / float(os.sysconf("SC_CLK_TCK"))
