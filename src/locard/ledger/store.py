"""The ledger: one SQLite file per incident, append-only and hash-chained.

Every entry's hash covers the hash before it, so that nothing can be changed, removed or put in
between unnoticed; outputs are stored once under their SHA-256 digest, which the entries cite. The
write-ahead log makes each append atomic: after kill -9 at any moment the file holds exactly the
entries whose append had returned, and perhaps one more.

A ledger may come from somebody else. Before SQLite sees the file its mark is read; links are not
followed; sizes are checked before anything is unpacked, so that memory stays bounded whatever it holds.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sqlite3
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from locard.ledger.file import (
    APPLICATION_ID,
    MOST_BODY,
    MOST_OUTPUT,
    SCHEMA,
    VERSION,
    check_schema,
    look_at,
    mapped,
    prepare,
    tampered,
)
from locard.model.codec import canonical
from locard.model.errors import StateError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_GENESIS = "0" * 64

MOST_ENTRIES = 1_000_000
_LEAST_HEAD = 8  # hexadecimal digits of a head


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
        with mapped(path):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
            db = sqlite3.connect(path, isolation_level=None, timeout=5)
            # The mark reaches the file itself before there is a write-ahead log beside it.
            db.executescript(
                f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID};"
                f"PRAGMA user_version = {VERSION};{SCHEMA}COMMIT;"
            )
            prepare(db, write=True)
        return cls(path, db, _GENESIS, 0)

    @classmethod
    def open(cls, path: Path, *, write: bool = False) -> Ledger:
        """An existing ledger; raises StateError if there is none or it is something else."""
        look_at(path)
        with mapped(path):
            db = sqlite3.connect(path, isolation_level=None, timeout=5)
            try:
                prepare(db, write=write)
                check_schema(db, path, exact=write)
                last = _last(db)
            except BaseException:
                db.close()
                raise
        return cls(path, db, last[1], last[0])

    @property
    def head(self) -> str:
        """The hash of the last entry: it stands for the whole record."""
        return self._head

    def append(self, kind: str, body: Any, outputs: tuple[bytes, ...] = ()) -> Entry:
        """Store the outputs and the entry in one transaction; on return they are safe.

        Raises StateError (a full disk, for one); the ledger then is as it was before.
        """
        text = canonical(body).decode()
        if len(text) > MOST_BODY or any(len(data) > MOST_OUTPUT for data in outputs):
            raise StateError(
                f"cannot record in {self.path.name}",
                f"an entry may have {MOST_BODY >> 20} MB and an output {MOST_OUTPUT >> 20} MB",
                "Report this bug: commands are bounded below that.",
            )
        packed = [(digest_of(d), len(d), zlib.compress(d, 6)) for d in outputs]
        with mapped(self.path), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            # Another process may have appended: the head is what the file says now.
            before, head = _last(self._db)
            at, seq = time.time(), before + 1
            digest = _hash(head, seq, at, kind, text)
            self._db.executemany("INSERT OR IGNORE INTO outputs VALUES (?, ?, ?, NULL)", packed)
            row = (seq, at, kind, text, head, digest)
            self._db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", row)
        self._head, self._seq = digest, seq
        return Entry(seq, at, kind, json.loads(text), head, digest)

    def entries(self, kind: str | None = None) -> Iterator[Entry]:
        """All entries in order, or those of one kind."""
        for entry, _ in self._rows(kind):
            yield entry

    def _rows(self, kind: str | None = None) -> Iterator[tuple[Entry, str]]:
        """Each entry with its body as it is written, none larger than is bearable."""
        with mapped(self.path):
            (count,) = self._db.execute("SELECT count(*) FROM entries").fetchone()
            if count > MOST_ENTRIES:
                raise tampered(self.path, f"it has {count} entries; locard writes no such record")
            query = "SELECT seq, at, kind, body, previous, hash FROM entries"
            query += (" WHERE kind = ?" if kind else "") + " ORDER BY seq"
            sizes = "SELECT max(length(CAST(body AS BLOB))), max(length(kind)) FROM entries"
            if any((size or 0) > MOST_BODY for size in self._db.execute(sizes).fetchone()):
                raise tampered(self.path, f"an entry is larger than {MOST_BODY >> 20} MB")
            for seq, at, found, body, previous, digest in self._db.execute(
                query, (kind,) if kind else ()
            ):
                try:
                    yield Entry(seq, at, found, json.loads(body), previous, digest), body
                except (ValueError, TypeError, RecursionError) as error:
                    raise tampered(self.path, f"entry {seq} holds no JSON") from error

    def output(self, digest: str) -> bytes | None:
        """A stored output; None if it was erased. Raises TamperedError if it is missing."""
        with mapped(self.path):
            row = self._db.execute(
                "SELECT size, length(data), typeof(data), erased FROM outputs WHERE digest = ?",
                (digest,),
            ).fetchone()
            if row is None:
                raise tampered(self.path, f"the output {digest[:12]} is missing")
            size, packed, kind, erased = row
            if packed is None and erased is not None:
                return None
            if kind != "blob" or not isinstance(size, int) or max(size, packed) > MOST_OUTPUT:
                raise tampered(self.path, f"the output {digest[:12]} is damaged or too large")
            query = "SELECT data FROM outputs WHERE digest = ?"
            (data,) = self._db.execute(query, (digest,)).fetchone()
        try:
            unpacking = zlib.decompressobj()
            content = unpacking.decompress(data, size + 1)
        except zlib.error as error:
            raise tampered(self.path, f"the output {digest[:12]} is damaged") from error
        if len(content) != size or not unpacking.eof:
            raise tampered(self.path, f"the output {digest[:12]} has not the size that is written")
        if digest_of(content) != digest:
            raise tampered(self.path, f"the output {digest[:12]} was changed")
        return content

    def size(self, digest: str) -> int:
        """The bytes of a stored output as its entry says; 0 where there is none."""
        with mapped(self.path):
            query = "SELECT size FROM outputs WHERE digest = ?"
            row = self._db.execute(query, (digest,)).fetchone()
        return row[0] if row and isinstance(row[0], int) else 0

    def erase(self, digest: str, reason: str) -> Entry:
        """Erase the content of an output on request; a tombstone and an entry stay."""
        self.output(digest)
        entry = self.append("erased", {"output": digest, "reason": reason})
        with mapped(self.path), self._db:
            self._db.execute(
                "UPDATE outputs SET data = NULL, erased = ? WHERE digest = ? AND erased IS NULL",
                (entry.hash, digest),
            )
        return entry

    def verify(self, head: str | None = None) -> Verified:
        """Recompute the chain and every output's digest; raises TamperedError at the first fault.

        With `head` (as printed at the time, or its first digits), also that the record still contains
        that entry: a chain alone cannot tell that its last entries were cut off.
        """
        wanted, found = _head_prefix(head), head is None
        previous, seq = _GENESIS, 0
        cited: set[str] = set()
        erased: set[str] = set()
        for entry in self.chained():
            seq, previous = entry.seq, entry.hash
            found = found or previous.startswith(wanted)
            try:
                cited.update(_cited(entry.body))
                if entry.kind == "erased":
                    erased.add(str(entry.body["output"]))
            except (KeyError, TypeError, AttributeError) as error:
                raise tampered(self.path, f"entry {seq} is none of locard's") from error
        for digest in sorted(cited):
            if self.output(digest) is None and digest not in erased:
                raise tampered(self.path, f"the output {digest[:12]} was erased without an entry")
        if not found:
            raise tampered(self.path, f"the entry {wanted[:12]} is no longer in the record")
        return Verified(seq, len(cited), len(erased), previous)

    def chained(self) -> Iterator[Entry]:
        """All entries in order, each as far as the chain holds; raises TamperedError at the first fault.

        Outputs are not read: this is the cheap part of `verify`.
        """
        previous = _GENESIS
        for seq, (entry, body) in enumerate(self._rows(), 1):
            expected = _hash(previous, entry.seq, entry.at, entry.kind, body)
            if (entry.seq, entry.previous, entry.hash) != (seq, previous, expected):
                raise tampered(self.path, f"entry {seq} does not continue the chain")
            previous = entry.hash
            yield entry

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


def _head_prefix(head: str | None) -> str:
    """The digits of a head, as far as they were given; raises UsageError."""
    prefix = (head or "").strip().lower()
    if head is not None and not re.fullmatch(rf"[0-9a-f]{{{_LEAST_HEAD},64}}", prefix):
        raise UsageError(
            f"{head!r} is no head",
            f"a head has 64 hexadecimal digits, of which {_LEAST_HEAD} are enough",
            "Copy it from the report: --head 1a2b3c4d5e6f",
        )
    return prefix


def _last(db: sqlite3.Connection) -> tuple[int, str]:
    """The number and hash of the last entry."""
    row = db.execute("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
    return row or (0, _GENESIS)
