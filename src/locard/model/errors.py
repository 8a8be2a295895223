"""Errors that a user may see: what happened, why, and what to do next.

Each maps to one exit code where it arises; nobody reads message text to tell them apart.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ExitCode(IntEnum):
    """The exit codes of every locard command."""

    NOTHING_FOUND = 0
    FINDINGS = 1
    USAGE = 2
    UNREACHABLE = 3
    PARTIAL = 4
    INTERNAL = 70


class LocardError(Exception):
    """Base of every error that reaches the user as three sentences instead of a traceback."""

    exit_code = ExitCode.INTERNAL

    def __init__(self, what: str, why: str, next_step: str, *, command: str = "") -> None:
        """Keep the parts; `str()` joins them for logs. `command` is one to paste: it stays on one line."""
        super().__init__(f"{what}: {why}. {next_step}{f' {command}' if command else ''}")
        self.what = what
        self.why = why
        self.next_step = next_step
        self.command = command


class UsageError(LocardError):
    """The words of the command do not make a question (exit 2)."""

    exit_code = ExitCode.USAGE


class AmbiguousTargetError(UsageError):
    """A name fits several unrelated process trees; the list is in `why`."""


class TargetNotFoundError(LocardError):
    """Nothing answers to the name given (exit 3)."""

    exit_code = ExitCode.UNREACHABLE


class NoShellError(LocardError):
    """A container runs and has nothing with which anything could be started in it (exit 3)."""

    exit_code = ExitCode.UNREACHABLE


class UnreachableError(LocardError):
    """A place could not be reached, or nothing of ours could be started there (exit 3)."""

    exit_code = ExitCode.UNREACHABLE


class NoLogError(LocardError):
    """Whoever was to write the log is known, and has written nothing: that is an answer (exit 1)."""

    exit_code = ExitCode.FINDINGS


class NotPermittedError(LocardError):
    """The kernel or a file mode said no; names the capability that is missing (exit 3)."""

    exit_code = ExitCode.UNREACHABLE


class SourceUnreadableError(LocardError):
    """A log or a metrics endpoint cannot be read at all (exit 3)."""

    exit_code = ExitCode.UNREACHABLE


class RefusedError(LocardError):
    """The gate refused a command: undeclared, above the allowed impact, or against the policy."""

    exit_code = ExitCode.UNREACHABLE


class StateError(LocardError):
    """The state directory cannot be written, or an incident in it cannot be read (exit 3)."""

    exit_code = ExitCode.UNREACHABLE


class TamperedError(StateError):
    """A ledger's hash chain or one of its stored outputs does not verify."""

    exit_code = ExitCode.FINDINGS


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """`did you mean …?` with the nearest known words; empty where none is near.

    The dashes before a flag are in all flags alike, and do not count.
    """
    import difflib  # noqa: PLC0415 - only when something went wrong

    every = {word.lower().lstrip("-"): word for word in known}
    near = difflib.get_close_matches(given.lower().lstrip("-")[:64], every, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(every[word] for word in near)}?" if near else ""
