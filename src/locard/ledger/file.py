"""The file of a ledger: what makes it one, and what is refused before SQLite has touched it."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import stat
from typing import TYPE_CHECKING

from locard.model.errors import StateError, TamperedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPLICATION_ID = 0x10CA4D
VERSION = 1
_NOT_A_LEDGER = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_MAGIC, _MARK_AT = b"SQLite format 3\0", 68  # of the file format: where the application id stands

MOST_OUTPUT = 64 << 20  # bytes of one output; templates take 16 MB at most
MOST_BODY = 8 << 20  # characters of one entry

SCHEMA = """
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


def look_at(path: Path) -> None:
    """Refuse what is no ledger before SQLite, which changes what it opens, has seen it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise StateError(
            f"no ledger {path}", "there is no such file", "See: locard incident"
        ) from error
    except OSError as error:
        why = "it is a symbolic link" if path.is_symlink() else error.strerror or str(error)
        raise _no_ledger(path, why) from error
    try:
        info = os.fstat(fd)
        head = os.pread(fd, 100, 0) if stat.S_ISREG(info.st_mode) else b""
    finally:
        os.close(fd)
    if not stat.S_ISREG(info.st_mode):
        raise _no_ledger(path, "it is no regular file")
    if not info.st_size:
        raise StateError(
            f"{path} is no ledger",
            "it is empty: locard was ended before it had begun one",
            "Nothing was recorded in it; it may be removed.",
        )
    if not head.startswith(_MAGIC):
        raise tampered(path, "it is damaged or no database")
    if int.from_bytes(head[_MARK_AT : _MARK_AT + 4], "big") != APPLICATION_ID:
        raise _no_ledger(path, "it is a database of another program")


def _no_ledger(path: Path, why: str) -> StateError:
    return StateError(
        f"{path} is no ledger", why, "It was not touched. Name another: locard incident list"
    )


def prepare(db: sqlite3.Connection, *, write: bool) -> None:
    """Bound and quieten a connection; one that does not write cannot."""
    db.execute("PRAGMA trusted_schema = OFF")
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_OUTPUT + (1 << 20))
    if write:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
    else:
        db.execute("PRAGMA query_only = ON")


def check_schema(db: sqlite3.Connection, path: Path, *, exact: bool) -> None:
    """Tables that are tables; to append, nothing else either: a trigger would run with it."""
    found = db.execute("SELECT type, name, sql FROM sqlite_schema").fetchmany(32)
    tables = {name for kind, name, _ in found if kind == "table"}
    if not {"entries", "outputs"} <= tables:
        raise tampered(path, "it lacks its tables")
    if exact and {" ".join(str(sql).split()) for _, _, sql in found} != _STATEMENTS:
        raise tampered(path, "its tables and triggers are not those that locard makes")


_STATEMENTS = {
    " ".join(part.replace(";;", "").split()).removesuffix(";")
    for part in re.split(r"(?m)^(?=CREATE)", SCHEMA)
    if part.strip()
}


def tampered(path: Path, why: str) -> TamperedError:
    """The error that says what of a record does not verify."""
    return TamperedError(
        f"the ledger {path.name} does not verify",
        why,
        "Compare it with an export or a copy made at the time; do not rely on it before.",
    )


def _is_full(folder: Path) -> bool:
    """SQLite says "disk I/O error" where its files of shared memory find no room."""
    try:
        return os.statvfs(folder).f_bavail == 0
    except OSError:
        return False


@contextlib.contextmanager
def mapped(path: Path) -> Iterator[None]:
    """SQLite's and the system's errors as StateError, told apart by code."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        why, step = str(error), "Pass another place: --state DIR (or LOCARD_STATE)."
        if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path.parent)):
            why = "the disk is full"
            step = f"Free space below {path.parent}, or pass another place: --state DIR."
        elif code in _NOT_A_LEDGER:
            raise tampered(path, f"it is damaged or no database ({error})") from error
        raise StateError(f"cannot use the ledger {path}", why, step) from error
    except OSError as error:
        raise StateError(
            f"cannot write {path}",
            error.strerror or str(error),
            "Pass a directory that you may write: --state DIR (or LOCARD_STATE).",
        ) from error
