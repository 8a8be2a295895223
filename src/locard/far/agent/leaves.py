"""Values of Python's own modules as people write and compare them: dates, decimals, UUIDs, ranges, members of enumerations.

Only where the class is the one of the C library itself, whose methods run nothing of the application: its flags say
that nobody can have changed it. A time zone that is a class of Python's would be asked; its name stands there then.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.agent.boot import modules, quoted
    from locard.far.agent.reading import (
        MOST,
        TYPE_DICT,
        Module,
        Shown,
        Slot,
        UnreadableError,
        among,
        base_of,
        class_name,
        named_fields,
        raw_dict,
        show,
        type_name,
    )

TYPE_FLAGS = type.__dict__["__flags__"].__get__
HEAP, IMMUTABLE = 1 << 9, 1 << 8


def of_c(kind: "Any", module: str) -> str:
    """The name of a class that is written in C and cannot be changed, where it is of that module; else empty."""
    flags = TYPE_FLAGS(kind)
    if flags & HEAP and not flags & IMMUTABLE:
        return ""
    said = type.__dict__["__module__"].__get__(kind)
    return type_name(kind) if type(said) is str and said == module else ""


def show_known(thing: "Any", kind: "Any", depth: int, left: "Shown") -> "str | None":
    """A value as JSON; None where it is of no class that is known here."""
    if among(kind, (range, slice)):
        ends = [show(getattr(thing, n), 0, left) for n in ("start", "stop", "step")]
        return quoted("%s(%s)" % (type_name(kind), ", ".join(ends))) if depth >= 0 else None
    if kind is complex:
        return quoted(complex.__repr__(thing))
    name = of_c(kind, "datetime")
    if name:
        return show_time(thing, kind, name)
    if is_decimal(thing):
        return quoted("Decimal('%s')" % decimal_words(TYPE_DICT(kind)["as_tuple"](thing)))
    if of_c(kind, "collections") == "deque":
        return show_deque(thing, kind, depth, left)
    if kind is python_class("uuid", "UUID"):
        return show_uuid(thing, kind)
    if is_enumeration(kind):
        return quoted("<%s>" % member_name(thing, kind))
    return None


def show_time(thing: "Any", kind: "Any", name: str) -> "str | None":
    """A date, time, both, or a span of time."""
    own = TYPE_DICT(kind)
    if name == "timedelta":
        return quoted("timedelta(%s)" % own["__str__"](thing))
    if name == "date":
        return quoted(own["isoformat"](thing))
    if name not in ("datetime", "time"):
        return None
    zone = own["tzinfo"].__get__(thing)
    if zone is None or of_c(type(zone), "datetime") == "timezone":
        return quoted(own["isoformat"](thing))
    bare = own["isoformat"](own["replace"](thing, tzinfo=None))
    return quoted("%s [%s]" % (bare, class_name(type(zone))))


def decimal_words(parts: "Any") -> str:
    """A decimal number from its sign, digits and exponent: 12.30, 1E+9, NaN."""
    sign, digits, exponent = (tuple.__getitem__(parts, k) for k in range(3))
    lead = "-" if sign else ""
    if type(exponent) is str:
        return lead + {"F": "Infinity", "n": "NaN", "N": "sNaN"}.get(exponent, exponent)
    if len(digits) > 60:
        return "%s%s… %d digits, exponent %d" % (
            lead,
            "".join(map(str, digits[:20])),
            len(digits),
            exponent,
        )
    text = "".join(map(str, digits))
    if -20 < exponent < 0:
        text = text.rjust(1 - exponent, "0")
        return lead + text[:exponent] + "." + text[exponent:]
    return lead + text + ("E%+d" % exponent if exponent else "")


def show_deque(thing: "Any", kind: "Any", depth: int, left: "Shown") -> str:
    """The first items of a deque."""
    own = TYPE_DICT(kind)
    size = own["__len__"](thing)
    name = quoted(class_name(kind))
    if depth <= 0 and size:
        return '{"@":%s,"len":%d}' % (name, size)
    parts = [show(own["__getitem__"](thing, k), depth - 1, left) for k in range(min(size, MOST))]
    if size > MOST:
        parts.append('"… %d more"' % (size - MOST))
    return '{"@":%s,"items":[%s]}' % (name, ",".join(parts))


def python_class(module: str, name: str) -> "Any":
    """A class of a module that the application imported; a fresh object, which no type is, where there is none."""
    held = modules.get(module)
    found = Module.__dict__["__dict__"].__get__(held).get(name) if type(held) is Module else None
    return found if found is not None and base_of(type(found), (type,)) else object()


def show_uuid(thing: "Any", kind: "Any") -> "str | None":
    """A UUID by the number that it holds."""
    slot = TYPE_DICT(kind).get("int")
    held = slot.__get__(thing) if type(slot) is Slot else (raw_dict(thing) or {}).get("int")
    if type(held) is not int or not 0 <= held < 1 << 128:
        return None
    text = "%032x" % held
    return quoted("-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:])))


def is_enumeration(kind: "Any") -> bool:
    """Whether a class is an enumeration of Python's enum module."""
    meta = python_class("enum", "EnumMeta")
    return type(kind) is meta


def member_name(thing: "Any", kind: "Any") -> str:
    """`Color.RED: 1` for a member of an enumeration, else the class."""
    name = class_name(kind)
    if not is_enumeration(kind):
        return name
    held = raw_dict(thing) or {}
    word, value = held.get("_name_"), held.get("_value_")
    if type(word) is str:
        name += "." + word
    if among(type(value), (int, str)) and base_of(kind, (int,)) is None:
        name += ": %s" % (value if type(value) is int else str.__repr__(value))
    return name


def known_attribute(thing: "Any", kind: "Any", name: str) -> "Any":
    """Name and value of a member of an enumeration, a field of a named tuple; UnreadableError itself where neither."""
    if name in ("name", "value") and is_enumeration(kind):
        return (raw_dict(thing) or {}).get("_%s_" % name, UnreadableError)
    if base_of(kind, (tuple,)) is not None:
        fields = named_fields(kind, tuple.__len__(thing)) or ()
        for at, field in enumerate(fields):
            if field == name:
                return tuple.__getitem__(thing, at)
    return UnreadableError


def comparable(left: "Any", right: "Any") -> "tuple[Any, Any]":
    """Both as builtin values: of members that are also a text or number that, of decimals exact whole numbers."""
    left, right = bare(left), bare(right)
    if not (is_decimal(left) or is_decimal(right)):
        return left, right
    one, two = ratio(left), ratio(right)
    if one is None or two is None:
        return left, right
    return one[0] * two[1], two[0] * one[1]


def bare(thing: "Any") -> "Any":
    """What a member of an enumeration is besides, if it is a text or a number."""
    kind = type(thing)
    if base_of(kind, (str, int)) is None or not is_enumeration(kind):
        return thing
    held = (raw_dict(thing) or {}).get("_value_")
    return held if among(type(held), (str, int)) else thing


def is_decimal(thing: "Any") -> bool:
    """Whether it is a decimal number of the C library."""
    return of_c(type(thing), "decimal") == "Decimal"


def ratio(thing: "Any") -> "tuple[int, int] | None":
    """(numerator, denominator > 0) of a finite number of moderate size; None for all else."""
    if among(type(thing), (int, bool)):
        return int(thing), 1
    if type(thing) is float:
        return thing.as_integer_ratio() if thing - thing == 0 else None
    if not is_decimal(thing):
        return None
    sign, digits, exponent = (
        tuple.__getitem__(TYPE_DICT(type(thing))["as_tuple"](thing), k) for k in range(3)
    )
    if type(exponent) is not int or len(digits) > 60 or not -60 < exponent < 60:
        return None
    number = int("".join(map(str, digits)))
    number = -number if sign else number
    return (number * 10**exponent, 1) if exponent >= 0 else (number, 10**-exponent)
