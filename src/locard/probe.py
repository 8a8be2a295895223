"""What a probe file looks like: a read-only question that describes its I/O and does none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from locard.guard.command import Command, Template, Wait

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.model.evidence import Output, Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip

Step = Command | Wait


@dataclass(frozen=True, slots=True)
class Sample:
    """Recorded output and what must be read from it; the meta-tests run each one.

    `has` are substrings of the repr of the facts: short, and they say what matters.
    """

    outputs: tuple[Output, ...]
    has: tuple[str, ...]


class Probe(Protocol):
    """A probe module. Its docstring has the sections shows, how, impact, limits, source.

    `plan` yields Commands (and Waits) and is sent each Command's Output (an empty one in a dry
    run); it does no I/O. `read` makes facts from the outputs, in the order in which they ran; it
    is pure, so that a replay of the record gives the same facts. It never raises on bad output:
    what cannot be read is simply not in the facts.

    `BY_DEFAULT` says whether an investigation asks it by itself: all do but eBPF programs.

    A probe with parameters has `PARAMS`, a type as `model/params.py` describes it, and `plan` takes one
    of it with defaults as its second argument. Where values have to fit each other or a machine, its
    `check(params)` raises UsageError before anything runs.
    """

    COMMANDS: tuple[Template, ...]
    SAMPLES: tuple[Sample, ...]

    def applies(self, context: Context) -> Skip | None:
        """None if the probe can ask its question here, else why not and what would unlock it."""

    def scope(self, context: Context) -> Scope:
        """What the probe looks at."""

    def plan(self, context: Context) -> Generator[Step, Output, None]:
        """The commands, one after the other."""

    def read(self, outputs: Sequence[Output]) -> tuple[Fact, ...]:
        """The facts in the outputs."""
