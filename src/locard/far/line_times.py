"""The time of a line before it is parsed: to order files, and to seek in them, here and at a place.

Only a few lines are looked at; records get their times from `clock`. Standard library only, Python 3.6.
"""

import datetime as dt
import os
import re

_ISO = re.compile(
    rb"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s?(Z|UTC|[+-]\d\d:?\d\d)?"
)
_CLF = re.compile(rb"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})")
_EPOCH = re.compile(
    rb'"(?:[\w@.]*(?:time|ts|TIMESTAMP|Nano|timestamp|epochSecond|date))"\s*:\s*"?(1\d{9,18}(?:\.\d+)?)'
)
_BARE = re.compile(rb"^\W?(1\d{9}(?:\d{3}){0,3}(?:\.\d+)?)\b")
_MONTHS = {m: i for i, m in enumerate(
    (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"), 1,
)}  # fmt: skip
_LOOKED_AT = 4096  # bytes of a line
_PIECE = 1 << 16
_NEAR = 1 << 20  # bytes between which no more halving pays
_AT_LEAST = 32 << 20  # bytes are read anyway: a baseline may lie before the window


def time_of(line: bytes) -> "float | None":
    """Unix time in s of a line, by the first time in it; a time without a zone is read as UTC."""
    line = line[:_LOOKED_AT]
    try:
        found = _ISO.search(line)
        if found:
            return _from_parts([int(x) for x in found.groups()[:6]], found[8], found[7])
        found = _CLF.search(line)
        if found:
            day, month, year, *clock = found.groups()[:6]
            parts = [int(year), _MONTHS[month], int(day), *map(int, clock)]
            return _from_parts(parts, found[7], None)
        found = _EPOCH.search(line) or _BARE.search(line)
        if found:
            value = float(found[1])
            while value > 1e11:
                value /= 1000
            return value
    except (ValueError, KeyError, OverflowError):
        return None
    return None


def _from_parts(parts: "list[int]", zone: "bytes | None", fraction: "bytes | None") -> float:
    year, month, day, hour, minute, second = parts
    moment = dt.datetime(year, month, day, hour, minute, min(second, 59), tzinfo=dt.timezone.utc)
    shift = 0
    if zone and zone[:1] in b"+-":
        shift = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
        shift = -shift if zone[:1] == b"-" else shift
    return moment.timestamp() - shift + (float(b"0." + fraction) if fraction else 0.0)


def first_time(data: bytes) -> "float | None":
    """The time of the first line that has one."""
    return next((t for t in map(time_of, data.split(b"\n")) if t is not None), None)


def last_time(data: bytes) -> "float | None":
    """The time of the last line that has one."""
    return next((t for t in map(time_of, reversed(data.split(b"\n"))) if t is not None), None)


def offset_since(fd: int, size: int, since_s: float) -> int:
    """Where to begin to read a file so that its last `since_s` seconds are read; 0 where unsure.

    A line that begins there or later is not older, as far as lines are in order. What is small is read
    whole: an onset before the window is told by it.
    """
    if size <= _AT_LEAST:
        return 0
    newest = last_time(os.pread(fd, _PIECE, max(0, size - _PIECE)))
    oldest = first_time(os.pread(fd, _PIECE, 0))
    if newest is None or oldest is None or oldest >= newest - since_s:
        return 0
    target = newest - since_s
    low, high = 0, size
    while high - low > _NEAR:
        middle = (low + high) // 2
        here = _time_at(fd, middle)
        if here is None:
            return low  # no times around there: rather read too much
        if here < target:
            low = middle
        else:
            high = middle
    # To the start of a line.
    piece = os.pread(fd, _PIECE, low)
    end = piece.find(b"\n")
    return low + end + 1 if low and end >= 0 else low if not low else 0


def _time_at(fd: int, offset: int) -> "float | None":
    """The time of the first whole line after an offset."""
    piece = os.pread(fd, _PIECE, offset)
    return first_time(piece[piece.find(b"\n") + 1 :])
