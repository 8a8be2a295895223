"""The objects that CPython's garbage collector knows, walked from outside in blocks of memory; nothing of it is run.

Stands behind `far/python_objects.py` in one namespace; 3.6, standard library only. The collector keeps every
container in one of four doubly linked lists: three generations, and what gc.freeze() set apart. Each step is checked
by the link back. A list that changed under the walk is taken up again at the last place that still fits, and that
is counted; a list over which the collector went meanwhile is walked anew.
"""

import array
import ctypes
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from locard.far.memory import Memory, Part
    from locard.far.python_kinds import Kinds
    from locard.far.python_layout import Layout
    from locard.far.python_objects import word

BLOCK_BITS = 16
BLOCK = 1 << BLOCK_BITS
OVER = 128  # bytes of the block behind, so that what lies across is read at once
MOST_BLOCKS = 256  # kept at a time: 16 MB
GC_HEAD = 16  # of the collector, before each object
OF_LIST = 24  # bytes of one generation
YOUNG_STATS, OLD_STATS, STAT = 712, 200, 64  # 3.15: buffers of what the last collections did
BACK = 16  # places to which a torn walk goes back
LEAST_TRIES, MOST_TRIES, TRIES_S = 3, 200, 3.0  # of one list
COLLECTS_S = 2.0  # how long a collection is waited for
COUNTED = 16  # a container of so many items is followed from look to look


class Pages:
    """Memory in blocks that are kept: what is read is of the moment in which its block came."""

    def __init__(self, memory: "Memory") -> None:
        """Nothing is read yet."""
        self.memory = memory
        self.blocks = {}  # type: dict[int, bytes]
        self.room = ctypes.create_string_buffer(BLOCK + OVER)
        self.read_bytes = 0

    def load(self, number: int) -> bytes:
        """One block, zeros where nothing is mapped."""
        if len(self.blocks) >= MOST_BLOCKS:
            for old in list(self.blocks)[: MOST_BLOCKS // 2]:
                del self.blocks[old]
        start = number << BLOCK_BITS
        got = self.take(start, BLOCK + OVER)
        if len(got) < BLOCK:
            parts = [got] + [
                self.take(start + at, 4096).ljust(4096, b"\0")
                for at in range(len(got) // 4096 * 4096, BLOCK, 4096)
            ]
            parts[0] = got[: len(got) // 4096 * 4096]
            got = b"".join(parts)
        self.read_bytes += len(got)
        block = got.ljust(BLOCK + OVER, b"\0")
        self.blocks[number] = block
        return block

    def take(self, start: int, size: int) -> bytes:
        """What is mapped from a place on, at most so many bytes; raises OSError where it may not be read."""
        here = Part(ctypes.addressof(self.room), size)
        there = Part(start, size)
        got = self.memory.call(self.memory.pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
        if got < 0:
            number = ctypes.get_errno()
            if number != 14:
                raise OSError(number, "process_vm_readv")
            return b""
        return ctypes.string_at(self.room, got)

    def read(self, address: int, size: int) -> bytes:
        """So many bytes; raises OSError where a large part is not mapped, gives zeros for a small one."""
        block = self.blocks.get(address >> BLOCK_BITS)
        if block is None:
            if not 0 < address < 1 << 47:
                raise OSError(14, "no address")
            block = self.load(address >> BLOCK_BITS)
        at = address & BLOCK - 1
        if at + size <= BLOCK + OVER:
            return block[at : at + size]
        return self.memory.read(address, size)

    def forget(self, *addresses: int) -> None:
        """Read these anew at the next time."""
        for address in addresses:
            self.blocks.pop(address >> BLOCK_BITS, None)


class Collector:
    """Where one interpreter's collector keeps its lists and what it did."""

    def __init__(self, memory: "Memory", layout: "Layout", interpreter: int) -> None:
        """Nothing is read yet."""
        at, self.version, self.memory = layout.at, layout.version, memory
        inside = "interpreter.gc" in at
        self.state = (
            interpreter + at["interpreter.gc"] if inside else layout.runtime + at["runtime.gc"]
        )
        first = self.state + (8 if self.version >= (3, 15) else 24)
        frozen = first + 3 * OF_LIST + (8 if self.version <= (3, 13) else 0)
        self.heads = (first, first + OF_LIST, first + 2 * OF_LIST, frozen)
        self.collecting_at = self.state + at.get("gc.collecting", 200)
        self.stats_at = frozen + OF_LIST

    def on(self) -> bool:
        """Whether it collects by itself (gc.enable)."""
        where = self.state + (0 if self.version >= (3, 15) else 12)
        return self.memory.read(where, 4) != b"\0\0\0\0"

    def runs(self) -> bool:
        """Whether it collects just now."""
        return self.memory.read(self.collecting_at, 4) == b"\1\0\0\0"

    def stamps(self) -> "tuple[bytes, bytes, bytes]":
        """What changes with each collection of a generation."""
        if self.version >= (3, 15):
            raw = self.memory.read(self.memory.number(self.stats_at), YOUNG_STATS + 2 * OLD_STATS)
            middle = YOUNG_STATS + OLD_STATS
            return raw[:YOUNG_STATS], raw[YOUNG_STATS:middle], raw[middle:]
        raw = self.memory.read(self.stats_at, 72)
        return raw[:24], raw[24:48], raw[48:]

    def collections(self) -> "list[int]":
        """How often each generation was collected so far."""
        if self.version < (3, 15):
            return [word(stamp, 0) for stamp in self.stamps()]
        return [
            max(word(stamp, at + 16) for at in range(0, len(stamp) - STAT + 1, STAT))
            for stamp in self.stamps()
        ]


class Look:
    """All objects of one moment: addresses by type, items of the larger containers, and how well it went."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.at = self.took = 0.0
        self.objects = {}  # type: dict[int, array.array[int]] # by type, of the collector's heads; the old ones
        self.young = {}  # type: dict[int, array.array[int]] # of the two younger generations
        self.fleeting = False  # these changed faster than they could be read
        self.items = {}  # type: dict[int, int] # by container
        self.torn = self.again = 0
        self.partial = ""  # why it is not whole
        self.lists = [0, 0, 0, 0]  # objects in each, over all interpreters
        self.anonymous = 0  # bytes
        self.loose = {}  # type: dict[Any, tuple[int, int | None]]

    def seen(self) -> int:
        """How many objects."""
        return sum(map(len, self.objects.values())) + sum(map(len, self.young.values()))

    def add(self, number: int, found: "Look") -> None:
        """Take over what one list had."""
        mine = self.young if number < 2 else self.objects
        for kind, addresses in found.objects.items():
            if kind in mine:
                mine[kind].extend(addresses)
            else:
                mine[kind] = addresses
            self.lists[number] += len(addresses)
        self.items.update(found.items)

    def tidy(self, doubles: bool) -> None:
        """Each object once: it can move to an older list while these are walked.

        `doubles`: one list can have it twice, since a walk was taken up again, or by CPython 3.14.
        """
        for found in (self.objects, self.young) if doubles else ():
            for kind, addresses in found.items():
                found[kind] = array.array("Q", sorted(set(addresses)))
        for kind, addresses in self.young.items():
            moved = set(addresses).intersection(self.objects.get(kind, ()))
            if moved:
                self.young[kind] = array.array("Q", [a for a in addresses if a not in moved])

    def merge(self) -> None:
        """Add the young ones to the others."""
        for kind, addresses in self.young.items():
            self.objects.setdefault(kind, array.array("Q")).extend(addresses)
        self.young = {}

    def counts(self, young: bool) -> "dict[int, int]":
        """Objects by type, with or without the young ones."""
        found = {kind: len(addresses) for kind, addresses in self.objects.items()}
        for kind, addresses in self.young.items() if young else ():
            found[kind] = found.get(kind, 0) + len(addresses)
        return found


class TornError(Exception):
    """A list that could not be followed to its end."""


class Walker:
    """Makes looks at the lists of one process."""

    def __init__(self, memory: "Memory", kinds: "Kinds", most: int) -> None:
        """`most`: objects of one look."""
        self.memory, self.kinds, self.most = memory, kinds, most
        self.pages = Pages(memory)
        self.until = 0.0
        self.stopped = lambda: False  # type: Callable[[], bool]

    def look(self, collectors: "list[Collector]", until: float) -> "Look":
        """One look; `partial` says why it is none of everything. Raises OSError where nothing can be read."""
        began = time.monotonic()
        look, self.until = Look(), until
        self.pages.blocks.clear()
        for collector in collectors:
            for number, head in enumerate(collector.heads):
                if not look.partial:
                    self.one(collector, number, head, look)
        self.pages.blocks.clear()
        look.tidy(bool(look.torn) or self.kinds.version == (3, 14))
        look.at, look.took = began, time.monotonic() - began
        return look

    def one(self, collector: "Collector", number: int, head: int, look: "Look") -> None:
        """One list, walked again where the collector went over it meanwhile."""
        until = time.monotonic() + TRIES_S
        for turn in range(MOST_TRIES):
            self.wait(collector)
            before = collector.stamps()[number:3]
            found = Look()
            try:
                self.walk(head, found, self.most - look.seen())
                whole = not found.partial
            except TornError:
                whole = False
            look.torn += found.torn
            quiet = collector.stamps()[number:3] == before and not collector.runs()
            late = turn >= LEAST_TRIES and time.monotonic() > until
            if found.partial or (whole and quiet) or late or self.stopped():
                break
            look.again += 1
            self.pages.blocks.clear()
        if found.partial:
            look.partial = found.partial
        elif not (whole and quiet):
            if number < 2 and collector.on():
                look.fleeting = True
                return
            look.partial = "its objects changed faster than they could be read"
        look.add(number, found)

    def wait(self, collector: "Collector") -> None:
        """Until the collector is not at work, for a while."""
        until = time.monotonic() + COLLECTS_S
        while collector.runs() and time.monotonic() < until and not self.stopped():
            time.sleep(0.001)

    def walk(self, head: int, look: "Look", room: int) -> None:
        """Follow one list; raises TornError."""
        unpack = struct.Struct("<QQ8xQq").unpack_from
        blocks, load, objects, items = self.pages.blocks, self.pages.load, look.objects, look.items
        counted = self.kinds.counted
        last, current, left = head, self.memory.number(head) & ~3, room
        places = [head]
        while current != head:
            block = blocks.get(current >> BLOCK_BITS)
            if block is None:
                if not 1 << 12 < current < 1 << 47:
                    last, current = self.repair(places, last, look)
                    continue
                if time.monotonic() > self.until or left <= 0 or self.stopped():
                    why = (
                        "there are more than were to be walked" if left <= 0 else "its time ran out"
                    )
                    look.partial = "the walk was bounded after %s objects: %s" % (room - left, why)
                    return
                block = load(current >> BLOCK_BITS)
                places.append(last)
            following, before, kind, size = unpack(block, current & BLOCK - 1)
            if before & ~3 != last:
                last, current = self.repair(places, last, look)
                continue
            known = objects.get(kind)
            if known is None:
                if not self.kinds.is_type(kind):
                    last, current = self.repair(places, last, look)
                    continue
                known = objects[kind] = array.array("Q")
            known.append(current)
            left -= 1
            if size > COUNTED and kind in counted:
                items[current + GC_HEAD] = unpack(block, (current & BLOCK - 1) + counted[kind])[3]
            last, current = current, following & ~3

    def repair(self, places: "list[int]", last: int, look: "Look") -> "tuple[int, int]":
        """(a place that still fits, the one behind it), read anew; raises TornError."""
        look.torn += 1
        if look.torn > 1000 + look.seen() // 100:
            raise TornError
        for place in [last] + places[: -BACK - 1 : -1]:
            try:
                following = self.memory.number(place) & ~3
                before = self.memory.number(following + 8) & ~3
            except OSError:
                continue
            if before == place:
                self.pages.forget(place, following)
                return place, following
        raise TornError
