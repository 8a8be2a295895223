"""Writes io.prometheus.client.MetricFamily as its specification says, for tests: fields are (number, value).

An int is a varint, a float 64 bits, bytes and text have their length before them, a list is a message.
"""

from __future__ import annotations

import struct


def varint(value):
    value &= 0xFFFFFFFFFFFFFFFF
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def zigzag(value):
    return value << 1 if value >= 0 else (-value << 1) - 1


def message(*fields):
    out = b""
    for number, value in fields:
        if isinstance(value, float):
            out += varint(number << 3 | 1) + struct.pack("<d", value)
        elif isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            data = message(*data) if isinstance(data, list) else data
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def family(name, kind, *metrics, words="", unit=""):
    """One delimited family; a metric is a list of fields."""
    fields = [(1, name), (2, words), (3, kind), *((4, m) for m in metrics), (5, unit)]
    data = message(*(f for f in fields if f[1] != ""))
    return varint(len(data)) + data


def label(name, value):
    return (1, [(1, name), (2, value)])
