"""Who holds an object of a CPython process: references followed back to something that has a name, from outside.

Stands behind `far/python_kinds.py` and `far/python_stacks.py` in one namespace; 3.6, standard library only. Names are
what modules, classes and the variables of frames that run call a value. One round over all objects finds the holders
of everything that is looked for; rounds go on until each has a chain to a name, or no further holder is found.
"""

import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.python_gc import GC_HEAD, Look
    from locard.far.python_kinds import DICT_OF_TYPE, HEAP_TYPE, LOCALS, Kinds, Shapes
    from locard.far.python_objects import MODULE_DICT, word
    from locard.far.python_stacks import Reader

MOST_STEPS = 6
ENOUGH_STEPS = 4  # from here on a variable of a frame is name enough
OUTERMOST = 3  # frames of the main thread that end with the process, mostly
OLD_VARIABLES = 28  # of a code object up to 3.10: how many variables
MOST_HOLDERS = 6  # of one object that are followed
MOST_SOUGHT = 3000  # objects whose holders are looked for in one round
INTERPRETER_SIZE = 4096  # of its state, where it does not say how large it is


class Names:
    """What modules, classes and frames call the objects of one moment."""

    def __init__(self, reader: "Reader", kinds: "Kinds") -> None:
        """Nothing is read yet."""
        self.reader, self.objects, self.memory = reader, reader.objects, reader.memory
        self.kinds = kinds
        self.locals_at = kinds.at.get("frame.locals") or LOCALS[kinds.version]
        self.named = {}  # type: dict[int, tuple[str, int, int]] # (kind of owner, owner, key)
        self.owned = {}  # type: dict[int, tuple[str, int]] # dicts of modules and classes
        self.modules = {}  # type: dict[int, int] # the name of each by its dict
        self.frames = {}  # type: dict[int, tuple[str, int, int]] # values of variables
        self.lasting = set()  # type: set[tuple[str, int]] # (thread, code) of what a process lives in
        self.states = {}  # type: dict[int, str] # words of thread states

    def learn(self, interpreter: int) -> None:
        """The names in one interpreter; what cannot be read is left out."""
        for part in (self.of_modules, self.of_threads, self.of_state):
            try:
                part(interpreter)
            except (OSError, ValueError, struct.error):
                continue

    def learn_classes(self, look: "Look") -> None:
        """The attributes of classes: all types that have objects, and all that the collector knows."""
        types = {*look.objects, *look.young}
        for every in (look.objects, look.young):
            for kind, found in every.items():
                known = self.kinds.kind(kind)
                if known is not None and known.shape == "type":
                    types.update(head + GC_HEAD for head in found)
        for address in types:
            known = self.kinds.kind(address)
            if known is None or not known.flags & HEAP_TYPE:
                continue
            try:
                held = self.memory.number(address + DICT_OF_TYPE)
                self.owned[held] = ("class", address)
                self.values("class", address, held)
            except (OSError, ValueError, struct.error):
                continue

    def values(self, what: str, owner: int, held: int) -> None:
        """The values of a dict by its keys."""
        for key, value in self.objects.items(held):
            self.named.setdefault(value, (what, owner, key))

    def of_modules(self, interpreter: int) -> None:
        """Of all modules that are imported; __main__ first, since modules share what they import."""
        modules = self.memory.number(interpreter + self.reader.layout.at["interpreter.modules"])
        every = []
        for key, module in self.objects.items(modules):
            try:
                kind = self.kinds.kind(self.objects.type_of(module))
                if kind is None or kind.shape != "module":
                    continue
                held = self.memory.number(module + MODULE_DICT)
                every.append((self.objects.text(key) != "__main__", held, key))
            except (OSError, ValueError, struct.error):
                continue
        for _, held, key in sorted(every):
            self.modules[held], self.owned[held] = key, ("module", held)
            try:
                self.values("module", held, held)
            except (OSError, ValueError, struct.error):
                continue

    def of_threads(self, interpreter: int) -> None:
        """Of the variables of the frames of all threads, and of what threads keep for themselves."""
        reader = self.reader
        threads = reader.threads(interpreter)
        names = reader.names(interpreter)
        reader.stacks(threads)
        for thread in threads:
            thread_name = names.get(thread.ident) or "?"
            for value in struct.unpack(
                "<%dQ" % (len(thread.raw) // 8), thread.raw[: len(thread.raw) // 8 * 8]
            ):
                self.states.setdefault(value & ~7, "thread state of %s" % thread_name)
            if thread_name == "MainThread":
                outer = thread.frames[-OUTERMOST:]
                self.lasting.update((thread_name, code) for code, _ in outer)
            for place, (code, _) in zip(thread.places, thread.frames):
                self.of_frame(thread_name, place, code)

    def of_frame(self, thread_name: str, place: int, code: int) -> None:
        """Of one frame."""
        try:
            raw = self.memory.read(place + self.locals_at, 8 * self.variables(code))
        except (OSError, ValueError, struct.error):
            return
        for number, (value,) in enumerate(struct.iter_unpack("<Q", raw)):
            if value:
                self.frames.setdefault(value & ~7, (thread_name, code, number))

    def variables(self, code: int) -> int:
        """How many variables a function has; raises ValueError where it is none."""
        first = self.reader.layout.at["code.firstlineno"]
        where = first + 4 if self.kinds.version >= (3, 11) else OLD_VARIABLES
        count = int(struct.unpack("<i", self.memory.read(code + where, 4))[0])
        if not 0 <= count < 10000:
            raise ValueError("no code")
        return count

    def of_state(self, interpreter: int) -> None:
        """Of what the interpreter itself keeps."""
        size = self.reader.layout.at.get("interpreter.size", INTERPRETER_SIZE)
        size = min(max(size, 1024), 1 << 20) & ~7
        for raw in self.memory.each(
            [(interpreter + at, min(4096, size - at)) for at in range(0, size, 4096)]
        ):
            for (value,) in struct.iter_unpack("<Q", raw or b""):
                if value:
                    self.states.setdefault(value, "the interpreter's own state")

    # -- in words --------------------------------------------------------------------------

    def find(self, address: int, wide: bool) -> "dict[str, str] | None":
        """{"kind", "name"} of what names an object; `wide`: variables of frames and states as well."""
        if address in self.owned:
            return self.of_owner(*self.owned[address])
        if address in self.named:
            what, owner, key = self.named[address]
            found = self.of_owner(what, owner)
            found["key"] = self.text(key)
            return found
        if wide and address in self.frames:
            thread, code, number = self.frames[address]
            found = {"kind": "frame", "name": self.function(code), "thread": thread}
            found["key"] = self.variable(code, number)
            found["lasting"] = "yes" if (thread, code) in self.lasting else ""
            return found
        if wide and address in self.states:
            return {"kind": "state", "name": self.states[address]}
        return None

    def of_owner(self, what: str, owner: int) -> "dict[str, str]":
        """A module or a class in words."""
        name = self.kinds.name(owner) if what == "class" else self.text(self.modules[owner])
        return {"kind": what, "name": name}

    def text(self, address: int) -> str:
        """A key; what cannot be read is said."""
        try:
            return self.objects.text(address)
        except (OSError, ValueError, struct.error):
            return "?"

    def function(self, code: int) -> str:
        """The name of a code object with its file and first line."""
        known = self.reader.codes.get(code)
        if known is None:
            self.reader.learn({code})
            known = self.reader.codes.get(code)
        return "%s (%s:%d)" % (known.name, known.file, known.first) if known else "a function"

    def variable(self, code: int, number: int) -> str:
        """The name of a variable of a code object."""
        at = self.reader.layout.at
        where = at.get(
            "code.varnames", at["code.filename"] - (16 if self.kinds.version >= (3, 11) else 32)
        )
        try:
            names = self.objects.sequence(self.memory.number(code + where), "tuple")
            return self.objects.text(names[number]) if number < len(names) else "?"
        except (OSError, ValueError, struct.error):
            return "?"


class Search:
    """The holders of a few objects among all of a look."""

    def __init__(self, names: "Names", shapes: "Shapes", look: "Look") -> None:
        """`look`: which objects there are."""
        self.names, self.shapes, self.kinds, self.look = names, shapes, names.kinds, look
        self.holders = {}  # type: dict[int, list[tuple[int, int]]] # (holder, times), by what is held
        self.crowded = set()  # type: set[int] # those with more holders than are kept
        self.kind_of = {}  # type: dict[int, int]
        self.rounds, self.unfinished = 0, ""
        self.until = 0.0

    def run(self, targets: "list[int]", until: float) -> None:
        """Go back from these until everything has a name or no holder is left."""
        self.until = until
        sought, seen = set(targets), set(targets)
        while sought and self.rounds < MOST_STEPS:
            if len(sought) > MOST_SOUGHT:
                sought = set(sorted(sought)[:MOST_SOUGHT])
                self.unfinished = "there are more holders than are followed"
            if not self.round(sought):
                return
            self.rounds += 1
            found = {h for s in sought for h, _ in self.holders.get(s, ())}
            sought = {h for h in found - seen if self.names.find(h, False) is None}
            seen |= found
            wide = self.rounds >= ENOUGH_STEPS
            if all(self.way(t, False) or (wide and self.way(t, True)) for t in targets):
                return
        if sought and not self.unfinished:
            self.unfinished = "the chain is longer than %d steps" % MOST_STEPS

    def round(self, sought: "set[int]") -> bool:
        """Find the holders of these among all objects; False where time ran out."""
        words, nothing = self.shapes.words, sought.isdisjoint
        for address_of_kind, heads in self.look.objects.items():
            kind = self.kinds.kind(address_of_kind)
            if kind is None:
                continue
            for number, head in enumerate(heads):
                if not number & 1023 and time.monotonic() > self.until:
                    self.unfinished = "the time for it ran out"
                    return False
                try:
                    found = words(head + GC_HEAD, kind)
                except (OSError, ValueError, struct.error):
                    continue
                if not nothing(found):
                    self.note(sought, found, head + GC_HEAD, address_of_kind)
        return True

    def note(self, sought: "set[int]", found: "tuple[int, ...]", holder: int, kind: int) -> None:
        """A holder of some of them."""
        self.kind_of[holder] = kind
        for held in sought.intersection(found):
            known = self.holders.setdefault(held, [])
            if len(known) < MOST_HOLDERS:
                known.append((holder, found.count(held)))
            else:
                self.crowded.add(held)

    def chain(self, target: int) -> "tuple[list[int], dict[str, str]] | None":
        """(holders, nearest first; what names the last) of a target; None where no name was reached.

        Modules and classes are preferred to variables of frames, which hold for a moment only.
        """
        return self.way(target, False) or self.way(target, True)

    def way(self, target: int, wide: bool) -> "tuple[list[int], dict[str, str]] | None":
        """The shortest to a name; `wide`: to a variable of a frame or a thread's own state as well."""
        seen = {target}
        ways = [[target]]
        while ways:
            following = []
            for way in ways:
                name = self.names.find(way[-1], wide)
                if name is not None and (len(way) > 1 or name["kind"] != "state"):
                    return way[1:], name
                for holder, _ in self.holders.get(way[-1], ()):
                    if holder not in seen:
                        seen.add(holder)
                        following.append(way + [holder])
            ways = following
        return None

    def alone(self, target: int) -> bool:
        """Whether it and all that holds it is held by one another only: garbage that was not collected yet."""
        closure, todo = {target}, [target]
        while todo:
            for holder, _ in self.holders.get(todo.pop(), ()):
                if holder not in closure:
                    closure.add(holder)
                    todo.append(holder)
        if self.unfinished or closure & self.crowded or len(closure) > MOST_SOUGHT:
            return False
        for address in closure:
            times = sum(t for h, t in self.holders.get(address, ()))
            try:
                count = struct.unpack("<Q", self.shapes.memory.read(address, 8))[0]
            except OSError:
                return False
            if (count & 0xFFFFFFFF if self.kinds.version >= (3, 12) else count) != times:
                return False
        return bool(self.holders.get(target))
