"""Compressed logs, gzip and zstd, wherever they come from; what is whole is read."""

from __future__ import annotations

import time
import zlib
from typing import TYPE_CHECKING, Protocol

from locard.model.errors import SourceUnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_OTHERS = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"PK\x03\x04": "zip"}
READ_BYTES = 1 << 16
_WINDOW_BYTES = 256 << 20  # of zstd --long; more memory is not given
_ZSTD_PIECE = 1 << 10  # a block of 128 KiB may stand in 4 bytes: so much gives 32 MiB at most


class _Damaged(Exception):  # noqa: N818 - it ends a loop and reaches nobody
    """The compressed data makes no sense."""


class _Member(Protocol):
    """One gzip member or zstd frame."""

    @property
    def ended(self) -> bool:
        """Whether all of it was there."""

    def unpack(self, data: bytes, most: int) -> tuple[bytes, bytes]:
        """What a piece of the data stands for (about `most` bytes), and the data that is left."""


class _Gzip:
    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)

    @property
    def ended(self) -> bool:
        return self._inflate.eof

    def unpack(self, data: bytes, most: int) -> tuple[bytes, bytes]:
        try:
            out = self._inflate.decompress(data, most)
        except zlib.error as error:
            raise _Damaged(str(error)) from error
        rest = self._inflate.unused_data if self.ended else self._inflate.unconsumed_tail
        return out, rest


class _Zstd:
    def __init__(self) -> None:
        import zstandard  # noqa: PLC0415 - 10 ms that only such logs pay

        self._error = zstandard.ZstdError
        self._frame = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES).decompressobj()

    @property
    def ended(self) -> bool:
        return self._frame.eof

    def unpack(self, data: bytes, _: int) -> tuple[bytes, bytes]:
        try:
            out = self._frame.decompress(data[:_ZSTD_PIECE])
        except self._error as error:
            raise _Damaged(str(error)) from error
        return out, self._frame.unused_data + data[_ZSTD_PIECE:]


_KINDS: dict[bytes, tuple[str, type[_Gzip | _Zstd]]] = {
    _GZIP: ("gzip", _Gzip),
    _ZSTD: ("zstd", _Zstd),
}


class Unpacking:
    """The content of compressed data, member by member, a bounded piece at a time."""

    def __init__(self, name: str, kind: str, begin: Callable[[], _Member], head: bytes) -> None:
        """`head` are the first bytes of the data; `name` is the source's."""
        self._name, self._kind, self._begin = name, kind, begin
        self._packed = head
        self._member: _Member | None = None
        self._given = False
        self.trouble = ""  # why it ended before the end, in words

    def next(self, read: Callable[[int], bytes], most: int, deadline: float) -> bytes:
        """Up to about `most` bytes of content; none at the end. `read` gives more of the data."""
        out = bytearray()
        while len(out) < most and not self.trouble:
            if time.monotonic() > deadline:
                self.trouble = "the time budget ended"
                break
            if not self._packed:
                self._packed = read(READ_BYTES)
            if not self._packed:
                if self._member is not None:
                    self.trouble = f"its {self._kind} data ends in the middle"
                break
            self._step(out, most)
        self._given = self._given or bool(out)
        return bytes(out)

    def _step(self, out: bytearray, most: int) -> None:
        if self._member is None:
            self._packed = self._packed.lstrip(b"\0")  # padding between members
            if not self._packed:
                return
            self._member = self._begin()
        try:
            piece, self._packed = self._member.unpack(self._packed, most - len(out))
        except _Damaged as error:
            if not self._given and not out:
                raise SourceUnreadableError(
                    f"cannot read the log {self._name}",
                    f"it begins like {self._kind} and is none ({error})",
                    f"Check it: {self._kind} -t {self._name}",
                ) from error
            self.trouble = f"its {self._kind} data is damaged from there on"
            return
        out += piece
        if self._member.ended:
            self._member = None


def unpacking(name: str, head: bytes) -> Unpacking | None:
    """How to read what begins with these bytes; None where it is not compressed.

    Raises SourceUnreadableError for kinds that locard does not open.
    """
    for magic, (kind, begin) in _KINDS.items():
        if head.startswith(magic):
            return Unpacking(name, kind, begin, head)
    other = next((k for magic, k in _OTHERS.items() if head.startswith(magic)), None)
    if other:
        program = {"bzip2": "bzcat", "xz": "xzcat", "zip": "unzip -p"}[other]
        raise SourceUnreadableError(
            f"cannot read the log {name}",
            f"it is compressed with {other}, which locard does not open",
            f"Pipe it in: {program} {name} | locard logs -",
        )
    return None


def is_compressed(head: bytes) -> bool:
    """Whether what begins with these bytes has to be unpacked, so that its size says nothing."""
    return head.startswith((*_KINDS, *_OTHERS))
