"""The local variables of frames of a CPython process, by value where they are of a builtin type; nothing is run.

Stands behind `far/python_objects.py` in one namespace; standard library only, 3.6 or later. A value is read by the
exact type that its object has, and written as Python writes it: numbers, text, bytes, None, and containers of
these, so many and so deep. Of anything else, also of a subclass, the name of its type is all that is told: <Cart>.
What is too long is cut and says so. A value is one text, so that what stands under a secret's name goes whole.
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.python_layout import Layout
    from locard.far.python_objects import Objects, word

LOCALS_AT = {(3, 8): 360, (3, 9): 360, (3, 10): 352, (3, 11): 72, (3, 12): 72}  # in a frame
MOST_LOCALS = 40  # of a frame
MOST_LETTERS = 200
MOST_PARTS = 10  # of a container
DEEPEST = 2
MOST_VALUES = 20000  # of one look
HEAP_TYPE_FLAG = 1 << 9  # tp_flags: made by a class statement
HIDDEN, CELL_OBJECT, FREE = 0x10, 0x40, 0x80  # CO_FAST_*
NUMBER = 3  # in the low bits: no reference (3.14 and later)
REFERENCE = ~7  # 3.14 and later keep something in the low bits


class Locals:
    """Reads variables of one process."""

    def __init__(self, objects: "Objects", layout: "Layout") -> None:
        """Nothing is read yet."""
        self.objects, self.memory, self.layout = objects, objects.memory, layout
        self.place = layout.at.get("frame.locals") or LOCALS_AT[layout.version]
        self.kinds = {}  # type: dict[int, tuple[str, bool]]
        self.named = {}  # type: dict[int, list[tuple[str, int]]]
        self.left = MOST_VALUES

    def of(self, frame: int, code: int) -> "dict[str, str]":
        """The variables of a frame that have a value, by name; raises OSError or ValueError."""
        names = self.names(code)
        shown = names[:MOST_LOCALS]
        if not shown:
            return {}
        raw = self.memory.read(frame + self.place, 8 * len(shown))
        found = {}  # type: dict[str, str]
        for (name, kind), reference in zip(shown, struct.unpack("<%dQ" % len(shown), raw)):
            held = reference & REFERENCE
            if not held or reference & 3 == NUMBER or kind & HIDDEN or name.startswith("."):
                continue
            try:
                if kind & (CELL_OBJECT | FREE) and self.kind(held)[0] == "cell":
                    held = self.memory.number(held + 16) & REFERENCE
                if held:
                    found[name] = self.value(held, 0)
            except (OSError, ValueError, struct.error):
                found[name] = "<changed while being read>"
        if len(names) > MOST_LOCALS:
            found["..."] = "<%d more variables>" % (len(names) - MOST_LOCALS)
        return found

    def names(self, code: int) -> "list[tuple[str, int]]":
        """(name, kind) of each variable of a code object, in the order in which frames hold them."""
        if code not in self.named:
            objects, at, version = self.objects, self.layout.at, self.layout.version
            if version >= (3, 11):
                words = at.get("code.varnames", 96), at.get("code.varkinds", 104)
                names = objects.sequence(self.memory.number(code + words[0]), "tuple")
                kinds = objects.blob(self.memory.number(code + words[1]))
                found = [(objects.name(n), k) for n, k in zip(names, kinds)]
            else:
                found = []
                for place, kind in ((72, 0), (88, CELL_OBJECT), (80, FREE)):
                    some = objects.sequence(self.memory.number(code + place), "tuple")
                    found += [(objects.name(n), kind) for n in some]
            self.named[code] = found
        return self.named[code]

    def kind(self, address: int) -> "tuple[str, bool]":
        """The name of an object's type, and whether it is one of C's own."""
        kind = self.objects.type_of(address)
        if kind not in self.kinds:
            flags = self.memory.number(kind + 168)
            self.kinds[kind] = self.objects.type_name(kind), not flags & HEAP_TYPE_FLAG
        return self.kinds[kind]

    def value(self, address: int, depth: int) -> str:
        """An object in words; raises OSError or ValueError."""
        self.left -= 1
        if self.left < 0:
            return "<enough was read>"
        name, own = self.kind(address)
        if not own:
            return "<%s>" % name
        if name == "NoneType":
            return "None"
        if name == "bool":
            return repr(bool(self.objects.number(address)))
        if name == "int":
            try:
                return repr(self.objects.number(address))
            except ValueError:
                return "<int of more than 240 bits>"
        if name == "float":
            return repr(struct.unpack("<d", self.memory.read(address + 16, 8))[0])
        if name == "str":
            return self.text(address)
        if name == "bytes":
            return self.data(address)
        if name in ("list", "tuple"):
            return self.sequence(address, name, depth)
        if name == "dict":
            return self.mapping(address, depth)
        return "<%s>" % name

    def text(self, address: int) -> str:
        """A str, cut where it is long."""
        at = self.layout.at
        head = self.memory.read(address, at["text.full_size"])
        length = word(head, at["text.length"])
        state = struct.unpack_from("<I", head, at["text.state"])[0]
        kind, compact, plain = state >> 2 & 7, state >> 5 & 1, state >> 6 & 1
        if not compact or kind not in (1, 2, 4):
            return "<str>"
        start = at["text.ascii_size"] if plain else at["text.full_size"]
        raw = self.memory.read(address + start, min(length, MOST_LETTERS) * kind)
        text = raw.decode({1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}[kind], "replace")
        if length > MOST_LETTERS:
            return "%r... of %d characters" % (text, length)
        # Said of what looks like a number: who redacts takes it for one, and a card's number is none.
        return repr(text) + (" (str)" if length >= 8 and text.strip("0123456789 -") == "" else "")

    def data(self, address: int) -> str:
        """The first bytes."""
        length = self.memory.number(address + 16)
        raw = self.memory.read(address + 32, min(length, MOST_LETTERS)) if length else b""
        return repr(raw) + ("" if length <= MOST_LETTERS else "... of %d bytes" % length)

    def sequence(self, address: int, name: str, depth: int) -> str:
        """A list or tuple, so much of it."""
        length = self.memory.number(address + 16)
        if depth >= DEEPEST:
            return "<%s of %d>" % (name, length)
        some = min(length, MOST_PARTS)
        where = address + self.layout.at.get("tuple.items", 24)
        if name == "list":
            where = self.memory.number(address + 24)
        raw = self.memory.read(where, 8 * some) if some else b""
        items = [self.value(a & REFERENCE, depth + 1) for a in struct.unpack("<%dQ" % some, raw)]
        if length > MOST_PARTS:
            items.append("... of %d" % length)
        inner = ", ".join(items)
        if name == "list":
            return "[%s]" % inner
        return "(%s,)" % inner if length == 1 else "(%s)" % inner

    def mapping(self, address: int, depth: int) -> str:
        """A dict, so much of it."""
        length = self.memory.number(address + 16)
        if depth >= DEEPEST or length > 10000:
            return "<dict of %d>" % length
        items = [
            "%s: %s" % (self.value(key, DEEPEST), self.value(value, depth + 1))
            for key, value in self.objects.items(address)[:MOST_PARTS]
        ]
        if length > MOST_PARTS:
            items.append("... of %d" % length)
        return "{%s}" % ", ".join(items)
