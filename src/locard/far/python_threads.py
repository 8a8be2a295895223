"""The threads of a CPython process as its own structures have them, and what the kernel says of each.

Stands before `far/python_stacks.py` in one namespace; standard library only, 3.6 or later.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.python_layout import Layout
    from locard.far.python_objects import word

# futex(2), and those that later kernels added for all machines.
FUTEX = ({"x86_64": b"202", "aarch64": b"98"}.get(os.uname().machine, b""), b"449", b"455")


class Kernel:
    """What the kernel says of the threads of one process, by their ids as this machine numbers them."""

    def __init__(self, pid: int) -> None:
        """Nothing is read yet."""
        self.pid = pid

    def futex(self, tid: "int | None") -> int:
        """The address at which the kernel has a thread wait, 0 where it does not."""
        if tid is None:
            return 0
        words = self.said(tid, "syscall").split()
        return int(words[1], 16) if len(words) > 2 and words[0] in FUTEX else 0

    def runs(self, tid: "int | None", has_gil: bool) -> bool:
        """Whether the kernel has it on a CPU or waiting for one; who has the GIL, where its id is not known."""
        if tid is None:
            return has_gil
        stat = self.said(tid, "stat")  # nothing: it has ended
        return stat.rpartition(b")")[2][:2] == b" R" if stat else has_gil

    def said(self, tid: int, what: str) -> bytes:
        """What the kernel says of a thread; nothing where it says nothing."""
        try:
            fd = os.open("/proc/%d/task/%d/%s" % (self.pid, tid, what), os.O_RDONLY)
        except OSError:
            return b""
        try:
            return os.read(fd, 1024)
        except OSError:
            return b""
        finally:
            os.close(fd)

    def comm(self, tid: "int | None") -> str:
        """What the kernel calls a thread, for those that `threading` does not know."""
        said = self.said(tid, "comm") if tid else b""
        return said.decode("utf-8", "backslashreplace").rstrip("\n")


class Walked:
    """A stack that is being read."""

    __slots__ = ("cut", "frames", "next", "places", "torn")

    def start(self, first: int) -> None:
        """Begin (again) at a frame."""
        self.next = first
        self.frames = []  # type: list[tuple[int, int]]
        self.places = []  # type: list[int]
        self.torn = self.cut = False


class Thread(Walked):
    """One PyThreadState as it was read."""

    __slots__ = ("address", "ident", "raw", "tid")

    def __init__(self, address: int, raw: bytes, layout: "Layout") -> None:
        """`raw`: its bytes."""
        self.address, self.raw = address, raw
        self.ident = word(raw, layout.at["thread.ident"])
        self.tid = word(raw, layout.at["thread.tid"]) if "thread.tid" in layout.at else 0
        self.start(0)
