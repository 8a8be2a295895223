"""Planted correlates: sets of one to three fields in made logs, found by the whole first pass.

Each log goes through reading, onset and correlates as `locard logs` does it; bench/gen_planted.py says
what the logs are like. Stops after five minutes with what it has.
"""

from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import gen_planted
from locard.logs.fields.profile import profile
from locard.logs.fields.roles import assign
from locard.logs.input.log_source import open_source
from locard.logs.judge import before_after, events, first_pass
from locard.logs.judge.change import Change
from locard.logs.judge.correlates import correlates
from locard.logs.scan.loader import load
from locard.stats.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gen_planted import Plan
    from locard.logs.table.table import Table
    from locard.model.log_facts import Correlate

EFFECTS = (800, 200, 100, 50, 25)  # bad requests beyond the usual, among some 10,000
RUNS = 24  # an effect, a third of them for each size of set
EVERYONE, EVERYONE_EXCESS, HEALTHY = 384, (400, 100), 48  # logs with nothing planted
WANDERING, WANDERS = 96, (0.2, 0.3)  # standard deviations of the log of an upstream's error rate
MOST_S = 285.0
Sets = list[frozenset[tuple[str, str]]]


@dataclass(frozen=True)
class Outcome:
    """Whether the first pass found an onset, the sets that it named, and those with the true onset."""

    onset: bool
    sets: Sets
    sets_if_told: Sets


def outcome(plan: Plan) -> Outcome:
    """What the first pass says of one log."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "planted.log"
        gen_planted.write(path, plan)
        source = open_source(str(path))
        try:
            table = load(source, 60.0, 1)
        finally:
            source.close()
    try:
        summary = first_pass.judge("planted", table)
        sets = named(summary.correlates)
        return Outcome(summary.onset is not None, sets, told(table, plan) if plan.values else sets)
    finally:
        table.db.close()


def told(table: Table, plan: Plan) -> Sets:
    """The sets named where the onset need not be found."""
    fields = profile(table)
    found = events.build(table, assign(fields, table.records, {}), fields, None)
    onset = gen_planted.START + plan.onset_s
    before, after = (gen_planted.START, onset), (onset, gen_planted.START + gen_planted.SPAN_S)
    totals = before_after.mark(table, Change(("errors",), "", "step", None, before, after))
    return named(correlates(table, found, totals))


def named(found: Iterable[Correlate]) -> Sets:
    """The sets of the correlates, in their order."""
    return [frozenset(c.values) for c in found]


@dataclass(frozen=True)
class Runs:
    """Judges logs in a pool, until the time is over."""

    pool: ProcessPoolExecutor
    batch: int
    deadline: float

    def outcomes(self, plans: list[Plan]) -> Iterator[tuple[Plan, Outcome]]:
        """Each plan with its outcome, as many as there is time for."""
        for start in range(0, len(plans), self.batch):
            if time.monotonic() > self.deadline:
                return
            batch = plans[start : start + self.batch]
            yield from zip(batch, self.pool.map(outcome, batch), strict=True)


def effect_row(effect: int, runs: Runs) -> str:
    """One row: how often the onset and the set were found, how many of the named sets are right."""
    plans = [gen_planted.plan(1000 * effect + run, 1 + run % 3, effect) for run in range(RUNS)]
    done = onsets = found = said = right = if_told = 0
    for plan, seen in runs.outcomes(plans):
        truth = frozenset(plan.values.items())
        done, onsets, found = done + 1, onsets + seen.onset, found + (truth in seen.sets)
        said, right = said + len(seen.sets_if_told), right + seen.sets_if_told.count(truth)
        if_told += truth in seen.sets_if_told
    cells = (share(onsets, done), share(found, done), share(if_told, done), share(right, said))
    return f"| {effect} | {' | '.join(cells)} |"


def share(hits: int, total: int) -> str:
    """A share with its 95 % interval."""
    if not total:
        return "-"
    low, high = wilson(hits, total)
    return f"{hits / total:.2f} ({low:.2f}-{high:.2f})"


def nothing_row(what: str, plans: list[Plan], runs: Runs) -> str:
    """Logs in which a set was named although nothing was planted."""
    done = onsets = false = 0
    for _, seen in runs.outcomes(plans):
        done, onsets, false = done + 1, onsets + seen.onset, false + bool(seen.sets)
    low, high = wilson(false, done)
    return (
        f"- {what}: a set is named in {false} of {done} logs ({false / max(1, done):.1%}, 95 % "
        f"interval {low:.1%} to {high:.1%}); an onset is found in {onsets}"
    )


def section() -> str:
    """Both tables."""
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers) as pool:
        runs = Runs(pool, 2 * workers, time.monotonic() + MOST_S)
        rows = "\n".join(effect_row(effect, runs) for effect in EFFECTS)
        everyone = [
            gen_planted.plan(7_000_000 + i, 0, EVERYONE_EXCESS[i % len(EVERYONE_EXCESS)])
            for i in range(EVERYONE)
        ]
        healthy = [gen_planted.plan(8_000_000 + i, 0, 0) for i in range(HEALTHY)]
        wandering = [
            gen_planted.wandering(9_000_000 + i, WANDERS[i % len(WANDERS)])
            for i in range(WANDERING)
        ]
        nothing = "\n".join(
            (
                nothing_row("a healthy service", healthy, runs),
                nothing_row("a healthy service whose error rates wander", wandering, runs),
                nothing_row("errors of everyone", everyone, runs),
            )
        )
    return (
        f"### Planted correlates\n\nSets of one to three pairs in logs of {gen_planted.REQUESTS} requests "
        f"with {len(gen_planted.FIELDS) + 2} fields to share, {RUNS} logs an effect; at every onset an "
        "innocent deploy. Exact sets; 95 % intervals.\n\n"
        "| excess bad requests | onset found | set found | set found if told the onset | of the sets then named right |\n"
        f"|---|---|---|---|---|\n{rows}\n\nNothing planted:\n\n{nothing}\n\nGoal: false alarms 1 % at most."
    )


if __name__ == "__main__":
    print(section())
