"""How much a set of field=value pairs says about the bad requests."""

from __future__ import annotations

from dataclasses import dataclass

_BORROWED = 20.0  # requests that a small cell borrows from the whole for its earlier rate


@dataclass(frozen=True, slots=True)
class Cell:
    """The requests that carry all of `values`, before and after the onset."""

    values: tuple[tuple[str, str], ...]
    before_total: int
    before_bad: int
    after_total: int
    after_bad: int

    def before_rate(self, overall: float) -> float:
        """Its earlier share of bad requests, drawn to the overall one where it had few."""
        return (self.before_bad + _BORROWED * overall) / (self.before_total + _BORROWED)


def excess(cell: Cell, overall_before: float) -> float:
    """Bad requests more than its own earlier rate would have given."""
    return cell.after_bad - cell.after_total * cell.before_rate(overall_before)


def worth(cell: Cell, all_bad: int, all_total: int, overall_before: float) -> float:
    """Excess bad requests beyond its share of the traffic.

    A set that holds everyone is worth nothing, and so is one that leaves most of the bad requests
    out: the largest value marks the smallest set that explains the most.
    """
    if not all_total:
        return 0.0
    whole = all_bad - all_total * overall_before
    return excess(cell, overall_before) - cell.after_total * whole / all_total
