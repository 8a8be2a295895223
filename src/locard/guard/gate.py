"""The gate: nothing runs that no extension declared, nor above the impact that was allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locard.guard.command import Command, Impact, Template

_SEAL = object()


@dataclass(frozen=True, slots=True)
class Permit:
    """A command that passed the gate. Transports run permits, never bare commands."""

    command: Command
    probe: str
    seal: object

    def __post_init__(self) -> None:
        """Only the gate can make one."""
        if self.seal is not _SEAL:
            raise RefusedError(
                "a permit was not made by the gate", "only Gate.admit makes one", "Report this bug."
            )


class Gate:
    """Admits commands of declared templates, up to an impact class."""

    def __init__(
        self, declared: Mapping[str, tuple[Template, ...]], allow: Impact, *, cap: Impact, why: str
    ) -> None:
        """`declared` maps probe names to their templates; `cap` is the policy's, with its words."""
        self._declared = declared
        self._allow = allow
        self._cap = cap
        self._cap_why = why

    def admit(self, probe: str, command: Command) -> Permit:
        """A permit for the command; raises RefusedError."""
        if not any(template.made(command) for template in self._declared.get(probe, ())):
            raise RefusedError(
                f"refused: {' '.join(command.argv)}",
                f"the probe {probe!r} declares no such command",
                "Nothing was run. Declare a Template in the probe's COMMANDS.",
            )
        if command.impact > self._cap:
            raise RefusedError(
                f"refused: {' '.join(command.argv)}",
                f"its impact is {command.impact.word}, and {self._cap_why}",
                "Nothing was run. No flag raises the policy; ask its owner.",
            )
        if command.impact > self._allow:
            raise RefusedError(
                f"refused: {' '.join(command.argv)}",
                f"its impact is {command.impact.word}, allowed is {self._allow.word}",
                f"Nothing was run. Pass --allow {command.impact.word} to permit it.",
            )
        return Permit(command, probe, _SEAL)
