"""Thread pools of concurrent.futures in a CPython process: their threads, their limit, what is queued; from outside.

Stands behind `far/python_objects.py` and before `far/python_stacks.py` in one namespace. Each worker keeps in the
frame of `_worker` a weak reference to its executor and the queue that it takes from.
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.python_layout import Layout
    from locard.far.python_locks import PLACES
    from locard.far.python_objects import Objects

WORKER = ("concurrent/futures/thread.py", "_worker")
POOL_WORDS = 12  # of its locals
WEAK, QUEUE = ("weakref", "weakref.ReferenceType"), "_queue.SimpleQueue"
# A SimpleQueue up to 3.12 is a list and how far it was taken from; later it counts its items.
QUEUE_LIST, QUEUE_TAKEN, QUEUE_ITEMS = 32, 40, 56


class Pools:
    """The pools of one process at one moment."""

    def __init__(self, objects: "Objects", layout: "Layout") -> None:
        """Nothing is read yet."""
        self.objects, self.memory = objects, objects.memory
        self.version = layout.version
        self.place = layout.at.get("frame.locals") or PLACES[layout.version]

    def find(self, workers: "list[tuple[int, int]]") -> "list[dict[str, Any]]":
        """{"at", "name", "most", "threads": pthread ids, "queued"} of each; `workers`: (thread, frame of `_worker`)."""
        found = {}  # type: dict[int, dict[str, Any]]
        for ident, frame in workers:
            try:
                executor, queue = self.parts(frame)
                if not executor:
                    continue
                if executor not in found:
                    found[executor] = dict(self.executor(executor), threads=[])
                    found[executor]["queued"] = self.length(queue) if queue else None
                found[executor]["threads"].append(ident)
            except (KeyError, OSError, ValueError, struct.error):
                continue
        return list(found.values())

    def parts(self, frame: int) -> "tuple[int, int]":
        """(the executor, its queue) of a worker's frame; 0 for what it does not have."""
        raw = self.memory.read(frame + self.place, 8 * POOL_WORDS)
        executor = queue = 0
        for tagged in struct.unpack("<%dQ" % POOL_WORDS, raw):
            address = tagged & ~7
            if not 1 << 16 < address < 1 << 47:
                continue
            try:
                name = self.objects.type_name(self.objects.type_of(address))
            except (OSError, ValueError):
                continue
            if name in WEAK and not executor:
                executor = self.memory.number(address + 16)
            elif name == QUEUE and not queue:
                queue = address
        return executor, queue

    def executor(self, address: int) -> "dict[str, Any]":
        """Its limit and the beginning of its threads' names."""
        held = self.objects.attributes(address)
        return {
            "at": address,
            "most": self.objects.number(held["_max_workers"]),
            "name": self.objects.text(held["_thread_name_prefix"]),
        }

    def length(self, queue: int) -> int:
        """How many pieces of work wait."""
        if self.version >= (3, 13):
            return self.memory.number(queue + QUEUE_ITEMS)
        items, taken = struct.unpack("<Qq", self.memory.read(queue + QUEUE_LIST, 16))
        return max(0, self.memory.number(items + 16) - int(taken))
