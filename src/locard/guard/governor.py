"""The governor: what costs while it runs is ended by itself, and what it gave is kept.

The place measures the CPU time of a run (its whole process group) once a second and says it; it ends the run
by itself as well, at the template's own `most_cpu`, where nobody listens any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    from locard.guard.gate import Permit

    class Costly(Protocol):
        """A run of which the cost is known: `clock` is when it began, by the monotonic clock."""

        permit: Permit
        clock: float
        cost_s: float | None


SETTLES_S = 3.0  # before a share is judged: starting costs more than going on


@dataclass(frozen=True, slots=True)
class Governor:
    """Ends what takes more than a share of a core; `most_cpu` lowers what templates allow themselves."""

    most_cpu: float | None = None  # of one core

    def over(self, running: Costly, now: float) -> str:
        """Why it must stop, in words; empty while it may go on. `now` is of the monotonic clock."""
        allowed = running.permit.command.template.most_cpu
        if allowed is None or running.cost_s is None:
            return ""
        limit = min(allowed, self.most_cpu) if self.most_cpu is not None else allowed
        age = now - running.clock
        if age < SETTLES_S or running.cost_s / age <= limit:
            return ""
        return (
            f"stopped: it took {running.cost_s / age:.0%} of a core, allowed are {limit:.0%};"
            " what came is kept"
        )
