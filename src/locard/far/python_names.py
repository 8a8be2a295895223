"""Functions of a CPython by their names, found from outside: what stands behind decorators, caches, properties.

Stands behind `far/python_functions.py` in one namespace. A function is told by its address and by steps that lead to
it from sys.modules, which code inside can follow without running anything of the application.
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.python_functions import BUILTINS, FIRST_HELD, TP_DICT, Functions, UnknownError
    from locard.far.python_objects import MODULE_DICT, Objects


PAGE_0 = 4096  # what is below it is an index, no address (static types of 3.12 and later)
PROXY_WRAPPED = 24  # behind the head and the dict of an instance
WRAPPED_KINDS = (
    "function",
    "method",
    "staticmethod",
    "classmethod",
    "property",
    "functools.partial",
)


class Found:
    """One function: where it is, how it is reached, what was passed on the way (`said`)."""

    def __init__(
        self, address: int, steps: "list[Any]", said: "list[str]", cache: "list[Any] | None" = None
    ) -> None:
        """`cache`: the steps to an lru_cache that stands before it."""
        self.address, self.steps, self.said, self.cache = address, steps, said, cache
        self.spec = ""  # by which name it was asked for
        self.counted = False  # only counted, no events: an object before the body


class Names(Functions):
    """The names of one interpreter."""

    def __init__(self, objects: "Objects", interpreter: int) -> None:
        """Reads sys.modules."""
        Functions.__init__(self, objects)
        self.passed = set()  # type: set[int] # wrappers on the way to a body
        modules = self.memory.number(interpreter + self.at["interpreter.modules"])
        self.modules = {}  # type: dict[str, int]
        for key, value in objects.items(modules):
            try:
                self.modules[objects.name(key)] = value
            except (OSError, ValueError, struct.error):
                continue

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
            return self.owner(parts), parts
        if module not in self.modules:
            last = module.rpartition(".")[2]
            like = [m for m in sorted(self.modules) if m.rpartition(".")[2] == last or module in m]
            ends = [m for m in like if m.endswith("." + module)]
            if len(ends) != 1:
                raise UnknownError("no module %s was imported" % module, tuple(like[:5]))
            module = ends[0]
        return module, [p for p in rest.split(".") if p]

    def owner(self, parts: "list[str]") -> str:
        """The one module in which a name was made; raises UnknownError."""
        found = []
        for module, address in sorted(self.modules.items()):
            try:
                if self.kind(address) != "module":
                    continue
                value = self.objects.lookup(self.memory.number(address + MODULE_DICT), parts[0])
                if value and self.is_own(value, module):
                    found.append(module)
            except (OSError, ValueError, struct.error):
                continue
        if len(found) == 1:
            return found[0]
        near = tuple("%s:%s" % (m, ".".join(parts)) for m in found)
        near = near or tuple(m for m in sorted(self.modules) if m.rpartition(".")[2] == parts[0])
        many = "%d modules have %s of their own" % (len(found), parts[0])
        none = "no module has %s of its own: names are module:function (locard find)" % parts[0]
        raise UnknownError(many if found else none, near[:5])

    def is_own(self, address: int, module: str) -> bool:
        """Whether a function or class was made in that module."""
        if self.is_class(address):
            space = self.memory.number(address + TP_DICT)
            where = self.objects.lookup(space, "__module__") if space > PAGE_0 else 0
            return bool(where) and self.objects.name(where) == module
        return self.kind(address) == "function" and self.text_of(address, "module") == module

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
                "%s is a builtin written in C: it has no code that could be exchanged" % name,
                code=self.c_function(address),
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
                if more and more[0][0] == "base":
                    words = (
                        "a class: the %s that it inherits, which runs for whoever else has it"
                        % name
                    )
                return self.behind(inner, [*steps, *more], name, [*said, words], None)
        names = self.watchable(address)
        raise UnknownError(
            "the class has no __init__ or __new__ written in Python", tuple(names[:8])
        )

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
        inner = self.wrapped_in_c(address)
        if inner:
            words_ = "the body behind an object of class %s, written in C" % kind
            return self.behind(inner, [*steps, ("kept", "__wrapped__")], "", [*said, words_], cache)
        if call is not None:
            call.said = [*said, "an object: %s.__call__, of all its instances" % kind]
            return [call]
        if self.has(address, "__get__"):
            raise UnknownError(
                "%s is a descriptor of class %s: what it gives is made by its __get__, which can be watched"
                % (name, kind)
            )
        if self.has(address, "__call__"):
            raise UnknownError(
                "%s is an object of class %s, which is called by code written in C" % (name, kind)
            )
        raise UnknownError("%s is an object of class %s, which cannot be called" % (name, kind))

    def has(self, address: int, name: str) -> bool:
        """Whether the class of an object has a name."""
        try:
            self.member(self.objects.type_of(address), name)
        except UnknownError:
            return False
        return True

    def wrapped_in_c(self, address: int) -> int:
        """What a proxy object written in C wraps (wrapt's, of which other libraries' are made); 0 where it is none."""
        try:
            said, _ = self.member(self.objects.type_of(address), "__wrapped__")
            if self.kind(said) != "getset_descriptor":
                return 0
            inner = self.memory.number(address + PROXY_WRAPPED)
            return inner if inner and self.kind(inner) in WRAPPED_KINDS else 0
        except (UnknownError, OSError, ValueError, struct.error):
            return 0

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
