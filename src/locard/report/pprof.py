"""Stacks as pprof reads them: profile.proto (google/pprof), written by hand and gzipped. For `go tool pprof FILE`."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

from locard.report.stack_files import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from locard.model.kernel_facts import CountedStack

_FRAME = re.compile(r"(?P<name>.*) \((?P<file>[^()]*):(?P<line>[0-9]{1,9})\)")
# What a value counts: its kind and unit in the file, and how many of these one of ours is.
_UNITS = {"s": ("time", "nanoseconds", 1e9), "bytes": ("space", "bytes", 1.0)}
_VARINT, _BYTES = 0, 2  # wire types
_MORE = 0x80


def encoded(stacks: Sequence[CountedStack], seconds: float = 0.0) -> bytes:
    """One gzipped Profile: a Sample for each stack, labelled with its thread and pid; `seconds`: how long it took."""
    unit = stacks[0].unit if stacks else "samples"
    kind, named, scale = _UNITS.get(unit, (unit, "count", 1.0))
    tables = _Tables()
    samples = []
    for stack in stacks:
        places = [tables.location(plain(f)) for f in reversed(stack.frames)]
        body = _packed(1, places) + _packed(2, [round(stack.value * scale)])
        if stack.thread:
            text = tables.text(plain(stack.thread))
            body += _message(3, _number(1, tables.text("thread")) + _number(2, text))
        if stack.pid is not None:
            body += _message(3, _number(1, tables.text("pid")) + _number(3, stack.pid))
        samples.append(_message(2, body))
    counted = _number(1, tables.text(kind)) + _number(2, tables.text(named))
    whole = b"".join(
        (
            _message(1, counted),
            *samples,
            *tables.locations,
            *tables.functions,
            *(_message(6, text.encode("utf-8", "replace")) for text in tables.texts),
            _number(10, round(seconds * 1e9)),
        )
    )
    return gzip.compress(whole, mtime=0)


class _Tables:
    """Texts, functions and locations, each once; numbers of the latter two begin with 1."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {"": 0}
        self.functions: list[bytes] = []
        self.locations: list[bytes] = []
        self._functions: dict[tuple[str, str], int] = {}
        self._locations: dict[str, int] = {}

    def text(self, text: str) -> int:
        """The number of a text."""
        return self.texts.setdefault(text, len(self.texts))

    def location(self, frame: str) -> int:
        """The number of a frame such as `pay (app/shop.py:7)`; a frame of another form has no file and no line."""
        if frame not in self._locations:
            found = _FRAME.fullmatch(frame)
            name, file, line = found.groups() if found else (frame, "", "0")
            number = self._locations[frame] = len(self._locations) + 1
            at = _number(1, self._function(name, file)) + _number(2, int(line))
            self.locations.append(_message(4, _number(1, number) + _message(4, at)))
        return self._locations[frame]

    def _function(self, name: str, file: str) -> int:
        key = name, file
        if key not in self._functions:
            number = self._functions[key] = len(self._functions) + 1
            text = self.text(name)
            # Without a system name nobody "demangles" it: `<module>` would be shown as unknown.
            fields = ((1, number), (2, text), (4, self.text(file)))
            self.functions.append(_message(5, b"".join(_number(*f) for f in fields)))
        return self._functions[key]


def _varint(value: int) -> bytes:
    """A number in groups of seven bits, the lowest first."""
    found = bytearray()
    while value >= _MORE:
        found.append(value & (_MORE - 1) | _MORE)
        value >>= 7
    found.append(value)
    return bytes(found)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(value) if value else b""


def _message(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(len(body)) + body


def _packed(field: int, values: Iterable[int]) -> bytes:
    return _message(field, b"".join(map(_varint, values)))
