"""Starts a thread of our own in a CPython, by one short stop of one of its threads; beside the target, 3.6 or later.

Stands behind `far/symbols.py`, `far/python_layout.py`, `far/python_thread.py` and `far/thread_stop.py` in one namespace; x86-64.

The thread that is stopped is one that sleeps in a system call without the interpreter's lock, or one whose
innermost function is the interpreter's loop: neither can be inside malloc. Below its stack we write signal frames
and let it go with rt_sigreturn(2) as its way back, so that every register, the signal mask and its system call are
put back by the kernel, whether we live or not:

  mmap -> [we look at the result and fill the memory] -> PyThread_start_new_thread -> sigreturn
     if we die before that:       -> munmap             -> sigreturn

The memory has a page of code, never writable, and pages of data, never executable: the mailbox (see Mail). The
thread ends by unmapping its own memory: `munmap` returns to whom started it. No file, no descriptor, no library.
"""

import ctypes
import errno
import os
import re
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.memory import Memory
    from locard.far.python_layout import IS_PYTHON, base_of
    from locard.far.python_thread import NANOSLEEP, PAGE, ROOM, Mail, assembled
    from locard.far.seccomp_filters import Filters
    from locard.far.signal_frames import (
        AGAIN,
        EPOLLS,
        FUTEX_CALL,
        FUTEX_WAIT_BITSET,
        RESTART_BLOCK,
        WORD,
        Frames,
        Registers,
        extended,
        resumed,
    )
    from locard.far.symbols import Symbols
    from locard.far.thread_stop import RefusedError, RetryError, Stop
# System calls in which a thread may be borrowed: it sleeps, holds no lock of the allocator, and the call can be made
# again (epoll, poll, select, read, accept, recv, wait, nanosleep, futex).
READ, POLL, PAUSE, ACCEPT, RECVFROM, RECVMSG, WAIT4 = 0, 7, 34, 43, 45, 47, 61
CLOCK_NANOSLEEP, WAITID, SELECT, PSELECT, PPOLL, ACCEPT4 = 230, 247, 23, 270, 271, 288
SLEEPS = frozenset((
    READ, POLL, PAUSE, NANOSLEEP, ACCEPT, RECVFROM, RECVMSG, WAIT4, FUTEX_CALL, CLOCK_NANOSLEEP,
    WAITID, SELECT, PSELECT, PPOLL, ACCEPT4, *EPOLLS,
))  # fmt: skip
FUNCTIONS = (
    "PyThread_start_new_thread PyGILState_Ensure PyGILState_Release PyMemoryView_FromMemory "
    "PyDict_New PyDict_SetItemString PyDict_GetItemString PyEval_GetBuiltins PyRun_String "
    "Py_DecRef PyErr_Clear PyImport_GetModuleDict PyEval_SaveThread PyEval_RestoreThread "
    "PyObject_CallObject PyObject_IsTrue"
)
WANTED = FUNCTIONS.split()
LOOP = "_PyEval_EvalFrameDefault"

ARCHITECTURE = os.uname().machine


class Injector:
    """What is known of one process before it is stopped: addresses, gadgets, threads."""

    def __init__(
        self, pid: int, memory: "Memory", symbols: "Symbols", whole_text: bool = False
    ) -> None:
        """Look it over; raises RefusedError or OSError.

        `whole_text`: a running thread may be borrowed anywhere in the interpreter's own code, since its loop is
        many functions without names (tail calls, 3.14 on). It then is not in the C library's malloc either; who asks
        has seen that memory is not traced (tracemalloc has a lock of its own).
        """
        if ARCHITECTURE != "x86_64":
            raise RefusedError(
                "a thread can be started in it on x86-64 alone, this is %s" % ARCHITECTURE
            )
        self.pid, self.memory, self.symbols = pid, memory, symbols
        refuse_traced(pid)
        self.judged = set()  # type: set[int] # threads whose seccomp filters were run
        self.functions, self.loop = functions(symbols)
        text = symbols.mapping(self.loop[0])
        if whole_text and text is not None:
            self.loop = (text.start, text.end)
        self.back, self.gadget = gadgets(memory, symbols)

    def start(self, source: bytes, about: bytes, expires: float) -> "tuple[int, float]":
        """Start the thread with its first source: (address of its memory, seconds of the stop)."""
        page = self.hole()
        image = self.image(page, source, about, expires)
        self.before = self.threads()

        def act(stop: "Stop", values: "dict[str, int]", frames: "Frames") -> None:
            self.map(stop, values, frames, page)
            for at in range(0, len(image), PAGE):
                part = image[at : at + PAGE].rstrip(b"\0")
                if part:
                    os.pwrite(stop.mem, part, page + at)
            start = self.functions["PyThread_start_new_thread"]
            stop.set(values, rip=start, rsp=frames.second, rdi=page, rsi=0, rax=0)

        return page, self.borrow(page, act)

    def release(self, page: int) -> bool:
        """Unmap memory whose thread never began; False where one may have begun that is not known."""
        if self.threads() - self.before:
            return False

        def act(stop: "Stop", values: "dict[str, int]", frames: "Frames") -> None:
            stop.set(values, rip=self.gadget, rsp=frames.second, rax=11, rdi=page, rsi=ROOM)

        self.borrow(page, act)
        return True

    def threads(self) -> "set[str]":
        """The ids of its threads."""
        return set(os.listdir("/proc/%d/task" % self.pid))

    def borrow(self, page: int, act: "Any") -> float:
        """Have a thread do something in one stop: the seconds for which it was held."""
        last = RefusedError("none of its threads could be borrowed")  # type: Exception
        for turn in range(60):
            for tid, sleeps in self.candidates(turn):
                try:
                    self.judge_filters(tid)
                    return self.borrow_one(tid, sleeps, page, act)
                except RetryError as error:
                    last = RefusedError(
                        "no thread stood where it can be borrowed: %s" % error, BUSY
                    )
                except OSError as error:
                    if error.errno != errno.ESRCH:
                        raise
            if not os.path.isdir("/proc/%d" % self.pid):
                raise RefusedError("it ended")
            time.sleep(0.002 + 0.001 * turn)
        raise last

    def candidates(self, turn: int) -> "list[tuple[int, bool]]":
        """(thread, whether it sleeps) that may be borrowed, the best first."""
        best = []  # type: list[tuple[int, bool]]
        good = []  # type: list[tuple[int, bool]]
        busy = []  # type: list[tuple[int, bool]]
        for name in os.listdir("/proc/%d/task" % self.pid):
            tid = int(name)
            try:
                with open("/proc/%d/task/%d/syscall" % (self.pid, tid)) as file:
                    words = file.read().split()
            except OSError as error:
                if error.errno in (errno.EPERM, errno.EACCES):
                    raise
                continue
            if words[:1] == ["running"]:
                busy.append((tid, False))
            elif words and words[0].isdigit() and int(words[0]) in SLEEPS:
                operation = int(words[2], 16) & 0x7F
                if int(words[0]) == FUTEX_CALL and operation != FUTEX_WAIT_BITSET:
                    continue  # it may be a lock of the C library
                timed = int(words[0]) in (NANOSLEEP, CLOCK_NANOSLEEP, POLL)
                (good if timed else best).append((tid, True))
        return (best + good)[:8] + busy[:4] if turn % 2 == 0 else busy[:8] + best[:2]

    def borrow_one(self, tid: int, sleeps: bool, page: int, act: "Any") -> float:
        """Borrow this thread; raises RetryError where it stands elsewhere meanwhile."""
        with Stop(self.pid, tid) as stop:
            self.check(stop.registers, sleeps)
            floating = extended(stop.state())
            values, mask = resumed(stop.registers), stop.mask()
            frames = Frames(
                stop.registers.rsp, values, mask, floating, self.back, self.gadget, page
            )
            if not self.has_room(frames.low, stop.registers.rsp):
                raise RetryError("its stack has no room")
            os.pwrite(stop.mem, frames.raw, frames.low)
            act(stop, values, frames)
        return stop.stopped_s

    def map(self, stop: "Stop", values: "dict[str, int]", frames: "Frames", page: int) -> None:
        """Have it map the memory; raises RefusedError, and it goes back, where that fails."""
        stop.set(
            values, rip=self.gadget, rsp=frames.first, rax=9, rdi=page, rsi=ROOM, rdx=5,
            r10=0x100022, r8=WORD, r9=0,
        )  # fmt: skip  # mmap(page, ROOM, READ|EXEC, PRIVATE|ANONYMOUS|FIXED_NOREPLACE, -1, 0)
        stop.block_signals()
        given = stop.step_call()
        if given == page:
            return
        stop.set(values, rip=self.back, rsp=frames.second + 8, rax=0)
        number = -ctypes.c_longlong(given).value
        why = os.strerror(number) if 0 < number < 4096 else hex(given)
        raise RefusedError("it could not map memory: %s" % why)

    def judge_filters(self, tid: int) -> None:
        """Whether its seccomp filters let it; in a stop of its own, since running them here takes a while."""
        with open("/proc/%d/task/%d/status" % (self.pid, tid)) as file:
            found = re.search(r"^Seccomp:\s*(\d)", file.read(), re.MULTILINE)
        if not found or found.group(1) == "0" or tid in self.judged:
            return
        with Stop(self.pid, tid) as stop:
            every = Filters(stop, int(found.group(1)))
        every.judge()
        self.judged.add(tid)

    def check(self, registers: "Registers", sleeps: bool) -> None:
        """Whether it stands where it may be borrowed; raises RetryError."""
        if registers.cs != 0x33:
            raise RefusedError("it runs 32-bit code")
        number = ctypes.c_longlong(registers.orig_rax).value
        result = -ctypes.c_longlong(registers.rax).value
        if number >= 0:
            restarted = result in AGAIN or result in (RESTART_BLOCK, errno.EINTR)
            if number in SLEEPS and restarted and sleeps:
                return
            raise RetryError("it left its system call")
        if not self.loop[0] <= registers.rip < self.loop[1]:
            raise RetryError("it was not in the interpreter's loop")

    def hole(self) -> int:
        """An address far from everything that is mapped."""
        self.symbols.read_maps()
        low = 0x10000000000
        best = (0, low)
        for mapping in self.symbols.maps:
            if mapping.end > 1 << 47:
                break
            best = max(best, (mapping.start - low, low))
            low = max(low, mapping.end)
        room, start = best
        if room < 1 << 30:
            raise RefusedError("its address space has no hole of 1 GiB")
        offset = int.from_bytes(os.urandom(6), "little") % (room // 2)
        return (start + room // 4 + offset) // PAGE * PAGE

    def image(self, page: int, source: bytes, about: bytes, expires: float) -> bytes:
        """The memory as it begins."""
        if len(source) + 1 > Mail.TEXT_SIZE or len(about) > Mail.ABOUT_SIZE:
            raise RefusedError("what is to be put in is too long")
        image = bytearray(ROOM)
        code = assembled(page, self.functions, self.gadget, page + PAGE + Mail.TEXT)
        image[: len(code)] = code
        data = memoryview(image)[PAGE:]
        data[Mail.ALIVE] = 1
        struct.pack_into("<QQ", data, Mail.SLEEP, 0, 1_000_000)
        struct.pack_into("<d", data, Mail.EXPIRES, expires)
        struct.pack_into("<Q", data, Mail.PUT, os.getpid())
        data[Mail.ABOUT : Mail.ABOUT + len(about)] = about
        data[Mail.TEXT : Mail.TEXT + len(source)] = source
        data.release()
        return bytes(image)

    def has_room(self, low: int, high: int) -> bool:
        """Whether the stack is mapped from low to high, with what a call needs below."""
        return any(m.start + 16384 <= low and high <= m.end for m in self.symbols.maps)


BUSY = "try again: it looks for a thread that sleeps, or one in the interpreter's loop"


def functions(symbols: "Symbols") -> "tuple[dict[str, int], tuple[int, int]]":
    """Addresses of CPython's functions, and where its loop begins and ends; raises RefusedError."""
    for mapping in symbols.maps:
        if not IS_PYTHON.search(mapping.path):
            continue
        elf = symbols.elf(mapping)
        if elf is None:
            continue
        every = {name: (at, size) for name, at, size, _ in elf.symbols(11)}
        if "PyRun_String" not in every:
            every.update({name: (at, size) for name, at, size, _ in elf.symbols(2)})
        if all(name in every for name in WANTED):
            base = base_of(elf, symbols, mapping)
            start, size = every.get(LOOP, (0, 0))
            return {n: every[n][0] + base for n in WANTED}, (start + base, start + base + size)
    raise RefusedError(
        "its interpreter's functions have no names in its file (it was stripped, or linked without them)",
        "stacks and profile still work",
    )


def gadgets(memory: "Memory", symbols: "Symbols") -> "tuple[int, int]":
    """Where `mov $15,%rax; syscall` (the way back from a signal) and `syscall; ret` stand; raises RefusedError."""
    back = gadget = 0
    wanted = [m for m in symbols.maps if "x" in m.permissions]
    wanted.sort(key=lambda m: not re.search(r"/(libc[.-]|ld-musl|libpthread)", m.path))
    for mapping in wanted:
        size = min(mapping.end - mapping.start, 8 << 20)
        try:
            raw = memory.read(mapping.start, size)
        except OSError:
            continue
        for signature, name in (
            (b"\x48\xc7\xc0\x0f\0\0\0\x0f\x05", "back"),
            (b"\x0f\x05\xc3", "gadget"),
        ):
            at = raw.find(signature)
            if at >= 0 and name == "back":
                back = back or mapping.start + at
            elif at >= 0:
                gadget = gadget or mapping.start + at
        if back and gadget:
            return back, gadget
    raise RefusedError(
        "the instructions that bring a thread back were not found in what it has mapped"
    )


def refuse_traced(pid: int) -> None:
    """Raises RefusedError where somebody traces it, or its hardware keeps a shadow of its stack."""
    with open("/proc/%d/status" % pid) as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    tracer = status.get("TracerPid", "0").strip()
    if tracer != "0":
        raise RefusedError(
            "process %s traces it already (%s)" % (tracer, command_of(tracer)), "end that first"
        )
    if "shstk" in status.get("x86_Thread_features", ""):
        raise RefusedError(
            "it runs with a shadow stack, which this way of starting a thread would break"
        )
    if status.get("State", "").startswith(("T", "t")):
        raise RefusedError("it is stopped", "let it go on (SIGCONT) first")


def command_of(pid: str) -> str:
    """The command name of a process."""
    try:
        with open("/proc/%s/comm" % pid, errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "?"
