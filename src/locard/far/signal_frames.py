"""Signal frames as rt_sigreturn(2) reads them, x86-64: by these a borrowed thread gets everything back from the kernel.

3.6 or later, standard library only. Registers are dicts by the names of struct user_regs_struct.
"""

import ctypes
import errno
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.python_thread import ROOM

REGISTERS_IN_ORDER = (
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss"
    " fs_base gs_base ds es fs gs"
)
REGISTER_NAMES = REGISTERS_IN_ORDER.split()
WORD = (1 << 64) - 1
FUTEX_CALL = 202
EPOLLS = (232, 281, 441)  # epoll_wait, epoll_pwait, epoll_pwait2
AGAIN = (512, 513, 514)  # ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND: the same call once more
RESTART_BLOCK = 516  # what is left of it is known to the kernel alone, until a signal frame is left
FUTEX_WAIT_BITSET = 9  # its time is absolute, so the same call is right again


class Registers(ctypes.Structure):
    """struct user_regs_struct."""

    _fields_ = [(name, ctypes.c_ulonglong) for name in REGISTER_NAMES]


CONTEXT = 304  # bytes of a ucontext with a mask of 64 signals
CONTEXT_REGISTERS = "r8 r9 r10 r11 r12 r13 r14 r15 rdi rsi rbp rbx rdx rax rcx rsp rip eflags"
IN_CONTEXT = CONTEXT_REGISTERS.split()


def context(registers: "dict[str, int]", mask: int, floating: int) -> bytes:
    """A ucontext as rt_sigreturn(2) reads it; `floating`: address of the extended state, 0 for none."""
    # FP_XSTATE, SIGCONTEXT_SS and STRICT_RESTORE_SS; flags of the alternative stack that are none leave it alone
    head = struct.pack("<QQQIIQ", 7 if floating else 6, 0, 0, 0x1234, 0, 0)
    words = struct.pack("<18Q", *[registers[name] for name in IN_CONTEXT])
    segments = struct.pack("<4H", registers["cs"], 0, 0, registers["ss"])
    rest = struct.pack("<4Q", 0, 0, 0, 0) + struct.pack("<Q", floating) + bytes(64)
    return head + words + segments + rest + struct.pack("<Q", mask)


def extended(state: bytes) -> bytes:
    """The extended registers as a signal frame holds them."""
    size, known = len(state), struct.unpack_from("<Q", state, 464)[0]
    used = struct.unpack_from("<Q", state, 512)[0]
    tiles = 3 << 17  # only a thread that asked for them has room for them
    if known & tiles and not used & tiles and size > 2696:
        size, known = 2696, known & ~tiles
    raw = bytearray(state[:size])
    struct.pack_into("<IIQI", raw, 464, 0x46505853, size + 4, known, size)
    return bytes(raw) + struct.pack("<I", 0x46505845)


def resumed(found: "Registers") -> "dict[str, int]":
    """The registers with which a thread goes on as if it had not been stopped: its system call is made again."""
    values = {name: int(getattr(found, name)) for name in REGISTER_NAMES}
    number = ctypes.c_longlong(found.orig_rax).value
    result = -ctypes.c_longlong(found.rax).value
    if number < 0:
        return values
    once_more = result in AGAIN or (result == errno.EINTR and number in EPOLLS)
    if result == RESTART_BLOCK:
        absolute = number == FUTEX_CALL and found.rsi & 0x7F == FUTEX_WAIT_BITSET
        once_more = absolute
        if not absolute:
            values["rax"] = -errno.EINTR & WORD
    if once_more:
        values["rax"] = number
        values["rip"] = found.rip - 2
    return values


class Frames:
    """What is written below the stack of the borrowed thread.

    first:  [back][munmap, then second]      where mmap returns to, if we are no more
    second: [back][the registers that it had]   where everything ends
    """

    def __init__(
        self,
        rsp: int,
        values: "dict[str, int]",
        mask: int,
        floating: bytes,
        back: int,
        gadget: int,
        page: int,
    ) -> None:
        """Addresses `low`, `first`, `second`, and the bytes `raw` that begin at `low`."""
        state = (rsp - 128 - len(floating)) // 64 * 64
        last = (state - CONTEXT) // 64 * 64
        self.second = last - 8
        middle = (self.second - 64 - CONTEXT) // 64 * 64
        self.first = middle - 8
        self.low = self.first
        raw = bytearray(rsp - self.low)
        release = dict(values, rip=gadget, rsp=self.second, rax=11, rdi=page, rsi=ROOM)
        for at, words in (
            (self.first, struct.pack("<Q", back)), (middle, context(release, mask, 0)),
            (self.second, struct.pack("<Q", back)), (last, context(values, mask, state)),
            (state, floating),
        ):  # fmt: skip
            raw[at - self.low : at - self.low + len(words)] = words
        self.raw = bytes(raw[: state + len(floating) - self.low])
