"""The plan without the doing: what an investigation would run, for `--dry-run`."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard import catalogue
from locard.guard import sudo
from locard.guard.command import Wait
from locard.guard.redact import Redactor
from locard.investigate import probing
from locard.model.errors import RefusedError
from locard.model.evidence import Layer, Output
from locard.model.place import HERE, typed_at
from locard.transport.prepared import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.catalogue import Entry
    from locard.guard.command import Command
    from locard.guard.gate import Gate
    from locard.model.target import Context
    from locard.probe import Probe


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
    place: str = HERE.ref


@dataclass(frozen=True, slots=True)
class Unplanned:
    """A target for which there is no plan, and why."""

    target: str
    why: str


def planned(
    context: Context,
    gate: Gate,
    layers: Sequence[Layer] = tuple(Layer),
    only: tuple[str, dict[str, str]] | None = None,
) -> tuple[Planned, ...]:
    """Every command in order. A step that depends on an answer is planned as for an empty one.

    `only`: one probe by its key, with its parameters as texts.

    Secrets in what it would ask for are not shown; what it runs is not changed by that.
    """
    found: list[Planned] = []
    redactor = Redactor.passing()
    for layer in layers:
        for entry in catalogue.entries("probe", layer):
            if only is not None and probing.key(entry) != only[0]:
                continue
            probe = probing.load(entry)
            if only is None and not probing.in_investigation(probe, entry):
                continue
            asked = probing.params_of(probe, only[1]) if only is not None else None
            skip = probe.applies(context)
            if skip is not None:
                place = context.place.ref
                found.append(
                    Planned(layer, entry.name, why=skip.why, unlock=skip.unlock, place=place)
                )
                continue
            found.extend(
                _planned(entry, command, gate, redactor, context)
                for command in commands(probe, context, asked)
            )
    return tuple(found)


def commands(probe: Probe, context: Context, asked: Any = None) -> Iterator[Command]:
    """What a plan would run, each command answered with nothing; `asked`: its parameters."""
    plan = probing.plan_of(probe, context, asked)
    with contextlib.suppress(StopIteration):
        step = next(plan)
        while True:
            if isinstance(step, Wait):
                step = next(plan)
                continue
            yield step
            step = plan.send(Output(step.argv, b""))


def _planned(
    entry: Entry, command: Command, gate: Gate, redactor: Redactor, context: Context
) -> Planned:
    why = unlock = ""
    try:
        gate.admit(probing.key(entry), command)
    except RefusedError as error:
        why, unlock = error.why, error.next_step
    place = HERE if command.template.here else context.place
    ground = context.ground if place == context.place else None
    prepared = prepare(command, ground, local=place.local)
    return Planned(
        layer=Layer(entry.layer or ""),
        probe=entry.name,
        place=place.ref,
        argv=redactor.argv(prepared.argv),
        by_hand=typed_at(sudo.by_hand(redactor.text(command.by_hand), prepared.argv), place),
        impact=command.impact.word,
        residue=command.residue,
        bound_s=command.bound_s,
        program_digest=prepared.program_digest,
        why=redactor.text(why)
        or (f"{prepared.missing} is not installed" if prepared.missing else ""),
        unlock=unlock,
    )
