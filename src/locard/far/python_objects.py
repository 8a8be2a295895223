"""Objects of a CPython process, read from outside: text, numbers, dicts, sequences, attributes; nothing of it is run.

Stands behind `far/python_layout.py` in one namespace. Addresses are those of the process; whatever does not look
like what it should be raises ValueError, what is not mapped OSError: a running process changes while it is read.
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.far.memory import Memory
    from locard.far.python_layout import Layout

MOST_TEXT = 4096
MOST_ITEMS = 100_000
MANAGED_DICT, INLINE_VALUES = 1 << 4, 1 << 2  # tp_flags
DICT_KEYS, DICT_VALUES = 32, 40  # PyDictObject, all versions
MODULE_DICT = 16


class Objects:
    """Reads objects of one process."""

    def __init__(self, memory: "Memory", layout: "Layout") -> None:
        """Nothing is read yet."""
        self.memory, self.layout = memory, layout
        self.at, self.version = layout.at, layout.version
        self.names = {}  # type: dict[int, str]

    def type_of(self, address: int) -> int:
        """The type of an object."""
        return self.memory.number(address + self.at["object.type"])

    def type_name(self, kind: int) -> str:
        """The name of a type as it was given: with the module for those written in C."""
        return self.c_text(self.memory.number(kind + 24))

    def c_text(self, address: int) -> str:
        """A text that ends with a 0, of at most 256 bytes."""
        room = min(256, 4096 - address % 4096)
        raw = self.memory.read(address, room)
        if b"\0" not in raw and room < 256:
            raw += self.memory.read(address + room, 256 - room)
        return raw.partition(b"\0")[0].decode("utf-8", "replace")

    def text(self, address: int) -> str:
        """A str; raises ValueError where it is none, or longer than 4,096 characters."""
        at = self.at
        head = self.memory.read(address, at["text.full_size"])
        length = word(head, at["text.length"])
        state = struct.unpack_from("<I", head, at["text.state"])[0]
        kind, compact, ascii_ = state >> 2 & 7, state >> 5 & 1, state >> 6 & 1
        if not compact or kind not in (1, 2, 4) or length > MOST_TEXT:
            raise ValueError("no compact text of a name's length")
        start = at["text.ascii_size"] if ascii_ else at["text.full_size"]
        raw = self.memory.read(address + start, length * kind)
        return raw.decode({1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}[kind], "replace")

    def name(self, address: int) -> str:
        """A str that is a name: kept, since names are interned and live long."""
        if address not in self.names:
            self.names[address] = self.text(address)
        return self.names[address]

    def blob(self, address: int) -> bytes:
        """A bytes object of at most 1 MB."""
        length = self.memory.number(address + self.at["bytes.length"])
        if length > 1 << 20:
            raise ValueError("no bytes object of that size")
        return self.memory.read(address + self.at["bytes.text"], length)

    def number(self, address: int) -> int:
        """An int of at most 8 digits of 30 bits."""
        head = self.memory.read(address, 24 + 8 * 4)
        if self.version >= (3, 12):
            tag = word(head, 16)
            size, sign = tag >> 3, 1 - (tag & 3)
        else:
            size = int(struct.unpack_from("<q", head, 16)[0])
            size, sign = abs(size), (size > 0) - (size < 0)
        if size > 8:
            raise ValueError("no number of that size")
        digits = struct.unpack_from("<%dI" % size, head, 24)
        return sign * sum(int(d) << 30 * k for k, d in enumerate(digits))

    def sequence(self, address: int, kind: str) -> "tuple[int, ...]":
        """The items of a list or a tuple."""
        length = self.memory.number(address + 16)
        if length > MOST_ITEMS:
            raise ValueError("no sequence of that length")
        items = self.memory.number(address + 24) if kind == "list" else 0
        if kind == "tuple":
            items = address + self.at.get("tuple.items", 24)
        return struct.unpack("<%dQ" % length, self.memory.read(items, 8 * length)) if length else ()

    # -- dicts -----------------------------------------------------------------------------

    def items(self, address: int) -> "list[tuple[int, int]]":
        """(key, value) of a dict."""
        keys, values = struct.unpack("<QQ", self.memory.read(address + DICT_KEYS, 16))
        entries = self.entries(keys)
        if not values:
            return [(k, v) for k, v in entries if k and v]
        return self.with_values(entries, self.values(values, len(entries)))

    def entries(self, keys: int) -> "list[tuple[int, int]]":
        """(key, value) of each entry of a keys object, in order; the value of shared keys is nothing."""
        head = self.memory.read(keys, 40)
        if self.version >= (3, 11):
            index, kind, count, start = 1 << head[9], head[10], word(head, 24), keys + 32
            step = 16 if kind else 24
        else:
            size, count, start, step = word(head, 8), word(head, 32), keys + 40, 24
            index = size * (1 if size <= 0xFF else 2 if size <= 0xFFFF else 4)
        if count > MOST_ITEMS or (head[9] > 32 and self.version >= (3, 11)):
            raise ValueError("no dict of that size")
        raw = self.memory.read(start + index, count * step) if count else b""
        skip = step - 16
        return [struct.unpack_from("<QQ", raw, at + skip) for at in range(0, len(raw), step)]

    def values(self, address: int, count: int) -> "tuple[int, ...]":
        """Values that stand apart from their keys."""
        start = address + (8 if self.version >= (3, 13) else 0)
        return struct.unpack("<%dQ" % count, self.memory.read(start, 8 * count)) if count else ()

    @staticmethod
    def with_values(
        entries: "list[tuple[int, int]]", values: "tuple[int, ...]"
    ) -> "list[tuple[int, int]]":
        """The keys that have a value."""
        return [(k, v) for (k, _), v in zip(entries, values) if k and v]

    def lookup(self, address: int, name: str) -> int:
        """The value of a name in a dict, 0 where it is not there."""
        for key, value in self.items(address):
            try:
                if self.name(key) == name:
                    return value
            except ValueError:
                continue
        return 0

    # -- attributes ------------------------------------------------------------------------

    def attributes(self, address: int) -> "dict[str, int]":
        """What an instance of a class holds by name (its `__dict__`, not slots), without asking it."""
        found = {}
        for key, value in self.held(address):
            try:
                found[self.name(key)] = value
            except ValueError:
                continue
        return found

    def held(self, address: int) -> "list[tuple[int, int]]":
        """(name, value) of what an instance holds."""
        kind = self.type_of(address)
        flags = self.memory.number(kind + 168)
        if self.version >= (3, 11) and flags & MANAGED_DICT:
            return self.managed(address, kind, flags)
        offset = struct.unpack("<q", self.memory.read(kind + 288, 8))[0]
        if offset <= 0:
            raise ValueError("it has no dict of its own at a fixed place")
        where = self.memory.number(address + offset)
        return self.items(where) if where else []

    def managed(self, address: int, kind: int, flags: int) -> "list[tuple[int, int]]":
        """From 3.11 on: a dict before the object, or only values, with the keys that its type keeps."""
        if self.version == (3, 11):
            values, where = struct.unpack("<QQ", self.memory.read(address - 32, 16))
            if where:
                return self.items(where)
        else:
            where = self.memory.number(address - 24)
            if self.version == (3, 12):
                values = where + 1 if where & 1 else 0
                where = 0 if values else where
            else:
                values = address + self.memory.number(kind + 32) if flags & INLINE_VALUES else 0
                if values and not self.memory.read(values, 4)[3]:
                    values = 0
            if where:
                return self.items(where)
        if not values:
            return []
        entries = self.entries(self.memory.number(kind + self.at["heap_type.cached_keys"]))
        return self.with_values(entries, self.values(values, len(entries)))

    def module(self, interpreter: int, name: str) -> int:
        """The dict of an imported module, 0 where it was not imported."""
        modules = self.memory.number(interpreter + self.at["interpreter.modules"])
        found = self.lookup(modules, name) if modules else 0
        return self.memory.number(found + MODULE_DICT) if found else 0

    def thread_names(self, interpreter: int) -> "dict[int, str]":
        """Names of the threads that `threading` knows, by their pthread ids."""
        try:
            return self.named_threads(interpreter)
        finally:
            self.memory.drop()

    def named_threads(self, interpreter: int) -> "dict[int, str]":
        """The same: with a thousand threads, what is read of each is read of all at once."""
        names = {}  # type: dict[int, str]
        module = self.module(interpreter, "threading")
        active = self.lookup(module, "_active") if module else 0
        items = self.items(active) if active else []
        self.memory.keep(
            part for k, v in items for part in ((k, 56), (v + 8, 8), (v - 32, 16), (v - 24, 8))
        )
        texts = []
        for key, value in items:
            try:
                texts.append((self.number(key), self.attributes(value)["_name"]))
            except (KeyError, OSError, ValueError, struct.error):
                continue
        at = self.at
        self.memory.keep(
            part
            for _, t in texts
            for part in ((t, at["text.full_size"]), (t + at["text.ascii_size"], 32))
        )
        for ident, text in texts:
            try:
                names[ident] = self.text(text)
            except (OSError, ValueError, struct.error):
                continue
        return names


def word(raw: "bytes | None", at: int) -> int:
    """The pointer at a place of a structure."""
    return int(struct.unpack_from("<Q", raw or b"", at)[0])
