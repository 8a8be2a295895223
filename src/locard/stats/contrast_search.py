"""Which sets of field=value pairs explain the bad requests, from counts alone.

A set is right when all in it are affected and nobody outside of it is. The search takes the sets
that are worth most and moves their border until that holds: a pair is dropped if the requests that
it keeps out are affected too, one is added if it keeps out requests that are not. Values of one
field that are affected alike explain the bad requests together.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

from locard.stats.contrast import Contrast, Counts, Pair, Values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

STRONG = 3.0  # nats: odds of 20 to 1, strong evidence (Kass and Raftery 1995)
LEAST_SHARE = 0.05  # of the excess; less explains nothing
FEWEST_BAD = 5
_STARTS = 8
_MORE_SETS = 1.2  # so much more have several sets to be worth, for each beyond the first
_MOST_SETS = 3
_HARDLY = 0.1  # of the excess rate beside it: a machine that is a little slower for all
_ALIKE = 0.5  # of the excess rate of those that are affected most


@dataclass(frozen=True, slots=True)
class Explanation:
    """One set of pairs, or several that are affected alike; `worth` in excess bad requests.

    Not `settled`: where a search started that ended at another set.
    """

    sets: tuple[Values, ...]
    worth: float
    settled: bool = True


def explanations(cells: Mapping[Values, Counts]) -> list[Explanation]:
    """The best first, at most eight and those they started from; empty if no set is worth anything.

    `cells` holds the counts of every set that may be named, of all the shorter sets within it, and
    under `()` those of all requests. Ties are broken by the order of `cells`.
    """
    search = _Search(cells)
    starts = search.starts()
    settled = list(dict.fromkeys(search.settle(start) for start in starts))
    found = [Explanation((values,), search.worth[values]) for values in settled]
    together = search.together()
    if together is not None:
        more = _MORE_SETS ** (len(together.sets) - 1)
        first = not found or together.worth > more * found[0].worth
        found.insert(0 if first else 1, together)
    found.extend(
        Explanation((values,), search.worth[values], settled=False)
        for values in starts
        if values not in settled
    )
    return found


def possible_sets(pairs: int, size: int) -> int:
    """How many sets of up to `size` there are of so many pairs: the tests to correct for.

    Only pairs with enough bad requests to be found significant need to be counted (Tarone 1990).
    """
    return sum(comb(pairs, k) for k in range(1, size + 1))


class _Search:
    def __init__(self, cells: Mapping[Values, Counts]) -> None:
        self._cells = cells
        self._contrast = Contrast(cells[()])
        self.worth = {values: self._contrast.worth(counts) for values, counts in cells.items()}
        known = {frozenset(values): values for values in cells}
        implied = _implied(cells)
        self._wider = {
            values: [known[w] for w in _wider(values, implied) if w in known]
            for values in cells
            if values
        }
        self._narrower: dict[Values, list[Values]] = defaultdict(list)
        for values, several in self._wider.items():
            for wider in several:
                self._narrower[wider].append(values)

    def starts(self) -> list[Values]:
        """The sets that are worth most, shorter ones first where they are worth the same."""
        named = [values for values in self._cells if values and self.worth[values] > 0]
        named.sort(key=lambda values: (-self.worth[values], len(values)))
        return named[:_STARTS]

    def settle(self, values: Values) -> Values:
        """Move the border of a set until it parts the affected from the others."""
        seen: set[Values] = set()
        while values not in seen:
            seen.add(values)
            wider = [v for v in self._wider[values] if self._says_as_much(v, values)]
            narrower = [v for v in self._narrower[values] if self._keeps_out_others(values, v)]
            better = [v for v in wider or narrower if v not in seen]
            values = max(better, key=self.worth.__getitem__, default=values)
        return values

    def _says_as_much(self, shorter: Values, values: Values) -> bool:
        if not self._known(shorter, values):
            return True
        contrast, kept = self._contrast, self._cells[values]
        rest = self._cells[shorter] - kept
        alike = _excess_rate(contrast, rest) > _HARDLY * _excess_rate(contrast, kept)
        return alike and self._rest(shorter, values) > STRONG

    def _keeps_out_others(self, values: Values, longer: Values) -> bool:
        excess = self._contrast.excess
        return (
            excess(self._cells[longer]) > excess(self._cells[values]) / 2
            and self._known(values, longer)
            and self._rest(values, longer) < 0
        )

    def _known(self, values: Values, longer: Values) -> bool:
        """Whether so many are kept out that none of them being bad would say something."""
        kept = self._cells[longer]
        left = self._cells[values].after_total - kept.after_total
        return left * kept.after_rate > STRONG

    def _rest(self, values: Values, longer: Values) -> float:
        """Log odds that those of `values` whom `longer` keeps out are affected too."""
        inside, kept = self._cells[values], self._cells[longer]
        drift = self._contrast.drift(inside)
        return self._contrast.affected(inside - kept, kept.after_rate, drift)

    def together(self) -> Explanation | None:
        """The field whose few affected values explain most, if any has more than one."""
        by_field: dict[str, list[Values]] = defaultdict(list)
        for values in self._cells:
            if len(values) == 1 and self._contrast.excess(self._cells[values]) > 0:
                by_field[values[0][0]].append(values)
        alike = [self._alike(of_field) for of_field in by_field.values()]
        found = [
            Explanation(tuple(sets), sum(self.worth[values] for values in sets))
            for sets in alike
            if 1 < len(sets) <= _MOST_SETS
        ]
        return max(found, key=lambda e: e.worth, default=None)

    def _alike(self, of_field: Sequence[Values]) -> list[Values]:
        """The values of one field that are affected as much as the one that is worth most."""
        contrast = self._contrast
        whole = contrast.excess(self._cells[()])
        first, *others = sorted(of_field, key=self.worth.__getitem__, reverse=True)
        sets, inside = [first], self._cells[first]
        for values in others:
            counts = self._cells[values]
            enough = max(FEWEST_BAD, LEAST_SHARE * whole)
            if contrast.excess(counts) < enough or not counts.after_total:
                continue
            rate, usual = counts.after_rate, contrast.base_rate(counts)
            level = inside.after_rate - contrast.base_rate(inside)
            drift = contrast.drift(inside + counts)
            odds = contrast.affected(counts, inside.after_rate, drift)
            if odds > STRONG and rate - usual >= _ALIKE * level:
                sets.append(values)
                inside += counts
        return sets


def _excess_rate(contrast: Contrast, part: Counts) -> float:
    return contrast.excess(part) / part.after_total if part.after_total else 0.0


def _implied(cells: Mapping[Values, Counts]) -> dict[Pair, list[Pair]]:
    """The pairs that all requests with a pair have too: the region of a host."""
    found: dict[Pair, list[Pair]] = defaultdict(list)
    for values in cells:
        if len(values) == 2:  # noqa: PLR2004 - both at once
            for one, other in (values, values[::-1]):
                if cells[values] == cells[(one,)]:
                    found[one].append(other)
    return found


def _wider(values: Values, implied: Mapping[Pair, list[Pair]]) -> Iterator[frozenset[Pair]]:
    """Sets that hold all requests of `values`: a pair less, or in its place one that it implies."""
    for pair in values:
        others = frozenset(values) - {pair}
        if others:
            yield others
        for wider in implied.get(pair, ()):
            if wider not in others:
                yield others | {wider}
