"""What every reader of a program here does with the outputs: a fact for each, whatever is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.kernel import _observing
from locard.kernel.engines import bcc
from locard.model.kernel_facts import NotObserved

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from locard.kernel._observing import Told
    from locard.model.evidence import Output
    from locard.model.facts import Fact

_DAMAGED = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)


def facts(
    program: str, outputs: Sequence[Output], make: Callable[[Told], Fact]
) -> tuple[Fact, ...]:
    """The fact that `make` gives for each observation; why there is none where the kernel did not take it."""
    if (by_tool := bcc.facts(program, outputs)) is not None:
        return by_tool
    found: list[Fact] = []
    for output in outputs:
        try:
            told = _observing.told(output)
            refused = _observing.refusal(program, told)
            if refused is not None:
                found.append(refused)
            elif told.began:
                found.append(make(told))
        except _DAMAGED:
            found.append(
                NotObserved(program, "what was observed cannot be read: it is damaged", "")
            )
    return tuple(found)
