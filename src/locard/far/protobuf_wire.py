"""The wire format of protocol buffers: fields of a message, each number and length checked.

All of it raises GarbledError, and nothing else, on bytes that are no such message.
Source: the protocol buffers encoding guide.
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, List, Tuple

    Span = Tuple[int, int]

MOST_BUCKETS = 10000  # of one repeated field: a hostile one is as long as it likes
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class GarbledError(ValueError):
    """Bytes that are no such message."""


def varint(data: bytes, at: int, end: int) -> "Tuple[int, int]":
    """A number and where it ends."""
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise GarbledError


def fields(data: bytes, at: int, end: int) -> "Iterator[Tuple[int, int, Any]]":
    """Number, wire type and value of each field; of bytes the value is where they begin and end."""
    value = None  # type: Any
    while at < end:
        tag, at = varint(data, at, end)
        wire = tag & 7
        if wire == VARINT:
            value, at = varint(data, at, end)
        elif wire in {FIXED64, FIXED32}:
            size = 8 if wire == FIXED64 else 4
            if at + size > end:
                raise GarbledError
            value = data[at : at + size]
            at += size
        elif wire == BYTES:
            size, at = varint(data, at, end)
            if at + size > end:
                raise GarbledError
            value = (at, at + size)
            at += size
        else:
            raise GarbledError
        if tag < 8:  # there is no field 0
            raise GarbledError
        yield tag >> 3, wire, value


def of_wire(wire: int, wanted: int) -> None:
    """A known field of another kind: not what it seems to be."""
    if wire != wanted:
        raise GarbledError


def string(data: bytes, wire: int, span: "Any") -> str:
    """A text; bytes that are no UTF-8 become U+FFFD."""
    of_wire(wire, BYTES)
    return data[span[0] : span[1]].decode("utf-8", "replace")


def double(wire: int, value: "Any") -> float:
    """A float of 64 bits."""
    of_wire(wire, FIXED64)
    return float(struct.unpack("<d", value)[0])


def signed(value: int) -> int:
    """An int64 from its two's complement."""
    return value - (1 << 64) if value >> 63 else value


def zigzag(value: int) -> int:
    """A sint64 from what it is written as."""
    return (value >> 1) ^ -(value & 1)


def many(data: bytes, wire: int, value: "Any") -> "List[int]":
    """The numbers of a repeated field, packed or not."""
    if wire == VARINT:
        return [value]
    of_wire(wire, BYTES)
    at, end = value
    found = []  # type: List[int]
    while at < end and len(found) <= MOST_BUCKETS:
        one, at = varint(data, at, end)
        found.append(one)
    return found


def many_doubles(data: bytes, wire: int, value: "Any") -> "List[float]":
    """The same for floats."""
    if wire == FIXED64:
        return [double(wire, value)]
    of_wire(wire, BYTES)
    at, end = value
    if (end - at) % 8:
        raise GarbledError
    return list(struct.unpack("<%dd" % ((end - at) // 8), data[at:end]))
