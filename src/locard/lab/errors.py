"""What can go wrong in the lab itself, as the user sees it."""

from __future__ import annotations

from locard.model.errors import ExitCode, LocardError


class LabError(LocardError):
    """The lab could not start or keep its service (exit 3)."""

    exit_code = ExitCode.UNREACHABLE
