"""Suspended greenlets of a CPython process with their stacks, read from outside: nothing of them is switched to.

Stands behind `far/python_objects.py` and before `far/python_stacks.py` in one namespace. They are found among the
objects that the garbage collector keeps in its lists, which takes a while: only where greenlets are imported, and
no longer than `LOOK_S`. A greenlet's C++ part keeps the frame in which it was switched away; which of its words that
is differs from version to version, so it is known by its type. From 3.12 on greenlet links the frames of what is
suspended past those on the C stack, so they can be followed.
"""

import ctypes
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.memory import Memory, Part
    from locard.far.python_layout import Layout
    from locard.far.python_objects import Objects, word

LOOK_S = 1.5  # over the lists of the collector
MOST_GREENLETS = 20000
GENERATION, GENERATIONS = (
    24,
    4,
)  # bytes of one, and how many: the last is what gc.freeze() set apart
HEAD = 16  # of the collector, before each object
BASE = 256  # of PyTypeObject
IMPLEMENTATION, OWN_DICT = 32, 24  # of PyGreenlet
PART_WORDS = 48  # of the C++ part
FRAME_OBJECT = 24  # from 3.11 on: a frame object's frame


class Greenlets:
    """Finds them, once a look."""

    def __init__(self, objects: "Objects", layout: "Layout") -> None:
        """Nothing is read yet."""
        self.objects, self.memory, self.layout = objects, objects.memory, layout
        self.kinds = {}  # type: dict[int, bool]
        self.unread = ""

    def find(self, interpreter: int) -> "list[tuple[int, int, str]]":
        """(address, its innermost frame, name of its type) of each suspended one; `unread` where time ran out."""
        if not self.objects.module(interpreter, "greenlet"):
            return []
        found = []
        for address in self.collected(interpreter):
            frame = self.frame_of(address)
            if frame:
                found.append(
                    (address, frame, self.objects.type_name(self.objects.type_of(address)))
                )
        return found[:MOST_GREENLETS]

    def collected(self, interpreter: int) -> "list[int]":
        """Greenlets in the collector's lists."""
        at = self.layout.at
        state = (
            interpreter + at["interpreter.gc"]
            if "interpreter.gc" in at
            else self.layout.runtime + at["runtime.gc"]
        )
        first = state + (8 if self.layout.version >= (3, 15) else 24)
        until = time.monotonic() + LOOK_S
        found = {}  # type: dict[int, None]
        heads = [first + number * GENERATION for number in range(GENERATIONS)]
        if self.layout.version <= (3, 13):
            heads[-1] += 8  # behind a pointer to the youngest
        walk = Walk(self.memory)
        for head in (
            heads
        ):  # what is young moves into the older lists meanwhile, never back: the young ones first
            current = walk.at(head)[0]
            while current and current not in heads:
                following, kind = walk.at(current)
                if self.is_greenlet(kind):
                    found[current + HEAD] = None
                if walk.steps % 4096 == 0 and time.monotonic() > until:
                    self.unread = "greenlets: only the first %d objects were looked at" % walk.steps
                    return list(found)
                current = following
        return list(found)

    def is_greenlet(self, kind: int) -> bool:
        """Whether a type is greenlet's or derives from it."""
        if kind not in self.kinds:
            self.kinds[kind] = False
            at, depth = kind, 0
            try:
                while at and depth < 20:
                    if self.objects.type_name(at) == "greenlet.greenlet":
                        self.kinds[kind] = True
                        break
                    at, depth = self.memory.number(at + BASE), depth + 1
            except (OSError, ValueError):
                pass
        return self.kinds[kind]

    def frame_of(self, address: int) -> int:
        """The frame in which it was switched away; 0 where it has none: not begun, running, or at its end."""
        try:
            part = self.memory.number(address + IMPLEMENTATION)
            raw = self.memory.read(part, 8 * PART_WORDS)
        except OSError:
            return 0
        for value in struct.unpack("<%dQ" % PART_WORDS, raw):
            if value & 7 or not 1 << 16 < value < 1 << 47:
                continue
            try:
                if self.objects.type_name(self.objects.type_of(value)) == "frame":
                    return (
                        self.memory.number(value + FRAME_OBJECT)
                        if self.layout.version >= (3, 11)
                        else value
                    )
            except (OSError, ValueError):
                continue
        return 0


class Walk:
    """Follows a list of the collector; one call a step, its buffers made once."""

    def __init__(self, memory: "Memory") -> None:
        """Nothing is read yet."""
        self.memory = memory
        self.room = ctypes.create_string_buffer(32)
        self.here = Part(ctypes.addressof(self.room), 32)
        self.there = Part(0, 32)
        self.steps = 0

    def at(self, address: int) -> "tuple[int, int]":
        """(the next one, the type of this one); (0, 0) where it is gone."""
        self.steps += 1
        self.there.base = address
        got = self.memory.call(
            self.memory.pid, ctypes.byref(self.here), 1, ctypes.byref(self.there), 1, 0
        )
        if got != 32:
            return 0, 0
        raw = self.room.raw
        return word(raw, 0) & ~3, word(raw, 24)
