"""One stop of one thread of another process by ptrace(2); whatever happens, it goes on. 3.6 or later, x86-64.

Stands behind `far/signal_frames.py` in one namespace. Only stops are used at which the death of the tracer leaves no
signal behind: PTRACE_INTERRUPT's, and system calls with PTRACE_O_TRACESYSGOOD.
"""

import ctypes
import errno
import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.signal_frames import WORD, Registers

SEIZE, INTERRUPT, DETACH, SYSCALL = 0x4206, 0x4207, 17, 24
GETREGS, SETREGS, GETREGSET, GETSIGMASK = 12, 13, 0x4204, 0x420A
SETSIGMASK = 0x420B
XSTATE, TRACESYSGOOD, ALL_CHILDREN = 0x202, 1, 0x40000000
STOPS_S = 0.5  # within which a thread has to stop


class RefusedError(Exception):
    """Why nothing was put into the process, and what would help: `why`, `next_step`."""

    def __init__(self, why: str, next_step: str = "") -> None:
        """Both as sentences without a full stop."""
        Exception.__init__(self, why)
        self.why, self.next_step = why, next_step


class RetryError(Exception):
    """It was the wrong moment; nothing was done."""


class Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


class LateError(Exception):
    """The alarm of a wait."""


LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long


def trace_call(request: int, tid: int, address: int = 0, data: int = 0) -> int:
    """Ask ptrace(2) for one thing; what it gave. Raises OSError."""
    found = int(LIBC.ptrace(request, tid, address, data))
    if found == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return found


def be_late(*_: "Any") -> None:
    """The handler of the alarm."""
    raise LateError


def wait_stop(tid: int, seconds: float = STOPS_S) -> int:
    """The status of a thread's next stop; -1 after so many seconds. Blocks: polling would take the target's CPU."""
    before = signal.signal(signal.SIGALRM, be_late)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            _, status = os.waitpid(tid, ALL_CHILDREN)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return status
    except LateError:
        return -1
    except ChildProcessError:
        raise OSError(errno.ESRCH, os.strerror(errno.ESRCH)) from None
    finally:
        signal.signal(signal.SIGALRM, before)


class Stop:
    """A thread that is stopped; let go at the end of the block, whatever happens."""

    def __init__(self, pid: int, tid: int) -> None:
        """Nothing is done yet."""
        self.pid, self.tid = pid, tid
        self.registers = Registers()
        self.seized = False
        self.stopped_s = 0.0  # for which it was held; its waits for a CPU between that are not ours
        self.since = 0.0

    def __enter__(self) -> "Stop":
        """Stop it; raises OSError, or RefusedError where it does not stop."""
        self.mem = os.open("/proc/%d/mem" % self.pid, os.O_RDWR)
        self.policy = hurry()
        try:
            trace_call(SEIZE, self.tid, 0, TRACESYSGOOD)
            self.seized = True
            trace_call(INTERRUPT, self.tid)
            status = wait_stop(self.tid)
            self.since = time.perf_counter()
            if status == -1:
                raise RefusedError("thread %d did not stop within %g s" % (self.tid, STOPS_S))
            if status >> 16 != 128 or not os.WIFSTOPPED(status):
                self.give_back(status)
                raise RetryError("it was stopped by something else at the same moment")
            trace_call(GETREGS, self.tid, 0, ctypes.addressof(self.registers))
        except BaseException:
            self.__exit__()
            raise
        return self

    def give_back(self, status: int) -> None:
        """A signal came at the same moment: it is delivered."""
        if os.WIFSTOPPED(status):
            trace_call(DETACH, self.tid, 0, os.WSTOPSIG(status) & 0x7F)
        self.seized = False

    def __exit__(self, *_: object) -> None:
        """Let it go with the registers that it has."""
        if self.seized:
            try:
                trace_call(DETACH, self.tid)
            except OSError:
                pass
            self.seized = False
        if self.since:
            self.stopped_s += time.perf_counter() - self.since
        calm(self.policy)
        os.close(self.mem)

    def state(self) -> bytes:
        """Its extended registers."""
        room = ctypes.create_string_buffer(32768)
        vector = Vector(ctypes.addressof(room), len(room))
        trace_call(GETREGSET, self.tid, XSTATE, ctypes.addressof(vector))
        return room.raw[: vector.size]

    def mask(self) -> int:
        """Its blocked signals."""
        room = ctypes.c_ulonglong()
        trace_call(GETSIGMASK, self.tid, 8, ctypes.addressof(room))
        return int(room.value)

    def set(self, values: "dict[str, int]", **others: int) -> None:
        """Give it registers; no system call is left to be made again."""
        registers = Registers.from_buffer_copy(self.registers)
        for name, value in list(values.items()) + list(others.items()):
            setattr(registers, name, value & WORD)
        registers.orig_rax = WORD
        trace_call(SETREGS, self.tid, 0, ctypes.addressof(registers))

    def block_signals(self) -> None:
        """Until it is given back its mask by a signal frame; a thread that it starts begins with all of them blocked."""
        every = ctypes.c_ulonglong(WORD)
        trace_call(SETSIGMASK, self.tid, 8, ctypes.addressof(every))

    def step_call(self) -> int:
        """Let it make the system call before which it stands; what it gave."""
        for _ in range(2):  # into it, out of it
            self.stopped_s += time.perf_counter() - self.since
            trace_call(SYSCALL, self.tid)
            status = wait_stop(self.tid)
            self.since = time.perf_counter()
            if status == -1 or not os.WIFSTOPPED(status):
                raise RefusedError("thread %d did not come back from mmap" % self.tid)
            if os.WSTOPSIG(status) != signal.SIGTRAP | 0x80:
                raise RetryError("it was stopped by something else at the same moment")
        registers = Registers()
        trace_call(GETREGS, self.tid, 0, ctypes.addressof(registers))
        return int(registers.rax)


def hurry() -> "Any":
    """Run before others while a thread is stopped; the policy before."""
    try:
        before = (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority)
        os.sched_setscheduler(0, os.SCHED_FIFO | 0x40000000, os.sched_param(1))
        return before
    except OSError:
        return None


def calm(before: "Any") -> None:
    """As it was."""
    if before:
        try:
            os.sched_setscheduler(0, before[0], os.sched_param(before[1]))
        except OSError:
            pass
