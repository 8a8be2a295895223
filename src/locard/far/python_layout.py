"""Where a CPython keeps what: its version, its runtime and the offsets of its structures, found in its memory.

From 3.13 on the process says it itself (`_Py_DebugOffsets`, the start of `_PyRuntime`); before, tables made from
CPython's own headers. Stands behind `far/memory.py` and `far/symbols.py` in one namespace; 3.6, standard library only.
"""

import os
import re
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.memory import Memory
    from locard.far.symbols import Elf, Mapping, Symbols

NEWEST = (3, 15)
IS_PYTHON = re.compile(r"/(lib)?python[0-9.]*[a-z]*(\.so[0-9.]*|-config)?( \(deleted\))?$")
VERSION = re.compile(rb"(?<![0-9.])(3\.\d{1,2})\.\d{1,2}(?:(?:a|b|rc)\d+)?\+?\0")
OF_ASYNCIO = re.compile(r"/_asyncio[^/]*\.so$")
NAMED = re.compile(r"/(?:lib)?python3\.(\d+)[^/]*$")
COOKIE = b"xdebugpy"
IS_OLD = re.compile(r"/(?:lib)?python([12]\.\d|3\.[0-7])(?!\d)[^/]*$")
NO_PYTHON = "no _PyRuntime in what it has mapped: no CPython, or one without symbols"
MOST_DATA = 64 << 20  # bytes of a mapping that are searched for it

# Fields in the order of `_Py_DebugOffsets`, one word of 64 bits each behind cookie, version and free_threaded.
SAID = {
    (3, 13): """
runtime: size finalizing interpreters_head
interpreter: size id next threads_head gc modules sysdict builtins ceval_gil gil gil_enabled gil_locked gil_holder
thread: size prev next interp frame ident tid datastack status
frame: size previous code instruction locals owner
code: size filename name qualname lines firstlineno argcount varnames varkinds bytes
object: size type
type: size name repr flags
tuple: size items length
list: size items length
dict: size keys values
float: size value
long: size tag digits
bytes: size length text
text: size state length ascii_size
gc: size collecting
""",
    (3, 14): """
runtime: size finalizing interpreters_head
interpreter: size id next threads_head threads_main gc modules sysdict builtins ceval_gil gil gil_enabled gil_locked gil_holder code_generation tlbc
thread: size prev next interp frame ident tid datastack status
frame: size previous code instruction locals owner stack tlbc
code: size filename name qualname lines firstlineno argcount varnames varkinds bytes tlbc
object: size type
type: size name repr flags
tuple: size items length
list: size items length
set: size used table mask
dict: size keys values
float: size value
long: size tag digits
bytes: size length text
text: size state length ascii_size
gc: size collecting
""",
    (3, 15): """
runtime: size finalizing interpreters_head
interpreter: size id next threads_head threads_main gc modules sysdict builtins ceval_gil gil gil_enabled gil_locked gil_holder code_generation tlbc
thread: size prev next interp frame base_frame profiled profiled_seq ident tid datastack status holds_gil gil_requested exception exc_state
exception: value
frame: size previous code instruction locals owner stack tlbc
code: size filename name qualname lines firstlineno argcount varnames varkinds bytes tlbc
object: size type
type: size name repr flags basicsize dictoffset
heap_type: size cached_keys
tuple: size items length
list: size items length
set: size used table mask
dict: size keys values
float: size value
long: size tag digits
bytes: size length text
text: size state length ascii_size compact_size
gc: size collecting frame
""",
}

# Offsets in bytes, by version, of builds for 64 bits; 3.8 to 3.12 differ not between their own releases.
TABLES = {
    (3, 8): """
runtime: interpreters_head=32 gil=1152 gil_holder=1368 gc=344
interpreter: next=0 threads_head=8 id=16 modules=56
heap_type: cached_keys=872
thread: next=8 interp=16 frame=24 ident=176 size=264
frame: previous=24 code=32 instruction=104 size=112
code: filename=104 name=112 lines=120 firstlineno=40
""",
    (3, 9): """
runtime: interpreters_head=32 gil=352 gil_holder=568
interpreter: next=0 threads_head=8 id=24 gc=616 modules=856
heap_type: cached_keys=864
thread: next=8 interp=16 frame=24 ident=176 size=264
frame: previous=24 code=32 instruction=104 size=112
code: filename=104 name=112 lines=120 firstlineno=40
gc: collecting=200
""",
    (3, 10): """
runtime: interpreters_head=32 gil=352 gil_holder=568
interpreter: next=0 threads_head=8 id=24 gc=616 modules=856
heap_type: cached_keys=872
thread: next=8 interp=16 frame=24 ident=176 size=280
frame: previous=24 code=32 instruction=96 size=104
code: filename=104 name=112 lines=120 firstlineno=40
gc: collecting=200
""",
    (3, 11): """
runtime: interpreters_head=40 gil=360 gil_holder=576
interpreter: next=0 threads_head=16 id=48 gc=648 modules=888
heap_type: cached_keys=872
thread: next=8 interp=16 cframe=56 cframe_frame=8 ident=152 tid=160 size=360
frame: code=32 previous=48 instruction=56 owner=69 size=72
code: filename=112 name=120 qualname=128 lines=136 firstlineno=72 bytes=184
gc: collecting=200
""",
    (3, 12): """
runtime: interpreters_head=40
interpreter: next=0 threads_head=72 id=8 gc=112 ceval_gil=384 modules=944
heap_type: cached_keys=880
gil: holder=8 locked=16
thread: next=8 interp=16 cframe=56 cframe_frame=0 ident=136 tid=144 size=288
frame: code=0 previous=8 instruction=56 owner=70 size=72
code: filename=112 name=120 qualname=128 lines=136 firstlineno=68 bytes=192
gc: collecting=200
""",
}
TEXT = {"text.length": 16, "text.state": 32, "bytes.length": 16, "bytes.text": 32, "object.type": 8}


class UnreadableError(Exception):
    """Why a process's stacks cannot be read."""


class Layout:
    """Version and offsets of one process's CPython; `at[part.field]` in bytes."""

    def __init__(self, memory: "Memory", symbols: "Symbols") -> None:
        """Finds them; raises UnreadableError, or the OSError of a read."""
        self.memory = memory
        self.runtime, self.version = find(memory, symbols)
        self.free_threaded = False
        self.at = dict(TEXT)
        if self.version >= (3, 13):
            self.take_said()
        elif self.version in TABLES:
            for part, words in parted(TABLES[self.version]):
                for word in words:
                    name, _, value = word.partition("=")
                    self.at[part + "." + name] = int(value)
            self.at["text.ascii_size"] = 40 if self.version >= (3, 12) else 48
        else:
            raise UnreadableError(
                "CPython %d.%d: its layout is not known (3.8 to 3.15 are)" % self.version
            )
        self.running_task = 0  # from 3.14 on: where a thread keeps the task that runs on it
        self.tasks = self.of_tasks(symbols) if self.version >= (3, 14) else None
        self.at["text.full_size"] = self.at["text.ascii_size"] + (
            16 if self.version >= (3, 12) else 24
        )

    def take_said(self) -> None:
        """From `_Py_DebugOffsets`; a later version than the tables has is read as the newest, if it fits."""
        fields = [
            part + "." + word
            for part, words in parted(SAID[min(self.version, NEWEST)])
            for word in words
        ]
        head = self.memory.read(self.runtime, 24 + 8 * len(fields))
        if head[:8] != COOKIE:
            raise UnreadableError(
                "its _PyRuntime does not begin with the cookie of a debugging table"
            )
        values = struct.unpack_from("<%dQ" % (1 + len(fields)), head, 16)
        self.free_threaded = bool(values[0])
        self.at.setdefault("heap_type.cached_keys", 880)
        self.at.update(zip(fields, values[1:]))
        for part in ("thread", "frame", "code", "text"):
            if not 16 <= self.at[part + ".size"] <= 8192:
                raise UnreadableError(
                    "the debugging table of CPython %d.%d has another form" % self.version
                )

    def of_tasks(self, symbols: "Symbols") -> "tuple[int, int, int] | None":
        """From 3.14 on: where a task, an interpreter and a thread keep the list of tasks (`_AsyncioDebug`)."""
        for mapping in symbols.maps:
            if not OF_ASYNCIO.search(mapping.path) and not IS_PYTHON.search(mapping.path):
                continue
            elf = symbols.elf(mapping)
            where = elf and section_of(elf, b".AsyncioDebug")
            if elf and where:
                where += base_of(elf, symbols, mapping)
                values = struct.unpack("<13Q", self.memory.read(where, 13 * 8))
                self.running_task = values[11]
                return values[6], values[8], values[12]
        return None

    def words(self, part: str, *names: str) -> "tuple[int, ...]":
        """The offsets of fields of one part."""
        return tuple(self.at[part + "." + name] for name in names)


def parted(table: str) -> "list[tuple[str, list[str]]]":
    """(part, words) of each line of a table."""
    lines = [line.partition(":") for line in table.strip().splitlines()]
    return [(part, rest.split()) for part, _, rest in lines]


def find(memory: "Memory", symbols: "Symbols") -> "tuple[int, tuple[int, int]]":
    """The address of `_PyRuntime` and the version, (3, 12); raises UnreadableError."""
    seen = set()
    closed = False
    for mapping in symbols.maps:
        if mapping.inode in seen or not IS_PYTHON.search(mapping.path):
            continue
        seen.add(mapping.inode)
        elf = symbols.elf(mapping)
        closed = closed or elf is None
        address = elf and address_of(elf, symbols, mapping, "_PyRuntime")
        if elf is not None and address:
            return address, version_of(elf, memory, symbols, mapping, address)
    found = by_cookie(memory, symbols)
    if found is not None:
        return found
    if is_32_bit(symbols.pid):
        raise UnreadableError("a 32-bit process: only those of 64 bits are read")
    if closed:
        gone = any(m.path.endswith(" (deleted)") and IS_PYTHON.search(m.path) for m in symbols.maps)
        why = (
            " since it was deleted (upgraded?): /proc/PID/map_files has it for CAP_SYS_ADMIN"
            if gone
            else ""
        )
        raise UnreadableError("the interpreter's file could not be opened" + why)
    for mapping in symbols.maps:
        old = IS_OLD.search(mapping.path)
        if old:
            raise UnreadableError("CPython %s: 3.8 and later are read" % old.group(1))
    raise UnreadableError(NO_PYTHON)


def by_cookie(memory: "Memory", symbols: "Symbols") -> "tuple[int, tuple[int, int]] | None":
    """The same from 3.13 on without any file: `_PyRuntime` begins with a cookie, and lies in the data of the interpreter."""
    try:
        program = os.readlink("/proc/%d/exe" % symbols.pid)
    except OSError:
        program = ""
    for mapping in symbols.maps:
        mine = mapping.path == program or IS_PYTHON.search(mapping.path)
        if not mine or mapping.permissions[1] != "w" or mapping.end - mapping.start > MOST_DATA:
            continue
        try:
            data = memory.read(mapping.start, mapping.end - mapping.start)
        except OSError:
            continue
        at = data.find(COOKIE)
        while at >= 0:
            number = int.from_bytes(data[at + 8 : at + 16], "little")
            version = number >> 24, number >> 16 & 255
            if at % 8 == 0 and (3, 13) <= version < (4, 0) and number < 1 << 32:
                return mapping.start + at, version
            at = data.find(COOKIE, at + 1)
    return None


def is_32_bit(pid: int) -> bool:
    """Whether a process runs a 32-bit program."""
    try:
        with open("/proc/%d/exe" % pid, "rb") as file:
            return file.read(5) == b"\x7fELF\x01"
    except OSError:
        return False


def address_of(elf: "Elf", symbols: "Symbols", mapping: "Mapping", name: str) -> "int | None":
    """Where a symbol of a mapped file lies in the process."""
    for kind in (11, 2):
        for found, address, _, _ in elf.symbols(kind):
            if found == name:
                return address + base_of(elf, symbols, mapping)
    return None


def section_of(elf: "Elf", name: bytes) -> "int | None":
    """Where a section lies, in the file's own addresses."""
    number = int.from_bytes(os.pread(elf.fd, 2, 62), "little")
    if number >= len(elf.sections):
        return None
    text = os.pread(elf.fd, elf.sections[number][5], elf.sections[number][4])
    for section in elf.sections:
        if text[section[0] :].partition(b"\0")[0] == name:
            return int(section[3])
    return None


def base_of(elf: "Elf", symbols: "Symbols", mapping: "Mapping") -> int:
    """What is added to the file's own addresses."""
    if elf.type == 2:
        return 0
    first = next(m for m in symbols.maps if m.inode == mapping.inode and m.path == mapping.path)
    offset, address = elf.loads[0][0], elf.loads[0][1]
    return first.start - first.offset - (address & ~4095) + (offset & ~4095)


def version_of(
    elf: "Elf", memory: "Memory", symbols: "Symbols", mapping: "Mapping", runtime: int
) -> "tuple[int, int]":
    """(3, 12): as the debugging table says, `Py_Version` (from 3.11), or the text of PY_VERSION in the file."""
    head = memory.read(runtime, 16)
    where = address_of(elf, symbols, mapping, "Py_Version")
    if head[:8] == COOKIE:
        number = int.from_bytes(head[8:16], "little")
    elif where:
        number = int.from_bytes(memory.read(where, 4), "little")
    else:
        named = NAMED.search(mapping.path)
        return (3, int(named.group(1))) if named else texted(elf)
    return number >> 24, number >> 16 & 255


def texted(elf: "Elf") -> "tuple[int, int]":
    """The version as the one text of its form in the file's constants."""
    found = set()
    for section in elf.sections:
        if section[1] == 1 and not section[2] & 5 and section[5] <= 64 << 20:
            found.update(VERSION.findall(os.pread(elf.fd, section[5], section[4])))
    if len(found) != 1:
        raise UnreadableError("its version is not told by its file")
    major, minor = found.pop().split(b".")
    return int(major), int(minor)
