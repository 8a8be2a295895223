"""Reads and shows objects of the application without running any of its code.

An attribute comes from where the C layout keeps it: a slot's own descriptor, or what `object.__getattribute__` finds
where no class of the object says otherwise. What would be computed (a property, `__getattr__`, another
`__getattribute__`) raises UnreadableError. Text is bounded: `ROOM` characters an event, `MOST` items a container.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.agent.boot import ESCAPES, modules, quoted
    from locard.far.agent.leaves import comparable, known_attribute, member_name, show_known

ROOM, MOST, LONGEST = 4096, 20, 200
TYPE_DICT = type.__dict__["__dict__"].__get__
TYPE_MRO = type.__dict__["__mro__"].__get__
TYPE_QUALNAME = type.__dict__["__qualname__"].__get__
TRACE_OF = BaseException.__dict__["__traceback__"].__get__
Function = type(lambda: 0)
Module = type(modules["sys"])
Code = type(Function.__dict__["__code__"].__get__(lambda: 0))
Slot = type(Function.__dict__["__closure__"])  # member_descriptor
GetSet = type(Function.__dict__["__code__"])
GENERICS = tuple(
    [
        one.__dict__["__getattribute__"]
        for one in (
            object,
            BaseException,
            dict,
            list,
            tuple,
            set,
            frozenset,
            str,
            bytes,
            int,
            float,
        )
        if "__getattribute__" in one.__dict__
    ]
)
get_generic = object.__getattribute__
PLAIN = (int, float, str, bool, type(None), bytes, bytearray, complex)  # the frequent ones first
ORDERED = (int, float, bool)


def among(kind: "Any", kinds: "Any") -> bool:
    """Whether a type is one of some: by identity, since a metaclass may compare and hash as it likes."""
    for one in kinds:  # noqa: SIM110 - any() would make a generator of it
        if kind is one:
            return True
    return False


def plain(text: "Any") -> str:
    """A name as a text of exact type: names may be of a class of the application's, which is never asked."""
    if type(text) is str:
        return text
    return str.__str__(text) if base_of(type(text), (str,)) is not None else "?"


def type_name(kind: "Any") -> str:
    """The qualified name of a class."""
    return plain(TYPE_QUALNAME(kind))


def place_of(code: "Any", line: int) -> str:
    """`Order.pay (shop.py:12)`."""
    return "%s (%s:%d)" % (
        plain(getattr(code, "co_qualname", code.co_name)), plain(code.co_filename), line
    )  # fmt: skip


OUR_ERRORS = (
    AttributeError, BufferError, IndexError, KeyError, MemoryError, NameError, OverflowError, RecursionError,
    RuntimeError, TypeError, UnboundLocalError, UnicodeDecodeError, UnicodeEncodeError, ValueError, ZeroDivisionError,
)  # fmt: skip


def is_ours(error: BaseException) -> bool:
    """Whether an exception was raised by us.

    Those of signal handlers and of other threads (PyThreadState_SetAsyncExc) come up in our frames too, and are the
    application's: ours are of a few classes of Python's own.
    """
    if not among(type(error), OUR_ERRORS) and type(error) is not UnreadableError:
        return False
    trace = TRACE_OF(error)
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return True
    file = trace.tb_frame.f_code.co_filename
    return type(file) is str and file == "<locard>"


class UnreadableError(Exception):
    """It cannot be read without running the application's code."""


def base_of(kind: "Any", bases: "tuple[Any, ...]") -> "Any":
    """Which of some builtin types a type is made from; None where of none."""
    for one in TYPE_MRO(kind):
        if among(one, bases):
            return one
    return None


def raw_dict(thing: "Any") -> "Any":
    """The dict of an instance, by the descriptor that CPython made; None where it has none of its own."""
    for kind in TYPE_MRO(type(thing)):
        found = TYPE_DICT(kind).get("__dict__")
        if found is not None:
            if type(found) is not GetSet:
                raise UnreadableError("its __dict__ is computed")
            held = found.__get__(thing)
            return held if type(held) is dict else None
    return None


def kept(kind: "Any", name: str) -> "Any":
    """What the classes of an object say of a name; UnreadableError itself where they say nothing."""
    for one in TYPE_MRO(kind):
        held = TYPE_DICT(one)
        if name in held:
            return held[name]
    return UnreadableError


def attribute(thing: "Any", name: str) -> "Any":
    """An attribute as it is stored; raises UnreadableError."""
    kind = type(thing)
    if kind is Module:
        held = Module.__dict__["__dict__"].__get__(thing)
        if name in held:
            return held[name]
        raise UnreadableError("the module has no " + name)
    if base_of(kind, (type,)):
        return kept_by(TYPE_MRO(thing), name)
    if not among(kept(kind, "__getattribute__"), GENERICS):
        raise UnreadableError(type_name(kind) + " computes its attributes")
    said = kept(kind, name)
    own = type(said) is GetSet and said is not None and of_exceptions(said, name)
    if type(said) is Slot or own:
        try:
            return said.__get__(thing)
        except AttributeError:
            raise UnreadableError("the slot is empty") from None
    known = known_attribute(thing, kind, name)
    if known is not UnreadableError:
        return known
    if said is not UnreadableError and not among(type(said), PLAIN) and type(said) is not Function:
        held = raw_dict(thing) or {}
        if name in held and gives_way(type(said)):
            return held[name]
        raise UnreadableError(name + " is computed (" + type_name(type(said)) + ")")
    if kept(kind, "__dict__") is not UnreadableError and type(kept(kind, "__dict__")) is not GetSet:
        raise UnreadableError("its __dict__ is computed")
    try:
        return get_generic(thing, name)
    except AttributeError:
        raise UnreadableError("it holds no " + name) from None


def gives_way(kind: "Any") -> bool:
    """Whether a descriptor is one before which what the instance holds comes: it sets nothing.

    Those of SQLAlchemy do set, and give what the instance holds.
    """
    if kept(kind, "__set__") is UnreadableError and kept(kind, "__delete__") is UnreadableError:
        return True
    module = TYPE_DICT(kind).get("__module__")
    return type(module) is str and module == "sqlalchemy.orm.attributes"


def kept_by(kinds: "Any", name: str) -> "Any":
    """A class's own attribute; raises UnreadableError."""
    for one in kinds:
        held = TYPE_DICT(one)
        if name in held:
            if not among(type(held[name]), PLAIN):
                raise UnreadableError(name + " is computed")
            return held[name]
    raise UnreadableError("the class has no " + name)


def of_exceptions(said: "Any", name: str) -> bool:
    """Whether a descriptor is one of Python's own exceptions (args, errno)."""
    return said is TYPE_DICT(BaseException).get(name) or said is TYPE_DICT(OSError).get(name)


def item(thing: "Any", key: "Any") -> "Any":
    """An item of a builtin container (or of a class made from one, by the container's own storage)."""
    base = base_of(type(thing), (dict, list, tuple))
    if base is dict:
        for turn, (one, value) in enumerate(dict.items(thing)):
            if type(one) is type(key) and one == key:
                return value
            if turn > 10000:
                raise UnreadableError("the dict has more than 10,000 entries")
        raise UnreadableError("the dict has no such key")
    if base is not None and type(key) is int:
        if -base.__len__(thing) <= key < base.__len__(thing):
            return base.__getitem__(thing, key)
        raise UnreadableError("it has no item %d" % key)
    raise UnreadableError(type_name(type(thing)) + " has no items that can be read")


def length(thing: "Any") -> int:
    """How many items a builtin container holds, or characters a text has."""
    base = base_of(type(thing), (dict, list, tuple, str, bytes, bytearray, set, frozenset))
    if base is None:
        raise UnreadableError("its length is computed")
    return int(base.__len__(thing))


def compared(how: str, left: "Any", right: "Any") -> bool:
    """A comparison of two values of exact builtin types, or decimals; raises UnreadableError."""
    if how == "is":
        return left is right
    one, two = type(left), type(right)
    if not (among(one, PLAIN) and among(two, PLAIN)):
        left, right = comparable(left, right)
        one, two = type(left), type(right)
    if not (among(one, PLAIN) and among(two, PLAIN)):
        raise UnreadableError(
            "only numbers, text and None are compared, not "
            + type_name(two if among(one, PLAIN) else one)
        )
    if how == "==":
        return bool(left == right)
    if not (
        (among(one, ORDERED) and among(two, ORDERED)) or (one is two and among(one, (str, bytes)))
    ):
        raise UnreadableError("%s and %s have no order" % (type_name(one), type_name(two)))
    return bool(
        left < right
        if how == "<"
        else left <= right
        if how == "<="
        else left > right
        if how == ">"
        else left >= right
    )


def contained(thing: "Any", where: "Any") -> bool:
    """Whether a text is part of a text, or a plain value in a builtin container of at most 10,000."""
    if type(where) is str and type(thing) is str:
        return thing in where
    base = base_of(type(where), (dict, list, tuple, set, frozenset))
    if base is None or not among(type(thing), PLAIN) or base.__len__(where) > 10000:
        raise UnreadableError("what it holds cannot be read")
    return any(type(one) is type(thing) and one == thing for one in base.__iter__(where))


def truth(thing: "Any") -> bool:
    """Whether it is true, for builtin values."""
    if among(type(thing), PLAIN):
        return bool(thing)
    return length(thing) > 0


# -- showing ----------------------------------------------------------------------------------


class Shown:
    """One event's text: how much room is left."""

    __slots__ = ("room",)

    def __init__(self) -> None:
        """All of it."""
        self.room = ROOM


def class_name(kind: "Any") -> str:
    """A class with its module, where it is none of Python's own."""
    module = TYPE_DICT(kind).get("__module__")
    name = type_name(kind)
    return (
        name
        if type(module) is not str or module in ("builtins", "__main__")
        else module + "." + name
    )


def show(thing: "Any", depth: int, left: Shown) -> str:
    """A value as JSON; objects are {"@": class, ...}, what was cut ends in an ellipsis with how much more."""
    left.room -= 8
    if left.room < 0:
        return '"…"'
    kind = type(thing)
    if thing is None:
        return "null"
    if kind is bool:
        return "true" if thing else "false"
    if kind is int:
        return show_int(thing)
    if kind is float:
        return float.__repr__(thing) if thing - thing == 0 else quoted(float.__repr__(thing))
    base = base_of(
        kind,
        (str, bytes, bytearray, list, tuple, dict, set, frozenset, int, float, BaseException, type),
    )
    try:
        return show_by(thing, kind, base, depth, left)
    except UnreadableError as why:
        return quoted("<%s: %s>" % (class_name(kind), why))
    except Exception as error:
        if not is_ours(error):
            raise
        return quoted("<%s: %s while it was read>" % (class_name(kind), type(error).__name__))


def show_int(thing: int) -> str:
    """A number; beyond 128 bits its size, since text of it would take long."""
    bits = int.bit_length(thing)
    if bits <= 53:
        return int.__repr__(thing)
    return quoted(int.__repr__(thing) if bits <= 128 else "<int of %d bits>" % bits)


def show_by(thing: "Any", kind: "Any", base: "Any", depth: int, left: Shown) -> str:
    """By the builtin type that it is made from."""
    if base is str or base is bytes or base is bytearray:
        return show_text(thing, kind, base, left)
    if base is int:
        return quoted(
            "<%s %s>" % (member_name(thing, kind), show_int(int.__int__(thing)).strip('"'))
        )
    if base is float:
        return quoted("<%s %s>" % (class_name(kind), float.__repr__(float.__float__(thing))))
    if base is type:
        return quoted("<class %s>" % class_name(thing))
    if base is BaseException:
        args = BaseException.__dict__["args"].__get__(thing)
        return '{"@":%s,"args":%s}' % (
            quoted(class_name(kind)),
            show(args, max(1, depth), left),
        )
    if base is not None:
        return show_container(thing, kind, base, depth, left)
    if kind is Function:
        return quoted("<function %s>" % plain(Function.__dict__["__qualname__"].__get__(thing)))
    known = show_known(thing, kind, depth, left)
    if known is not None:
        return known
    return show_instance(thing, kind, depth, left)


def show_text(thing: "Any", kind: "Any", base: "Any", left: Shown) -> str:
    """A text or bytes: the beginning."""
    size = base.__len__(thing)
    most = min(LONGEST, max(left.room, 0))
    part = base.__getitem__(thing, slice(0, most))
    words = str.__str__(part) if base is str else ascii(bytes(part))[1:]
    if base is not str:
        words = "b" + words
    left.room -= len(words)
    more = "… %d more" % (size - most) if size > most else ""
    name = "" if kind is base else "<%s> " % class_name(kind)
    return quoted(name + words + more)


def show_container(thing: "Any", kind: "Any", base: "Any", depth: int, left: Shown) -> str:
    """The first items of a builtin container."""
    size = base.__len__(thing)
    name = quoted(class_name(kind))
    if depth <= 0 and size:
        return '{"@":%s,"len":%d}' % (name, size)
    parts = []  # type: list[str]
    if base is dict:
        for key, value in dict.items(thing):
            if len(parts) == MOST or left.room < 0:
                break
            word = show(key, 0, left)
            parts.append(
                (word if word[0] == '"' else quoted(word)) + ":" + show(value, depth - 1, left)
            )
        if kind is not dict:
            parts.insert(0, '"@":' + name)
        if size > MOST:
            parts.append('"…":"%d more"' % (size - MOST))
        return "{" + ",".join(parts) + "}"
    fields = named_fields(kind, size) if base is tuple else None
    if fields:
        pairs = zip(fields, tuple.__iter__(thing))
        parts = [quoted(n) + ":" + show(v, depth - 1, left) for n, v in pairs]
        return "{" + ",".join(['"@":' + name, *parts]) + "}"
    for value in base.__iter__(thing):
        if len(parts) == MOST or left.room < 0:
            break
        parts.append(show(value, depth - 1, left))
    if size > len(parts):
        parts.append('"… %d more"' % (size - len(parts)))
    listed = "[" + ",".join(parts) + "]"
    return listed if among(kind, (list, tuple)) else '{"@":%s,"items":%s}' % (name, listed)


def named_fields(kind: "Any", size: int) -> "Any":
    """The names of a named tuple's items, so that what is secret by its name is known; None for others."""
    fields = kept(kind, "_fields")
    if (
        type(fields) is tuple
        and len(fields) == size <= MOST
        and all(type(f) is str for f in fields)
    ):
        return fields
    return None


def show_instance(thing: "Any", kind: "Any", depth: int, left: Shown) -> str:
    """An object: its class, and what it holds, where that can be read."""
    name = quoted(class_name(kind))
    if depth <= 0 or not among(kept(kind, "__getattribute__"), GENERICS):
        return '{"@":%s}' % name
    parts = []  # type: list[str]
    for one in TYPE_MRO(kind):
        for word, said in TYPE_DICT(one).items():
            if type(said) is Slot and one is not object and type(word) is str and len(parts) < MOST:
                try:
                    parts.append(quoted(word) + ":" + show(said.__get__(thing), depth - 1, left))
                except AttributeError:
                    continue
    held = raw_dict(thing)
    if held:
        for word, value in dict.items(held):
            if len(parts) == MOST or left.room < 0:
                parts.append('"…":"%d more"' % (len(held) - MOST))
                break
            if type(word) is str:
                parts.append(quoted(word) + ":" + show(value, depth - 1, left))
    if not parts and held is None:
        parts.append('"…":"not read"')  # it is kept by code written in C
    return "{" + ",".join(['"@":' + name, *parts]) + "}"
