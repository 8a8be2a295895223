"""Living functions of given names, wherever something that can be followed holds them; from outside.

Stands behind `far/python_names.py` in one namespace. The search goes outwards from the modules through classes,
instances, closures and containers, level by level, within bounds: what is held by C code alone is not found.
"""

import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.python_functions import FIRST_HELD, IS_HEAP_TYPE, TP_DICT, TP_FLAGS
    from locard.far.python_names import Found, Names
    from locard.far.python_objects import MODULE_DICT

MOST_NODES, MOST_SEARCH_S = 200000, 2.5
MOST_HELD = 300  # items of one container that are followed
DEEPEST_SEARCH = 6


class Search:
    """One search."""

    def __init__(
        self, names: "Names", wanted: "set[tuple[str, str]]", known: "set[int]", beat: "Any"
    ) -> None:
        """`wanted`: (module, qualified name); `known`: those that are watched already."""
        self.names, self.wanted, self.known, self.beat = names, wanted, set(known), beat
        self.tails = {name for _, name in wanted}
        self.found = []  # type: list[Found]
        self.seen = set()  # type: set[int]
        self.end = time.monotonic() + MOST_SEARCH_S

    def run(self) -> int:
        """Search; how many objects were looked at."""
        level = []  # type: list[tuple[int, Any]]
        for module, address in self.names.modules.items():
            try:
                space = self.names.memory.number(address + MODULE_DICT)
                if self.names.kind(address) != "module":
                    continue
                level += self.entries(space, "dict", (("module", module), None))
            except (OSError, ValueError, struct.error):
                continue
        for _ in range(DEEPEST_SEARCH):
            after = []  # type: list[tuple[int, Any]]
            for address, path in level:
                if len(self.seen) > MOST_NODES or time.monotonic() > self.end:
                    return len(self.seen)
                if address in self.seen:
                    continue
                self.seen.add(address)
                if len(self.seen) % 2000 == 0:
                    self.beat()
                try:
                    after += self.visit(address, path)
                except (OSError, ValueError, struct.error, KeyError):
                    continue
            level = after
        return len(self.seen)

    def entries(self, space: int, step: str, path: "Any") -> "list[tuple[int, Any]]":
        """The values of a namespace."""
        found = []
        for key, value in self.names.objects.items(space):
            try:
                found.append((value, ((step, self.names.objects.name(key)), path)))
            except (OSError, ValueError, struct.error):
                continue
        return found

    def visit(self, address: int, path: "Any") -> "list[tuple[int, Any]]":
        """What one object holds that can be followed; a function that is wanted is kept."""
        names, memory = self.names, self.names.memory
        kind, flags = names.described(names.objects.type_of(address))
        if kind == "function":
            return self.visit_function(address, path)
        if kind in ("staticmethod", "classmethod", "method"):
            return [(memory.number(address + FIRST_HELD), (("field", "__func__"), path))]
        if kind == "property":
            words = struct.unpack("<3Q", memory.read(address + FIRST_HELD, 24))
            return [(w, (("field", n), path)) for w, n in zip(words, ("fget", "fset", "fdel")) if w]
        if kind == "functools.partial":
            return [(memory.number(address + FIRST_HELD), (("field", "func"), path))]
        if kind in ("list", "tuple"):
            every = names.objects.sequence(address, kind)[:MOST_HELD]
            return [(one, (("item", at), path)) for at, one in enumerate(every)]
        if kind == "dict":
            every_ = names.objects.items(address)[:MOST_HELD]
            return [(value, (("nth", at), path)) for at, (_, value) in enumerate(every_)]
        if names.is_class(address):
            if not names.memory.number(address + TP_FLAGS) & IS_HEAP_TYPE:
                return []
            return self.entries(memory.number(address + TP_DICT), "class", path)
        if kind == "functools._lru_cache_wrapper" or flags & IS_HEAP_TYPE:
            held = names.attributes(address)
            kind_path = (
                [(names.objects.type_of(address), (("type", None), path))]
                if flags & IS_HEAP_TYPE
                else []
            )
            return [(v, (("held", n), path)) for n, v in list(held.items())[:MOST_HELD]] + kind_path
        return []

    def visit_function(self, address: int, path: "Any") -> "list[tuple[int, Any]]":
        """A function: wanted or not, and what its closure and its attributes hold."""
        names = self.names
        own = names.own(address)
        if address not in self.known and names.text_of(address, "qualname") in self.tails:
            wanted = (
                names.text_of(address, "module"),
                names.text_of(address, "qualname"),
            ) in self.wanted
            if wanted and "__wrapped__" not in own:  # wrappers take over the name of what they wrap
                self.known.add(address)
                words = "another living function of this name, held by " + words_of(path)
                self.found.append(Found(address, steps_of(path), [words]))
        after = [(v, (("own", n), path)) for n, v in own.items()]
        return after + [(v, (("cell", at), path)) for at, v in enumerate(names.cells(address)) if v]


def steps_of(path: "Any") -> "list[Any]":
    """A path as a list of steps, from the module on."""
    found = []
    while path is not None:
        step, path = path
        found.append(step)
    return found[::-1]


def words_of(path: "Any") -> str:
    """A path in words: `checkout:handlers[0].__func__`."""
    words = ""
    for step, name in steps_of(path):
        if step == "module":
            words = "%s:" % name
        elif step in ("item", "nth", "cell"):
            words += "[%d]" % name if step != "cell" else ".<closure>[%d]" % name
        elif step == "type":
            words += ".<class>"
        elif step != "base":
            words += name if words.endswith(":") else ".%s" % name
    return words


def living(
    names: "Names", wanted: "set[tuple[str, str]]", known: "set[int]", beat: "Any"
) -> "tuple[list[Found], int]":
    """Other functions with the wanted names, and how many objects were looked at. Never raises for what it meets."""
    search = Search(names, wanted, known, beat)
    looked = search.run()
    return search.found, looked
