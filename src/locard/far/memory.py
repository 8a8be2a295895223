"""Reads the memory of a process as it is, without stopping it; beside the target, standard library only, 3.6 or later."""

import ctypes
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

AT_ONCE = 512  # parts of one call, of 1024 that the kernel takes


class Part(ctypes.Structure):
    """struct iovec."""

    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


class Memory:
    """The memory of one process, by process_vm_readv(2): one call for many parts."""

    def __init__(self, pid: int) -> None:
        """Nothing is opened; every read may raise the OSError of process_vm_readv."""
        self.pid = pid
        self.kept = None  # type: dict[int, bytes] | None
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.call = self.libc.process_vm_readv
        self.call.restype = ctypes.c_ssize_t
        self.call.argtypes = [
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_ulong,
            ctypes.c_void_p,
            ctypes.c_ulong,
            ctypes.c_ulong,
        ]

    def read(self, address: int, size: int) -> bytes:
        """So many bytes; raises OSError (EFAULT: nothing is mapped there)."""
        if self.kept is not None:
            before = self.kept.get(address)
            if before is not None and len(before) >= size:
                return before[:size]
        (found,) = self.each([(address, size)])
        if found is None:
            raise OSError(14, os.strerror(14))
        if self.kept is not None:
            self.kept[address] = found
        return found

    def keep(self, parts: "Iterable[tuple[int, int]]") -> None:
        """From here on read nothing twice, and these parts at once; until `drop`."""
        if self.kept is None:
            self.kept = {}
        wanted = list(parts)
        for (address, _), found in zip(wanted, self.each(wanted)):
            if found is not None:
                self.kept[address] = found

    def drop(self) -> None:
        """Read anew from here on."""
        self.kept = None

    def number(self, address: int) -> int:
        """A pointer or other word of 64 bits; raises OSError."""
        return int.from_bytes(self.read(address, 8), "little")

    def each(self, parts: "Iterable[tuple[int, int]]") -> "list[bytes | None]":
        """The bytes of (address, size) parts in their order, None where nothing is mapped. Raises OSError else."""
        wanted = list(parts)
        found = []  # type: list[bytes | None]
        while len(found) < len(wanted):
            some = wanted[len(found) : len(found) + AT_ONCE]
            found += self.some(some)
        return found

    def gather(self, parts: bytes, size: int) -> "bytes | None":
        """The `size` bytes of parts that are given as the kernel takes them (address and size, 64 bits each)."""
        room = ctypes.create_string_buffer(size)
        here = Part(ctypes.addressof(room), size)
        got = self.call(self.pid, ctypes.byref(here), 1, parts, len(parts) // 16, 0)
        if got == size:
            return room.raw
        number = ctypes.get_errno() if got < 0 else 14
        if number != 14:
            raise OSError(number, os.strerror(number))
        return None  # something is not mapped

    def some(self, parts: "list[tuple[int, int]]") -> "list[bytes | None]":
        """Those of the first parts that one call gave: it ends at the first that is not mapped."""
        sizes = [size for _, size in parts]
        room = ctypes.create_string_buffer(sum(sizes))
        here = Part(ctypes.addressof(room), len(room))
        there = (Part * len(parts))(*[Part(a & (1 << 64) - 1, s) for a, s in parts])
        got = self.call(self.pid, ctypes.byref(here), 1, there, len(parts), 0)
        if got < 0:
            number = ctypes.get_errno()
            if number != 14:
                raise OSError(number, os.strerror(number))
            got = 0
        data, at = room.raw, 0
        found = []  # type: list[bytes | None]
        for size in sizes:
            if at + size > got:
                return found + [None]
            found.append(data[at : at + size])
            at += size
        return found
