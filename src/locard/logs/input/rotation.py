"""Sets of files that are one log: which belong together, and in which order of time."""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from locard.far.line_times import first_time, last_time
from locard.logs.input.log_file import open_file
from locard.logs.input.log_source import Source
from locard.model.errors import LocardError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from locard.model.errors import NotPermittedError, SourceUnreadableError

    Opened = Callable[[str], Source]

_PACKED = re.compile(r"\.(?:gz|zst|zstd)$")
# app.log.3, app.log-20251122, app-2025-11-22.log, app.2025-11-22-13.log, app.log-20251122-1763812800 (logrotate's
# dateformat with %s), 0.log.20251122-070211 (the kubelet), app-2025-11-22T07-02-11.250.log (lumberjack)
_TIME = r"(?:\d{1,10}|\d\d[-.]\d\d(?:[-.]\d\d)?(?:\.\d{1,6})?)"
_TURN = re.compile(rf"[.-](?:\d{{1,4}}|\d{{10}}|\d{{4}}-?\d\d-?\d\d(?:[-T_.]?{_TIME})?)(?=\.|$)")
_NO_LOGS = re.compile(
    r"\.(?:pid|lock|sock|so|py|conf|ya?ml|toml|bz2|xz|zip|tar|tgz|db|parquet|swp)$|~$"
)
_NAMED_LOG = re.compile(
    r"(?i)(?<![a-z])(?:logs?|jsonl|ndjson|out|err|access|error|syslog|messages)(?![a-z])"
)
_PIECE = 1 << 16
_MANY = 8
_MOST_LOOKED_INTO = 12
_OVERLAP_S = 60.0  # lines end out of order, and a rotated file is written a little longer


def base_of(path: str) -> str:
    """The name of the log that a file is a part of: without number, date and compression."""
    folder, name = os.path.split(path)
    return os.path.join(folder, _TURN.sub("", _PACKED.sub("", name)))  # noqa: PTH118 - text in, text out


def may_be_log(path: str) -> bool:
    """Whether nothing in a file's name says that it is something else."""
    return not _NO_LOGS.search(path) and not os.path.basename(path).startswith(".")  # noqa: PTH119 - a million of them


def is_named_like_log(path: str) -> bool:
    """Whether a file's name says that it is a log."""
    return _NAMED_LOG.search(os.path.basename(path)) is not None  # noqa: PTH119 - as above


def looks_like_log(path: str) -> bool:
    """Whether a file in a directory of logs is one, by its name and first bytes."""
    if not may_be_log(path):
        return False
    if _PACKED.search(path):
        return True
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a FIFO was left out before
            return b"\0" not in file.read(1024)
    except OSError:
        return True  # reading says why not


def older_than(path: str) -> list[str]:
    """The files that were rotated away from a log, the oldest first."""
    return [p for p, _ in in_order(_siblings(path))]


def _siblings(path: str) -> list[str]:
    """The other files of the same log, by their names."""
    folder = Path(path).parent
    try:
        names = [str(folder / e.name) for e in os.scandir(folder) if e.is_file()]
    except OSError:
        return []
    path = str(Path(path))
    return [n for n in names if n != path and base_of(n) == base_of(path)]


def in_order(paths: Sequence[str]) -> list[tuple[str, float]]:
    """The files with the time at which each begins, in this order.

    The time is that of the first line that has one, else the last write: names lie, and
    `app.log.10` sorts before `app.log.2`.
    """
    return sorted(((p, _begin(p)) for p in paths), key=lambda item: (item[1], item[0]))


def _begin(path: str) -> float:
    written = 0.0
    with contextlib.suppress(OSError):
        written = Path(path).stat().st_mtime
    try:
        source = open_file(path)
    except LocardError:
        return written
    try:
        head = next(source.blocks(2.0), b"")[:_PIECE]
    except LocardError:
        return written
    finally:
        source.close()
    found = first_time(head)
    return written if found is None else found


def recent(ordered: list[tuple[str, float]], wanted_s: float) -> list[tuple[str, float]]:
    """Those that may hold something of the last seconds before the newest write of all."""
    newest = 0.0
    for path, _ in ordered:
        with contextlib.suppress(OSError):
            newest = max(newest, Path(path).stat().st_mtime)
    kept = []
    for path, begin in ordered:
        with contextlib.suppress(OSError):
            if Path(path).stat().st_mtime >= newest - wanted_s:
                kept.append((path, begin))
    return kept or ordered


def unread_before(path: str, read: Iterable[str]) -> list[str]:
    """The files of the same log that begin before one and are not among those that are read, oldest first.

    What goes on while the other one is written is another log, of another instance (web-1.log, web-2.log).
    Of many the last write tells: to look into each of them would take too long.
    """
    have = {os.path.realpath(p) for p in read}
    rest = [p for p in _siblings(path) if os.path.realpath(p) not in have]
    if len(rest) > _MOST_LOOKED_INTO:
        ordered = sorted([*rest, path], key=lambda p: (_written(p), p))
        return ordered[: ordered.index(path)]
    begins = in_order([*rest, path])
    own = next(begin for p, begin in begins if p == path)
    older = [p for p, _ in begins[: begins.index((path, own))]]
    return [p for p in older if (end := _end(p)) is None or end <= own + _OVERLAP_S]


def _end(path: str) -> float | None:
    """The time of the last line of a plain file; None where it has none or is packed."""
    if _PACKED.search(path):
        return None
    with contextlib.suppress(OSError), open(path, "rb") as file:  # noqa: PTH123 - text in, text out
        file.seek(max(0, os.fstat(file.fileno()).st_size - _PIECE))
        return last_time(file.read(_PIECE))
    return None


def _written(path: str) -> float:
    with contextlib.suppress(OSError):
        return Path(path).stat().st_mtime
    return 0.0


@dataclass(slots=True)
class RotatedSet(Source):
    """Several files, one after the other. One that cannot be read costs only itself and is named."""

    paths: list[str] = field(default_factory=list)
    open_file: Opened | None = None
    lost: list[str] = field(default_factory=list)
    left_out: str = ""  # files of the set that are not in `paths`, in words
    lines: dict[str, tuple[int, int]] = field(default_factory=dict)  # of each path: from, to

    def __init__(self, name: str, paths: list[str], open_file: Opened) -> None:
        """`paths` in the order in which they are read."""
        Source.__init__(self, name, -1, None, owned=False)
        self.paths, self.open_file, self.lost = paths, open_file, []
        self.left_out, self.lines = "", {}

    def blocks(self, budget_s: float) -> Iterator[bytes]:
        """The blocks of each file; raises only where not one of them can be read."""
        deadline = time.monotonic() + budget_s
        failed: SourceUnreadableError | NotPermittedError | LocardError | None = None
        reasons = [self.left_out] if self.left_out else []
        for path in self.paths:
            left = deadline - time.monotonic()
            if left <= 0 or self.stopped:
                reasons.append(self.ended_by)
                break
            try:
                yield from self._one(path, left, reasons)
            except LocardError as error:
                failed = failed or error
                self.lost.append(path)
                reasons.append(f"{Path(path).name}: {error.why}")
        if failed is not None and len(self.lost) == len(self.paths):
            raise failed
        more = f" and {len(reasons) - _MANY} more" if len(reasons) > _MANY else ""
        self.partial = "; ".join(dict.fromkeys(reasons[:_MANY])) + more

    def _one(self, path: str, left: float, reasons: list[str]) -> Iterator[bytes]:
        if self.open_file is None:
            return
        source = self.open_file(path)
        source.reshape = self.reshape
        begin = end = max((stop for _, stop in self.lines.values()), default=0)
        try:
            for block in source.blocks(left):
                self.bytes_read += len(block)
                source.stopped = self.stopped
                # The next file's first line must not join this one's last.
                whole = block if block.endswith(b"\n") else block + b"\n"
                end += whole.count(b"\n")
                self.lines[path] = begin, end
                yield whole
            self.dropped_long += source.dropped_long
            self.modified = max(self.modified or 0.0, source.modified or 0.0) or None
            if source.partial:
                reasons.append(f"{Path(path).name}: {source.partial}")
        finally:
            source.close()
