"""Several causes at once: two or three sets of one to three pairs, found by the whole first pass.

bench/gen_causes.py says what the logs are like. The first shapes were looked at while the search was
written, and so were the second ones, once; the seeds are others.
"""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import gen_causes
from locard.logs.input.log_source import open_source
from locard.logs.judge import first_pass
from locard.logs.scan.loader import load
from locard.stats.intervals import wilson

if TYPE_CHECKING:
    from gen_causes import Plan, Shape

EXCESS = 100  # failed requests of each set beyond the usual
RUNS, NOTHING = 16, 40  # logs a shape; of the latter half are errors of everyone
EVERYONE = 0.03  # rate of the errors of everyone
Sets = set[frozenset[tuple[str, str]]]


def named(plan: Plan) -> Sets:
    """The sets that the first pass names."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "planted.log"
        gen_causes.write(path, plan)
        source = open_source(str(path))
        try:
            table = load(source, 60.0, 1)
        finally:
            source.close()
    try:
        return {frozenset(c.values) for c in first_pass.judge("planted", table).correlates}
    finally:
        table.db.close()


def true(plan: Plan) -> Sets:
    """The sets that were planted."""
    return {frozenset(one.items()) for one in plan.sets}


def nothing(shape: Shape, seed: int) -> Plan:
    """A log in which nothing fails more often, or (every second one) everything does."""
    plan = gen_causes.plan(seed, shape, 0, 0)
    if seed % 2:
        return gen_causes.Plan(seed, shape, ({},), (EVERYONE,), plan.bad_s)
    return plan


def rows(kind: str, shapes: tuple[Shape, ...], seed: int, pool: ProcessPoolExecutor) -> list[str]:
    """One row a shape, and one for all of them."""
    found = []
    sums = [0, 0, 0, 0, 0, 0, 0]
    for shape in shapes:
        plans = [gen_causes.plan(seed + i, shape, 2 + i % 2, EXCESS) for i in range(RUNS)]
        pairs = [(true(p), said) for p, said in zip(plans, pool.map(named, plans), strict=True)]
        empty = [nothing(shape, seed + 5000 + i) for i in range(NOTHING)]
        false = sum(bool(said) for said in pool.map(named, empty))
        counts = [
            sum(len(t & said) for t, said in pairs),
            sum(len(said) for _, said in pairs),
            sum(len(t) for t, _ in pairs),
            sum(t == said for t, said in pairs),
            len(pairs),
            false,
            len(empty),
        ]
        sums = [a + b for a, b in zip(sums, counts, strict=True)]
        found.append(row(f"{kind}: {shape.name}", counts))
    return [*found, row(f"{kind}: all", sums)]


def row(name: str, counts: list[int]) -> str:
    """One row of the table."""
    right, said, planted, exact, logs, false, empty = counts
    f1 = 2 * right / max(1, said + planted)
    high = wilson(false, empty)[1]
    return f"| {name} | {f1:.3f} | {right} / {said} / {planted} | {exact} of {logs} | {false} of {empty} (< {high:.1%}) |"


def section() -> str:
    """The table."""
    with ProcessPoolExecutor(os.cpu_count() or 1) as pool:
        some = [
            *rows("looked at", gen_causes.OPEN, 300_000, pool),
            *rows("looked at once", gen_causes.HELD_OUT, 400_000, pool),
            *rows("not looked at", gen_causes.UNSEEN, 500_000, pool),
        ]
    return (
        "### Several causes at once\n\nTwo or three sets of one to three pairs in one log, "
        f"{EXCESS} errors each beyond the usual, {RUNS} logs a shape (bench/gen_causes.py). Element F1 over exact sets. "
        f"False: logs of nothing planted, or of errors of everyone (half each), in which a set is named; in brackets the 95 % bound.\n\n"
        "| shape | element F1 | right / named / planted | all sets exact | false |\n|---|---|---|---|---|\n"
        + "\n".join(some)
        + "\n\nGoals: element F1 0.9, false at most 1 %."
    )


if __name__ == "__main__":
    print(section())
