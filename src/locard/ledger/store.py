"""The ledger: one SQLite file per incident, append-only and hash-chained.

Every entry's hash covers the hash before it, so that nothing can be changed, removed or put in
between unnoticed; outputs are stored once under their SHA-256 digest, which the entries cite. The
write-ahead log makes each append atomic: after kill -9 at any moment the file holds exactly the
entries whose append had returned, and perhaps one more.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from locard.model.codec import canonical
from locard.model.errors import StateError, TamperedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_APPLICATION_ID = 0x10CA4D
_VERSION = 1
_GENESIS = "0" * 64
_NOT_A_LEDGER = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)

_SCHEMA = """
CREATE TABLE entries (
  seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
  previous TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE outputs (
  digest TEXT PRIMARY KEY, size INTEGER NOT NULL, data BLOB, erased TEXT) WITHOUT ROWID;
CREATE TRIGGER entries_kept_1 BEFORE UPDATE ON entries
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entries_kept_2 BEFORE DELETE ON entries
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER outputs_kept_1 BEFORE DELETE ON outputs
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER outputs_kept_2 BEFORE UPDATE ON outputs
  WHEN NEW.digest <> OLD.digest OR NEW.size <> OLD.size OR NEW.data IS NOT NULL
    OR OLD.erased IS NOT NULL
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the record. `at` is Unix time in seconds, `body` plain JSON data."""

    seq: int
    at: float
    kind: str
    body: Any
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification covered. `head` is the hash to write down elsewhere."""

    entries: int
    outputs: int
    erased: int
    head: str


def _hash(previous: str, seq: int, at: float, kind: str, body: str) -> str:
    return hashlib.sha256(canonical([previous, seq, at, kind, body])).hexdigest()


class Ledger:
    """An open ledger. Use `create` or `open`; close it or use it as a context manager."""

    def __init__(self, path: Path, connection: sqlite3.Connection, head: str, seq: int) -> None:
        """Internal: `create` and `open` are the ways in."""
        self.path = path
        self._db = connection
        self._head = head
        self._seq = seq

    @classmethod
    def create(cls, path: Path) -> Ledger:
        """A new ledger, readable by its owner only; raises StateError."""
        with _mapped(path):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            db = _connect(path)
            db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {_VERSION}")
            db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")
        return cls(path, db, _GENESIS, 0)

    @classmethod
    def open(cls, path: Path, *, write: bool = False) -> Ledger:
        """An existing ledger; raises StateError if there is none or it is something else."""
        if not path.is_file():
            raise StateError(f"no ledger {path}", "there is no such file", "See: locard incident")
        with _mapped(path):
            db = _connect(path, write=write)
            if db.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
                db.close()
                raise StateError(
                    f"{path} is no ledger",
                    "it lacks the mark of one, or locard was killed before it was begun",
                    "Nothing was recorded in it; it may be removed.",
                )
            last = db.execute("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
        seq, head = last or (0, _GENESIS)
        return cls(path, db, head, seq)

    @property
    def head(self) -> str:
        """The hash of the last entry: it stands for the whole record."""
        return self._head

    def append(self, kind: str, body: Any, outputs: tuple[bytes, ...] = ()) -> Entry:
        """Store the outputs and the entry in one transaction; on return they are safe.

        Raises StateError (a full disk, for one); the ledger then is as it was before.
        """
        at, seq = time.time(), self._seq + 1
        text = canonical(body).decode()
        digest = _hash(self._head, seq, at, kind, text)
        row = (seq, at, kind, text, self._head, digest)
        with _mapped(self.path), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for data in outputs:
                self._db.execute(
                    "INSERT OR IGNORE INTO outputs VALUES (?, ?, ?, NULL)",
                    (digest_of(data), len(data), zlib.compress(data, 6)),
                )
            self._db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", row)
        entry = Entry(seq, at, kind, json.loads(text), self._head, digest)
        self._head, self._seq = digest, seq
        return entry

    def entries(self, kind: str | None = None) -> Iterator[Entry]:
        """All entries in order, or those of one kind."""
        query = "SELECT seq, at, kind, body, previous, hash FROM entries"
        with _mapped(self.path):
            for seq, at, found, body, previous, digest in self._db.execute(query + " ORDER BY seq"):
                if kind is None or found == kind:
                    yield Entry(seq, at, found, json.loads(body), previous, digest)

    def output(self, digest: str) -> bytes | None:
        """A stored output; None if it was erased. Raises TamperedError if it is missing."""
        with _mapped(self.path):
            row = self._db.execute(
                "SELECT data, erased FROM outputs WHERE digest = ?", (digest,)
            ).fetchone()
        if row is None:
            raise _tampered(self.path, f"the output {digest[:12]} is missing")
        data, erased = row
        if data is None and erased is not None:
            return None
        try:
            content = zlib.decompress(data)
        except (zlib.error, TypeError) as error:
            raise _tampered(self.path, f"the output {digest[:12]} is damaged") from error
        if digest_of(content) != digest:
            raise _tampered(self.path, f"the output {digest[:12]} was changed")
        return content

    def erase(self, digest: str, reason: str) -> Entry:
        """Erase the content of an output on request; a tombstone and an entry stay."""
        self.output(digest)
        entry = self.append("erased", {"output": digest, "reason": reason})
        with _mapped(self.path), self._db:
            self._db.execute(
                "UPDATE outputs SET data = NULL, erased = ? WHERE digest = ? AND erased IS NULL",
                (entry.hash, digest),
            )
        return entry

    def verify(self, head: str | None = None) -> Verified:
        """Recompute the chain and every output's digest; raises TamperedError at the first fault.

        With `head` (as printed at the time), also that the record still contains that entry: a
        chain alone cannot tell that its last entries were cut off.
        """
        previous, seq, hashes, cited, erased = _GENESIS, 0, set(), set(), set()
        with _mapped(self.path):
            rows = self._db.execute("SELECT seq, at, kind, body, previous, hash FROM entries")
            for row_seq, at, kind, body, row_previous, digest in sorted(rows):
                seq += 1
                expected = _hash(previous, row_seq, at, kind, body)
                if row_seq != seq or row_previous != previous or digest != expected:
                    raise _tampered(self.path, f"entry {seq} does not continue the chain")
                previous = digest
                hashes.add(digest)
                content = json.loads(body)
                cited |= set(_cited(content))
                if kind == "erased":
                    erased.add(content["output"])
        for digest in sorted(cited):
            if self.output(digest) is None and digest not in erased:
                raise _tampered(self.path, f"the output {digest[:12]} was erased without an entry")
        if head is not None and head not in hashes and head != previous:
            raise _tampered(self.path, f"the entry {head[:12]} is no longer in the record")
        return Verified(seq, len(cited), len(erased), previous)

    def close(self) -> None:
        """Fold the write-ahead log into the file and close it."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


def digest_of(data: bytes) -> str:
    """The SHA-256 of an output, as hex."""
    return hashlib.sha256(data).hexdigest()


def _cited(body: Any) -> Iterator[str]:
    """The outputs that an entry's commands cite."""
    if isinstance(body, dict):
        for ran in body.get("ran") or ():
            yield ran["stdout"]
            yield ran["stderr"]


def _connect(path: Path, *, write: bool = True) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=5)
    if write:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
    else:
        db.execute("PRAGMA query_only = ON")
    return db


def _tampered(path: Path, why: str) -> TamperedError:
    return TamperedError(
        f"the ledger {path.name} does not verify",
        why,
        "Compare it with an export or a copy made at the time; do not rely on it before.",
    )


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[None]:
    """SQLite's and the system's errors as StateError, told apart by code."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        why, step = str(error), "Pass another place: --state DIR (or LOCARD_STATE)."
        if code == sqlite3.SQLITE_FULL:
            why = "the disk is full"
            step = f"Free space below {path.parent}, or pass another place: --state DIR."
        elif code in _NOT_A_LEDGER:
            raise _tampered(path, f"it is damaged or no database ({error})") from error
        raise StateError(f"cannot use the ledger {path}", why, step) from error
    except OSError as error:
        raise StateError(
            f"cannot write {path}",
            error.strerror or str(error),
            "Pass a directory that you may write: --state DIR (or LOCARD_STATE).",
        ) from error
