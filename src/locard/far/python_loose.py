"""What the collector of a CPython process does not track, below the names of modules, classes and frames, from outside.

Stands behind `far/python_holders.py` and before `far/python_heap.py` in one namespace; 3.6, standard library only. Up
to 3.13 a dict of plain values is in none of the collector's lists, and text and bytes never are: those that a name
leads to within two steps are followed from look to look by their place.
"""

import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from locard.far.python_gc import COUNTED, GC_HEAD, Look, Pages
    from locard.far.python_holders import Names
    from locard.far.python_kinds import HAVE_GC, IMMORTAL, Kind, Kinds, Shapes
    from locard.far.python_objects import word
    from locard.far.python_stacks import Reader

LARGE = 4096  # bytes of a text from which on it is followed
PLAIN = ("str", "bytes", "bytearray")
UNTRACKED = (
    "tuple",
    "dict",
)  # which the collector lets go of where they hold nothing that it tracks
MOST_PLAIN = 64  # items of one
NEVER = ("type", "module", "function")
LOOSE_S = 5.0
MOST_BELOW = 1000  # words of one object
STEPS_BELOW = 2


class Loose:
    """Finds them, look by look."""

    def __init__(self, reader: "Reader", kinds: "Kinds") -> None:
        """Nothing is read yet."""
        self.reader, self.kinds = reader, kinds
        self.names = Names(reader, kinds)
        self.above = {}  # type: dict[Any, int] # the object in which a place is, 0: a module, a class or a frame
        self.partial = False

    def look(self, interpreters: "list[int]", look: "Look") -> "dict[Any, tuple[int, int | None]]":
        """(type, bytes) of large texts by their place; dicts that are not tracked are added to the look's `items`."""
        until = time.monotonic() + LOOSE_S
        names = self.names = Names(self.reader, self.kinds)
        for interpreter in interpreters:
            names.learn(interpreter)
        names.learn_classes(look)
        shapes = Shapes(self.kinds, Pages(self.reader.memory))
        found = {}  # type: dict[Any, tuple[int, int | None]]
        places = [((owner, key), value, 0, 0) for value, (_, owner, key) in names.named.items()]
        places += [((code, n), value, 0, 0) for value, (_, code, n) in names.frames.items()]
        seen = set()  # type: set[int]
        for (
            place,
            value,
            owner,
            depth,
        ) in places:  # it grows meanwhile: what is near a name comes first
            if value in seen:
                continue
            seen.add(value)
            if not len(seen) & 255 and time.monotonic() > until:
                self.partial = True
                break
            try:
                below = self.one(shapes, place, value, owner, found, look)
            except (OSError, ValueError, struct.error):
                continue
            if depth < STEPS_BELOW:
                places += [
                    ((value, n), w, value, depth + 1)
                    for n, w in enumerate(below)
                    if w and not w & 7
                ]
        return found

    def one(
        self,
        shapes: "Shapes",
        place: "Any",
        value: int,
        owner: int,
        found: "dict[Any, tuple[int, int | None]]",
        look: "Look",
    ) -> "Sequence[int]":
        """Note one value; what is below it."""
        raw = shapes.pages.read(value, 24)
        kind = self.kinds.kind(struct.unpack_from("<Q", raw, 8)[0])
        if kind is None or kind.shape in NEVER:
            return ()
        if kind.shape in PLAIN:
            size = shapes.size(value, kind)
            if size >= LARGE:
                found[place] = kind.address, size
                self.above[place] = owner
            return ()
        count = struct.unpack_from("<q", raw, 16)[0]
        if kind.shape == "dict" and not self.tracked(shapes, value) and count > COUNTED:
            look.items[value] = count
        if (
            kind.shape in ("dict", "list", "other") and count < MOST_BELOW
        ) or kind.shape == "other":
            return shapes.words(value, kind)[:MOST_BELOW]
        return ()

    def tracked(self, shapes: "Shapes", address: int) -> bool:
        """Whether an object is in one of the collector's lists."""
        return shapes.pages.read(address - GC_HEAD, 8) != b"\0" * 8

    def peek(self, shapes: "Shapes", address: int) -> "tuple[Kind, int] | None":
        """(type, references) of what the collector does not track, or soon will not, and what can end; else None."""
        if address & 7 or not 1 << 12 < address < 1 << 47:
            return None
        try:
            count, at = struct.unpack("<QQ", shapes.pages.read(address, 16))
        except (OSError, struct.error):
            return None
        if self.kinds.version >= (3, 12):
            count &= 0xFFFFFFFF
        if not 0 < count < IMMORTAL:
            return None
        kind = self.kinds.kind(at)
        if kind is None or kind.shape in NEVER:
            return None
        if kind.flags & HAVE_GC and self.tracked(shapes, address):
            return (kind, count) if self.is_plain(shapes, address, kind) else None
        return kind, count

    def is_plain(self, shapes: "Shapes", address: int, kind: "Kind") -> bool:
        """Whether the collector will not track it any more once it has looked: a tuple or dict of plain values."""
        if kind.shape not in UNTRACKED:
            return False
        words = [w for w in shapes.words(address, kind) if not w & 7 and 1 << 12 < w < 1 << 47]
        if len(words) > MOST_PLAIN:
            return False
        try:
            kinds = [self.kinds.kind(word(shapes.pages.read(w + 8, 8), 0)) for w in words]
        except (OSError, struct.error):
            return False
        return all(k is not None and not k.flags & HAVE_GC for k in kinds)
