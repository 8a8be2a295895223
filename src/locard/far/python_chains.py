"""Who holds what grows, in the form in which it is printed: chains of holders with what is known of each.

Stands behind `far/python_holders.py` and before `far/python_heap.py` in one namespace; 3.6, standard library only.
"""

import re
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.python_gc import Look, Pages
    from locard.far.python_holders import Search
    from locard.far.python_kinds import ITEMS_AT, Kind, Kinds, Shapes
    from locard.far.python_loose import Loose
    from locard.far.python_stacks import Reader
    from locard.far.python_tasks import FRAMES

MOST_SEARCHED = 10  # types
LINKED_S = 2.0  # along objects of one type
BOUND = re.compile(
    r"^_*(\w*__)?(max_?(size|len|length|entries|items|keys)|maximum_size|capacity|size_limit)$"
)
# Of an lru_cache: its dict, hits, function, maxsize, misses; of a deque: maxlen; of a function: its name.
CACHE, DEQUE_MOST, FUNCTION_NAMES = 72, 64, (104, 40)


class Chains:
    """Finds them for the rows of one process."""

    def __init__(self, reader: "Reader", kinds: "Kinds", loose: "Loose", look: "Look") -> None:
        """`look`: the last one."""
        self.reader, self.memory, self.kinds, self.loose = reader, reader.memory, kinds, loose
        self.search = Search(loose.names, Shapes(kinds, Pages(reader.memory)), look)

    def find(
        self,
        types: "list[dict[str, Any]]",
        containers: "list[dict[str, Any]]",
        texts: "list[dict[str, Any]]",
        seconds: float,
    ) -> "dict[str, Any]":
        """Find who holds the samples of what grows, and add it to the rows; how the search went."""
        began, search = time.monotonic(), self.search
        searched = [r for r in types if r["sample"] and r["trend"] != "level"][:MOST_SEARCHED]
        targets = [a for r in searched for a in r["sample"]] + [r["address"] for r in containers]
        above = self.loose.above
        targets += [above[r["place"]] for r in texts if above[r["place"]]]
        if targets:
            search.run(list(dict.fromkeys(targets)), began + seconds)
        for row in searched:
            row["held"] = [self.held(a) for a in row["sample"]]
            if not any(h["root"] or h["alone"] for h in row["held"]):
                row["held"] = self.linked(row["type"], row["sample"]) or row["held"]
        for row in containers:
            row["held"] = [self.held(row["address"])]
            row["maxsize"] = self.step(row["address"], 0).get("maxsize")
        for row in texts:
            owner, (place, key) = above[row["place"]], row.pop("place")
            row["held"] = [self.held(owner, own=True) if owner else self.called(place, key)]
        return {
            "took": time.monotonic() - began,
            "rounds": search.rounds,
            "unfinished": search.unfinished,
        }

    def called(self, owner: int, key: int) -> "dict[str, Any]":
        """The name of a text that a module, a class or a frame calls something."""
        names = self.loose.names
        for value, known in names.named.items():
            if known[1:] == (owner, key):
                return {"chain": [], "root": names.find(value, False)}
        for value, (_, code, number) in names.frames.items():
            if (code, number) == (owner, key):
                return {"chain": [], "root": names.find(value, True)}
        return {"chain": [], "root": None}

    def held(self, target: int, own: bool = False) -> "dict[str, Any]":
        """{"chain": steps, nearest first, "root"}; without a root whether nothing but one another holds it."""
        way = self.search.chain(target)
        if way is None:
            steps, root = [h for h, _ in self.search.holders.get(target, ())][:1], None
        else:
            steps, root = way[0], way[1]
        told = []  # type: list[dict[str, Any]]
        below = target
        if own:
            told.append(self.step(target, 0))
        for number, address in enumerate(steps):
            above = steps[number + 1] if number + 1 < len(steps) else 0
            if not (above and self.is_part_of(above, address)):
                told.append(self.step(address, below))
                below = address
        return {"chain": told, "root": root, "alone": root is None and self.search.alone(target),
                "holders": len(self.search.holders.get(target, ()))}  # fmt: skip

    def linked(self, kind_at: int, sample: "list[int]") -> "list[dict[str, Any]]":
        """How a sample is held where objects of its type hold one another, one of which has a name; else nothing."""
        kind, names = self.kinds.kind(kind_at), self.loose.names
        named = (a for a in [*names.named, *names.frames] if self.is_a(a, kind_at))
        first = next(named, None)
        if kind is None or first is None:
            return []
        seen, todo, until = {first}, [first], time.monotonic() + LINKED_S
        while todo and not seen.issuperset(sample) and time.monotonic() < until:
            words = self.words(todo.pop(), kind) - seen
            following = [w for w in words if self.is_a(w, kind_at)]
            seen.update(following)
            todo += following
        if not seen.issuperset(sample):
            return []
        last, root = (
            {"type": "more of the same"},
            names.find(first, False) or names.find(first, True),
        )
        return [{"chain": [last], "root": root, "alone": False, "holders": 1} for _ in sample]

    def is_a(self, address: int, kind_at: int) -> bool:
        """Whether an object of a type lies there."""
        if address & 7 or not 1 << 12 < address < 1 << 47:
            return False
        try:
            return self.search.shapes.pages.read(address + 8, 8) == kind_at.to_bytes(8, "little")
        except OSError:
            return False

    def words(self, address: int, kind: "Kind") -> "set[int]":
        """What an object refers to, that of its `__dict__` with it."""
        shapes = self.search.shapes
        try:
            found = set(shapes.words(address, kind))
            if kind.dict_at > 0:
                held = self.memory.number(address + kind.dict_at)
                found.update(shapes.of_dict(held) if held else ())
        except (OSError, ValueError, struct.error):
            return set()
        return found

    def is_part_of(self, owner: int, held: int) -> bool:
        """Whether a dict is the `__dict__` of an instance, or a frame that of a coroutine or generator."""
        try:
            kind = self.kinds.kind(self.reader.objects.type_of(owner))
            if kind is None:
                return False
            if kind.shape == "generator":
                return self.kinds.version < (3, 11) and self.memory.number(owner + 16) == held
            return (
                kind.shape == "other"
                and kind.dict_at > 0
                and self.memory.number(owner + kind.dict_at) == held
            )
        except OSError:
            return False

    def variable(self, address: int, below: int) -> "dict[str, str]":
        """The function of a coroutine or generator, and the variable in which it has the step below."""
        at, names = self.reader.layout.at, self.loose.names
        frame = address + FRAMES[self.kinds.version]
        if self.kinds.version < (3, 11):
            frame = self.memory.number(frame)
        code = self.memory.number(frame + at["frame.code"]) & ~7
        found = {"of": names.function(code).partition(" (")[0]}
        raw = self.memory.read(frame + names.locals_at, 8 * names.variables(code))
        for number, (value,) in enumerate(struct.iter_unpack("<Q", raw)):
            if value & ~7 == below:
                found["attribute"] = names.variable(code, number)
                break
        return found

    def step(self, address: int, below: int) -> "dict[str, Any]":
        """One holder: its type, how many items it has, a cache's counters, a function's name, the attribute."""
        kind_at = self.search.kind_of.get(address) or self.reader.objects.type_of(address)
        kind = self.kinds.kind(kind_at)
        found = {"type": self.kinds.name(kind_at)}  # type: dict[str, Any]
        if kind is None:
            return found
        try:
            if kind.shape in ITEMS_AT:
                found["items"] = self.memory.number(address + (24 if kind.shape == "set" else 16))
            if kind.shape == "deque":
                most = struct.unpack("<q", self.memory.read(address + DEQUE_MOST, 8))[0]
                found["maxsize"] = most if most >= 0 else None
            elif kind.shape == "lru":
                found.update(self.cache(address))
            elif kind.shape == "function":
                found["of"] = self.function(address)
            elif kind.shape == "frame":
                found["of"] = self.of_frame(address)
            elif kind.shape == "generator":
                found.update(self.variable(address, below))
            elif kind.shape == "other" and below:
                held = self.reader.objects.held(address)
                names = [k for k, v in held if v == below]
                if names:
                    found["attribute"] = self.reader.objects.text(names[0])
                found["maxsize"] = self.bound(held)
        except (OSError, ValueError, struct.error):
            pass
        return found

    def bound(self, held: "list[tuple[int, int]]") -> "int | None":
        """The number that an instance keeps under a name such as maxsize."""
        for key, value in held:
            if BOUND.search(self.reader.objects.text(key)):
                kind = self.kinds.kind(self.reader.objects.type_of(value))
                if kind is not None and kind.short == "int":
                    return self.reader.objects.number(value)
        return None

    def of_frame(self, address: int) -> str:
        """The function of a frame object."""
        if self.kinds.version >= (3, 11):
            address = self.memory.number(address + 24)
        code = self.memory.number(address + self.reader.layout.at["frame.code"]) & ~7
        return self.loose.names.function(code).partition(" (")[0]

    def function(self, address: int) -> str:
        """The qualified name of a function."""
        where = FUNCTION_NAMES[self.kinds.version >= (3, 10)]
        return self.reader.objects.text(self.memory.number(address + where))

    def cache(self, address: int) -> "dict[str, Any]":
        """What functools.lru_cache counts."""
        held, hits, function, most, misses = struct.unpack(
            "<QqQqq", self.memory.read(address + CACHE, 40)
        )
        found = {"cache": True, "items": self.memory.number(held + 16), "hits": hits, "misses": misses,
                 "maxsize": most if most >= 0 else None}  # type: dict[str, Any]  # fmt: skip
        kind = self.kinds.kind(self.reader.objects.type_of(function))
        if kind is not None and kind.shape == "function":
            found["of"] = self.function(function)
        return found
