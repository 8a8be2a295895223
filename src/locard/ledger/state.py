"""The state directory: where incidents live on the machine of the person who runs locard."""

from __future__ import annotations

import datetime as dt
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from locard.model.errors import StateError, UsageError

if TYPE_CHECKING:
    from locard.ledger.store import Ledger

_INCIDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SUFFIX = ".ledger"


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
        """The ids of all incidents, by name."""
        folder = self.path / "incidents"
        return tuple(sorted(p.name.removesuffix(_SUFFIX) for p in folder.glob(f"*{_SUFFIX}")))

    def begin(self, name: str, incident: str | None = None) -> tuple[str, Ledger, bytes]:
        """A new incident, or the one named: its id, its ledger, its redaction key.

        Raises StateError.
        """
        from locard.ledger.store import Ledger  # noqa: PLC0415 - SQLite: who asks for the path alone needs none

        if incident is not None:
            path = self.ledger_path(incident)
            self._make(path.parent)
            ledger = Ledger.open(path, write=True) if path.exists() else Ledger.create(path)
            return incident, ledger, self._key(incident)
        today = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
        slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40] or "target"
        incident = f"{today}-{slug}-{secrets.token_hex(2)}"
        path = self.ledger_path(incident)
        self._make(path.parent)
        key = self._key(incident)
        return incident, Ledger.create(path), key

    def open(self, incident: str, *, write: bool = False) -> Ledger:
        """The ledger of an incident, or of the newest one for `last`; raises StateError."""
        from locard.ledger.store import Ledger  # noqa: PLC0415 - as above

        if incident == "last":
            every = self.incidents()
            if not every:
                raise StateError(
                    "no incident yet", f"{self.path} holds none", "Make one: locard investigate …"
                )
            incident = max(every, key=lambda i: self.ledger_path(i).stat().st_mtime_ns)
        return Ledger.open(self.ledger_path(incident), write=write)

    def _key(self, incident: str) -> bytes:
        """The redaction key of an incident: beside the ledgers, never in one."""
        folder = self.path / "keys"
        self._make(folder)
        key = secrets.token_bytes(32)
        path = folder / incident
        try:
            if path.exists():
                return path.read_bytes()
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(key)
        except OSError as error:
            raise _unwritable(path, error) from error
        return key

    def _make(self, folder: Path) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for private in (self.path, folder):
                private.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from error


def _unwritable(path: Path, error: OSError) -> StateError:
    return StateError(
        f"cannot write the state directory {path.parent}",
        error.strerror or str(error),
        "Pass a directory that you may write: --state DIR (or LOCARD_STATE).",
    )
