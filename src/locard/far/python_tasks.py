"""Tasks of asyncio in a CPython process, and what each awaits down to the end, read from outside.

Stands behind `far/python_objects.py` and before `far/python_stacks.py` in one namespace. A suspended coroutine
keeps what it awaits on top of its stack: a coroutine, a future's iterator, a step of an async generator. From a
future it goes on to the task that it is, or to those that a `gather` waits for.
"""

import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.python_layout import Layout
    from locard.far.python_locks import PLACES
    from locard.far.python_objects import Objects

MOST_TASKS = 10000
MOST_CHAIN = 100  # awaits of one task
SET_MASK, SET_TABLE = 32, 40
INNER = 16  # where the small objects between two coroutines keep what they wrap
FUTURE_ITERATORS = ("_asyncio.FutureIter",)
STEPS = ("async_generator_asend", "async_generator_athrow", "anext_awaitable", "coroutine_wrapper")
SUSPENDED = ("coroutine", "generator", "async_generator")
METHOD_SELF, FUNCTION_NAME = 24, 32
STACK_WORDS = 48  # of a frame's stack that are searched for the lock of an `async with`
# Where a generator keeps its frame: a pointer up to 3.10, the frame itself later.
FRAMES = {
    (3, 8): 16,
    (3, 9): 16,
    (3, 10): 16,
    (3, 11): 80,
    (3, 12): 72,
    (3, 13): 72,
    (3, 14): 72,
    (3, 15): 72,
}
STACK_TOPS = {
    (3, 11): 64,
    (3, 12): 64,
    (3, 13): 64,
}  # an int: entries in use, from the first local on
REGISTERS = ("_all_tasks", "_scheduled_tasks", "_eager_tasks")


class Tasks:
    """The tasks of one interpreter at one moment."""

    def __init__(self, objects: "Objects", layout: "Layout") -> None:
        """Nothing is read yet."""
        self.objects, self.memory, self.layout = objects, objects.memory, layout
        self.version = layout.version
        self.kinds = {}  # type: dict[int, str]
        self.unread = ""  # why they were not all read

    def find(self, interpreter: int, heads: "list[int]") -> "list[dict[str, Any]]":
        """Every task: {"at", "name", "chain": [steps], "awaits": [addresses of tasks], "inside": [locks]}.

        A step that is executing now has "runs": then the chain ends there.

        `heads`: from 3.14 on, the thread states whose lists are gone through.
        """
        addresses = self.registered(interpreter)
        if self.version >= (3, 14):
            addresses += self.listed(interpreter, heads)
        found = []
        every = list(dict.fromkeys(addresses))
        left = max(0, len(every) - MOST_TASKS)
        for address in every[:MOST_TASKS]:
            try:
                task = self.task(address)
            except (KeyError, OSError, ValueError, struct.error, IndexError):
                task, left = None, left + 1
            if task is not None and "ended" not in task["chain"][0]:
                found.append(task)
        if left:
            self.unread = "asyncio tasks: %d were not read" % left
        return found

    # -- which there are -------------------------------------------------------------------

    def registered(self, interpreter: int) -> "list[int]":
        """Those in asyncio's own sets (weak ones, but for eager tasks)."""
        module = self.objects.module(interpreter, "asyncio.tasks")
        found = []  # type: list[int]
        for name in REGISTERS if module else ():
            where = self.objects.lookup(module, name)
            if not where:
                continue
            kind = self.name_of(where)
            if kind == "set":
                found += self.members(where)
                continue
            data = self.objects.attributes(where).get("data", 0)
            weak = self.members(data) if data else []
            raws = self.memory.each([(w + INNER, 8) for w in weak])
            found += [struct.unpack("<Q", raw)[0] for raw in raws if raw]
        none = {0}
        return [a for a in found if a not in none and "Task" in self.name_of(a)]

    def members(self, address: int) -> "list[int]":
        """What is in a set."""
        mask, table = struct.unpack("<QQ", self.memory.read(address + SET_MASK, 16))
        if mask > 1 << 20:
            raise ValueError("no set of that size")
        raw = self.memory.read(table, 16 * (mask + 1))
        return [key for key, hash_ in struct.iter_unpack("<Qq", raw) if key and hash_ != -1]

    def listed(self, interpreter: int, heads: "list[int]") -> "list[int]":
        """From 3.14 on: those in the lists of the interpreter and of its threads."""
        table = self.layout.tasks
        if not table:
            self.unread = "asyncio tasks: its own table was not found"
            return []
        node, of_interpreter, of_thread = table
        found = []  # type: list[int]
        for head in [interpreter + of_interpreter, *(h + of_thread for h in heads)]:
            at = self.memory.number(head)
            while at and at != head and len(found) < MOST_TASKS:
                found.append(at - node)
                at = self.memory.number(at)
        return found

    # -- one -------------------------------------------------------------------------------

    def name_of(self, address: int) -> str:
        """The name of an object's type."""
        kind = self.objects.type_of(address)
        if kind not in self.kinds:
            self.kinds[kind] = self.objects.type_name(kind)
        return self.kinds[kind]

    def parts(self, address: int) -> "tuple[int, int]":
        """(its coroutine, the object that names it) of a task; (0, 0) where it has ended."""
        size = self.memory.number(self.objects.type_of(address) + 32)
        words = struct.unpack(
            "<%dQ" % (min(size, 512) // 8), self.memory.read(address, min(size, 512) // 8 * 8)
        )
        place = next(
            (k for k, w in enumerate(words) if k > 2 and self.is_a(w, SUSPENDED[:2])), None
        )
        return (words[place], words[place + 1]) if place is not None else (0, 0)

    def task_named(self, address: int) -> str:
        """The name of a task, "" where it has ended."""
        _, name = self.parts(address)
        return self.task_name(name) if name else ""

    def task(self, address: int) -> "dict[str, Any] | None":
        """One task with its chain; None where it has ended."""
        coroutine, name = self.parts(address)
        if not coroutine:
            return None
        chain, awaits, inside = self.chain(coroutine)
        return {
            "at": address,
            "name": self.task_name(name),
            "chain": chain,
            "awaits": awaits,
            "inside": inside,
        }

    def is_a(self, address: int, names: "tuple[str, ...]") -> bool:
        """Whether there is an object of one of these types at an address."""
        if address & 7 or not 1 << 16 < address < 1 << 47:
            return False
        try:
            return self.name_of(address) in names
        except (OSError, ValueError):
            return False

    def task_name(self, address: int) -> str:
        """Its name; from 3.12 on a number that asyncio has not yet made a name of."""
        if self.name_of(address) == "int":
            return "Task-%d" % self.objects.number(address)
        return self.objects.text(address)

    def chain(self, address: int) -> "tuple[list[dict[str, Any]], list[int], list[int]]":
        """(steps from the outermost, tasks that the last one awaits, objects that it stands inside of by `with`)."""
        steps = []  # type: list[dict[str, Any]]
        inside = []  # type: list[int]
        seen = set()
        while address and address not in seen and len(steps) < MOST_CHAIN:
            seen.add(address)
            kind = self.name_of(address)
            if kind in SUSPENDED:
                step, address = self.suspended(address, kind, inside)
                steps.append(step)
            elif kind in STEPS or kind in FUTURE_ITERATORS:
                address = self.memory.number(address + INNER)
            else:
                return steps, self.of_future(address, kind, steps), inside
        return steps, [], inside

    def of_future(self, address: int, kind: str, steps: "list[dict[str, Any]]") -> "list[int]":
        """A future at the end of a chain: the tasks that stand behind it."""
        if kind.rpartition(".")[2] == "Task":
            return [address]
        steps.append({"future": kind})
        if kind == "_GatheringFuture":
            children = self.objects.attributes(address).get("_children", 0)
            return list(self.objects.sequence(children, "list")) if children else []
        return []

    def suspended(
        self, address: int, kind: str, inside: "list[int]"
    ) -> "tuple[dict[str, Any], int]":
        """A coroutine's or generator's place, and what it awaits."""
        place = address + FRAMES[self.version]
        frame = self.memory.number(place) if self.version <= (3, 10) else place
        if not frame or self.ended(place):
            return {"ended": kind}, 0
        top, base = self.stack(frame)
        code, instruction = self.layout.words("frame", "code", "instruction")
        where = self.memory.number(frame + code) & ~7
        if self.version >= (3, 11):
            spot = self.memory.number(frame + instruction)
        else:
            spot = struct.unpack("<i", self.memory.read(frame + instruction, 4))[0]
        step = {"code": where, "place": spot, "kind": kind}  # type: dict[str, Any]
        if self.runs(
            place, frame
        ):  # its stack is in use: what lies on top is none of what it awaits
            step["runs"] = True
            return step, 0
        if not base < top <= base + 8 * 4096:
            return step, 0
        words = struct.unpack("<%dQ" % ((top - base) // 8), self.memory.read(base, top - base))
        words = tuple(w & ~7 for w in words)
        step["self"] = next((w for w in words[:1] if w), 0)
        inside += self.entered(words[-STACK_WORDS:])
        # From 3.15 on an index or nothing may stand above what is awaited.
        return step, next((w for w in words[:-3:-1] if 1 << 16 < w < 1 << 47), 0)

    def entered(self, words: "tuple[int, ...]") -> "list[int]":
        """What a frame is inside of by `with`: the objects whose exit stands on its stack."""
        found = []
        for word_, after in zip(words, (*words[1:], 0)):
            if self.is_a(word_, ("method", "builtin_function_or_method")):
                found.append(self.memory.number(word_ + METHOD_SELF))
            elif self.version >= (3, 14) and self.is_a(word_, ("function",)):
                name = self.objects.name(self.memory.number(word_ + FUNCTION_NAME))
                if name in ("__exit__", "__aexit__"):
                    found.append(after)
        return found

    def ended(self, place: int) -> bool:
        """Whether the frame of a generator has come to its end (from 3.11 on, five bytes before it)."""
        if self.version < (3, 11):
            return False
        state = int(struct.unpack("<b", self.memory.read(place - 5, 1))[0])
        return state == 5 if self.version >= (3, 15) else state > 0

    def runs(self, place: int, frame: int) -> bool:
        """Whether a generator is executing now: its thread's stack goes on where it stands."""
        if self.version < (3, 10):
            return self.memory.read(place + 8, 1) != b"\0"
        at = frame + 108 if self.version == (3, 10) else place - 5
        return self.memory.read(at, 1)[0] == (4 if self.version >= (3, 15) else 0)

    def stack(self, frame: int) -> "tuple[int, int]":
        """(end of the stack in use, first local) of a suspended frame."""
        at = self.layout.at
        if self.version >= (3, 14):
            return self.memory.number(frame + at["frame.stack"]), frame + at["frame.locals"]
        base = frame + (at.get("frame.locals") or PLACES[self.version])
        if self.version in STACK_TOPS:
            used = struct.unpack("<i", self.memory.read(frame + STACK_TOPS[self.version], 4))[0]
            return base + 8 * max(0, used), base
        if self.version == (3, 10):
            depth = struct.unpack("<i", self.memory.read(frame + 80, 4))[0]
            return self.memory.number(frame + 64) + 8 * max(0, depth), base
        return self.memory.number(frame + 72), base
