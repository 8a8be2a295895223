"""Compressed logs: gzip in this process, zstd by the program of that name; what is whole is read."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.guard.command import Impact, Template
from locard.logs import reading
from locard.logs.piped import open_command
from locard.logs.reading import Source
from locard.model.errors import SourceUnreadableError

if TYPE_CHECKING:
    from locard.logs.piped import PipedSource

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_OTHERS = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"PK\x03\x04": "zip"}
_READ = 1 << 18
ZSTD = Template(
    ("zstd", "--decompress", "--stdout", "--quiet", "--memory=256MB", "{path:path}"),
    Impact.READS,
    3600.0,
    by_hand="zstd -dc {path}",
    needs="zstd",
)


@dataclass(slots=True)
class GzipSource(Source):
    """The content of a gzip file, member by member, a bounded piece at a time."""

    inflate: Any = None  # zlib has no public name for its type
    _packed: bytes = b""

    def _next_chunk(self, deadline: float) -> bytes:
        out = bytearray()
        while len(out) < reading.BLOCK_BYTES:
            if not self._packed:
                self._packed = self._read(_READ, deadline)
            if not self._packed:
                if self.inflate is not None and not self.partial:
                    self.partial = "its gzip data ends in the middle"
                break
            if not self._inflate(out):
                break
        return bytes(out)

    def _inflate(self, out: bytearray) -> bool:
        """A piece of what is packed; False where it is broken."""
        if self.inflate is None:
            self._packed = self._packed.lstrip(b"\0")  # padding between members
            if not self._packed:
                return True
            self.inflate = zlib.decompressobj(wbits=31)
        try:
            # However much a byte stands for, no more than a block comes out at once.
            out += self.inflate.decompress(self._packed, reading.BLOCK_BYTES - len(out))
        except zlib.error as error:
            if self.bytes_read == 0 and not out:
                raise SourceUnreadableError(
                    f"cannot read the log {self.name}",
                    f"it begins like gzip and is none ({error})",
                    f"Check it: gzip -t {self.name}",
                ) from error
            self.partial = "its gzip data is damaged from there on"
            self._packed, self.inflate = b"", None
            os.lseek(self.fd, 0, os.SEEK_END)
            return False
        if self.inflate.eof:
            self._packed, self.inflate = self.inflate.unused_data, None
        else:
            self._packed = self.inflate.unconsumed_tail
        return True

    def _wait(self, _: float) -> bool:
        return True


def open_compressed(name: str, fd: int) -> Source | PipedSource | None:
    """The content of a file that is compressed, else None; takes over the descriptor if not None.

    Raises SourceUnreadableError for kinds that locard does not open.
    """
    try:
        head = os.pread(fd, 8, 0)
    except OSError:
        return None  # reading says why
    if head.startswith(_GZIP):
        return GzipSource(name, fd, None, modified=os.fstat(fd).st_mtime)
    kind = next((k for magic, k in _OTHERS.items() if head.startswith(magic)), None)
    if head.startswith(_ZSTD) or kind:
        os.close(fd)
    if kind:
        raise SourceUnreadableError(
            f"cannot read the log {name}",
            f"it is compressed with {kind}, which locard does not open",
            f"Pipe it in: {'bzcat' if kind == 'bzip2' else 'xzcat' if kind == 'xz' else 'unzip -p'} "
            f"{name} | locard logs -",
        )
    if head.startswith(_ZSTD):
        command = ZSTD.fill(path=os.path.abspath(name))  # noqa: PTH100 - no links are to be resolved
        return open_command(name, command, (ZSTD,), get="install zstd (apt-get install zstd)")
    return None
