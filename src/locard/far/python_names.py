"""Functions of a CPython by their names, found from outside: what stands behind decorators, caches, properties.

Stands behind `far/python_objects.py` in one namespace. A function is told by its address and by steps that lead to it
from sys.modules, which code inside can follow without running anything of the application.
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.python_objects import MODULE_DICT, Objects

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
FIRST_HELD = 16  # what a staticmethod, classmethod, property, partial, method, cell or mappingproxy holds first
TP_BASES, TP_DICT, TP_FLAGS, TP_MRO = 336, 264, 168, 344
IS_TYPE, IS_HEAP_TYPE = 1 << 31, 1 << 9
FUNCTION_KINDS = ((0x200, "async generator"), (0x80, "coroutine"), (0x20, "generator"))


class UnknownError(Exception):
    """There is no such name, or it cannot be watched: `why`, and the names that are near."""

    def __init__(self, why: str, near: "tuple[str, ...]" = ()) -> None:
        """`why` as a sentence without a full stop."""
        Exception.__init__(self, why)
        self.why, self.near = why, near


class Found:
    """One function: where it is, how it is reached, what was passed on the way (`said`)."""

    def __init__(
        self, address: int, steps: "list[Any]", said: "list[str]", cache: "list[Any] | None" = None
    ) -> None:
        """`cache`: the steps to an lru_cache that stands before it."""
        self.address, self.steps, self.said, self.cache = address, steps, said, cache
        self.counted = False  # only counted, no events: an object before the body


class Names:
    """The names of one interpreter."""

    def __init__(self, objects: "Objects", interpreter: int) -> None:
        """Reads sys.modules."""
        self.objects, self.memory, self.at = objects, objects.memory, objects.at
        self.version = objects.version
        self.fields = NEW if self.version >= (3, 10) else OLD
        self.kinds = {}  # type: dict[int, tuple[str, int]]
        self.passed = set()  # type: set[int] # wrappers on the way to a body
        modules = self.memory.number(interpreter + self.at["interpreter.modules"])
        self.modules = {}  # type: dict[str, int]
        for key, value in objects.items(modules):
            try:
                self.modules[objects.name(key)] = value
            except (OSError, ValueError, struct.error):
                continue

    # -- what an object is ---------------------------------------------------------------------

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

    def of_class(self, address: int, name: str) -> bool:
        """Whether an object is of a class of that name that was written in Python."""
        known, flags = self.described(self.objects.type_of(address))
        return known.rpartition(".")[2] == name and bool(flags & IS_HEAP_TYPE)

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
        file = self.objects.text(self.memory.number(code + self.at["code.filename"]))
        return {
            "module": self.text_of(function, "module"), "name": self.text_of(function, "qualname"),
            "kind": next((word for bit, word in FUNCTION_KINDS if flags & bit), "function"), "file": file, "line": line,
            "code": code,
        }  # fmt: skip

    # -- from a name to functions --------------------------------------------------------------

    def split(self, spec: str) -> "tuple[str, list[str]]":
        """(module, parts) of `module:Class.method`, or with dots alone; raises UnknownError."""
        module, colon, rest = spec.partition(":")
        if colon and module.endswith(".py"):
            module = self.module_of(module)
        if not colon and module in self.modules:
            return module, []
        if not colon:
            parts = spec.split(".")
            for size in range(len(parts) - 1, 0, -1):
                if ".".join(parts[:size]) in self.modules:
                    return ".".join(parts[:size]), parts[size:]
            near = tuple(m for m in sorted(self.modules) if m.rpartition(".")[2] == parts[0])[:5]
            raise UnknownError(
                "no module %s was imported; names are module:function (locard find)" % parts[0],
                near,
            )
        if module not in self.modules:
            last = module.rpartition(".")[2]
            like = [m for m in sorted(self.modules) if m.rpartition(".")[2] == last or module in m]
            raise UnknownError("no module %s was imported" % module, tuple(like[:5]))
        return module, [p for p in rest.split(".") if p]

    def module_of(self, file: str) -> str:
        """The module that was read from a file, named by the end of its path; raises UnknownError."""
        found = []
        for module, address in sorted(self.modules.items()):
            try:
                if self.kind(address) != "module":
                    continue
                space = self.memory.number(address + MODULE_DICT)
                where = self.objects.lookup(space, "__file__")
                path = self.objects.text(where) if where else ""
            except (OSError, ValueError, struct.error):
                continue
            if path == file or path.endswith("/" + file):
                found.append(module)
        if len(found) != 1:
            raise UnknownError(
                "%d modules were read from a file %s" % (len(found), file), tuple(found[:8])
            )
        return found[0]

    def resolve(self, spec: str) -> "list[Found]":
        """The functions behind a name: the body, and an object that stands before it; raises UnknownError."""
        key = None
        if spec.endswith("]") and "[" in spec:
            spec, _, key = spec[:-1].rpartition("[")
        module, parts = self.split(spec)
        if not parts:
            raise UnknownError(
                "%s is a module: name something in it, as %s:NAME" % (module, module)
            )
        if "<locals>" in parts:
            raise UnknownError("a function inside of another has no name from outside")
        address, steps = self.walk(module, parts)
        if key is not None:
            return self.implementation(address, steps, key)
        return self.behind(address, steps, parts[-1], [], None)

    def walk(self, module: str, parts: "list[str]") -> "tuple[int, list[Any]]":
        """The object of a name, and the steps to it."""
        space = self.memory.number(self.modules[module] + MODULE_DICT)
        steps = [("module", module)]  # type: list[Any]
        address = self.objects.lookup(space, parts[0])
        if not address and len(parts) == 1:
            return self.method(module, space, parts[0])
        if not address:
            raise UnknownError(
                "module %s has no %s" % (module, parts[0]), self.near(space, parts[0])
            )
        steps.append(("dict", parts[0]))
        for part in parts[1:]:
            address, more = self.member(address, part)
            steps += more
        return address, steps

    def method(self, module: str, space: int, name: str) -> "tuple[int, list[Any]]":
        """A method that only one class of a module has: stacks up to 3.10 name it without its class."""
        found = []
        for key, value in self.objects.items(space):
            try:
                if self.is_class(value) and name in self.watchable(value):
                    label = self.objects.name(key)
                    inner, steps = self.member(value, name)
                    found.append((label, inner, [("module", module), ("dict", label), *steps]))
            except (OSError, ValueError, struct.error):
                continue
        if len({inner for _, inner, _ in found}) != 1:
            near = tuple("%s.%s" % (label, name) for label, _, _ in found[:8])
            raise UnknownError(
                "module %s has no %s" % (module, name), near or self.near(space, name)
            )
        return found[0][1], found[0][2]

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

    def behind(
        self, address: int, steps: "list[Any]", name: str, said: "list[str]", cache: "Any"
    ) -> "list[Found]":
        """The function that a call ends in; raises UnknownError where there is none that can be watched."""
        if len(steps) > 40:
            raise UnknownError("it is wrapped more than 40 times")
        kind = self.kind(address)
        if kind == "function":
            return self.behind_function(address, steps, name, said, cache)
        if kind in ("staticmethod", "classmethod", "method"):
            inner = self.memory.number(address + FIRST_HELD)
            return self.behind(
                inner, [*steps, ("field", "__func__")], name, [*said, "a " + kind], cache
            )
        if kind == "property":
            inner = self.memory.number(address + FIRST_HELD)
            if not inner:
                raise UnknownError("the property has no getter")
            return self.behind(
                inner, [*steps, ("field", "fget")], name, [*said, "the getter of a property"], cache
            )
        if kind == "functools.partial":
            inner = self.memory.number(address + FIRST_HELD)
            return self.behind(
                inner, [*steps, ("field", "func")], "", [*said, "a partial of it"], cache
            )
        if kind == "functools._lru_cache_wrapper":
            held = self.attributes(address)
            if "__wrapped__" not in held:
                raise UnknownError("what the lru_cache calls is not known to it")
            return self.behind(
                held["__wrapped__"],
                [*steps, ("held", "__wrapped__")],
                "",
                [*said, "the body behind an lru_cache"],
                steps,
            )
        if kind in BUILTINS:
            raise UnknownError(
                "%s is a builtin written in C: it has no code that could be exchanged; watch the functions that call it"
                " (`locard find`), or see `locard libcalls`" % name
            )
        if self.is_class(address):
            return self.behind_class(address, steps, said)
        return self.behind_object(address, steps, name, said, cache)

    def behind_function(
        self, address: int, steps: "list[Any]", name: str, said: "list[str]", cache: "Any"
    ) -> "list[Found]":
        """A function: it may wrap another."""
        own = self.own(address)
        if "registry" in own and "dispatch" in own:
            every = ", ".join(self.implementations(address))
            return [
                Found(
                    address,
                    steps,
                    [
                        *said,
                        "a single-dispatch function: the dispatcher; implementations: %s" % every,
                    ],
                    cache,
                )
            ]
        if "__wrapped__" in own:
            self.passed.add(address)
            words = "the body behind the wrapper %s" % self.label(address)
            return self.behind(
                own["__wrapped__"], [*steps, ("own", "__wrapped__")], "", [*said, words], cache
            )
        if name and self.text_of(address, "name") not in (name, "<lambda>"):
            for at, inner in enumerate(self.cells(address)):
                if inner and self.kind(inner) == "function" and self.text_of(inner, "name") == name:
                    words = "%s is bound to %s; this is the %s in its closure" % (
                        name,
                        self.label(address),
                        name,
                    )
                    return self.behind(inner, [*steps, ("cell", at)], "", [*said, words], cache)
            said = [*said, "the name %s is bound to %s" % (name, self.label(address))]
        return [Found(address, steps, said, cache)]

    def behind_class(self, address: int, steps: "list[Any]", said: "list[str]") -> "list[Found]":
        """A class: what runs where it is called."""
        for name in ("__init__", "__new__"):
            try:
                inner, more = self.member(address, name)
            except UnknownError:
                continue
            if self.kind(inner) in ("function", "staticmethod"):
                words = "a class: its %s, which also runs for classes made from it" % name
                return self.behind(inner, [*steps, *more], name, [*said, words], None)
        names = self.watchable(address)
        raise UnknownError(
            "the class has no __init__ or __new__ written in Python", tuple(names[:8])
        )

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

    def behind_object(
        self, address: int, steps: "list[Any]", name: str, said: "list[str]", cache: "Any"
    ) -> "list[Found]":
        """An instance: of functools, a decorator that is an object, or something else."""
        held = self.attributes(address)
        kind = self.kind(address).rpartition(".")[2]
        words = {"cached_property": "func", "partialmethod": "func", "singledispatchmethod": "func"}
        if kind in words and words[kind] in held:
            how = (
                "a partialmethod: it resolves to this one"
                if kind == "partialmethod"
                else "the body of a %s" % kind
            )
            return self.behind(held["func"], [*steps, ("held", "func")], "", [*said, how], cache)
        call = None
        try:
            inner, more = self.member(self.objects.type_of(address), "__call__")
            if self.kind(inner) == "function":
                call = Found(
                    inner,
                    [*steps, ("type", None), *more],
                    [*said, "the object before it: %s.__call__, of all its instances" % kind],
                )
        except UnknownError:
            pass
        if "__wrapped__" in held:
            body = self.behind(
                held["__wrapped__"],
                [*steps, ("held", "__wrapped__")],
                "",
                [*said, "the body behind an object of class %s" % kind],
                cache,
            )
            if call is not None:
                call.counted = True
                body.append(call)
            return body
        if call is not None:
            call.said = [*said, "an object: %s.__call__, of all its instances" % kind]
            return [call]
        raise UnknownError("%s is an object of class %s, which cannot be called" % (name, kind))

    def registry(self, dispatcher: int) -> "tuple[list[Any], int]":
        """(steps from the dispatcher, the dict) of a single-dispatch function's implementations."""
        dispatch = self.own(dispatcher)["dispatch"]
        for at, inner in enumerate(self.cells(dispatch)):
            if inner and self.kind(inner) == "dict":
                return [("own", "dispatch"), ("cell", at)], inner
        raise UnknownError("the registry of the single-dispatch function was not found")

    def implementations(self, dispatcher: int) -> "list[str]":
        """Classes for which it has one."""
        try:
            _, where = self.registry(dispatcher)
            return [
                self.objects.type_name(k).rpartition(".")[2] for k, _ in self.objects.items(where)
            ]
        except UnknownError:
            return []

    def implementation(self, address: int, steps: "list[Any]", key: str) -> "list[Found]":
        """The implementation of a single-dispatch function for one class."""
        if self.kind(address) != "function" or "registry" not in self.own(address):
            raise UnknownError("only a single-dispatch function has implementations in brackets")
        more, where = self.registry(address)
        for at, (one, function) in enumerate(self.objects.items(where)):
            if self.objects.type_name(one).rpartition(".")[2] == key:
                return self.behind(
                    function,
                    [*steps, *more, ("nth", at)],
                    "",
                    ["the implementation for %s" % key],
                    None,
                )
        raise UnknownError(
            "it has no implementation for %s" % key, tuple(self.implementations(address))
        )
