"""Which sets of field=value pairs explain the bad requests, from counts alone.

A set is right when all in it are affected and nobody outside of it is. The search takes the sets
that are worth most and moves their border until that holds: a pair is dropped if the requests that
it keeps out are affected too, one is added if it keeps out requests that are not. Values of one
field that are affected alike explain the bad requests together.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
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
_NEARLY_ALL = 0.92  # of the requests of a set: a value that is the usual one
_HARDLY = 0.1  # of the excess rate beside it: a machine that is a little slower for all
_PART, _MOST_PARTS = 0.2, 8  # of the excess of a set that is two in truth
_LITTLE = 0.15  # of its excess, outside of the two
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
    split = search.split(settled[0]) if settled else None
    if split is not None:
        found[0] = split
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
        self._known_sets = known
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
        # What nearly all have says something only if the others are rather spared.
        usual = kept.after_total >= _NEARLY_ALL * self._cells[shorter].after_total
        return alike and self._rest(shorter, values) > (0 if usual else STRONG)

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

    def split(self, values: Values) -> Explanation | None:
        """Two narrower sets in place of one that holds both, if the rest of it is not affected."""
        whole, excess = self._cells[values], self._contrast.excess
        least = _PART * excess(whole)
        parts = [v for v in self._narrower[values] if excess(self._cells[v]) >= least]
        parts.sort(key=lambda v: -_excess_rate(self._contrast, self._cells[v]))
        best: tuple[float, Values, Values] | None = None
        for one, two in combinations(parts[:_MOST_PARTS], 2):
            both = self._union(values, one, two)
            if both is None or both.after_total > _NEARLY_ALL * whole.after_total:
                continue
            rest = whole - both
            if rest.after_total * both.after_rate <= STRONG * 2:
                continue
            drift = self._contrast.drift(whole)
            odds = self._contrast.affected(rest, both.after_rate, drift)
            little = excess(rest) < _LITTLE * excess(whole)
            if odds < -STRONG and little and (best is None or excess(both) > best[0]):
                best = (excess(both), one, two)
        if best is None:
            return None
        _, one, two = best
        return Explanation((one, two), self.worth[one] + self.worth[two])

    def _union(self, values: Values, one: Values, two: Values) -> Counts | None:
        """The counts of two narrower sets of `values` together; None where they are not known."""
        added, other = (dict(frozenset(v) - frozenset(values)) for v in (one, two))
        if not added or not other:
            return None
        counts = self._cells[one] + self._cells[two]
        if added.keys() & other.keys():
            return counts  # of one field, no request has two values
        both = self._known_sets.get(frozenset(one) | frozenset(two))
        return counts - self._cells[both] if both is not None else None

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
