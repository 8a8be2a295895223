"""A log file at another place: its bytes come here as they are read there, and are scanned here.

Reads: a path, a pattern or a folder at the place of `--on`: `/var/log/app.log`, `/var/log/app.log*`. Of
several files the oldest comes first; gzip, bzip2 and xz are unpacked there. Of more than 512 MiB the newest
are read, which is said. With `--since` a single big file is not read from its start. Files on network and
FUSE file systems are not opened: who asks a hung one survives SIGKILL.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.far import read_log
from locard.far.line_times import first_time
from locard.guard import needs
from locard.guard.command import MOST_LOG, Impact, Template
from locard.logs.input.piped import PipedSource, ask, open_command
from locard.logs.sources import _far_origins
from locard.logs.sources._far_origins import number
from locard.model.errors import SourceUnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.logs.input.log_source import Source, Wants

NAMES = ("/var/log/app.log",)
RANK = 100  # `open_source` asks for it by name: only it knows the place
READ = Template(
    ("python3", "-I", "-S", "-", "{path:path}", "{follow:word}", "{since:number*}"),
    Impact.READS,
    86400.0,
    by_hand="cat {path}",
    max_bytes=MOST_LOG,
    program="far/line_times.py+far/read_log.py",
    needs=(needs.PYTHON,),
    streams=True,
)
# Where there is no python3 one plain file is read as it is, after a look at the mounts there.
PLAIN = Template(("cat", "{path:path}"), Impact.READS, 600.0, max_bytes=MOST_LOG, streams=True)
MOUNTS = Template(("cat", "/proc/self/mountinfo"), Impact.READS, 10.0)
COMMANDS = (READ, PLAIN, MOUNTS)
_PIECE = 1 << 16


@dataclass(slots=True)
class FarFile(PipedSource):
    """What the reader prints; `first` is the time of its first line."""

    first: float | None = None

    def blocks(self, budget_s: float) -> Iterator[bytes]:
        """Blocks of whole lines."""
        blocks = super(FarFile, self).blocks(budget_s)
        for block in blocks:
            self.first = first_time(block[:_PIECE])
            yield block
            break
        yield from blocks


def fits(_: str) -> bool:
    """By its form a path is a file of this machine."""
    return False


def open(name: str, wants: Wants) -> Source:  # noqa: A001 - the protocol's name
    """The bytes of the file, or of the files in the order in which they were written."""
    if not name.startswith("/"):
        raise SourceUnreadableError(
            f"cannot read the log {name} at {wants.place.ref}",
            "a file at another place has to be named by its whole path",
            "Write it so: /var/log/NAME. `ls -l /proc/PID/fd` there shows which files a process writes.",
        )
    from locard.transport.reach import kept_session  # noqa: PLC0415 - a log that is a file needs none of it

    ground = kept_session(wants.place).ground
    if ground is not None and ground.bare:
        return _open_plain(name, wants)
    since = (f"{2 * wants.since_s:.0f}",) if wants.since_s else ()
    source = open_command(
        name,
        READ.fill(path=name, follow="follow" if wants.follow else "once", since=since),
        COMMANDS,
        place=wants.place,
        get="enter it by a way that has a python3",
    )
    told = FarFile(
        source.name, -1, None, owned=False, running=source.running, by_hand=source.by_hand
    )
    told.left_out = lambda: _left_out(_said(told))
    told.origins = lambda: _far_origins.of_file(
        _said(told), wants.place, name, first=told.first, asked=bool(since)
    )
    return told


def _open_plain(name: str, wants: Wants) -> Source:
    """One file as it is, by the programs that are there."""
    table = ask(MOUNTS.fill(), COMMANDS, wants.place, name)
    kind = read_log.far_type(name, table.stdout)
    if kind or table.exit_code or wants.follow or any(c in name for c in "*?["):
        why = (
            f"it lies on {kind}: who asks a hung one survives SIGKILL"
            if kind
            else "there is no python3 of at least 3.6 there, and without one a single file is read to its end"
        )
        raise SourceUnreadableError(
            f"cannot read the log {name} at {wants.place.ref}",
            why,
            "Name one file, without --follow; or enter it by a way that has a python3.",
        )
    command = PLAIN.fill(path=name)
    return open_command(name, command, COMMANDS, place=wants.place, get="read it by another way")


def _said(source: PipedSource) -> dict[str, Any]:
    """What the reader said first: of how many files, and what of them it leaves out."""
    said = source.running.output().stderr if source.running is not None else b""
    try:
        found = json.loads(said.partition(b"\n")[0])
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _left_out(found: dict[str, Any]) -> str:
    """What the reader did not read of what was asked for, in words; empty where that is nothing."""
    cut, size = number(found, "cut"), number(found, "size")
    return f"only the newest {_words(size - cut)} of {_words(size)} were read" if cut else ""


def _words(size: int) -> str:
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >= 1 << power:
            return f"{size / (1 << power):.3g} {unit}"
    return f"{size} bytes"
