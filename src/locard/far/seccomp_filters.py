"""Whether a thread's seccomp filters let it make the system calls of a watch; x86-64. 3.6 or later, standard library only.

A filter may kill the process for a call that it does not know, so its classic BPF is read through ptrace
(PTRACE_SECCOMP_GET_FILTER, CAP_SYS_ADMIN) and run here for each call with the arguments that will be given.
"""

import ctypes
import errno
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.python_thread import ROOM
    from locard.far.thread_stop import RefusedError, Stop, trace_call

GET_FILTER = 0x420C
AUDIT_X86_64 = 0xC000003E
ALLOWED = (0x7FFF0000, 0x7FFC0000)  # RET_ALLOW, RET_LOG
FAILS = 0x00050000  # RET_ERRNO: the call fails and nothing else happens
MOST_FILTERS, MOST_STEPS = 64, 4096
# (name, number, arguments): what the borrowed thread and ours call; those of `MAY_FAIL` may fail
CALLS_MADE = (
    ("mmap", 9, (0x10000000000, 0, 5, 0x100022, (1 << 64) - 1, 0)), ("munmap", 11, (0x10000000000, 0)),
    ("rt_sigreturn", 15, ()), ("mprotect", 10, (0x10000000000, 0, 3)), ("madvise", 28, (0x10000000000, 0, 18)),
    ("clone3", 435, (0x10000000000, 88)), ("clone", 56, (0x3D0F00,)), ("futex", 202, (0x10000000000, 0x81, 1)),
    ("futex", 202, (0x10000000000, 0x189, 0)), ("mmap", 9, (0, 8 << 20, 0, 0x20022, (1 << 64) - 1, 0)),
    ("set_robust_list", 273, (0x10000000000, 24)), ("rseq", 334, (0x10000000000, 32, 0, 0x53053053)),
    ("nanosleep", 35, (0x10000000000, 0)), ("rt_sigprocmask", 14, (2, 0x10000000000, 0, 8)), ("exit", 60, (0,)),
    ("gettid", 186, ()), ("mprotect", 10, (0x10000000000, 8 << 20, 3)), ("madvise", 28, (0x10000000000, 8 << 20, 4)),
)  # fmt: skip
MAY_FAIL = ("clone3", "set_robust_list", "rseq", "madvise", "rt_sigprocmask", "gettid")


class SockFprog(ctypes.Structure):
    """struct sock_filter[]: room for one filter."""

    _fields_ = [("raw", ctypes.c_char * (8 * MOST_STEPS))]


def filters_of(stop: "Stop") -> "list[list[tuple[int, int, int, int]]]":
    """The filters of a stopped thread, the newest first; raises OSError."""
    found = []  # type: list[list[tuple[int, int, int, int]]]
    for number in range(MOST_FILTERS):
        room = SockFprog()
        try:
            size = trace_call(GET_FILTER, stop.tid, number, ctypes.addressof(room))
        except OSError as error:
            if error.errno == errno.ENOENT and found:
                return found
            raise
        raw = bytes(bytearray((ctypes.c_char * (8 * size)).from_buffer(room)))
        found.append(list(struct.iter_unpack("<HBBI", raw)))
    return found


def verdict(
    program: "list[tuple[int, int, int, int]]", number: int, arguments: "tuple[int, ...]"
) -> int:
    """What a filter answers to a call; raises ValueError on an instruction that is not known."""
    padded = (arguments + (0,) * 6)[:6]
    data = struct.pack("<iIQ6Q", number, AUDIT_X86_64, 0, *[a & (1 << 64) - 1 for a in padded])
    accumulator = index = at = 0
    memory = [0] * 16
    for _ in range(MOST_STEPS):
        code, yes, no, value = program[at]
        at += 1
        kind, source = code & 7, index if code & 8 else value
        if code == 0x20:  # ld [k]
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif code in (0x00, 0x80):  # ld #k, ld #len
            accumulator = value if code == 0 else len(data)
        elif code in (0x01, 0x81):  # ldx #k, ldx #len
            index = value if code == 1 else len(data)
        elif code in (0x60, 0x61):  # ld M[k], ldx M[k]
            if code == 0x60:
                accumulator = memory[value & 15]
            else:
                index = memory[value & 15]
        elif kind in (2, 3):  # st, stx
            memory[value & 15] = accumulator if kind == 2 else index
        elif kind == 4:
            accumulator = calculated(code & 0xF0, accumulator, source)
        elif kind == 5:
            jump = code & 0xF0
            if jump == 0:
                at += value
            else:
                at += yes if jumps(jump, accumulator, source) else no
        elif kind == 6:
            return accumulator if code & 0x18 == 0x10 else value
        elif code in (0x07, 0x87):  # tax, txa
            index, accumulator = (accumulator, accumulator) if code == 7 else (index, index)
        else:
            raise ValueError("instruction %#x" % code)
    raise ValueError("it does not end")


def calculated(how: int, left: int, right: int) -> int:
    """An operation of 32 bits."""
    found = {
        0x00: left + right, 0x10: left - right, 0x20: left * right, 0x40: left | right, 0x50: left & right,
        0x60: left << (right & 31), 0x70: left >> (right & 31), 0x80: -left, 0xA0: left ^ right,
    }.get(how)  # fmt: skip
    if found is None:
        if not right:
            raise ValueError("division by 0")
        found = left // right if how == 0x30 else left % right
    return found & 0xFFFFFFFF


def jumps(how: int, left: int, right: int) -> bool:
    """Whether a conditional jump is taken."""
    return {0x10: left == right, 0x20: left > right, 0x30: left >= right, 0x40: bool(left & right)}[
        how
    ]


def action_of(
    every: "list[list[tuple[int, int, int, int]]]", number: int, arguments: "tuple[int, ...]"
) -> int:
    """What all filters together answer: the strictest."""
    actions = [verdict(program, number, arguments) for program in every]
    return min(actions, key=lambda a: a - (1 << 32) if a & 0x80000000 else a)


class Filters:
    """The filters of one thread, read in its stop and judged after it."""

    def __init__(self, stop: "Stop", mode: int) -> None:
        """Raises RefusedError where they cannot be read."""
        if mode == 1:
            raise RefusedError(
                "it runs in seccomp's strict mode: any call of a watch would kill it"
            )
        try:
            self.every = filters_of(stop)
        except OSError as error:
            raise RefusedError(
                "it runs under a seccomp filter that may not be read (%s), and that might kill it for a call of a watch"
                % os.strerror(error.errno or 0),
                "run locard with CAP_SYS_ADMIN, on the host of its container",
            ) from None

    def judge(self) -> None:
        """Raises RefusedError where a filter would kill the process for a watch, or let it fail."""
        for name, number, arguments in CALLS_MADE:
            try:
                action = action_of(self.every, number, arguments)
            except (ValueError, IndexError, KeyError, struct.error):
                raise RefusedError("its seccomp filter could not be followed") from None
            kind = action & 0xFFFF0000
            missing = (
                action & 0xFFFF == errno.ENOSYS or name != "clone3"
            )  # or else clone is not tried
            if kind in ALLOWED or (kind == FAILS and name in MAY_FAIL and missing):
                continue
            how = "fails" if kind == FAILS else "is not let through"
            raise RefusedError("its seccomp filter: the call %s of a watch %s" % (name, how))
