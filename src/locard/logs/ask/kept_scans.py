"""The last scan of a log, kept as Parquet, so that the next question need not read the log again.

A copy answers only for the file as it was read: same path, device, inode, size, times of change and
bytes at both ends, by the same reader. Anything else is read anew. Copies are private to the user
who made them, expire after a day and together stay below a cap.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from locard import __version__
from locard.guard import private
from locard.logs.ask import kept_description
from locard.logs.ask.kept_columns import KeptColumns, chosen
from locard.logs.table.kept_values import Stored
from locard.model.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path

    from locard.logs.ask.jq_stop import Stop
    from locard.logs.ask.log_view import Sheet
    from locard.logs.ask.projection import Reads

FORMAT = 8  # raise when what is kept, or what a reader makes of a log, changes
CAP_BYTES = 2 << 30
EXPIRES_S = 24 * 3600.0
_END_BYTES = 64 << 10
_BEGIN = b'{"identity": {'  # of a description
_TICK_NS = 20_000_000  # a file changed this close to its reading may change again unseen
_PRIVATE = 0o077
# What a copy is made of: its description, its parts, and a description that is being written.
_FILE = re.compile(
    r"(?P<key>[0-9a-f]{32}-[0-9a-f]{32})\.(?:(?P<json>json|[0-9]+\.new)|[0-9]+\.parquet)"
)
_PART_LINES = 250_000  # what is handed over at once has to fit beside the log


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one state of a file from another."""

    path: str
    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int
    ends: str  # digest of the first and last 64 KiB
    reader: str
    begins: str = ""  # its first character

    @classmethod
    def of(cls, name: str) -> Identity | None:
        """Of a regular file; None for pipes, devices and what cannot be opened."""
        try:
            # A pipe is not opened: closing it again would end its writer.
            if not os.path.isfile(name):  # noqa: PTH113 - pathlib costs
                return None
            fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError):
            return None
        try:
            info = os.fstat(fd)
            if not os.path.isfile(f"/proc/self/fd/{fd}") or not info.st_size:  # noqa: PTH113 - pathlib costs
                return None
            head = os.pread(fd, _END_BYTES, 0)
            digest = hashlib.blake2b(head, digest_size=16)
            digest.update(os.pread(fd, _END_BYTES, max(0, info.st_size - _END_BYTES)))
        except OSError:
            return None
        finally:
            os.close(fd)
        return cls(
            path=os.path.realpath(name),
            device=info.st_dev,
            inode=info.st_ino,
            size=info.st_size,
            modified_ns=info.st_mtime_ns,
            changed_ns=info.st_ctime_ns,
            ends=digest.hexdigest(),
            reader=f"{__version__}/{FORMAT}",
            begins=head[:1].decode("ascii", "replace"),
        )

    @property
    def settled(self) -> bool:
        """Whether it was last changed long enough ago for its times to show the next change."""
        return time.time_ns() - max(self.modified_ns, self.changed_ns) > _TICK_NS

    @property
    def key(self) -> str:
        """The name of its copy: the path's digest, and that of the state of the file."""
        return f"{_digest(self.path)}-{_digest(json.dumps(asdict(self)))}"


def _digest(text: str) -> str:
    data = text.encode("utf-8", "surrogateescape")
    return hashlib.blake2b(data, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Shelf:
    """The folder of the copies."""

    folder: Path
    cap_bytes: int = CAP_BYTES
    expires_s: float = EXPIRES_S

    @classmethod
    def below(cls, state: Path) -> Shelf:
        """That of a state directory."""
        return cls(state / "scans")

    def find(
        self, identity: Identity, source: str, threads: int = 1, reads: Reads | None = None
    ) -> Sheet | None:
        """The kept scan of exactly this state of the file, if it has what is read; never raises.

        `reads` is None where that is every field.
        """
        about = self._about(identity)
        try:
            private.check(self.folder.parent, self.folder.name)
            if not self._is_ours(about) or time.time() - about.stat().st_mtime > self.expires_s:
                return None
            found = json.loads(about.read_bytes())
            parts = [self._part(identity, i) for i in range(_parts(found["last"]))]
            if found["identity"] != asdict(identity) or not all(map(self._is_ours, parts)):
                return None
            if found["bytes"] != sum(part.stat().st_size for part in parts):
                return None
            return self._opened(found, parts, source, threads, reads)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, StateError):
            return None
        except Exception as error:
            import duckdb  # noqa: PLC0415 - see table.connect

            if isinstance(error, duckdb.Error):  # a damaged copy is no copy
                return None
            raise

    def _opened(
        self,
        found: dict[str, Any],
        parts: list[Path],
        source: str,
        threads: int,
        reads: Reads | None,
    ) -> Sheet | None:
        seen = kept_description.meaning(found)
        if found["absent"] is not None and not kept_description.covers(
            seen, found["absent"], reads
        ):
            return None
        values = {c: Stored(c, *kept) for c, kept in found["stored"].items()}
        db = kept_description.open_parts(parts, threads, KeptColumns(values, found["texts"]))
        return kept_description.sheet(found, db, source, seen, values)

    def keep(self, identity: Identity, sheet: Sheet, *, cheap: bool = False) -> bool:
        """Keep a scan; False where it cannot or must not be kept. `cheap`: only what costs little.

        Call it when everything was printed: the screen comes first.
        """
        if sheet.partial or sheet.kept or not identity.settled:
            return False
        import duckdb  # noqa: PLC0415 - see table.connect

        try:
            private.check(self.folder.parent, self.folder.name, make=True)
            if not self._is_ours(self.folder):
                return False
            self.tidy()
            ((last,),) = sheet.db.execute(f"SELECT max(_n) FROM {sheet.relation}").fetchall()  # noqa: S608 - our names
            columns = chosen(sheet, cheap=cheap)
            size = self._write_parts(identity, sheet, columns, int(last))
            if size is None or Identity.of(identity.path) != identity:
                self._forget(identity.key)  # too large, or the log has changed while it was read
                return False
            self._write(
                self._about(identity),
                kept_description.described(identity, sheet, columns, size, int(last), cheap=cheap),
            )
            self._forget_older(identity)
            self.tidy(last=identity.key)
        except (OSError, StateError, duckdb.Error):
            # A full disk or memory costs the copy, not the answer.
            with contextlib.suppress(OSError):
                self._forget(identity.key)
            return False
        return True

    def note(self, identity: Identity, stop: Stop | None) -> None:
        """Add to a copy where jq stops in the log: finding it may take seconds. It expires as before."""
        about = self._about(identity)
        with contextlib.suppress(OSError, ValueError, StateError):
            private.check(self.folder.parent, self.folder.name)
            info = about.stat()
            found = json.loads(about.read_bytes())
            self._write(about, found | {"stop": stop})
            os.utime(about, ns=(info.st_atime_ns, info.st_mtime_ns))

    def has(self, identity: Identity) -> bool:
        """Whether there is a copy of this state of the file."""
        return self._about(identity).exists()

    def _write_parts(
        self, identity: Identity, sheet: Sheet, kept: KeptColumns, last: int
    ) -> int | None:
        """Write the records in parts that fit into the memory; their bytes, None over the cap."""
        from locard.logs.table.parquet import to_parquet  # noqa: PLC0415 - only who writes needs it

        meaning = sheet.meaning
        picks = ", ".join(["_n", *kept_description.number_columns(meaning), *kept.picks(meaning)])
        size = 0
        for number in range(_parts(last)):
            begin = number * _PART_LINES
            part = self._part(identity, number)
            with contextlib.suppress(FileNotFoundError):
                part.unlink()
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            rows = f"_n >= {begin} AND _n < {begin + _PART_LINES}"
            sql = f"SELECT {picks} FROM {sheet.relation} WHERE {rows}"  # noqa: S608 - columns are ours
            to_parquet(sheet.db, sql, part, packed=not kept.absent)
            part.chmod(0o600)
            size += part.stat().st_size
            if size > self.cap_bytes:
                return None
        return size

    def _forget(self, key: str) -> None:
        """Remove one copy; what describes it goes first."""
        mine = [path for path in self._written() if path.name.partition(".")[0] == key]
        for path in sorted(mine, key=lambda p: p.suffix != ".json"):
            with contextlib.suppress(OSError):
                path.unlink()

    def _written(self) -> list[Path]:
        """The files of the folder that locard wrote: by their names, owner and first bytes.

        Anything else is somebody's and stays, however old it is.
        """
        return [path for path in self.folder.iterdir() if _is_copy(path)]

    def tidy(self, last: str = "") -> None:
        """Remove what has expired, and the oldest copies while all are larger than the cap."""
        found: dict[str, tuple[bool, float, int]] = {}
        for path in self._written():
            with contextlib.suppress(OSError):
                info = path.stat()
                key = path.name.partition(".")[0]
                _, newest, size = found.get(key, (False, 0.0, 0))
                found[key] = (key == last, max(newest, info.st_mtime), size + info.st_size)
        total = sum(size for _, _, size in found.values())
        for key, (_, newest, size) in sorted(found.items(), key=lambda item: item[1]):
            if total > self.cap_bytes or time.time() - newest > self.expires_s:
                self._forget(key)
                total -= size

    def _forget_older(self, identity: Identity) -> None:
        """Remove what was kept of earlier states of the same file."""
        prefix = identity.key.partition("-")[0]
        for key in {path.name.partition(".")[0] for path in self._written()}:
            if key.startswith(f"{prefix}-") and key != identity.key:
                self._forget(key)

    def _about(self, identity: Identity) -> Path:
        return self.folder / f"{identity.key}.json"

    def _part(self, identity: Identity, number: int) -> Path:
        return self.folder / f"{identity.key}.{number}.parquet"

    def _is_ours(self, path: Path) -> bool:
        """Whether nobody else could have put it there."""
        info = path.lstat()
        return info.st_uid == os.geteuid() and not info.st_mode & _PRIVATE

    def _write(self, path: Path, found: dict[str, Any]) -> None:
        fresh = path.with_suffix(f".{os.getpid()}.new")
        handle = os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(found, file)
        fresh.replace(path)


def _is_copy(path: Path) -> bool:
    found = _FILE.fullmatch(path.name)
    if found is None:
        return False
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid():
            return False
        begin = os.pread(fd, len(_BEGIN), 0)
    except OSError:
        return False
    finally:
        os.close(fd)
    # A kill may have left the first bytes of one only.
    return (_BEGIN if found["json"] else b"PAR1").startswith(begin[: None if found["json"] else 4])


def _parts(last: int) -> int:
    """How many parts hold the lines up to the last one."""
    return last // _PART_LINES + 1
