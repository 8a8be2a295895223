"""Planted correlates: sets of one to three fields in made logs, found by the whole first pass.

Each log goes through reading, onset and correlates as `locard logs` does it; bench/gen_planted.py says
what the logs are like.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import gen_planted
from locard.logs import first_pass
from locard.logs.loading import load
from locard.logs.reading import open_source
from locard.stats.intervals import wilson

EFFECTS = (800, 400, 200, 100, 50, 25)  # bad requests beyond the usual, among some 10,000
RUNS = 30  # an effect, a third of them for each size of set
EVERYONE, HEALTHY = 300, 100  # runs with nothing planted
MOST_S = 280.0
Sets = list[frozenset[tuple[str, str]]]


def named(plan: gen_planted.Plan, folder: Path) -> tuple[bool, Sets]:
    """Whether the first pass found an onset, and the sets that it named, in their order."""
    path = folder / "planted.log"
    gen_planted.write(path, plan)
    source = open_source(str(path))
    try:
        table = load(source, 60.0, 1)
    finally:
        source.close()
    try:
        summary = first_pass.judge("planted", table)
    finally:
        table.db.close()
    return summary.onset is not None, [frozenset(c.values) for c in summary.correlates]


def effect_row(effect: int, folder: Path, deadline: float) -> str:
    """One row: how often the onset and the set were found, how many of the named sets are right."""
    runs = onsets = first = found = right = said = 0
    for run in range(RUNS):
        if time.monotonic() > deadline:
            break
        plan = gen_planted.plan(1000 * effect + run, 1 + run % 3, effect)
        onset, sets = named(plan, folder)
        truth = frozenset(plan.values.items())
        runs, onsets, said = runs + 1, onsets + onset, said + len(sets)
        first, found, right = (
            first + (sets[:1] == [truth]),
            found + (truth in sets),
            right + sets.count(truth),
        )
    return (
        f"| {effect} | {share(onsets, runs)} | {share(found, runs)} | {share(found, onsets)} "
        f"| {share(first, onsets)} | {share(right, said)} |"
    )


def share(hits: int, total: int) -> str:
    """A share with its 95 % interval."""
    if not total:
        return "-"
    low, high = wilson(hits, total)
    return f"{hits / total:.2f} ({low:.2f}-{high:.2f})"


def nothing_row(what: str, runs: int, excess: float, folder: Path, deadline: float) -> str:
    """Runs in which a set was named although nothing was planted."""
    done = onsets = false = 0
    for run in range(runs):
        if time.monotonic() > deadline:
            break
        onset, sets = named(gen_planted.plan(7_000_000 + run, 0, excess), folder)
        done, onsets, false = done + 1, onsets + onset, false + bool(sets)
    low, high = wilson(false, done)
    return (
        f"- {what}: {false} of {done} runs name a set ({false / max(1, done):.1%}, 95 % interval "
        f"{low:.1%} to {high:.1%}); an onset was found in {onsets}"
    )


def section() -> str:
    """Both tables."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        everyone = nothing_row("errors of everyone", EVERYONE, 400, folder, began + 0.55 * MOST_S)
        healthy = nothing_row("a healthy service", HEALTHY, 0, folder, began + 0.65 * MOST_S)
        rows = [effect_row(effect, folder, began + MOST_S) for effect in EFFECTS]
    table = "\n".join(rows)
    return (
        f"### Planted correlates\n\nSets of one to three pairs in logs of {gen_planted.REQUESTS} requests and "
        f"{len(gen_planted.FIELDS) + 2} fields, {RUNS} logs an effect; an innocent deploy at every onset.\n\n"
        "| excess bad requests | onset found | set found | of those with an onset | as the first | of the named sets right |\n"
        f"|---|---|---|---|---|---|\n{table}\n\nNothing planted:\n\n{everyone}\n{healthy}\n\n"
        "Goal: false alarms 1 % at most."
    )


if __name__ == "__main__":
    print(section())
