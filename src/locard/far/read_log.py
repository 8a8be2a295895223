"""Prints the bytes of a log at this place, the oldest file first; standard library only.

Arguments: PATH once|follow [SECONDS]. PATH may be a pattern or a folder. Each file is read up to the
size that it had when it was opened; with `follow` the newest goes on, over renames and truncation. With
SECONDS files that were last written before that are left out, and of a big one what is older by its
lines. One JSON line on standard error says first what is read; what cannot be read costs only itself.
Nothing on a network or FUSE file system is opened.
"""

import bz2
import fnmatch
import gzip
import json
import lzma
import os
import re
import stat
import sys
import time
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Optional

    from locard.far.line_times import offset_since  # it is sent before this

MOST = 512 << 20  # bytes of all files together: the newest of more
CHUNK = 1 << 18
KEPT = 256  # bytes that were read last, by which a file that was written anew is known
POLL_S = 0.05
MOST_FILES = 1000
MOST_LINKS = 40
MOST_BESIDE = 200
MOST_SAID = 16 << 10  # bytes of their names
# As far/look_around.py has them: each is sent alone.
FAR = (
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
)
OPENERS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ", lzma.open))


def far_type(path: str, table: bytes = b"") -> str:
    """The type of the file system of a path where asking it may hang, else empty. Asks nothing of it.

    `table` is a mountinfo(5); without one this machine's is read.
    """
    best, kind = "", ""
    if not table:
        with open("/proc/self/mountinfo", "rb") as file:
            table = file.read()
    for line in table.decode("utf-8", "surrogateescape").split("\n"):
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) < 5:
            continue
        mount = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        inside = path == mount or path.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, right.split(" ")[0]
    fuse = kind.startswith("fuse") and kind not in ("fusectl", "fuseblk")
    return kind if fuse or kind in FAR else ""


def refuse_far(path: str) -> None:
    """Raise OSError where a path lies on what may hang whoever asks it."""
    kind = far_type(path)
    if kind:
        raise OSError(0, "it lies on %s, which may hang whoever asks it: not opened" % kind)


def resolved(path: str) -> str:
    """The path without links, each step looked at before it is asked; raises OSError."""
    done, todo, links = "/", [p for p in path.split("/") if p], 0
    while todo:
        part = todo.pop(0)
        if part == "..":
            done = os.path.dirname(done)
            continue
        if part == ".":
            continue
        step = done.rstrip("/") + "/" + part
        refuse_far(step)
        if not stat.S_ISLNK(os.lstat(step).st_mode):
            done = step
            continue
        links += 1
        target = os.readlink(step)
        if step.startswith("/proc/") and "/fd/" in step and target.startswith("/"):
            refuse_far(target)
            return step  # the open file itself, wherever its name leads
        if links > MOST_LINKS or ":[" in target:
            raise OSError(0, "it is no file")
        if target.startswith("/"):
            done = "/"
        todo = [p for p in target.split("/") if p] + todo
    return done


def found(path: str) -> "list[str]":
    """The files that a path, a pattern or a folder means; raises OSError."""
    folder, _, name = path.rpartition("/")
    try:
        whole = resolved(path)
    except FileNotFoundError:
        if not any(c in name for c in "*?["):
            raise
        whole = resolved(folder or "/")
        names = fnmatch.filter(os.listdir(whole), name)
    else:
        if not os.path.isdir(whole):
            return [whole]
        names = [n for n in os.listdir(whole) if not n.startswith(".")]
    every = []
    for entry in names[:MOST_FILES]:
        try:
            step = resolved(whole.rstrip("/") + "/" + entry)
            if stat.S_ISREG(os.stat(step).st_mode):
                every.append(step)
        except OSError:
            continue
    if not every:
        raise OSError(0, "no file fits it")
    return every


def beside(path: str) -> "Optional[list[tuple[str, int, int]]]":
    """The files that may be older parts of a log: name, size and last write. Who asks knows which are.

    None where the folder cannot be listed.
    """
    folder, _, own = path.rpartition("/")
    stem = re.split("[.-]", own)[0]
    with open("/proc/self/mountinfo", "rb") as file:
        table = file.read()
    every, room = [], MOST_SAID
    try:
        names = [n for n in sorted(os.listdir(folder or "/")) if n.startswith(stem) and n != own]
    except OSError:
        return None
    for name in names[:MOST_BESIDE]:
        try:
            step = folder + "/" + name
            info = None if far_type(step, table) else os.lstat(step)
        except OSError:
            continue
        room -= len(json.dumps(name))
        if room > 0 and info is not None and stat.S_ISREG(info.st_mode):
            every.append((name, info.st_size, int(info.st_mtime)))
    return every


def opened(path: str) -> "tuple[Any, bool]":
    """An open file and whether it is packed; raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(0, "it is no regular file")
    plain = os.fdopen(fd, "rb")
    head = plain.read(6)
    plain.seek(0)
    for magic, opener in OPENERS:
        if head.startswith(magic):
            return opener(plain, "rb"), True
    return plain, False


def is_packed(path: str) -> bool:
    """Whether a file has to be unpacked; False where it cannot be opened."""
    try:
        file, packed = opened(path)
    except OSError:
        return False  # reading says why
    file.close()
    return packed


def give(data: bytes) -> None:
    """Write all of it; where nobody reads there is nothing more to do."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(1, view) :]
    except OSError:
        sys.exit(1)


def copy(file: "Any", packed: bool, skip: int) -> "Iterator[bytes]":
    """A file up to its size of when it was opened; of a packed one what unpacks, then its error."""
    if packed:
        for data in iter(lambda: file.read1(CHUNK), b""):
            yield data
        return
    left = os.fstat(file.fileno()).st_size - skip
    if skip:
        file.seek(skip - 1)  # at the start of a line nothing of it is lost
        left -= len(file.readline()) - 1
    while left > 0:
        data = file.read(min(CHUNK, left))
        if not data:
            return
        left -= len(data)
        yield data


class Follower:
    """Goes on with an open file, and with the one that takes its name."""

    def __init__(self, file: "Any", path: str) -> None:
        """`file` may have been read up to somewhere."""
        here = file.tell()
        self.file, self.path = file, path
        self.kept = os.pread(file.fileno(), min(here, KEPT), max(0, here - KEPT))  # read last
        self.seen = self.refused = ()  # type: tuple[int, ...]

    def run(self) -> None:
        """Until nobody reads."""
        while True:
            self.rest()
            time.sleep(POLL_S)
            try:
                newer = self.newer()
            except OSError as error:  # what has the name now; it may be another one soon
                complain(self.path, error)
                continue
            if newer is not None:
                self.rest()
                self.file.close()
                self.file, self.kept = newer, b""

    def rest(self) -> None:
        """Print what has come; how much that is must not matter to the machine."""
        for data in iter(lambda: self.file.read(CHUNK), b""):
            give(data)
            self.kept = (self.kept + data)[-KEPT:]

    def newer(self) -> "Any":
        """The file that has taken the name, opened; one that begins anew is set back to its start."""
        try:
            now = os.stat(self.path)
        except FileNotFoundError:
            return None  # between one name and the next
        mine = os.fstat(self.file.fileno())
        who = (now.st_dev, now.st_ino)
        if who == (mine.st_dev, mine.st_ino):
            if now.st_size < self.file.tell() or self.rewritten(now):
                self.file.seek(0)
                self.kept = b""
            return None
        if self.refused == (*who, now.st_ctime_ns):
            return None
        self.refused = (*who, now.st_ctime_ns)
        newer, packed = opened(resolved(self.path))
        if packed:
            newer.close()
            raise OSError(0, "it is packed")
        return newer

    def rewritten(self, now: "os.stat_result") -> bool:
        """Whether it was truncated and is longer again: another text stands before our place.

        A writer that keeps its place leaves a hole instead, and nothing there is new.
        """
        seen = (now.st_mtime_ns, now.st_size)
        if seen == self.seen:
            return False
        self.seen = seen
        there = os.pread(self.file.fileno(), len(self.kept), self.file.tell() - len(self.kept))
        return there != self.kept and any(self.kept) and any(there)


def complain(name: str, error: Exception) -> None:
    """Say what is wrong with a file."""
    sys.stderr.write("%s: %s\n" % (name, getattr(error, "strerror", None) or error))
    sys.stderr.flush()


def begins(path: str, since_s: float) -> int:
    """Where the last seconds of a plain file begin, by the times of its lines; 0 where that is not known."""
    try:
        file, packed = opened(path)
    except OSError:
        return 0  # reading says why
    try:
        return (
            0 if packed else offset_since(file.fileno(), os.fstat(file.fileno()).st_size, since_s)
        )
    finally:
        file.close()


def planned(files: "list[tuple[float, int, str]]") -> "tuple[list[tuple[str, int]], int]":
    """What fits into MOST, the newest first, each with what to skip of it; and the bytes left out."""
    room, taken, cut = MOST, [], 0
    for _, size, name in reversed(files):
        skip = max(0, size - room)
        if room > 0:
            skip = 0 if skip and is_packed(name) else skip  # it cannot be begun in its middle
            taken.append((name, skip))
        cut += skip
        room = max(0, room - size + skip)
    return taken, cut


def main(words: "list[str]") -> int:
    """Exit 0 when all was printed, 1 where it cannot be read."""
    path, how = words[0], words[1]
    since_s = float(words[2]) if len(words) > 2 else 0.0
    oldest = time.time() - since_s if since_s else 0.0
    try:
        files = [(os.stat(p).st_mtime, os.stat(p).st_size, p) for p in found(path)]
    except OSError as error:
        complain(path, error)
        return 1
    recent = [f for f in sorted(files) if f[0] >= oldest] or [max(files)]
    begin = begins(recent[0][2], since_s) if since_s and len(recent) == 1 else 0
    taken, cut = planned([(at, size - begin, name) for at, size, name in recent])
    size = sum(f[1] for f in recent) - begin
    skipped = sum(f[1] for f in files) - size + cut
    said = {"files": len(taken), "skipped": skipped, "cut": cut, "size": size}  # type: dict[str, Any]
    if len(files) == 1 and not skipped:
        said.update(path=files[0][2], written=int(files[0][0]), beside=beside(files[0][2]))
    sys.stderr.write(json.dumps(said) + "\n")
    sys.stderr.flush()
    code = 0
    for name, skip in reversed(taken):
        last = b"\n"
        newest = name == taken[0][0]
        try:
            file, packed = opened(name)
            for data in copy(file, packed, skip + begin):
                give(data)
                last = data[-1:]
            if newest and how == "follow" and not packed:
                Follower(file, name).run()
            file.close()
        except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
            complain(name, error)
            code = 1
        if last != b"\n":
            give(b"\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
