"""The plan without the doing: what an investigation would run, for `--dry-run`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard import catalogue
from locard.guard.redact import Redactor
from locard.investigate import probing
from locard.model.errors import RefusedError
from locard.model.evidence import Layer, Output
from locard.transport import local

if TYPE_CHECKING:
    from locard.guard.command import Command
    from locard.guard.gate import Gate
    from locard.model.target import Context


@dataclass(frozen=True, slots=True)
class Planned:
    """One command that would run, or one probe that would be skipped (`why`, `unlock`)."""

    layer: Layer
    probe: str
    argv: tuple[str, ...] = ()
    by_hand: str = ""
    impact: str = ""
    residue: tuple[str, ...] = ()
    bound_s: float = 0.0
    program_digest: str | None = None
    why: str = ""
    unlock: str = ""


def planned(context: Context, gate: Gate) -> tuple[Planned, ...]:
    """Every command in order. A step that depends on an answer is planned as for an empty one.

    Secrets in what it would ask for are not shown; what it runs is not changed by that.
    """
    found: list[Planned] = []
    redactor = Redactor.passing()
    for layer in Layer:
        for entry in catalogue.entries("probe", layer):
            probe = probing.load(entry)
            skip = probe.applies(context)
            if skip is not None:
                found.append(Planned(layer, entry.name, why=skip.why, unlock=skip.unlock))
                continue
            commands: list[Command] = []

            def note(command: Command, into: list[Command] = commands) -> Output:
                into.append(command)
                return Output(command.argv, b"")

            for _ in probing.steps(probe, context, note):
                pass
            found.extend(
                _planned(layer, entry.name, command, gate, redactor) for command in commands
            )
    return tuple(found)


def _planned(layer: Layer, probe: str, command: Command, gate: Gate, redactor: Redactor) -> Planned:
    why = unlock = ""
    try:
        gate.admit(probe, command)
    except RefusedError as error:
        why, unlock = error.why, error.next_step
    prepared = local.prepare(command)
    return Planned(
        layer=layer,
        probe=probe,
        argv=redactor.argv(prepared.argv),
        by_hand=redactor.text(command.by_hand),
        impact=command.impact.word,
        residue=command.residue,
        bound_s=command.bound_s,
        program_digest=prepared.program_digest,
        why=redactor.text(why)
        or (f"{prepared.missing} is not installed" if prepared.missing else ""),
        unlock=unlock,
    )
