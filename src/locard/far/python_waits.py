"""What the threads, tasks and greenlets of a CPython wait in: pools, queues, semaphores, with limit and use.

Stands behind `far/python_objects.py` and before `far/pools/*` in one namespace; standard library only, 3.6 or later.
Who waits has a function of a library innermost on its stack whose `self` is the thing that is waited for. Which
functions these are, and how their `self` tells its limit, stands in `KNOWN`: one file a library below `far/pools`.
Nothing of the process is run: attributes and slots are read where they lie.
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.python_objects import Objects

BASE_OF_TYPE, TYPE_DICT_AT = 256, 264  # of PyTypeObject
MEMBER_OF_SLOT, OFFSET_OF_MEMBER = 40, 16  # of a member descriptor, of its PyMemberDef
CELL = 16  # what a cell holds
VARIABLE_SIZE = (
    "list",
    "tuple",
    "dict",
    "collections.deque",
    "collections.OrderedDict",
)  # ob_size or ma_used at 16
SETS, SET_USED = ("set", "frozenset"), 24
FRAME_LOCALS = 24  # words of a frame that are looked at for what a thread has taken
DEEP_HOLD, MOST_HOLD = 40, 500  # frames of a thread, threads
NEAR = 12  # frames in which a wait stands


class Known:
    """One kind of thing that is waited for."""

    def __init__(
        self,
        name: str,
        kind: str,
        at: "tuple[tuple[str, tuple[str, ...]], ...]",
        *,
        types: "tuple[str, ...]" = (),
        limit: str = "",
        used: str = "",
        size: str = "",
        label: str = "",
        held: "tuple[tuple[str, str, str], ...]" = (),
        inside: "tuple[tuple[str, tuple[str, ...], str], ...]" = (),
    ) -> None:
        """`at`: (end of the file, functions) of the wait; `types`: what its `self` has to be, () for anything.

        `limit`, `used`, `size` are sums of paths from it, alternatives by `|`: `a.b - len(c) | d`; `label` is a path
        to a text. `held`: (type, path to the thing, path that is not None) of an object that stands for one taken of it.
        `inside`: (file, functions, path from their `self`) of calls during which one is taken.
        """
        self.name, self.kind, self.at, self.types = name, kind, at, types
        self.limit, self.used, self.size, self.label = limit, used, size, label
        self.held, self.inside = held, inside


KNOWN = []  # type: list[Known]
# Files that may stand between a library's function and the wait itself.
THROUGH = [
    "/threading.py",
    "/queue.py",
    "/asyncio/locks.py",
    "/asyncio/queues.py",
    "/asyncio/tasks.py",
    "/asyncio/timeouts.py",
    "/async_timeout/__init__.py",
    "/gevent/thread.py",
    "/gevent/lock.py",
    "/gevent/_threading.py",
]


class Taken:
    """What one thread, task or greenlet waits in."""

    __slots__ = ("address", "known")

    def __init__(self, address: int, known: Known) -> None:
        """Where it lies, and what it is."""
        self.address, self.known = address, known


class Waiting:
    """Finds and reads them at one moment."""

    def __init__(self, objects: "Objects", place: int) -> None:
        """`place`: where a frame keeps its locals."""
        self.objects, self.memory, self.place = objects, objects.memory, place
        self.at = {}  # type: dict[tuple[str, str], list[Known]]
        self.passed = {}  # type: dict[str, bool]
        self.kinds = {}  # type: dict[int, str]
        self.slots = {}  # type: dict[tuple[int, str], int]
        self.seen = {}  # type: dict[int, str] # of one look: names of types by objects

    # -- which -----------------------------------------------------------------------------

    def waits(self, frames: "list[tuple[str, str, int]]") -> "Taken | None":
        """`frames`: (function, file, `self` or 0), innermost first; the outermost thing in the run of waits at their head."""
        found = None
        for name, file, own in frames[:NEAR]:
            if not self.passes(file):
                break
            for known in self.known(name.rpartition(".")[2], file) if own else ():
                address = self.opened(own)
                if not known.types or self.kind_of(address) in known.types:
                    found = Taken(address, known)
                    break
        return found

    def known(self, name: str, file: str) -> "list[Known]":
        """The kinds that are waited for in a function."""
        key = name, file
        if key not in self.at:
            self.at[key] = [
                k for k in KNOWN for end, names in k.at if name in names and file.endswith(end)
            ]
        return self.at[key]

    def passes(self, file: str) -> bool:
        """Whether a file is of a wait or of what leads to it."""
        if file not in self.passed:
            ends = THROUGH + [end for k in KNOWN for end, _ in k.at]
            self.passed[file] = any(file.endswith(end) for end in ends)
        return self.passed[file]

    def self_of(self, frame: int) -> int:
        """The first local of a frame, 0 where it cannot be read."""
        try:
            return self.memory.number(frame + self.place) & ~7
        except OSError:
            return 0

    def opened(self, address: int) -> int:
        """What a cell holds; anything else is itself."""
        return self.memory.number(address + CELL) if self.kind_of(address) == "cell" else address

    def kind_of(self, address: int) -> str:
        """The name of an object's type; "" where there is none."""
        if address & 7 or not 1 << 16 < address < 1 << 47:
            return ""
        if address not in self.seen:
            self.seen[address] = ""
            try:
                kind = self.objects.type_of(address)
                if kind not in self.kinds:
                    self.kinds[kind] = self.objects.type_name(kind)
                self.seen[address] = self.kinds[kind]
            except (OSError, ValueError):
                pass
        return self.seen[address]

    # -- what it says ----------------------------------------------------------------------

    def told(self, taken: Taken) -> "dict[str, Any]":
        """{"waited", "kind", "at", "limit", "used", "size", "label"}: None for what is not told."""
        known = taken.known
        return {
            "waited": known.name,
            "kind": known.kind,
            "at": taken.address,
            "limit": self.sum(taken.address, known.limit),
            "used": self.sum(taken.address, known.used),
            "size": self.sum(taken.address, known.size),
            "label": self.labelled(taken.address, known.label),
        }

    def sum(self, address: int, words: str) -> "int | None":
        """The first of the alternatives that can be read."""
        for one in words.split("|"):
            total, sign = 0, 1
            try:
                for word_ in one.split():
                    if word_ in "+-":
                        sign = -1 if word_ == "-" else 1
                        continue
                    total += sign * self.value(address, word_)
            except (KeyError, OSError, ValueError, struct.error):
                continue
            if one.strip():
                return total
        return None

    def value(self, address: int, path: str) -> int:
        """A number at the end of a path, or the length of what is there; raises KeyError, OSError, ValueError."""
        if path.isdigit():
            return int(path)
        if path.startswith("len("):
            return self.length(self.follow(address, path[4:-1]))
        found = self.follow(address, path)
        if self.kind_of(found) not in ("int", "bool"):
            raise ValueError("no number")
        return self.objects.number(found)

    def length(self, address: int) -> int:
        """How many things are in a collection."""
        kind = self.kind_of(address)
        if kind not in VARIABLE_SIZE and kind not in SETS:
            raise ValueError("no collection of a known kind")
        return self.memory.number(address + (SET_USED if kind in SETS else 16))

    def labelled(self, address: int, path: str) -> str:
        """The text at the end of a path, "" where there is none."""
        try:
            return self.objects.text(self.follow(address, path)) if path else ""
        except (KeyError, OSError, ValueError, struct.error):
            return ""

    def follow(self, address: int, path: str) -> int:
        """The object at the end of a path of attributes."""
        for name in path.split("."):
            address = self.attribute(address, name)
        return address

    def attribute(self, address: int, name: str) -> int:
        """An attribute of an instance, from its dict or its slots; raises KeyError, OSError or ValueError."""
        try:
            found = self.objects.attributes(address).get(name)
        except ValueError:  # it has no dict
            found = None
        if found:
            return found
        offset = self.slot(self.objects.type_of(address), name)
        found = self.memory.number(address + offset) & ~7 if offset else 0
        if not found:
            raise KeyError(name)
        return found

    def slot(self, kind: int, name: str) -> int:
        """How far into its instances a type keeps a slot, 0 where it has none of the name."""
        key = kind, name
        if key not in self.slots:
            self.slots[key] = 0
            at, depth = kind, 0
            while at and depth < 20 and not self.slots[key]:
                names = self.memory.number(at + TYPE_DICT_AT)
                found = self.objects.lookup(names, name) if names else 0
                if found and self.kind_of(found) == "member_descriptor":
                    member = self.memory.number(found + MEMBER_OF_SLOT)
                    self.slots[key] = self.memory.number(member + OFFSET_OF_MEMBER)
                at, depth = self.memory.number(at + BASE_OF_TYPE), depth + 1
        return self.slots[key]

    # -- who has taken of it ---------------------------------------------------------------

    def holds(self, frames: "list[tuple[str, str, int]]", wanted: "dict[int, Known]") -> "set[int]":
        """Of the wanted things those of which a stack has taken one; `frames`: (function, file, place in memory)."""
        found = set()  # type: set[int]
        for name, file, place in frames[:DEEP_HOLD]:
            for known in set(wanted.values()):
                for end, names, path in known.inside:
                    if name.rpartition(".")[2] in names and file.endswith(end):
                        found |= self.reached(self.self_of(place), path) & set(wanted)
        places = [(place + self.place, 8 * FRAME_LOCALS) for _, _, place in frames[:DEEP_HOLD]]
        words = set()  # type: set[int]
        for raw in self.memory.each(places):
            words.update(struct.unpack("<%dQ" % FRAME_LOCALS, raw) if raw else ())
        return found | self.stood_for({w & ~7 for w in words}, wanted)

    def stood_for(self, addresses: "set[int]", wanted: "dict[int, Known]") -> "set[int]":
        """Of the wanted things those that one of the objects stands for."""
        found = set()  # type: set[int]
        rows = [row for known in set(wanted.values()) for row in known.held]
        names = {row[0] for row in rows}
        for address in addresses if rows else ():
            kind = self.kind_of(address)
            if kind not in names:
                continue
            for name, path, present in rows:
                if name == kind and self.present(address, present):
                    found |= self.reached(address, path) & set(wanted)
        return found

    def present(self, address: int, path: str) -> bool:
        """Whether what is at the end of a path is not None."""
        try:
            return not path or self.kind_of(self.follow(address, path)) != "NoneType"
        except (KeyError, OSError, ValueError, struct.error):
            return False

    def reached(self, address: int, path: str) -> "set[int]":
        """What is at the end of a path; `[]` stands for each key of a dict."""
        here = [self.opened(address)] if address else []
        try:
            for part in path.split(".") if path else ():
                name, each, _ = part.partition("[]")
                there = []
                for one in here:
                    try:
                        found = self.attribute(one, name)
                        there += [k for k, _ in self.objects.items(found)] if each else [found]
                    except (KeyError, OSError, ValueError, struct.error):
                        continue
                here = there
        except OSError:
            return set()
        return set(here)


IN_THREADS = (("/threading.py", ("acquire", "__enter__", "wait")),)
IN_TASKS = (("/asyncio/locks.py", ("acquire", "wait")),)
KNOWN += [
    Known("threading.Semaphore", "semaphore", IN_THREADS, types=("Semaphore",), size="_value"),
    Known(
        "threading.BoundedSemaphore", "semaphore", IN_THREADS, types=("BoundedSemaphore",),
        limit="_initial_value", used="_initial_value - _value", size="_value",
    ),
    Known("threading.Condition", "condition", IN_THREADS, types=("Condition",), size="len(_waiters)"),
    Known("threading.Event", "event", IN_THREADS, types=("Event",)),
    Known("threading.Barrier", "barrier", IN_THREADS, types=("Barrier",), limit="_parties", used="_count"),
    Known(
        "queue.Queue", "queue", (("/queue.py", ("get", "put")),),
        types=("Queue", "LifoQueue", "PriorityQueue"), limit="maxsize", used="len(queue)", size="unfinished_tasks",
    ),
    Known("asyncio.Semaphore", "semaphore", IN_TASKS, types=("Semaphore",), size="_value"),
    Known(
        "asyncio.BoundedSemaphore", "semaphore", IN_TASKS, types=("BoundedSemaphore",),
        limit="_bound_value", used="_bound_value - _value", size="_value",
    ),
    Known("asyncio.Condition", "condition", IN_TASKS, types=("Condition",), size="len(_waiters)"),
    Known(
        "asyncio.Queue", "queue", (("/asyncio/queues.py", ("get", "put")),),
        types=("Queue", "LifoQueue", "PriorityQueue"), limit="_maxsize", used="len(_queue)",
    ),
]  # fmt: skip
