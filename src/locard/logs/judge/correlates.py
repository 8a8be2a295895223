"""What the bad requests share: sets of up to three field=value pairs that single them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.logs.judge import correlate_counts
from locard.logs.judge.before_after import counts
from locard.model.log_facts import Correlate
from locard.stats.contrast import Contrast, Counts, Values
from locard.stats.contrast_search import FEWEST_BAD, LEAST_SHARE, explanations, possible_sets
from locard.stats.intervals import tail_bound

if TYPE_CHECKING:
    from locard.logs.judge.events import Events
    from locard.logs.table.table import Table

_MOST = 5
_ALPHA = 0.001


def correlates(table: Table, events: Events, totals: Counts) -> tuple[Correlate, ...]:
    """The sets that explain the excess of bad requests, those that explain most first.

    After each one its requests are left aside, so that the next has to explain what remains. Empty:
    nothing sets the bad requests apart, it is everyone.
    """
    whole = _to_explain(totals)
    found: list[Correlate] = []
    explained: list[Values] = []
    rest = totals
    while events.groups and len(found) < _MOST:
        least = max(FEWEST_BAD, LEAST_SHARE * whole)
        if _to_explain(rest) < least:
            break
        where = correlate_counts.without(events.groups, explained)
        best = _best(table, events, rest, where, least)
        if not best:
            break
        for values, inside, p_value in best:
            found.append(_correlate(values, inside, Contrast(rest), whole, p_value))
            explained.append(values)
        rest = counts(table, correlate_counts.without(events.groups, explained))
    return tuple(found[:_MOST])


def _to_explain(part: Counts) -> float:
    """Bad requests that need an explanation: all of them where nothing is known of before."""
    return Contrast(part).excess(part) if part.before_total else part.after_bad


def _best(
    table: Table, events: Events, rest: Counts, where: str, least: float
) -> list[tuple[Values, Counts, float]]:
    """Sets, counts and p-values of the best explanation that is none of chance."""
    contrast = Contrast(rest)
    sample = correlate_counts.sample(table, events.groups, rest, where)
    frequent = correlate_counts.frequent_pairs(sample, least)
    cells = correlate_counts.cells(sample, frequent)
    for explanation in explanations(cells):
        if not explanation.settled:
            break
        judged = []
        for values in explanation.sets:
            inside = cells[values]
            if not sample.exact:
                carries = correlate_counts.condition(events.groups, values)
                inside = counts(table, f"{carries} AND {where}")
            tests = possible_sets(len(frequent), len(values))
            p_value = tail_bound(contrast.evidence(inside), tests)
            enough = min(contrast.excess(inside), contrast.worth(inside)) >= least
            if enough and p_value <= _ALPHA:
                judged.append((values, inside, p_value))
        if len(judged) == len(explanation.sets):
            return judged
    return []


def _correlate(
    values: Values, inside: Counts, contrast: Contrast, whole: float, p_value: float
) -> Correlate:
    return Correlate(
        values=tuple(sorted(values)),
        support=inside.after_bad,
        excess=round(contrast.worth(inside), 1),
        share_of_excess=round(min(1.0, contrast.excess(inside) / whole), 4),
        lift=round(inside.after_rate / contrast.whole.after_rate, 2),
        p_value=p_value,
    )
