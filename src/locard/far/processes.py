"""Processes and their threads, as /proc tells them beside the target; standard library only, 3.6 or later.

Stands before `far/observe.py` in one namespace and prints by its `emit`.
"""

import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.ebpf import Refused
    from locard.far.observe import emit

MOST_TRACED = 64  # threads of a process, by which it is seen whether it is traced
FIRST_SPACE = 0xEFFFFFFC  # the inode number of the kernel's first pid namespace


def threads_of(pid: int) -> "list[int]":
    """The threads of a process; empty where it has ended."""
    try:
        return [int(t) for t in os.listdir("/proc/%d/task" % pid)]
    except OSError:
        return []


def inner_tid(pid: int, tid: int) -> int:
    """A thread's number in its own pid namespace."""
    with open("/proc/%d/task/%d/status" % (pid, tid), errors="backslashreplace") as file:
        for line in file:
            if line.startswith("NSpid:"):
                return int(line.split()[-1])
    return tid


def own_space() -> int:
    """The inode number of our pid namespace, 0 where it is the kernel's first; raises Refused.

    The kernel counts as we do only if /proc does as well.
    """
    try:
        shown, space = int(os.readlink("/proc/self")), os.stat("/proc/self/ns/pid").st_ino
    except (OSError, ValueError):
        shown, space = 0, 0
    if shown != os.getpid():
        raise Refused("/proc shows another pid namespace than the one that locard runs in there", 0)
    return 0 if space == FIRST_SPACE else space


def family(pids: "list[int]") -> "list[int]":
    """The processes and all that descend from them now; never locard's own, beside a target that is process 1."""
    found, at = list(pids), 0
    seen = set(found) | {os.getpid(), os.getppid()}
    while at < len(found) and len(found) < 4096:
        for tid in threads_of(found[at]):
            try:
                with open("/proc/%d/task/%d/children" % (found[at], tid)) as file:
                    for word in file.read().split():
                        if int(word) not in seen:
                            seen.add(int(word))
                            found.append(int(word))
            except OSError:
                continue
        at += 1
    return found


def alive(pid: int) -> bool:
    """Whether a process still runs: a zombie does not."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (OSError, IndexError):
        return False


class Ends:
    """Waits for a while, or until all of some processes have ended: by descriptors of them, else by looking."""

    def __init__(self, pids: "list[int]") -> None:
        """Those that have ended already are not waited for."""
        self.pids = [pid for pid in pids if alive(pid)]
        self.fds = {}  # type: dict[int, int]
        self.poll = select.poll()
        try:
            for pid in self.pids if hasattr(os, "pidfd_open") else ():
                fd = os.pidfd_open(pid)
                self.fds[fd] = pid
                self.poll.register(fd, select.POLLIN)
        except OSError:
            pass  # it has ended meanwhile, or the kernel is older than 5.3

    def wait(self, seconds: float) -> bool:
        """Whether all have ended, after so long at most."""
        if not self.pids or len(self.fds) != len(self.pids):
            time.sleep(seconds)
            self.pids = [pid for pid in self.pids if alive(pid)]
            return not self.pids
        until = time.monotonic() + seconds
        while self.fds:
            left = until - time.monotonic()
            if left <= 0:
                return False
            for fd, _ in self.poll.poll(int(left * 1000) + 1):
                self.poll.unregister(fd)
                os.close(fd)
                self.pids.remove(self.fds.pop(fd))
        return True


def tell_closed(pids: "list[int]") -> None:
    """Say of which processes the descriptors and memory are closed to us."""
    for pid in pids:
        try:
            for fd in os.listdir("/proc/%d/fd" % pid)[:1]:
                os.readlink("/proc/%d/fd/%s" % (pid, fd))
        except PermissionError:
            emit({"unseen": "process %d: its descriptors and memory cannot be read: run as root with CAP_SYS_PTRACE, or"
                            " as its user" % pid})  # fmt: skip
        except OSError:
            continue


def tell_tracers(pids: "list[int]") -> None:
    """Say which processes another tool holds by ptrace: it may stop them at each call."""
    for pid in pids:
        tracer = 0
        for tid in threads_of(pid)[:MOST_TRACED]:
            try:
                with open(
                    "/proc/%d/task/%d/status" % (pid, tid), errors="backslashreplace"
                ) as file:
                    tracer = tracer or int(file.read().partition("\nTracerPid:")[2].split()[0])
            except (OSError, ValueError, IndexError):
                continue
        if tracer:
            try:
                with open("/proc/%d/comm" % tracer, errors="backslashreplace") as file:
                    by = file.read().rstrip("\n")
            except OSError:
                by = ""
            emit({"traced": pid, "tracer": tracer, "by": by})


def cpu_s(pids: "list[int]") -> float:
    """CPU seconds of the processes and of their children that have ended."""
    ticks = 0
    for pid in pids:
        try:
            with open("/proc/%d/stat" % pid, "rb") as file:
                ticks += sum(int(w) for w in file.read().rpartition(b")")[2].split()[11:15])
        except (OSError, ValueError):
            continue
    return ticks / float(os.sysconf("SC_CLK_TCK"))


def control_group(pid: int) -> str:
    """The control groups of a process; empty where they cannot be read."""
    try:
        with open("/proc/%d/cgroup" % pid) as file:
            return file.read()
    except OSError:
        return ""


def parent_and_birth(pid: int) -> "tuple[int, int]":
    """The parent of a process and the clock tick at which it began; zeros where it is gone."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            words = file.read().rpartition(b")")[2].split()
        return int(words[1]), int(words[19])
    except (OSError, ValueError, IndexError):
        return 0, 0


def tell_io_urings(pids: "list[int]") -> None:
    """Say of processes that have an io_uring: their reads and writes are no system calls."""
    for pid in family(pids):
        try:
            for fd in os.listdir("/proc/%d/fd" % pid):
                if os.readlink("/proc/%d/fd/%s" % (pid, fd)) == "anon_inode:[io_uring]":
                    emit({"io_uring": pid})
                    break
        except OSError:
            continue
