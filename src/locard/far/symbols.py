"""Addresses of a process to names, from its own files; beside the target, standard library only, 3.6 or later.

A file is opened through /proc/PID/map_files or the process's root, so that a container's library is never
taken for one of ours with the same name. A file without the symbol tables gives no names, and says so.
"""

import bisect
import errno
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SYMTAB, DYNSYM, PROGBITS_NOTE = 2, 11, 7
OBJECT, FUNC, IFUNC = 1, 2, 10
MOST_SYMBOLS = 64 << 20  # bytes of one table


class Elf:
    """The symbols of one file: functions and data by address, and where code lies in the file."""

    def __init__(self, fd: int) -> None:
        """Reads headers only; the tables when they are asked for. Raises ValueError where it is no ELF64."""
        self.fd = fd
        head = os.pread(fd, 64, 0)
        if head[:5] != b"\x7fELF\x02":
            raise ValueError("no 64-bit ELF file")
        (self.type, self.machine, _, _, phoff, shoff, _, _, phsize, phnum, shsize, shnum, _) = (
            struct.unpack_from("<HHIQQQIHHHHHH", head, 16)
        )
        raw = os.pread(fd, phsize * phnum, phoff)
        # (offset, address, size in the file, flags) of what is loaded
        self.loads = []  # type: list[tuple[int, int, int, int]]
        self.interpreted = False
        for k in range(phnum):
            kind, flags, offset, address, _, size, _, _ = struct.unpack_from(
                "<IIQQQQQQ", raw, k * phsize
            )
            if kind == 1:
                self.loads.append((offset, address, size, flags))
            self.interpreted = self.interpreted or kind == 3
        raw = os.pread(fd, shsize * shnum, shoff)
        self.sections = [
            struct.unpack_from("<IIQQQQIIQQ", raw, k * shsize) for k in range(len(raw) // 64)
        ]
        self.tables = {}  # type: dict[int, Any]
        self.sorted = None  # type: Any

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.fd)

    def symbols(self, kind: int) -> "list[tuple[str, int, int, int]]":
        """(name, address, size, type) of .symtab (2) or .dynsym (11), defined ones only."""
        if kind not in self.tables:
            found = []
            for section in self.sections:
                if (
                    section[1] == kind
                    and section[5] <= MOST_SYMBOLS
                    and section[6] < len(self.sections)
                ):
                    names = self.sections[section[6]]
                    text = os.pread(self.fd, names[5], names[4])
                    data = os.pread(self.fd, section[5] // 24 * 24, section[4])
                    for at, info, _, where, address, size in struct.iter_unpack("<IBBHQQ", data):
                        if where and address and info & 15 in (OBJECT, FUNC, IFUNC):
                            name = text[at : text.index(b"\0", at)].decode(
                                "utf-8", "backslashreplace"
                            )
                            found.append((name, address, size, info & 15))
            self.tables[kind] = found
        return list(self.tables[kind])

    @property
    def stripped(self) -> bool:
        """Whether only exported names are there."""
        return not self.symbols(SYMTAB)

    def every(self) -> "list[tuple[str, int, int, int]]":
        """The symbols of both tables, each once."""
        return list(dict.fromkeys(self.symbols(SYMTAB) + self.symbols(DYNSYM)))

    def at(self, address: int) -> "tuple[str, int] | None":
        """(name, bytes behind its start) of the symbol that holds an address of the file's own numbering."""
        if self.sorted is None:
            self.sorted = sorted((a, -s, n) for n, a, s, _ in self.every())
        at = bisect.bisect_right(self.sorted, (address, 0, "\U0010ffff"))
        for start, size, name in reversed(self.sorted[max(0, at - 8) : at]):
            if start <= address < start - size or (
                size == 0 and at and start <= address < start + 4096
            ):
                return name, address - start
        return None

    def file_offset(self, address: int) -> "int | None":
        """Where in the file an address lies; None where it is not in it."""
        for offset, start, size, _ in self.loads:
            if start <= address < start + size:
                return address - start + offset
        return None

    def address(self, file_offset: int) -> "int | None":
        """The address, in the file's own numbering, of a place in the file."""
        for offset, start, size, _ in self.loads:
            if offset <= file_offset < offset + size:
                return file_offset - offset + start
        return None


class Mapping:
    """One line of /proc/PID/maps."""

    __slots__ = ("end", "inode", "offset", "path", "permissions", "start")

    def __init__(self, line: str) -> None:
        """The line as the kernel writes it."""
        words = line.split(None, 5)
        self.start, self.end = (int(w, 16) for w in words[0].split("-"))
        self.permissions = words[1]
        self.offset = int(words[2], 16)
        self.inode = (words[3], words[4])
        self.path = words[5].rstrip("\n") if len(words) > 5 else ""


class Symbols:
    """The mappings of one process and the files behind them."""

    def __init__(self, pid: int) -> None:
        """Reads /proc/PID/maps; raises OSError where that is not permitted."""
        self.pid = pid
        self.files = {}  # type: dict[tuple[str, str], Elf | None]
        self.maps = []  # type: list[Mapping]
        self.closed = 0  # files that may not be opened
        self.read_maps()

    def read_maps(self) -> None:
        """Read the mappings (again)."""
        with open("/proc/%d/maps" % self.pid, errors="surrogateescape") as file:
            self.maps = [Mapping(line) for line in file]
        self.starts = [m.start for m in self.maps]

    def open(self, mapping: Mapping) -> int:
        """A descriptor of the file of a mapping, as the process has it; raises OSError."""
        try:
            return os.open(
                "/proc/%d/map_files/%x-%x" % (self.pid, mapping.start, mapping.end), os.O_RDONLY
            )
        except OSError:
            pass
        try:
            return os.open("/proc/%d/root%s" % (self.pid, mapping.path), os.O_RDONLY)
        except PermissionError:
            return self.same(mapping)

    def same(self, mapping: Mapping) -> int:
        """A descriptor of the file as we have it, if it is the very same; raises PermissionError."""
        try:
            fd = os.open(mapping.path, os.O_RDONLY)
        except OSError as error:
            raise PermissionError(errno.EACCES, "its root cannot be seen") from error
        found = os.fstat(fd)
        device = "%02x:%02x" % (os.major(found.st_dev), os.minor(found.st_dev))
        if (device, str(found.st_ino)) == mapping.inode:
            return fd
        os.close(fd)
        raise PermissionError(errno.EACCES, "its root cannot be seen")

    def elf(self, mapping: Mapping) -> "Elf | None":
        """The file of a mapping; None where it is none or cannot be read."""
        if not mapping.path.startswith("/"):
            return None
        if mapping.inode not in self.files:
            self.files[mapping.inode] = None
            try:
                fd = self.open(mapping)
            except OSError as error:
                self.closed += isinstance(error, PermissionError)
                return None
            try:
                self.files[mapping.inode] = Elf(fd)
            except (ValueError, OSError, struct.error):
                os.close(fd)
        return self.files[mapping.inode]

    def mapping(self, address: int) -> "Mapping | None":
        """The mapping that holds an address."""
        at = bisect.bisect_right(self.starts, address) - 1
        if at >= 0 and address < self.maps[at].end:
            return self.maps[at]
        return None

    def name(self, address: int) -> "dict[str, Any]":
        """{"symbol", "offset", "file"} of an address, as far as is known; data and code alike."""
        mapping = self.mapping(address)
        if mapping is None:
            return {}
        found = {"file": mapping.path or "[anon]"}  # type: dict[str, Any]
        elf = self.elf(mapping)
        at = elf.address(address - mapping.start + mapping.offset) if elf else None
        if elf is None and not mapping.path:
            at, elf = self.zeroed(mapping, address)
        if elf is not None and at is None:
            at = self.by_base(mapping, address, elf)
        hit = elf.at(at) if elf is not None and at is not None else None
        if hit:
            found["symbol"], found["offset"] = hit
        return found

    def place(self, address: int) -> "tuple[int, str] | None":
        """(address in the file's own numbering, path of the file) of an address; None where no file has it."""
        mapping = self.mapping(address)
        elf = self.elf(mapping) if mapping is not None else None
        if mapping is None or elf is None:
            return None
        at = elf.address(address - mapping.start + mapping.offset)
        return None if at is None else (at, mapping.path)

    def by_base(self, mapping: Mapping, address: int, elf: Elf) -> "int | None":
        """An address beyond the file's bytes (.bss), by where the file's first part lies."""
        first = next(
            (m for m in self.maps if m.inode == mapping.inode and m.path == mapping.path), None
        )
        if first is None or not elf.loads:
            return None
        base = first.start - (elf.loads[0][1] & ~4095) + (elf.loads[0][0] & ~4095) - first.offset
        return address - base

    def zeroed(self, mapping: Mapping, address: int) -> "tuple[int | None, Elf | None]":
        """Zeroed data (.bss) is mapped without a name behind the file that it belongs to."""
        at = self.maps.index(mapping)
        before = self.maps[at - 1] if at else None
        if before is None or before.end != mapping.start or not before.path.startswith("/"):
            return None, None
        elf = self.elf(before)
        return (self.by_base(before, address, elf), elf) if elf is not None else (None, None)

    def close(self) -> None:
        """Let go of all files."""
        for elf in self.files.values():
            if elf is not None:
                elf.close()
        self.files = {}
