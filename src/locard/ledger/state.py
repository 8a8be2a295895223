"""The state directory: where incidents live on the machine of the person who runs locard."""

from __future__ import annotations

import datetime as dt
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from locard.guard import private
from locard.model.errors import NotPermittedError, StateError, UsageError

if TYPE_CHECKING:
    from types import TracebackType

    from locard.ledger.store import Ledger

_INCIDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SUFFIX = ".ledger"
_KEY_BYTES = 32


@dataclass(slots=True)
class Begun:
    """An incident that this process records: nobody else writes an investigation into it meanwhile."""

    incident: str
    ledger: Ledger
    key: bytes
    _lock: int = field(default=-1, repr=False)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the ledger, then let others write."""
        self.ledger.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """The directory and the files in it; made when first written to."""

    path: Path

    @classmethod
    def find(cls, given: str | None = None) -> StateDirectory:
        """`--state`, else LOCARD_STATE, else XDG_STATE_HOME/locard, else ~/.local/state/locard."""
        chosen = given or os.environ.get("LOCARD_STATE")
        if chosen:
            return cls(Path(chosen).absolute())
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return cls(Path(base) / "locard")

    def ledger_path(self, incident: str) -> Path:
        """The file of an incident; raises UsageError on a name that could leave the directory."""
        if not _INCIDENT.fullmatch(incident):
            raise UsageError(
                f"{incident!r} is no incident id",
                "an id has letters, digits, dots, dashes and underscores",
                "List them with: locard incident list",
            )
        return self.path / "incidents" / f"{incident}{_SUFFIX}"

    def incidents(self) -> tuple[str, ...]:
        """The ids of all incidents, the oldest first; other files in the folder are none.

        A folder that may not be read is no empty one: raises NotPermittedError.
        """
        found = []
        folder = self.path / "incidents"
        try:
            entries = sorted(os.scandir(folder), key=lambda e: e.name)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise NotPermittedError(
                f"cannot list the incidents in {self.path}",
                f"{folder}: {error.strerror or error}",
                "Run as the user whose record it is, or name another one: --state DIR.",
            ) from error
        for entry in entries:
            name = entry.name.removesuffix(_SUFFIX)
            is_one = entry.name.endswith(_SUFFIX) and _INCIDENT.fullmatch(name)
            if is_one and entry.is_file(follow_symlinks=False):
                found.append((entry.stat(follow_symlinks=False).st_mtime_ns, name))
        return tuple(name for _, name in sorted(found))

    def begin(self, name: str, incident: str | None = None) -> Begun:
        """A new incident, or the one named, for this process alone to write; raises StateError."""
        from locard.ledger.store import Ledger  # noqa: PLC0415 - SQLite: who asks for the path alone needs none

        if incident is None:
            today = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
            slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40] or "target"
            incident = f"{today}-{slug}-{secrets.token_hex(2)}"
        path = self.ledger_path(incident)
        with private.folder(self.path, "incidents", make=True):
            key, held = self._key(incident, used=os.path.lexists(path))
            try:
                ledger = (
                    Ledger.open(path, write=True) if os.path.lexists(path) else Ledger.create(path)
                )
            except BaseException:
                os.close(held)
                raise
        return Begun(incident, ledger, key, held)

    def open(self, incident: str, *, write: bool = False) -> Ledger:
        """The ledger of an incident, or of the newest one for `last`; raises StateError."""
        from locard.ledger.store import Ledger  # noqa: PLC0415 - as above

        if incident == "last":
            every = self.incidents()
            if not every:
                raise StateError(
                    "no incident yet", f"{self.path} holds none", "Make one: locard investigate …"
                )
            incident = every[-1]
        path = self.ledger_path(incident)
        if not os.path.lexists(path):
            raise StateError(
                f"no incident {incident!r}",
                f"{self.path} holds none of that id",
                "List them with: locard incident list",
            )
        with private.folder(self.path, "incidents"):
            return Ledger.open(path, write=write)

    def is_recorded_now(self, incident: str) -> bool:
        """Whether a living process records into it: it holds the lock of the key."""
        try:
            with private.folder(self.path, "keys") as keys:
                held = private.open_file(keys, incident, self.path / "keys" / incident)
        except (OSError, StateError):
            return False
        try:
            return not private.lock(held)
        finally:
            os.close(held)

    def _key(self, incident: str, *, used: bool) -> tuple[bytes, int]:
        """The redaction key of an incident, and the descriptor that keeps others from writing it.

        It lies beside the ledgers, never in one. A short key is what a full disk left: made anew where
        no record used it, else an error, since anybody could compute what it hides.
        """
        path = self.path / "keys" / incident
        with private.folder(self.path, "keys", make=True) as keys:
            try:
                private.write_once(keys, incident, secrets.token_bytes(_KEY_BYTES))
                held = private.open_file(keys, incident, path, write=True)
                if os.fstat(held).st_size != _KEY_BYTES and not used:
                    os.close(held)
                    os.unlink(incident, dir_fd=keys)
                    private.write_once(keys, incident, secrets.token_bytes(_KEY_BYTES))
                    held = private.open_file(keys, incident, path, write=True)
            except OSError as error:
                raise _unwritable(path, error) from error
        if not private.lock(held):
            os.close(held)
            raise StateError(
                f"the incident {incident} is being recorded by another locard",
                "two investigations in one record would be told apart by nobody",
                "Wait until it has ended, or leave --incident out: a new incident is made.",
            )
        key = os.pread(held, _KEY_BYTES + 1, 0)
        if len(key) != _KEY_BYTES:
            os.close(held)
            raise StateError(
                f"the key of the incident {incident} is damaged",
                f"{path} has {len(key)} bytes instead of {_KEY_BYTES}: pseudonyms would hide nothing",
                "Leave --incident out: a new incident is made, with a key of its own.",
            )
        return key, held


def _unwritable(path: Path, error: OSError) -> StateError:
    return StateError(
        f"cannot write the state directory {path.parent}",
        error.strerror or str(error),
        "Pass a directory that you may write: --state DIR (or LOCARD_STATE).",
    )
