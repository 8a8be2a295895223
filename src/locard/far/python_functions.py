"""Functions and classes of a CPython, read from outside: names, code, closures, what a class has under a name.

Stands behind `far/python_objects.py` in one namespace.
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.python_objects import Objects
    from locard.far.symbols import Symbols

MANY = "builtin_function_or_method method_descriptor wrapper_descriptor method-wrapper classmethod_descriptor getset_descriptor"
BUILTINS = frozenset(MANY.split())
# PyFunctionObject: code, defaults, closure, name, dict, module, qualname, globals
OLD = {
    "code": 16,
    "globals": 24,
    "closure": 48,
    "name": 64,
    "dict": 72,
    "module": 88,
    "qualname": 104,
}
NEW = {
    "code": 48,
    "globals": 16,
    "closure": 72,
    "name": 32,
    "dict": 88,
    "module": 104,
    "qualname": 40,
}
# where each kind of builtin has a pointer to what says its C function, and where in that the function is
C_FUNCTIONS = {
    "builtin_function_or_method": (16, 8),
    "method_descriptor": (40, 8),
    "classmethod_descriptor": (40, 8),
    "getset_descriptor": (40, 8),
    "wrapper_descriptor": (48, None),
}
FIRST_HELD = 16  # what a staticmethod, classmethod, property, partial, method, cell or mappingproxy holds first
TP_DICT, TP_FLAGS, TP_MRO = 264, 168, 344
IS_TYPE, IS_HEAP_TYPE = 1 << 31, 1 << 9
FUNCTION_KINDS = ((0x200, "async generator"), (0x80, "coroutine"), (0x20, "generator"))


class UnknownError(Exception):
    """There is no such name, or it cannot be watched: `why`, and the names that are near."""

    def __init__(self, why: str, near: "tuple[str, ...]" = (), code: int = 0) -> None:
        """`why` as a sentence without a full stop; `code`: where the C function of a builtin lies."""
        Exception.__init__(self, why)
        self.why, self.near, self.code = why, near, code


def counting_words(symbols: "Symbols", code: int) -> str:
    """How calls of a C function are counted from outside; empty where its file is not known."""
    found = symbols.place(code) if code else None
    if found is None:
        return ""
    at, path = found
    return (
        "`locard libcalls` with -e '0x%x@%s' counts and times its calls; what the interpreter does without calling it"
        " (len and isinstance in 3.11 and later) is not among them" % (at, path.rpartition("/")[2])
    )


class Functions:
    """The functions and classes of one interpreter."""

    def __init__(self, objects: "Objects") -> None:
        """Nothing is read yet."""
        self.objects, self.memory, self.at = objects, objects.memory, objects.at
        self.version = objects.version
        self.fields = NEW if self.version >= (3, 10) else OLD
        self.kinds = {}  # type: dict[int, tuple[str, int]]

    def kind(self, address: int) -> str:
        """The name of an object's type as C has it: function, property, functools.partial, or of a class."""
        return self.described(self.objects.type_of(address))[0]

    def described(self, kind: int) -> "tuple[str, int]":
        """(name, flags) of a type."""
        if kind not in self.kinds:
            flags = self.memory.number(kind + TP_FLAGS)
            self.kinds[kind] = self.objects.type_name(kind), flags
        return self.kinds[kind]

    def is_class(self, address: int) -> bool:
        """Whether an object is a class."""
        return bool(self.described(self.objects.type_of(address))[1] & IS_TYPE)

    def pointer(self, address: int, field: str) -> int:
        """A field of a function."""
        return self.memory.number(address + self.fields[field])

    def text_of(self, address: int, field: str) -> str:
        """A name that a function has."""
        where = self.pointer(address, field)
        try:
            return self.objects.name(where) if where else ""
        except (OSError, ValueError, struct.error):
            return ""

    def code_fields(self, code: int) -> "tuple[int, int, int, int]":
        """(flags, parameters, of these by keyword only, first line)."""
        if self.version >= (3, 12):
            at = self.at.get("code.argcount", 52)
        else:
            at = 56 if self.version >= (3, 11) else 16
        flags = at - 4 if self.version >= (3, 12) else 48 if self.version >= (3, 11) else 36
        raw = self.memory.read(code, 256)
        return (
            struct.unpack_from("<i", raw, flags)[0], struct.unpack_from("<i", raw, at)[0],
            struct.unpack_from("<i", raw, at + 8)[0], struct.unpack_from("<i", raw, self.at["code.firstlineno"])[0],
        )  # fmt: skip

    def c_function(self, address: int) -> int:
        """Where the C function of a builtin lies; 0 where that is not known."""
        kind = self.kind(address)
        if kind not in C_FUNCTIONS:
            return 0
        at, inner = C_FUNCTIONS[kind]
        held = self.memory.number(address + at)
        return held if inner is None or not held else self.memory.number(held + inner)

    def parameters(self, function: int) -> "tuple[str, ...]":
        """Names of its parameters, in the order in which they are passed on: *args before what is by keyword."""
        code = self.pointer(function, "code")
        flags, count, keywords, _ = self.code_fields(code)
        if self.version >= (3, 11):
            names = self.memory.number(
                code + self.at.get("code.varnames", self.at["code.filename"] - 16)
            )
        else:
            names = self.memory.number(code + 72)
        every = [self.objects.name(n) for n in self.objects.sequence(names, "tuple")]
        plain, only, rest = (
            every[:count],
            every[count : count + keywords],
            every[count + keywords :],
        )
        star = [rest.pop(0)] if flags & 4 else []
        double = [rest.pop(0)] if flags & 8 else []
        return tuple(plain + star + only + double)

    def about(self, function: int) -> "dict[str, Any]":
        """Its names, kind, file and line."""
        code = self.pointer(function, "code")
        flags, _, _, line = self.code_fields(code)
        try:
            file = self.objects.text(self.memory.number(code + self.at["code.filename"]))
        except ValueError:  # a text of a class of the application's
            file = "?"
        return {
            "module": self.text_of(function, "module"), "name": self.text_of(function, "qualname"),
            "kind": next((word for bit, word in FUNCTION_KINDS if flags & bit), "function"), "file": file, "line": line,
            "code": code,
        }  # fmt: skip

    def attributes(self, address: int) -> "dict[str, int]":
        """What an instance holds by name; nothing where that cannot be read."""
        try:
            return self.objects.attributes(address)
        except (OSError, ValueError, struct.error, KeyError):
            return {}

    def own(self, function: int) -> "dict[str, int]":
        """The attributes that a function was given."""
        where = self.pointer(function, "dict")
        found = {}
        for key, value in self.objects.items(where) if where else ():
            try:
                found[self.objects.name(key)] = value
            except (OSError, ValueError, struct.error):
                continue
        return found

    def cells(self, function: int) -> "list[int]":
        """What the cells of a function hold, 0 for an empty one."""
        closure = self.pointer(function, "closure")
        if not closure:
            return []
        return [
            self.memory.number(cell + FIRST_HELD)
            for cell in self.objects.sequence(closure, "tuple")
        ]

    def label(self, address: int) -> str:
        """A function as it is called in sentences."""
        about = self.about(address)
        return "%s (%s:%d)" % (about["name"], about["file"], about["line"])

    def member(self, address: int, name: str) -> "tuple[int, list[Any]]":
        """What a class or an instance has under a name."""
        if not self.is_class(address):
            if self.kind(address) == "property" and name in ("fget", "fset", "fdel"):
                at = FIRST_HELD + 8 * ("fget", "fset", "fdel").index(name)
                inner = self.memory.number(address + at)
                if inner:
                    return inner, [("field", name)]
            held = self.attributes(address)
            if name in held:
                return held[name], [("held", name)]
            kind = self.objects.type_of(address)
            found, steps = self.member(kind, name)
            return found, [("type", None), *steps]
        mro = self.objects.sequence(self.memory.number(address + TP_MRO), "tuple")
        for turn, one in enumerate(mro):
            space = self.memory.number(one + TP_DICT)
            found = self.objects.lookup(space, name) if space and space > 4096 else 0
            if found:
                return found, ([("base", turn)] if turn else []) + [("class", name)]
        space = self.memory.number(address + TP_DICT)
        raise UnknownError(
            "class %s has no %s" % (self.objects.type_name(address), name), self.near(space, name)
        )

    def near(self, space: int, name: str) -> "tuple[str, ...]":
        """Names of a dict that are like this one."""
        import difflib

        every = []
        for key, _ in self.objects.items(space):
            try:
                every.append(self.objects.name(key))
            except (OSError, ValueError, struct.error):
                continue
        return tuple(difflib.get_close_matches(name, every, 4, 0.6))

    def watchable(self, address: int) -> "list[str]":
        """Methods of a class."""
        found = []
        for key, value in self.objects.items(self.memory.number(address + TP_DICT)):
            try:
                if self.kind(value) in ("function", "staticmethod", "classmethod", "property"):
                    found.append(self.objects.name(key))
            except (OSError, ValueError, struct.error):
                continue
        return found
