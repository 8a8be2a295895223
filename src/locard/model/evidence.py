"""Evidence: what ran, where, when, as whom, how it ended, and what it said."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locard.model.facts import Fact


class Layer(StrEnum):
    """The layers of the method, in the order in which they are read."""

    LOGS = "logs"
    METRICS = "metrics"
    RUNTIME = "runtime"
    KERNEL = "kernel"
    HOST = "host"


class Status(StrEnum):
    """How a command ended. No data is never the same as healthy."""

    OK = "ok"
    PARTIAL = "partial"  # timed out or cut: what came is kept
    NO_DATA = "no_data"  # it ran, and there was nothing to read
    FAILED = "failed"  # it did not run, or ended in error


BY_SUDO = ("sudo", "-n", "--")  # before an argv that runs as root at a place


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom and where a command ran."""

    host: str
    user: str
    uid: int
    sudo_user: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What a command looked at. Empty tuples mean the whole host."""

    pids: tuple[int, ...] = ()
    cgroup: str | None = None
    container: str | None = None
    note: str = ""


INTERRUPTED = "interrupted"  # the problem of what was cut short by who had asked for it


@dataclass(frozen=True, slots=True)
class Output:
    """What one command gave back: the raw material of `read`.

    `started` is Unix time in seconds. `exit_code` is None where the command never started,
    timed out or is no process (an HTTP status stands in `http_status` then).
    """

    argv: tuple[str, ...]
    stdout: bytes
    stderr: bytes = b""
    exit_code: int | None = 0
    http_status: int | None = None
    timed_out: bool = False
    truncated: bool = False
    started: float = 0.0
    duration_s: float = 0.0
    problem: str = ""  # why it did not start or did not finish, in words

    @property
    def program(self) -> str:
        """The base name of what ran, behind `sudo -n --` where it ran by sudo."""
        words = self.argv[3:] if self.argv[:3] == BY_SUDO else self.argv
        return words[0].rpartition("/")[2] if words else ""

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are no UTF-8 become U+FFFD."""
        return self.stdout.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Ran:
    """One command as the ledger keeps it: provenance, not content.

    `stdout` and `stderr` are SHA-256 digests of the stored (redacted) outputs.
    """

    argv: tuple[str, ...]
    by_hand: str
    impact: str
    residue: tuple[str, ...]
    bound_s: float
    program_digest: str | None
    identity: Identity
    started: float
    duration_s: float
    exit_code: int | None
    http_status: int | None
    timed_out: bool
    truncated: bool
    problem: str
    stdout: str
    stdout_bytes: int
    stderr: str
    stderr_bytes: int
    redacted: int
    place: str = "host/local"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The answer of one probe: what it ran and the facts that were read from it.

    `id` is `e1`, `e2`, … in the order of the record. `facts` is derived from the stored outputs by
    the probe's `read`, so a replay gives the same.
    """

    id: str
    probe: str
    layer: Layer
    status: Status
    scope: Scope
    ran: tuple[Ran, ...]
    facts: tuple[Fact, ...] = field(default=())
    problem: str = ""
    place: str = "host/local"
    params: tuple[tuple[str, str], ...] = ()  # what the probe was asked with, beside its defaults
