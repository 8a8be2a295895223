"""The memory and the machine code of the thread that is started in a CPython; x86-64. 3.6 or later, standard library only.

One page of code, never writable, then the mailbox of both sides, never executable. The code takes the interpreter's lock,
runs a first source in a namespace of its own, calls its `tick` between sleeps until that says no, and unmaps
its own memory as the last it does.
"""

import struct

PAGE = 4096
ROOM = PAGE + 64 * PAGE  # one page of code, the rest data
CODE_MAGIC = (
    b"\x0f\x1f\x80locd"  # a nop whose displacement is our name: by this a page of ours is known
)
NANOSLEEP = 35


class Mail:
    """Where in the data pages what stands: the mailbox of both sides.

    The tool writes beat, read, command, off; the thread inside writes the rest. All numbers have 8 bytes.
    """

    ALIVE = 0  # a byte: 1 while hooks may be in place; 0 in a forked child, whose copy the kernel empties
    BEAT = 8  # counts up while the tool lives
    SLEEP = 16  # struct timespec: how long the thread sleeps between two looks
    WROTE, READ = 32, 40  # bytes of the ring that were written, that were read
    COMMAND, DONE = 48, 56  # number of the last command given, of the last one done
    LENGTH = 64  # bytes of the command
    OFF = 72  # a byte: 1 asks it to let go (`--reset`)
    WIPES = 80  # what madvise said: 0 where children get empty pages
    STATE = 88  # 2 it serves, 3 it ends, 4 its source could not be run
    CANCEL = 96  # a byte: 1 tells it to end before it runs anything
    EXPIRES = 104  # unix time in seconds
    PUT = 112  # the pid of the tool that put it there
    ABOUT, ABOUT_SIZE = 256, 1792  # what it watches, as JSON, for `--list`
    TEXT, TEXT_SIZE = 2048, 30 * 1024  # the command
    RING, RING_SIZE = 32 * 1024, 64 * PAGE - 32 * 1024


def assembled(page: int, symbols: "dict[str, int]", gadget: int, words: int) -> bytes:
    """The code of the thread; its memory begins at `page`, `words`: address of the first source."""
    data, size = page + PAGE, ROOM - PAGE
    code = Assembler(page, symbols)
    code.raw("55 53 41 54 41 55 41 56")  # push rbp, rbx, r12, r13, r14: the stack is aligned
    code.system(10, data, size, 3)  # mprotect: the data can be written, and not run
    code.raw("48 85 c0")
    code.jump("0f 85", "out")  # jnz
    code.system(28, data, size, 18)  # madvise(MADV_WIPEONFORK)
    code.store(data + Mail.WIPES)
    code.system(28, page, PAGE, 10)  # madvise(MADV_DONTFORK)
    code.call("PyGILState_Ensure")
    code.raw("89 c3")  # ebx = eax
    code.test_byte(data + Mail.CANCEL)
    code.jump("0f 85", "release")
    code.call("PyMemoryView_FromMemory", data, size, 0x200)
    code.raw("49 89 c4")  # r12: the mailbox
    code.call("PyDict_New")
    code.raw("49 89 c5")  # r13: the namespace
    code.set_item(code.text(b"mail"), "4c 89 e2")  # rdx = r12
    code.call("PyEval_GetBuiltins")
    code.set_item(code.text(b"__builtins__"), "48 89 c2")  # rdx = rax
    code.call("PyImport_GetModuleDict")
    code.set_item(code.text(b"modules"), "48 89 c2")
    code.raw("4c 89 ea 4c 89 e9")  # rdx = rcx = r13
    code.call("PyRun_String", words, 257)
    code.raw("49 89 c6 48 85 c0")  # r14 = rax; test
    code.jump("0f 84", "failed")
    code.decref("4c 89 f7")
    code.label("loop")
    code.call("PyEval_SaveThread")
    code.raw("49 89 c6")
    code.system(NANOSLEEP, data + Mail.SLEEP, 0, 0)
    code.raw("4c 89 f7")
    code.call("PyEval_RestoreThread")
    code.raw("4c 89 ef")  # rdi = r13
    code.call("PyDict_GetItemString", None, code.text(b"tick"))
    code.raw("48 89 c7 48 85 c0")
    code.jump("0f 84", "failed")
    code.call("PyObject_CallObject", None, 0)
    code.raw("49 89 c6 48 85 c0")
    code.jump("0f 84", "failed")
    code.raw("48 89 c7")
    code.call("PyObject_IsTrue")
    code.raw("89 c5")  # ebp
    code.decref("4c 89 f7")
    code.raw("85 ed")
    code.jump("0f 85", "loop")
    code.jump("e9", "done")
    code.label("failed")
    code.call("PyErr_Clear")
    code.number(data + Mail.STATE, 4)
    code.number(data + Mail.SLEEP + 8, 50_000_000)  # ns in which the tool reads what failed
    code.call("PyEval_SaveThread")
    code.raw("49 89 c6")
    code.system(NANOSLEEP, data + Mail.SLEEP, 0, 0)
    code.raw("4c 89 f7")
    code.call("PyEval_RestoreThread")
    code.label("done")
    code.decref("4c 89 ef")
    code.decref("4c 89 e7")
    code.label("release")
    code.raw("89 df")
    code.call("PyGILState_Release")
    code.label("out")
    code.raw("41 5e 41 5d 41 5c 5b 5d")
    code.set("48 bf", page)
    code.set("48 be", ROOM)
    code.raw("b8 0b 00 00 00")  # munmap
    code.set("49 bb", gadget)  # r11
    code.raw("41 ff e3")  # jmp: `syscall; ret` returns to whom called us
    return code.done()


class Assembler:
    """Machine code for one place, with labels and texts."""

    def __init__(self, base: int, symbols: "dict[str, int]") -> None:
        """Empty but for our name."""
        self.base, self.symbols = base, symbols
        self.bytes = bytearray(CODE_MAGIC)
        self.labels = {}  # type: dict[str, int]
        self.jumps = []  # type: list[tuple[int, str]]
        self.texts = []  # type: list[tuple[int, bytes]]

    def raw(self, hexes: str) -> None:
        """Instructions as they are."""
        self.bytes += bytes.fromhex(hexes)

    def set(self, opcode: str, value: int) -> None:
        """A register to 64 bits."""
        self.raw(opcode)
        self.bytes += struct.pack("<Q", value)

    def text(self, words: bytes) -> bytes:
        """A text behind the code; given to `call` and `set_item` as an argument."""
        return words + b"\0"

    def argument(self, opcode: str, value: "int | bytes | None") -> None:
        """One register of a call: None leaves it as it is."""
        if value is None:
            return
        if isinstance(value, bytes):
            self.raw(opcode)
            self.texts.append((len(self.bytes), value))
            self.bytes += bytes(8)
        else:
            self.set(opcode, value)

    def call(self, name: str, *arguments: "int | bytes | None") -> None:
        """Call a function of CPython."""
        for opcode, value in zip(("48 bf", "48 be", "48 ba"), arguments):
            self.argument(opcode, value)
        self.set("48 b8", self.symbols[name])
        self.raw("ff d0")

    def system(self, number: int, *arguments: int) -> None:
        """A system call."""
        for opcode, value in zip(("48 bf", "48 be", "48 ba"), arguments):
            self.set(opcode, value)
        self.raw("b8")
        self.bytes += struct.pack("<I", number)
        self.raw("0f 05")

    def set_item(self, key: bytes, value: str) -> None:
        """Put rdx (set by `value`) into the namespace."""
        self.raw(value)
        self.raw("4c 89 ef")
        self.call("PyDict_SetItemString", None, key)

    def decref(self, move: str) -> None:
        """Let go of what `move` puts into rdi."""
        self.raw(move)
        self.call("Py_DecRef")

    def store(self, address: int) -> None:
        """Write rax."""
        self.set("48 b9", address)
        self.raw("48 89 01")

    def number(self, address: int, value: int) -> None:
        """Write a number."""
        self.set("48 b8", value)
        self.store(address)

    def test_byte(self, address: int) -> None:
        """Compare a byte with 0."""
        self.set("48 b9", address)
        self.raw("80 39 00")

    def jump(self, opcode: str, label: str) -> None:
        """Jump, maybe."""
        self.raw(opcode)
        self.jumps.append((len(self.bytes), label))
        self.bytes += bytes(4)

    def label(self, name: str) -> None:
        """Where a jump leads."""
        self.labels[name] = len(self.bytes)

    def done(self) -> bytes:
        """The bytes, one page at most."""
        for at, label in self.jumps:
            struct.pack_into("<i", self.bytes, at, self.labels[label] - at - 4)
        for at, words in self.texts:
            struct.pack_into("<Q", self.bytes, at, self.base + len(self.bytes))
            self.bytes += words
        return bytes(self.bytes)
