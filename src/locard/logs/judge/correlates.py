"""What the bad requests share: sets of up to three field=value pairs that single them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.logs.judge import correlate_counts
from locard.logs.judge.before_after import counts, counts_of
from locard.model.log_facts import Correlate
from locard.stats.contrast import Contrast, Counts, Values
from locard.stats.contrast_search import FEWEST_BAD, LEAST_SHARE, explanations, possible_sets
from locard.stats.intervals import tail_bound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.logs.judge.events import Events
    from locard.logs.table.table import Table

_MOST = 5
_ALPHA = 0.001
_ROUNDS = 3


def correlates(table: Table, events: Events, totals: Counts) -> tuple[Correlate, ...]:
    """The sets that explain the excess of bad requests, those that explain most first.

    After each set its requests are left aside, so that the next has to explain what remains (the
    deletion of RiskLoc, Kalander 2022). Several sets are then searched again, each without the
    requests of the others (backfitting, Friedman and Stuetzle 1981): before, the errors of the others
    looked like a rise of everyone. Only what stands that test is named. Empty: nothing sets the bad
    requests apart, it is everyone.
    """
    if not events.groups:
        return ()
    search = _Search(table, events, totals)
    found = search.tested(search.grown([]))
    if not found:
        return ()
    carries = [correlate_counts.condition(events.groups, one.values) for one in found]
    # A request in several sets is told of each, but explained by the first of them.
    first = [
        f"{has} AND {correlate_counts.without(events.groups, [one.values for one in found[:i]])}"
        for i, has in enumerate(carries)
    ]
    counted = counts_of(table, carries + first)
    both = zip(counted[: len(found)], counted[len(found) :], strict=True)
    return tuple(
        _correlate(one, inside, own, totals) for one, (inside, own) in zip(found, both, strict=True)
    )


def ranked(table: Table, events: Events, totals: Counts) -> list[tuple[Values, ...]]:
    """What may be named, the best first: that of `correlates`, then what explains the excess as a whole."""
    search = _Search(table, events, totals)
    named = tuple(one.values for one in search.tested(search.grown([])))
    others = [tuple(o.values for o in best) for best in search.nameable("true", sure=True)]
    different = [one for one in others if set(one) != set(named)]
    return [named, *different] if named else different


def _to_explain(part: Counts) -> float:
    """Bad requests that need an explanation: all of them where nothing is known of before."""
    return Contrast(part).excess(part) if part.before_total else part.after_bad


@dataclass(frozen=True, slots=True)
class _Found:
    """A set, its counts among the requests in none of the other sets, and its corrected p-value."""

    values: Values
    inside: Counts
    contrast: Contrast
    p_value: float

    @property
    def worth(self) -> float:
        return self.contrast.worth(self.inside)


class _Search:
    """Searches `compared`, or what of it is in none of some sets; no question is asked twice."""

    def __init__(self, table: Table, events: Events, totals: Counts) -> None:
        self._table, self._groups = table, events.groups
        self._least = max(FEWEST_BAD, LEAST_SHARE * _to_explain(totals))
        self._rests: dict[str, Counts] = {"true": totals}
        self._bests: dict[tuple[str, bool], list[_Found]] = {}

    def grown(self, sets: Sequence[Values]) -> list[Values]:
        """More sets, until what remains needs no explanation or has none.

        A set may be tried although those outside got worse as well: that may be other sets' doing.
        """
        found = list(sets)
        while len(found) < _MOST:
            where = correlate_counts.without(self._groups, found)
            best = self._best(where, sure=True) or self._best(where, sure=False)
            if not best:
                break
            found.extend(one.values for one in best)
        return found[:_MOST]

    def tested(self, sets: Sequence[Values]) -> list[_Found]:
        """Each set as it is found without the requests of the others, or not at all."""
        if not sets:
            return []
        found: list[_Found] = []
        for _ in range(_ROUNDS):
            found = self._again(sets)
            now = [one.values for one in found]
            if set(now) == set(sets):
                break
            sets = self.grown(now)
        return sorted(found, key=lambda one: -one.worth)

    def _again(self, sets: Sequence[Values]) -> list[_Found]:
        found: list[_Found] = []
        for i in range(len(sets)):
            others = [*(one.values for one in found), *sets[i + 1 :]]
            best = self._best(correlate_counts.without(self._groups, others), sure=True)
            found.extend(best[: _MOST - len(found)])
        return found

    def _best(self, where: str, *, sure: bool) -> list[_Found]:
        """The sets of the best explanation that is none of chance, of the requests that meet `where`.

        Not `sure`: whether those outside got worse as well does not count.
        """
        if (where, sure) not in self._bests:
            self._bests[where, sure] = self._search(where, sure=sure)
        return self._bests[where, sure]

    def _search(self, where: str, *, sure: bool) -> list[_Found]:
        return next(self.nameable(where, sure=sure), [])

    def nameable(self, where: str, *, sure: bool) -> Iterator[list[_Found]]:
        """The explanations that are none of chance, the best first."""
        if where not in self._rests:
            self._rests[where] = counts(self._table, where)
        rest = self._rests[where]
        if _to_explain(rest) < self._least:
            return
        contrast = Contrast(rest)
        sample = correlate_counts.sample(self._table, self._groups, rest, where)
        frequent = correlate_counts.frequent_pairs(sample, self._least)
        cells = correlate_counts.cells(sample, frequent)
        for explanation in explanations(cells):
            if not explanation.settled:
                return
            judged = []
            for values in explanation.sets:
                inside = cells[values]
                if not sample.exact:
                    carries = correlate_counts.condition(self._groups, values)
                    inside = counts(self._table, f"{carries} AND {where}")
                tests = possible_sets(len(frequent), len(values))
                p_value = tail_bound(contrast.evidence(inside, drifts=sure), tests)
                enough = min(contrast.excess(inside), contrast.worth(inside)) >= self._least
                if enough and p_value <= _ALPHA:
                    judged.append(_Found(values, inside, contrast, p_value))
            if len(judged) == len(explanation.sets):
                yield judged


def _correlate(found: _Found, inside: Counts, own: Counts, totals: Counts) -> Correlate:
    """`inside` counts all that carry the set, `own` those in none of the sets before it."""
    excess = Contrast(totals).excess(own)
    return Correlate(
        values=tuple(sorted(found.values)),
        support=inside.after_bad,
        excess=round(found.worth, 1),
        share_of_excess=round(min(1.0, max(0.0, excess / _to_explain(totals))), 4),
        lift=round(inside.after_rate / totals.after_rate, 2),
        p_value=found.p_value,
    )
