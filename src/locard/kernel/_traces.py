"""From the records of an observation to one Trace: what the readers of `kernel/programs/` share."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing, syscall_table
from locard.model.evidence import Output
from locard.model.kernel_facts import NotObserved, Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from locard.kernel._observing import Told
    from locard.model.facts import Fact
    from locard.model.kernel_facts import Observed, Row

_BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


def read(
    program: str, outputs: Sequence[Output], make: Callable[[Told], Trace]
) -> tuple[Fact, ...]:
    """One Trace an observation, or why there is none. Never raises."""
    facts: list[Fact] = []
    for output in outputs:
        told = _observing.told(output)
        refused = _observing.refusal(program, told)
        if refused is not None:
            facts.append(refused)
        elif told.began:
            try:
                facts.append(make(told))
            except _BROKEN:
                facts.append(NotObserved(program, "what came back cannot be read", ""))
    return tuple(facts)


def ended_ago(told: Told, at_ns: Any) -> float | None:
    """How long before the end of the observation something was; None where that is not known."""
    end = told.end.get("end")
    if not isinstance(end, int) or not isinstance(at_ns, int):
        return None
    return max(0.0, (end - at_ns) / 1e9)


def result_of(error: int) -> str:
    """`ok`, an errno's name, or that a signal came between."""
    if error == 0:
        return "ok"
    return "interrupted" if 512 <= error <= 516 else syscall_table.error(error)  # noqa: PLR2004 - ERESTART*


def in_words(counts: dict[str, int], most: int = 3) -> str:
    """Counts by name, greatest first: `ENOENT 575, EACCES 2`."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    words = ", ".join(f"{name} {number:,}" for name, number in ordered[:most])
    return f"{words}, …" if len(ordered) > most else words


def by_count(rows: list[Row]) -> tuple[Row, ...]:
    """Most frequent first."""
    return tuple(sorted(rows, key=lambda r: (-r.count, r.what, r.result)))


def also_lost(observed: Observed, words: str) -> Observed:
    """The same with one more loss: it becomes partial."""
    return dataclasses.replace(observed, lost=(*observed.lost, words))


def recorded(*lines: str) -> Output:
    """Lines as an observation prints them: for the samples."""
    return Output(argv=("python3",), stdout=("\n".join(lines) + "\n").encode())
