"""A page of metrics as protobuf, with one native histogram: as client libraries write it for Prometheus."""

from __future__ import annotations

import struct

KIND = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)
_HISTOGRAM = 4  # of MetricType


def histogram(name, n):
    """At the nth scrape, in buckets of powers of two: n in [-2, -1), 1 at zero, 2n in (1, 2], n in (2, 4]."""
    body = b"".join([
        _number(1, 4 * n + 1), _double(2, 4.5 * n),
        _number(5, _zigzag(0)), _double(6, 0.001), _number(7, 1),
        _span(9, 1, 1), _number(10, _zigzag(n)),
        _span(12, 1, 2), _number(13, _zigzag(2 * n)), _number(13, _zigzag(-n)),
    ])  # fmt: skip
    metric = _bytes(1, _bytes(1, b"pod") + _bytes(2, b"a")) + _bytes(7, body)
    family = _bytes(1, name.encode()) + _number(3, _HISTOGRAM) + _bytes(4, metric)
    return _varint(len(family)) + family


def _varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _zigzag(value):
    return value << 1 if value >= 0 else (-value << 1) - 1


def _number(field, value):
    return _varint(field << 3) + _varint(value)


def _double(field, value):
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _bytes(field, value):
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _span(field, offset, length):
    return _bytes(field, _number(1, _zigzag(offset)) + _number(2, length))
