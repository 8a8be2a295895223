"""Types of a CPython process, read from outside: their names, what an object of them takes, and what it refers to.

Stands behind `far/python_gc.py` in one namespace; 3.6, standard library only. References are taken conservatively:
every word of an object that may be an address, its weak links left out, and the storage that lists, dicts, sets,
deques, generators and instances keep apart.
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.memory import Memory
    from locard.far.python_gc import GC_HEAD, Pages
    from locard.far.python_layout import Layout
    from locard.far.python_objects import INLINE_VALUES, MANAGED_DICT, Objects, word
    from locard.far.python_tasks import FRAMES

LOCALS = {
    (3, 8): 360,
    (3, 9): 360,
    (3, 10): 352,
    (3, 11): 72,
    (3, 12): 72,
}  # of a frame: its variables
TYPE_SIZE = 304  # of PyTypeObject, what is read of it
NAME, BASIC, ITEM, FLAGS, WEAK_LIST, BASE_TYPE, DICT_OF_TYPE, DICT_AT = (
    24,
    32,
    40,
    168,
    208,
    256,
    264,
    288,
)
HEAP_TYPE, HAVE_GC, INLINE, MANAGED = 1 << 9, 1 << 14, 1 << 2, 3 << 3
OF_FLAGS = (
    (24, "int"),
    (25, "list"),
    (26, "tuple"),
    (27, "bytes"),
    (28, "str"),
    (29, "dict"),
    (31, "type"),
)
NAMED_SHAPES = {
    "set": "set",
    "frozenset": "set",
    "collections.deque": "deque",
    "functools._lru_cache_wrapper": "lru",
    "weakref": "weak",
    "weakref.ReferenceType": "weak",
    "generator": "generator",
    "coroutine": "generator",
    "async_generator": "generator",
    "frame": "frame",
    "module": "module",
    "bytearray": "bytearray",
    "function": "function",
    "method": "method",
}
ITEMS_AT = {"list": 24, "dict": 32, "set": 40, "deque": 24}
DEQUE_BLOCK, DEQUE_ITEMS = 528, 64
STORES = ("int", "bytearray", "list", "deque", "set", "dict")
WEAK_WORDS = (16, 32, 40, 48)  # of a weak reference: its object, its hash, its neighbours
MOST_WORDS = 1 << 22  # of one object
MOST_VARIABLE = 1 << 16  # of one that is no tuple, behind its fixed part
IMMORTAL = 1 << 28
SCAN_AT_ONCE = 1 << 16  # bytes of a storage


class Kind:
    """One type."""

    __slots__ = ("address", "basic", "dict_at", "flags", "item", "keys", "shape", "short", "weak")

    def __init__(self, address: int, raw: bytes, short: str) -> None:
        """`raw`: the beginning of its PyTypeObject."""
        self.address, self.short, self.shape = address, short, "other"
        self.basic, self.item = struct.unpack_from("<qq", raw, BASIC)
        self.flags = word(raw, FLAGS)
        self.weak, self.dict_at = (
            struct.unpack_from("<q", raw, at)[0] for at in (WEAK_LIST, DICT_AT)
        )
        self.keys = -1  # entries of the keys that its instances share


class Kinds:
    """The types of one process, each read once."""

    def __init__(self, objects: "Objects", layout: "Layout") -> None:
        """Nothing is read yet."""
        self.objects, self.memory, self.layout = objects, objects.memory, layout
        self.version, self.at = layout.version, layout.at
        self.known = {}  # type: dict[int, Kind | None]
        self.names = {}  # type: dict[int, str]
        # Containers: how far behind the first word of an object is how many items it has.
        self.counted = {}  # type: dict[int, int]

    def is_type(self, address: int) -> bool:
        """Whether a type lies there."""
        return self.kind(address) is not None

    def kind(self, address: int) -> "Kind | None":
        """The type at an address; None where none is."""
        if address not in self.known:
            self.known[address] = None
            try:
                found = self.take(address)
            except (OSError, ValueError, struct.error):
                return None
            self.known[address] = found
            if found is not None and found.shape in ITEMS_AT:
                self.counted[address] = 8 if found.shape == "set" else 0
        return self.known[address]

    def take(self, address: int) -> "Kind | None":
        """Read one, and its bases as far as they tell what it is."""
        if address & 7 or not 1 << 12 < address < 1 << 47:
            return None
        raw = self.memory.read(address, TYPE_SIZE)
        metatype = self.memory.read(word(raw, 8), FLAGS + 8)
        if not word(metatype, FLAGS) >> 31 & 1:
            return None
        kind = Kind(address, raw, self.objects.c_text(word(raw, NAME)))
        if not 16 <= kind.basic < 1 << 20 or not 0 <= kind.item < 1 << 16 or not kind.short:
            return None
        shapes = [shape for bit, shape in OF_FLAGS if kind.flags >> bit & 1]
        kind.shape = shapes[0] if shapes else self.of_bases(raw, kind.short)
        return kind

    def of_bases(self, raw: bytes, short: str) -> str:
        """What it is by the name of the first base that is known."""
        for _ in range(20):
            if short in NAMED_SHAPES:
                return NAMED_SHAPES[short]
            base = word(raw, BASE_TYPE)
            if not base:
                return "other"
            raw = self.memory.read(base, TYPE_SIZE)
            short = self.objects.c_text(word(raw, NAME))
        return "other"

    def name(self, address: int) -> str:
        """`module.Class`, builtins without a module."""
        if address not in self.names:
            kind = self.kind(address)
            self.names[address] = self.full_name(kind) if kind else "an unknown type"
        return self.names[address]

    def full_name(self, kind: "Kind") -> str:
        """As it is said; the short one where the rest cannot be read."""
        if not kind.flags & HEAP_TYPE:
            return kind.short.replace("builtins.", "", 1)
        try:
            held = self.memory.number(kind.address + DICT_OF_TYPE)
            module = self.objects.lookup(held, "__module__")
            keys_at = self.at.get("heap_type.cached_keys", 880)
            short = self.objects.text(self.memory.number(kind.address + keys_at - 8))
            said = self.objects.text(module) if module else ""
        except (OSError, ValueError, struct.error):
            return kind.short
        return "%s.%s" % (said, short) if said and said != "builtins" else short


class Shapes:
    """What objects take and what they refer to, of the moment of its pages."""

    def __init__(self, kinds: "Kinds", pages: "Pages") -> None:
        """`pages`: whose blocks are read."""
        self.kinds, self.memory, self.pages = kinds, kinds.memory, pages
        self.version, self.at = kinds.version, kinds.at
        self.locals_at = kinds.at.get("frame.locals") or LOCALS[self.version]

    # -- references ------------------------------------------------------------------------

    def words(self, address: int, kind: "Kind") -> "tuple[int, ...]":
        """Words that may refer to objects; raises OSError, ValueError or struct.error."""
        shape = kind.shape
        if shape in ("str", "bytes", "int", "bytearray"):
            return self.attributes(address, kind)
        size = kind.basic
        if shape == "tuple":
            size += 8 * min(self.length(address), MOST_WORDS)
        elif kind.item == 8 and (self.version < (3, 11) or shape == "other"):
            size += 8 * min(self.length(address), MOST_VARIABLE)
        if shape == "generator" and self.version >= (3, 11):
            return tuple(self.suspended(address))
        found = list(self.unpacked(address + 16, (size - 16) // 8))
        if shape == "weak":
            for at in WEAK_WORDS:
                found[(at - 16) // 8] = 0
        elif 16 <= kind.weak < size - 7:
            found[(kind.weak - 16) // 8] = 0
        more = getattr(self, "of_" + shape, None)
        if more is not None:
            found += more(address)
        found += self.attributes(address, kind)
        return tuple(found)

    def length(self, address: int) -> int:
        """ob_size."""
        size = struct.unpack("<q", self.pages.read(address + 16, 8))[0]
        return abs(int(size))

    def unpacked(self, address: int, count: int) -> "tuple[int, ...]":
        """So many words."""
        if count <= 0:
            return ()
        if count > MOST_WORDS:
            raise ValueError("no storage of that size")
        return struct.unpack("<%dQ" % count, self.pages.read(address, 8 * count))

    def of_list(self, address: int) -> "tuple[int, ...]":
        """Its items."""
        size, items = struct.unpack("<qQ", self.pages.read(address + 16, 16))
        return self.unpacked(items, size) if items else ()

    def of_set(self, address: int) -> "tuple[int, ...]":
        """Its keys."""
        mask, table = struct.unpack("<QQ", self.pages.read(address + 32, 16))
        return self.unpacked(table, 2 * (mask + 1))[::2]

    def of_deque(self, address: int) -> "list[int]":
        """Its items, block by block."""
        size, block, _, left = struct.unpack("<qQQq", self.pages.read(address + 16, 32))
        found = []  # type: list[int]
        while block and len(found) < size and len(found) < MOST_WORDS:
            raw = self.pages.read(block, DEQUE_BLOCK)
            items = struct.unpack_from("<%dQ" % DEQUE_ITEMS, raw, 8)
            found += items[max(0, left) :]
            left, block = 0, word(raw, DEQUE_BLOCK - 8)
        return found[:size]

    def of_lru(self, address: int) -> "list[int]":
        """Keys and results of a functools.lru_cache with a bound: links that the collector does not know."""
        found = []  # type: list[int]
        at = word(self.pages.read(address + 24, 8), 0)
        while at and at != address and len(found) < MOST_WORDS:
            _, at, _, key, result = self.unpacked(at + 16, 5)
            found += [key, result]
        return found

    def of_dict(self, address: int) -> "list[int]":
        """Its keys and values."""
        keys, values = struct.unpack("<QQ", self.pages.read(address + 32, 16))
        entries = self.entries(keys)
        if not values:
            return entries
        start = values + (8 if self.version >= (3, 13) else 0)
        return list(self.unpacked(start, len(entries) // 2))

    def entries(self, keys: int) -> "list[int]":
        """Keys and values of a keys object, one behind the other, in the order in which they came."""
        start, step, count, _ = self.table(keys)
        every = self.unpacked(start, count * step // 8)
        if step == 16:
            return list(every)
        return [w for at in range(1, len(every), 3) for w in every[at : at + 2]]

    def table(self, keys: int) -> "tuple[int, int, int, int]":
        """(where its entries are, bytes of one, how many, bytes of the whole)."""
        head = self.pages.read(keys, 40)
        if self.version >= (3, 11):
            room, index, step, count = (
                1 << min(head[8], 40),
                1 << min(head[9], 40),
                24,
                word(head, 24),
            )
            step, start = (16 if head[10] else 24), keys + 32 + index
        else:
            room, count, step = word(head, 8), word(head, 32), 24
            start = (
                keys
                + 40
                + room
                * (1 if room <= 0xFF else 2 if room <= 0xFFFF else 4 if room < 1 << 32 else 8)
            )
        usable = room * 2 // 3
        if count > usable:
            raise ValueError("no dict")
        return start, step, count, start - keys + usable * step

    def suspended(self, address: int) -> "list[int]":
        """From 3.11 on: what a generator's own words and its frame refer to."""
        frame = address + FRAMES[self.version]
        count = self.frame_words(frame)
        every = self.unpacked(address + 16, (frame + self.locals_at - address - 16) // 8 + count)
        return [w & ~7 for w in every]

    def frame_words(self, frame: int) -> int:
        """How many words a frame keeps: its variables and its stack."""
        code = word(self.pages.read(frame + self.at["frame.code"], 8), 0) & ~7
        first = self.at["code.firstlineno"]
        stack, _, variables = struct.unpack("<iii", self.pages.read(code + first - 4, 12))
        if not (0 <= stack < 10000 and 0 <= variables < 10000):
            raise ValueError("no code")
        return int(stack + variables)

    def of_frame(self, address: int) -> "list[int]":
        """From 3.11 on: what a frame object's own frame refers to (one that has ended)."""
        if self.version < (3, 11):
            return []
        frame = word(self.pages.read(address + 24, 8), 0)
        count = self.frame_words(frame)
        return [w & ~7 for w in self.unpacked(frame, self.locals_at // 8 + count)]

    def attributes(self, address: int, kind: "Kind") -> "tuple[int, ...]":
        """What an instance keeps beside its own words: its dict, or the values that stand for it."""
        if self.version >= (3, 11) and kind.flags & MANAGED_DICT:
            return self.managed(address, kind)
        if kind.dict_at < 0 and kind.item:
            end = (kind.basic + kind.item * self.length(address) + 7) & ~7
            return self.unpacked(address + end + kind.dict_at, 1)
        return ()

    def managed(self, address: int, kind: "Kind") -> "tuple[int, ...]":
        """From 3.11 on."""
        if self.version == (3, 11):
            values, where = self.unpacked(address - 32, 2)
            return (where,) if where else self.shared(values, kind)
        (where,) = self.unpacked(address - 24, 1)
        if self.version == (3, 12):
            return self.shared(where + 1, kind) if where & 1 else (where,)
        if kind.flags & INLINE_VALUES:
            head = self.pages.read(address + kind.basic, 4)
            if head[3] and head[0]:
                return (where,) + self.unpacked(address + kind.basic + 8, head[0])
        return (where,)

    def shared(self, values: int, kind: "Kind") -> "tuple[int, ...]":
        """Values of 3.11 and 3.12 beside the keys that a type keeps."""
        if not values:
            return ()
        if kind.keys < 0:
            keys = self.memory.number(kind.address + self.at["heap_type.cached_keys"])
            kind.keys = word(self.memory.read(keys, 40), 24)
        return self.unpacked(values, kind.keys)

    # -- sizes -----------------------------------------------------------------------------

    def size(self, address: int, kind: "Kind") -> int:
        """Bytes of its own, as far as they are known from outside; raises as `words`."""
        size = int(kind.basic)
        if kind.flags & HAVE_GC:
            size += GC_HEAD + (16 if kind.flags & MANAGED and self.version >= (3, 11) else 0)
        if kind.shape == "str":
            return self.size_of_text(address)
        if kind.shape in STORES:
            return size + self.storage(address, kind.shape)
        if kind.item and kind.shape not in ("type", "generator"):
            count = self.length(address)
            size += int(kind.item) * (count if count < 1 << 40 else 0)
        if kind.flags & INLINE and self.version >= (3, 13):
            size += 8 + 8 * int(self.pages.read(address + kind.basic, 1)[0])
        elif kind.flags & MANAGED_DICT and (3, 11) <= self.version <= (3, 12):
            size += 8 * max(0, kind.keys) + 8
        return size

    def storage(self, address: int, shape: str) -> int:
        """Bytes that an object keeps apart from itself."""
        first, second, third, fourth = self.unpacked(address + 16, 4)
        if shape == "int":
            digits = first >> 3 if self.version >= (3, 12) else self.length(address)
            return 4 * min(digits, 1 << 30) - (4 if self.version >= (3, 12) else 0)
        if shape == "bytearray":
            return second
        if shape == "list":
            return 8 * third
        if shape == "deque":
            return DEQUE_BLOCK * (first // DEQUE_ITEMS + 1)
        if shape == "set":
            return 0 if fourth == address + 64 else 16 * (third + 1)
        return self.size_of_dict(third, fourth)

    def size_of_text(self, address: int) -> int:
        """A str; one that was read from a file by old code may have more."""
        head = self.pages.read(address, self.at["text.full_size"])
        state, length = head[self.at["text.state"]], word(head, self.at["text.length"])
        plain, wide = state >> 6 & 1, max(1, state >> 2 & 7)
        return int(
            (self.at["text.ascii_size"] if plain else self.at["text.full_size"])
            + wide * (length + 1)
        )

    def size_of_dict(self, keys: int, values: int) -> int:
        """The storage of a dict, without keys that are shared."""
        _, _, count, whole = self.table(keys)
        return 8 * count if values else whole
