"""Folders and files that only this user may have made: no link is followed, nobody else may write.

What lies in a folder that somebody else can change is theirs: root would delete, read or write on their
behalf. So each folder on the way from the state directory down is opened once without following links,
checked through its descriptor, and everything below is done relative to that descriptor.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from typing import TYPE_CHECKING

from locard.model.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MOST_TRIES = 8


@contextlib.contextmanager
def folder(root: Path, *names: str, make: bool = False) -> Iterator[int]:
    """The descriptor of `root/names…`, each of them ours alone to write; raises StateError.

    With `make` those that are not there are made, private. Without it a missing one is a StateError too.
    """
    path, held = root, -1
    try:
        if make:
            with _said(root, make):
                root.parent.mkdir(parents=True, exist_ok=True)
        held = _step(None, str(root), root, make=make)
        for name in names:
            path /= name
            below = _step(held, name, path, make=make)
            os.close(held)
            held = below
        yield held
    finally:
        if held >= 0:
            os.close(held)


def check(root: Path, *names: str, make: bool = False) -> None:
    """Raise StateError where a folder is not there, or not ours alone to write."""
    with folder(root, *names, make=make):
        pass


def _step(above: int | None, name: str, path: Path, *, make: bool) -> int:
    with _said(path, make):
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=above)
        fd = os.open(name, _FOLDER, dir_fd=above)
    why = _foreign(os.fstat(fd))
    if why:
        os.close(fd)
        raise refused(path, why)
    return fd


def _foreign(info: os.stat_result) -> str:
    """Why what was opened is not ours alone; empty where it is."""
    if info.st_uid != os.geteuid():
        return f"it belongs to uid {info.st_uid}, not to uid {os.geteuid()}"
    if info.st_mode & _OTHERS_WRITE:
        return f"others may write to it (mode {stat.S_IMODE(info.st_mode):04o})"
    return ""


def open_file(below: int, name: str, path: Path, *, write: bool = False) -> int:
    """A regular file of ours in an open folder; raises StateError, FileNotFoundError."""
    try:
        fd = os.open(name, _FILE | (os.O_RDWR if write else os.O_RDONLY), dir_fd=below)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise refused(path, _why(path, error)) from error
    info = os.fstat(fd)
    why = "it is no regular file" if not stat.S_ISREG(info.st_mode) else _foreign(info)
    if why:
        os.close(fd)
        raise refused(path, why)
    return fd


def write_once(below: int, name: str, data: bytes) -> bool:
    """A new file with that content, whole or not at all; False where there is one already.

    Written beside, synced, then linked to its name: a full disk or a kill leaves no half of it.
    """
    fresh = f".{name}.{os.urandom(8).hex()}"
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | _FILE
    try:
        handle = os.open(fresh, flags, 0o600, dir_fd=below)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, name, src_dir_fd=below, dst_dir_fd=below)
        except FileExistsError:
            return False
        os.fsync(below)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(fresh, dir_fd=below)
    return True


def lock(fd: int) -> bool:
    """Take the lock of an open file or folder, which ends with its descriptor; False where it is held."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def room(below: int, prefix: str) -> tuple[str, int]:
    """A new folder in an open one, locked as long as its descriptor lives; raises OSError."""
    for _ in range(_MOST_TRIES):
        name = f"{prefix}{os.urandom(8).hex()}"
        os.mkdir(name, 0o700, dir_fd=below)
        try:
            fd = os.open(name, _FOLDER, dir_fd=below)
        except FileNotFoundError:
            continue  # somebody who tidies was quicker than the lock
        if lock(fd) and os.fstat(fd).st_nlink:
            return name, fd
        os.close(fd)
    raise OSError("no room of its own could be locked")


def remove_unlocked(below: int, prefix: str) -> None:
    """Remove what processes that have ended left of their rooms; what is locked or not ours stays."""
    import shutil  # noqa: PLC0415 - only who tidies needs it

    for name in os.listdir(below):
        if not name.startswith(prefix):
            continue
        with contextlib.suppress(OSError):
            fd = os.open(name, _FOLDER, dir_fd=below)
            try:
                if not _foreign(os.fstat(fd)) and lock(fd):
                    shutil.rmtree(name, ignore_errors=True, dir_fd=below)
            finally:
                os.close(fd)


def refused(path: Path, why: str) -> StateError:
    """The error that says what is not used, and why."""
    return StateError(
        f"{path} is not used",
        why,
        "Name a folder of your own that nobody else may write to: --state DIR (or LOCARD_STATE).",
    )


def _why(path: Path, error: OSError) -> str:
    return "it is a symbolic link" if path.is_symlink() else error.strerror or str(error)


@contextlib.contextmanager
def _said(path: Path, make: bool) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if path.is_symlink():
            raise refused(path, "it is a symbolic link") from error
        raise StateError(
            f"cannot {'write' if make else 'use'} the state directory {path}",
            error.strerror or str(error),
            "Pass a directory that you may write: --state DIR (or LOCARD_STATE).",
        ) from error
