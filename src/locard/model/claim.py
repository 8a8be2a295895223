"""Claims: what locard says, as data. A sentence is made from one, and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Slot = Literal[
    "state", "verdict", "log", "changed", "onset", "other_logs", "bad_means", "affected", "unaffected", "unknown", "coverage", "log_says",
    "doing", "also_seen", "healthy", "not_looked_at",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """One number or one quoted text of a claim. Shares are between 0 and 1, times Unix time."""

    name: str
    value: float | None = None
    text: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """What would be said: of whom (`subject`), with which figures, resting on which evidence.

    `kind` names the sentence (report/sentences.py) and the licence that it needs (claims/licence.py).
    """

    slot: Slot
    kind: str
    subject: str
    figures: tuple[Figure, ...] = ()
    evidence: tuple[str, ...] = ()

    def number(self, name: str) -> float:
        """A figure that the kind always has; raises KeyError where it has none of that name."""
        for figure in self.figures:
            if figure.name == name and figure.value is not None:
                return figure.value
        raise KeyError(name)

    def maybe(self, name: str) -> float | None:
        """A figure that may be missing."""
        return next((f.value for f in self.figures if f.name == name), None)

    def text(self, name: str) -> str:
        """A quoted text, empty where there is none."""
        return next((f.text for f in self.figures if f.name == name), "")

    def texts(self, name: str) -> tuple[str, ...]:
        """All quoted texts of that name, in order."""
        return tuple(f.text for f in self.figures if f.name == name)


@dataclass(frozen=True, slots=True)
class Licensed:
    """A claim that may be said. Only `claims.licence.grant` makes one.

    `licence` names the function that allowed it. Where it stands for a stronger claim that the
    evidence does not carry, `instead_of` is that one's kind and `why` says what is lacking.
    """

    claim: Claim
    licence: str
    instead_of: str = ""
    why: str = ""


def figures(**values: float | str | bool | None) -> tuple[Figure, ...]:
    """Figures by name: numbers as values, strings as texts; None is left out.

    A unit stands in the name, as elsewhere (`p99_ms`, `ago_s`).
    """
    found = []
    for name, value in values.items():
        if isinstance(value, str):
            found.append(Figure(name, None, value))
        elif value is not None:
            found.append(Figure(name, float(value)))
    return tuple(found)
