"""A log file at another place: its bytes come here as they are read there, and are scanned here.

Reads: a path, a pattern or a folder at the place of `--on`: `/var/log/app.log`, `/var/log/app.log*`. Of
several files the oldest comes first; gzip, bzip2 and xz are unpacked there. Of more than 512 MB the newest
are read. Files on network and FUSE file systems are not opened: who asks a hung one survives SIGKILL.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from locard.far import read_log
from locard.guard import needs
from locard.guard.command import MOST_LOG, Impact, Template
from locard.logs.input.piped import ask, open_command
from locard.model.errors import SourceUnreadableError
from locard.model.log_beginning import Origin

if TYPE_CHECKING:
    from locard.logs.input.log_source import Source, Wants
    from locard.logs.input.piped import PipedSource

NAMES = ("/var/log/app.log",)
RANK = 100  # `open_source` asks for it by name: only it knows the place
READ = Template(
    ("python3", "-I", "-S", "-", "{path:path}", "{follow:word}", "{since:number*}"),
    Impact.READS,
    86400.0,
    by_hand="cat {path}",
    max_bytes=MOST_LOG,
    program="far/read_log.py",
    needs=(needs.PYTHON,),
    streams=True,
)
# Where there is no python3 one plain file is read as it is, after a look at the mounts there.
PLAIN = Template(("cat", "{path:path}"), Impact.READS, 600.0, max_bytes=MOST_LOG, streams=True)
MOUNTS = Template(("cat", "/proc/self/mountinfo"), Impact.READS, 10.0)
COMMANDS = (READ, PLAIN, MOUNTS)


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
    source.origins = lambda: _origins(source, name, asked=bool(since))
    return source


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


def _origins(source: PipedSource, name: str, *, asked: bool) -> tuple[Origin, ...]:
    """What the reader said of the files: how many, and what of them was left out."""
    said = source.running.output().stderr if source.running is not None else b""
    try:
        found = json.loads(said.decode("utf-8", "replace").splitlines()[0])
        files, skipped = int(found["files"]), int(found["skipped"])
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return ()
    note = f"its first {skipped:,} bytes were not read" if skipped else ""
    return (Origin(asked=asked or skipped > 0, note=note, evidence=(f"{name}: {files} read",)),)
