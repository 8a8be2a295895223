"""Logs that are not plain UTF-8, wherever they come from: gzip, zstd and UTF-16; what is whole is read."""

from __future__ import annotations

import codecs
import time
import zlib
from typing import TYPE_CHECKING, Protocol

from locard.model.errors import SourceUnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_LITTLE, _BIG = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE
_OTHERS = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"PK\x03\x04": "zip"}
READ_BYTES = 1 << 16
_SEEN = 8  # bytes, in which each second one is 0
_WINDOW_BYTES = 256 << 20  # of zstd --long; more memory is not given
_ZSTD_PIECE = 1 << 10  # a block of 128 KiB may stand in 4 bytes: so much gives 32 MiB at most


class _Damaged(Exception):  # noqa: N818 - it ends a loop and reaches nobody
    """The compressed data makes no sense."""


class _Member(Protocol):
    """One gzip member or zstd frame, or all of a text."""

    @property
    def ended(self) -> bool:
        """Whether all of it was there."""

    @property
    def may_end(self) -> bool:
        """Whether nothing is missing where the data ends now."""

    def unpack(self, data: bytes, most: int) -> tuple[bytes, bytes]:
        """What a piece of the data stands for (about `most` bytes), and the data that is left."""


class _Packed:
    may_end = False  # but after its end, when it is put away


class _Gzip(_Packed):
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


class _Zstd(_Packed):
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


class _Utf16:
    """As Windows' tools write; half a surrogate pair becomes U+FFFD."""

    ended = False

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    @property
    def may_end(self) -> bool:
        return not self._decoder.getstate()[0]

    def unpack(self, data: bytes, _: int) -> tuple[bytes, bytes]:
        return self._decoder.decode(data).removeprefix("\ufeff").encode(), b""


def _little() -> _Utf16:
    return _Utf16("utf-16-le")


def _big() -> _Utf16:
    return _Utf16("utf-16-be")


_KINDS: dict[bytes, tuple[str, Callable[[], _Member]]] = {
    _GZIP: ("gzip", _Gzip),
    _ZSTD: ("zstd", _Zstd),
    _LITTLE: ("UTF-16", _little),
    _BIG: ("UTF-16", _big),
}


class Unpacking:
    """The content of compressed data, member by member, a bounded piece at a time."""

    def __init__(self, name: str, kind: str, begin: Callable[[], _Member], head: bytes) -> None:
        """`head` are the first bytes of the data; `name` is the source's."""
        self._name, self._kind, self._begin = name, kind, begin
        self._packed = head
        self._member: _Member | None = None
        self._given = False
        self._between = False  # two members
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
                if self._member is not None and not self._member.may_end:
                    self.trouble = f"its {self._kind} data ends in the middle"
                break
            self._step(out, most)
        self._given = self._given or bool(out)
        return bytes(out)

    def _step(self, out: bytearray, most: int) -> None:
        if self._member is None:
            if self._between:  # padding
                self._packed = self._packed.lstrip(b"\0")
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
            self._member, self._between = None, True


def unpacking(name: str, head: bytes) -> Unpacking | None:
    """How to read what begins with these bytes; None where it is plain.

    Raises SourceUnreadableError for kinds that locard does not open.
    """
    if head.startswith(codecs.BOM_UTF32_LE):
        raise SourceUnreadableError(
            f"cannot read the log {name}",
            "it is UTF-32, which locard does not read",
            f"Convert it: iconv -f UTF-32 -t UTF-8 {name} | locard logs -",
        )
    for magic, (kind, begin) in _KINDS.items():
        if head.startswith(magic) or _without_mark(head) == magic:
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
    """Whether what begins with these bytes has to be unpacked or converted, so that its size says nothing."""
    return head.startswith((*_KINDS, *_OTHERS)) or bool(_without_mark(head))


def _without_mark(head: bytes) -> bytes:
    """The byte order mark that a UTF-16 text has left out, as its first characters are ASCII."""
    first, second = head[:_SEEN:2], head[1:_SEEN:2]
    if len(head) >= _SEEN and not any(second) and all(first):
        return _LITTLE
    return _BIG if len(head) >= _SEEN and not any(first) and all(second) else b""
