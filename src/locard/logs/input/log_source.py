"""Bytes of a log source in blocks of whole lines, within a time budget and bounded memory.

`open_source` finds the kind of source that a name means (see `sources`). Files are read up to the
size that they had when they were opened, so a log that keeps growing ends; pipes and devices end
with their writer or with the budget.
"""

from __future__ import annotations

import glob
import itertools
import os
import select
import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from locard.logs.input.compression import unpacking
from locard.model.errors import NotPermittedError, SourceUnreadableError
from locard.model.place import HERE, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    Reshaping = Callable[[Iterator[bytes]], Iterator[bytes]]

    from locard.guard.command import Template
    from locard.logs.input.compression import Unpacking
    from locard.model.log_beginning import Origin
    from locard.model.log_holes import RateLimit
    from locard.model.workload import WorkloadStates

    class SourceModule(Protocol):
        """What a file in `sources` holds. `NAMES` are examples of what it opens."""

        NAMES: tuple[str, ...]
        COMMANDS: tuple[Template, ...]  # empty where it starts no process
        RANK: int  # who is asked first

        def fits(self, name: str) -> bool:
            """Whether a name means this kind of source."""

        def open(self, name: str, wants: Wants) -> Source:
            """Open it; raises SourceUnreadableError, NotPermittedError, UsageError."""


BLOCK_BYTES = 1 << 20  # fits into the processor's cache: larger ones are read several times slower
LONGEST_LINE = 16 << 20
_GIVE_UP_BYTES = 256 << 20  # without one newline this is no log
_POLL_S = 0.25
_GATHER_S = 0.1  # at most, for a block from a pipe


@dataclass(frozen=True, slots=True)
class Wants:
    """What is wanted of a source. What it cannot do it ignores.

    `since_s`: only the last seconds, and as much again before them for a baseline. `follow`: go on
    with what comes. The rest are kubectl's flags.
    """

    since_s: float | None = None
    follow: bool = False
    namespace: str = ""
    context: str = ""
    selector: str = ""
    container: str = ""
    all_containers: bool = False
    previous: bool = False
    place: Place = HERE


@dataclass(slots=True)
class Source:
    """An open log source. `partial` says in words why reading stopped early, else is empty."""

    name: str
    fd: int
    size: int | None  # bytes still to be read, for regular files that are not compressed
    owned: bool = True  # whether the descriptor is ours to close
    modified: float | None = None  # Unix time of the last write, for regular files
    partial: str = ""
    dropped_long: int = 0  # lines over LONGEST_LINE
    bytes_read: int = 0
    stopped: str = ""  # set it to why, in words, to end reading as the budget does
    # Lines of files of the source that are no logs, with the reason; and files left out by name.
    not_read: tuple[tuple[str, int], ...] = ()
    left_by_name: str = ""
    origins: Callable[[], tuple[Origin, ...]] | None = None  # asks where its logs begin, once read
    limits: Callable[[], tuple[RateLimit, ...]] | None = None  # and how many lines it lets through
    workload: Callable[[], WorkloadStates | None] | None = (
        None  # asks how its pods stand, once read
    )
    on_idle: Callable[[], None] | None = None  # called several times a second while nothing comes
    # Given the first bytes: what makes lines of all of them, None where they are lines.
    reshape: Callable[[bytes], Reshaping | None] | None = None
    _tail: bytearray = field(default_factory=bytearray)
    _in_long: bool = False
    _cut: bool = False
    _unpacking: Unpacking | None = None
    _reshaping: Reshaping | None = None
    _looked: bool = False  # at the first bytes, for `reshape`

    @property
    def ended_by(self) -> str:
        """Why it ended where there was more to come."""
        return self.stopped or "the time budget ended"

    def close(self) -> None:
        """Give the descriptor back; standard input stays open."""
        if self.owned and self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def blocks(self, budget_s: float) -> Iterator[bytes]:
        """Blocks that hold whole lines (the last one may lack its newline).

        Stops after `budget_s` seconds and says so in `partial`.
        """
        deadline = time.monotonic() + budget_s
        chunks = self._chunks(deadline)
        first = next(chunks, b"")
        if reshaping := self._reshaping_of(first):
            yield from reshaping(itertools.chain((first,), chunks))
            return
        for chunk in itertools.chain((first,), chunks):
            if not chunk:
                break
            yield from self._whole_lines(chunk)
            if self.size is None and self.bytes_read > _GIVE_UP_BYTES and not self._cut:
                self.partial = "it has no line ends"
                self._tail.clear()
                break
        if self._in_long and not self.partial:  # the last line is too long, or the only one
            if self._cut:
                self.dropped_long += 1
            else:
                self.partial = "it has no line ends"
        if self._tail and not self._in_long:
            yield bytes(self._tail)
            self._tail.clear()

    def _chunks(self, deadline: float) -> Iterator[bytes]:
        while chunk := self._next_chunk(deadline):
            self.bytes_read += len(chunk)
            yield chunk

    def _reshaping_of(self, first: bytes) -> Reshaping | None:
        """What makes lines of the source, if it holds none; asked once, as it begins."""
        if not self._looked and self.reshape is not None:
            self._looked = True
            self._reshaping = self.reshape(first)
        return self._reshaping

    def unread(self) -> tuple[int, int] | None:
        """Where the next line of a plain file begins and where the file ends, for who reads by itself.

        What was read beyond the last whole line is given back. None where there is no such place.
        """
        if self.size is None or type(self) is not Source or self._in_long:
            return None
        if not self._looked and not self.bytes_read and self._begins_reshaped():
            return None
        if self._reshaping is not None:
            return None
        here = os.lseek(self.fd, -len(self._tail), os.SEEK_CUR)
        self.bytes_read -= len(self._tail)
        self._tail.clear()
        return here, here + self.size - self.bytes_read

    def _begins_reshaped(self) -> bool:
        """Whether the file holds no lines; it is read from its start then, wherever it was to begin."""
        try:
            head = os.pread(self.fd, BLOCK_BYTES, 0)
        except OSError:
            return False  # reading says why
        if self._reshaping_of(head) is None:
            return False
        if self.size is not None:
            self.size += os.lseek(self.fd, 0, os.SEEK_CUR)
        os.lseek(self.fd, 0, os.SEEK_SET)
        return True

    def skip(self, size: int) -> None:
        """Whole lines were read elsewhere, beginning where `unread` said."""
        os.lseek(self.fd, size, os.SEEK_CUR)
        self.bytes_read += size
        self._cut = self._cut or size > 0

    def _next_chunk(self, deadline: float) -> bytes:
        if self._unpacking is not None:
            return self._unpack(self._unpacking, deadline)
        want = BLOCK_BYTES
        if self.size is not None:
            want = min(want, self.size - self.bytes_read)
            if want <= 0:
                return b""
        data = self._read(want, deadline)
        if not data and self.size is not None and not self.partial:
            missing = self.size - self.bytes_read
            self.partial = f"it shrank by {missing:,} bytes while it was read"
        if self.size is None and not self.bytes_read:
            self._unpacking = unpacking(self.name, data)
            if self._unpacking is not None:
                return self._unpack(self._unpacking, deadline)
        return data if self.size is not None else self._gathered(data, want, deadline)

    def _gathered(self, data: bytes, want: int, deadline: float) -> bytes:
        """What a pipe gave, with what follows at once: a pipe gives 64 KB, and each block has its costs."""
        parts, size = [data], len(data)
        until = min(time.monotonic() + _GATHER_S, deadline)
        while parts[-1] and size < want and not self.stopped:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                break
            try:
                parts.append(os.read(self.fd, want - size))
            except OSError:
                break  # the next reading says what is wrong
            size += len(parts[-1])
        return b"".join(parts)

    def _unpack(self, found: Unpacking, deadline: float) -> bytes:
        out = found.next(lambda want: self._read(want, deadline), BLOCK_BYTES, deadline)
        if not out:
            self.partial = self.partial or found.trouble
        return out

    def _read(self, want: int, deadline: float) -> bytes:
        """At most so many bytes; none at the end, when the time has run out or reading fails."""
        while True:
            if not self._wait(deadline):
                self.partial = self.ended_by
                return b""
            try:
                return os.read(self.fd, want)
            except BlockingIOError:
                continue
            except OSError as error:
                if self.bytes_read == 0:
                    raise unreadable(self.name, error) from error
                self.partial = f"reading failed: {error.strerror}"
                return b""

    def _wait(self, deadline: float) -> bool:
        """Wait until there is something to read; False when the budget has ended."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or self.stopped:
                return False
            if self.size is not None:
                return True
            ready, _, _ = select.select([self.fd], [], [], min(left, _POLL_S))
            if ready:
                return True
            self._idle()

    def _idle(self) -> None:
        """Called several times a second while there is nothing to read."""
        if self.on_idle is not None:
            self.on_idle()

    def _whole_lines(self, chunk: bytes) -> Iterator[bytes]:
        end = chunk.rfind(b"\n")
        if end < 0:
            self._keep(chunk)
            return
        self._cut = True
        if self._in_long:  # the rest of a line that was too long
            begin = chunk.find(b"\n") + 1
            self._in_long = False
            self.dropped_long += 1
            self._tail.clear()
            whole = chunk[begin : end + 1]
        else:
            whole = b"".join((self._tail, memoryview(chunk)[: end + 1]))  # copied once
            self._tail.clear()
        self._keep(chunk[end + 1 :])
        if whole:
            yield whole

    def _keep(self, rest: bytes) -> None:
        if self._in_long:
            return
        self._tail += rest
        if len(self._tail) > LONGEST_LINE:
            self._tail.clear()
            self._in_long = True


def open_source(name: str, wants: Wants | None = None) -> Source:
    """Open what a name means; raises SourceUnreadableError, NotPermittedError or UsageError."""
    from locard import catalogue  # noqa: PLC0415 - the sources import this module

    if wants is not None and not wants.place.local:
        return _elsewhere(name).open(name, wants)
    if _is_path_of_file(name):  # the others need not be loaded to say that it is none of theirs
        module = cast("SourceModule", catalogue.entry("source", "file").load())
        return module.open(name, wants or Wants())
    modules = [cast("SourceModule", e.load()) for e in catalogue.entries("source")]
    for module in sorted(modules, key=lambda m: m.RANK):
        if module.fits(name):
            return module.open(name, wants or Wants())
    raise unreadable(name, ValueError("it is no kind of source that locard knows"))


def _elsewhere(name: str) -> SourceModule:
    """The kind of source that a name means at another place: by its form alone."""
    from locard import catalogue  # noqa: PLC0415 - the sources import this module

    kind = next((k for k in ("container", "kubernetes", "journald")
                 if cast("SourceModule", catalogue.entry("source", k).load()).fits(name)), "file-elsewhere")  # fmt: skip
    return cast("SourceModule", catalogue.entry("source", kind).load())


def _is_path_of_file(name: str) -> bool:
    """Whether a name is one of a file and can mean nothing else: other kinds have no such names."""
    is_path = name.startswith(("/", "./", "../")) or ("." in name and "/" not in name)
    return is_path and os.path.isfile(name)  # noqa: PTH113 - pathlib costs


def kind_of(name: str) -> str:
    """The kind of source that a name means, by its file name in `sources`, such as file or stdin."""
    from locard import catalogue  # noqa: PLC0415 - the sources import this module

    entries = sorted(catalogue.entries("source"), key=lambda e: cast("SourceModule", e.load()).RANK)
    return next((e.name for e in entries if cast("SourceModule", e.load()).fits(name)), "")


def absolute(name: str) -> str:
    """A path or pattern as it is named in every folder; other kinds of source stay as they are."""
    if not name or os.path.isabs(name) or kind_of(name) not in {"file", "directory"}:  # noqa: PTH117 - text in, text out
        return name
    try:
        here = os.getcwd()  # noqa: PTH109 - as above
    except OSError:  # the folder was removed
        return name
    is_pattern = glob.has_magic(name) and not os.path.exists(name)  # noqa: PTH110 - as above
    return os.path.join(glob.escape(here) if is_pattern else here, name.removeprefix("./"))  # noqa: PTH118 - as above


def require(name: str) -> None:
    """Raise what `open_source` would for a file that is not there or not readable; starts and reads nothing."""
    if kind_of(name) != "file":
        return
    try:
        # A pipe is not opened: closing it again would end its writer.
        if stat.S_ISREG(os.stat(name).st_mode):  # noqa: PTH116 - a name may be no path
            os.close(os.open(name, os.O_RDONLY | os.O_CLOEXEC))
    except (OSError, ValueError) as error:
        raise unreadable(name, error) from error


def unreadable(name: str, error: OSError | ValueError) -> SourceUnreadableError | NotPermittedError:
    """The error that says why a source cannot be read, and what to do."""
    if isinstance(error, PermissionError):
        return NotPermittedError(
            f"cannot read the log {name}",
            "its mode does not allow it to this user",
            f"Run as its owner or in its group, or pipe it in: sudo cat {name} | locard logs -",
        )
    why = (error.strerror if isinstance(error, OSError) else str(error)) or "it cannot be opened"
    return SourceUnreadableError(
        f"cannot read the log {name}",
        why[0].lower() + why[1:],
        "Check the path; `ls -l /proc/PID/fd` shows which files a process writes.",
    )
