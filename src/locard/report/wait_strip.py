"""What threads did over the time that was looked at, as a strip of stacked bars: an SVG without script."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model import kernel_words

if TYPE_CHECKING:
    from locard.model.kernel_facts import ThreadWait, Waits

WIDE, HIGH = 600, 80
_MOST = 7  # kinds with a colour of their own; the rest is one


@dataclass(frozen=True, slots=True)
class Bar:
    """One block: its place in a box of 600 x 80, and the number of its colour."""

    x: float
    y: float
    width: float
    height: float
    colour: int


@dataclass(frozen=True, slots=True)
class Strip:
    """The bars, and what each colour stands for: (number, words, share of all thread time)."""

    bars: tuple[Bar, ...]
    legend: tuple[tuple[int, str, str], ...]
    seconds: float


def strip(found: Waits) -> Strip | None:
    """The strip of some looks; None where no thread was seen."""
    totals: Counter[str] = Counter()
    for wait in found.threads:
        totals[_words(wait)] += sum(wait.strip)
    columns = max((len(w.strip) for w in found.threads), default=0)
    every = sum(totals.values())
    if not every or not columns:
        return None
    order = [words for words, _ in totals.most_common(_MOST)]
    sums = [Counter[int]() for _ in range(columns)]
    for wait in found.threads:
        words = _words(wait)
        colour = order.index(words) if words in order else _MOST
        for at, number in enumerate(wait.strip):
            sums[at][colour] += number
    bars = []
    wide = WIDE / columns
    for at, counts in enumerate(sums):
        low, most = float(HIGH), max(1, sum(counts.values()))
        for colour in range(_MOST + 1):
            tall = HIGH * counts[colour] / most
            if tall:
                low -= tall
                bars.append(
                    Bar(round(at * wide, 2), round(low, 2), round(wide, 2), round(tall, 2), colour)
                )
    legend = [(k, w, kernel_words.share_words(totals[w], every)) for k, w in enumerate(order)]
    rest = every - sum(totals[w] for w in order)
    if rest:
        legend.append((_MOST, "anything else", kernel_words.share_words(rest, every)))
    return Strip(tuple(bars), tuple(legend), found.observed.seconds)


def _words(wait: ThreadWait) -> str:
    """Kinds, not single peers or words of locks: these are in the table."""
    return (
        f"{wait.doing} ({wait.call})" if wait.call and wait.call not in wait.doing else wait.doing
    )
