"""Accuracy of the field=value sets named for real incidents, by `stats.contrast.worth` alone.

Data: robustspot_rs below LOCARD_DATA, or below ../shared/data. Before the alert's minute against that
minute; every set of fields is tried.
"""

from __future__ import annotations

import ast
import csv
import os
import random
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

from locard.stats.contrast import Cell, worth

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("LOCARD_DATA") or HERE.parents[1] / "shared" / "data") / "robustspot_rs"
Values = frozenset[tuple[str, str]]
Cause = frozenset[Values]  # one set of values, or several at once
Case = tuple[list[Cause], Cause]  # ranked, true
PAIR = re.compile(r"['\"]?(\w+)['\"]?\s*:\s*['\"]?([^,}'\"\n]+)['\"]?")


def truths() -> list[tuple[str, int, Cause]]:
    """Name, minute of the alert and true sets of each incident that is here."""
    found = []
    text = (DATA / "data" / "RS" / "anomaly.yaml").read_text("utf-8")
    for block in re.split(r"^- ", text, flags=re.MULTILINE)[1:]:
        head, causes = block.split("cause:", 1)
        name = re.search(r"data:\s*['\"]?([^'\"\n]+)", head)[1].strip()
        minute = int(re.search(r"timestamp:\s*(\d+)", head)[1])
        sets = [
            frozenset((k, v.strip()) for k, v in PAIR.findall(one))
            for one in re.findall(r"\{[^}]*\}", causes)
        ]
        if (DATA / "data" / "RS" / f"{name}.csv").exists():
            found.append((name, minute, frozenset(sets)))
    return found


def ranked(name: str, minute: int) -> list[Cause]:
    """The best five sets."""
    sums: list[Counter] = [Counter() for _ in range(4)]
    with (DATA / "data" / "RS" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            when, bad, total = (int(float(row.pop(k))) for k in ("min", "value", "cnt"))
            if when > minute:
                continue
            pairs, side = sorted(row.items()), 2 * (when == minute)
            for size in range(len(pairs) + 1):
                for chosen in combinations(pairs, size):
                    sums[side][chosen] += total
                    sums[side + 1][chosen] += bad
    before, before_bad, after, after_bad = (s[()] for s in sums)
    overall = before_bad / before if before else 0.0
    cells = [Cell(values, *(s[values] for s in sums)) for values in sums[2] if values]
    cells.sort(key=lambda c: (-worth(c, after_bad, after, overall), len(c.values), c.values))
    return [frozenset({frozenset(c.values)}) for c in cells[:5]]


def published() -> dict[str, list[Cause]]:
    """The ranked causes of RobustSpot's authors."""
    path = DATA / "published_robustspot_result.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return {name: [cause(one) for one in ast.literal_eval(text)] for name, text in rows}


def cause(sets: list[tuple[tuple[str, object], ...]]) -> Cause:
    """A cause in their notation."""
    return frozenset(frozenset((k, str(v)) for k, v in values) for values in sets)


def top(cases: list[Case], depth: int) -> float:
    """Share of incidents whose whole cause is among the first `depth`."""
    hits = [true in ours[:depth] for ours, true in cases]
    return sum(hits) / len(cases)


def element_f1(cases: list[Case]) -> float:
    """F1 over the sets in the first cause."""
    right = sum(len(ours[0] & true) for ours, true in cases if ours)
    named = sum(len(ours[0]) for ours, _ in cases if ours)
    return 2 * right / (named + sum(len(true) for _, true in cases))


def row(name: str, cases: list[Case]) -> str:
    """One row of the table, with the 95 % bootstrap interval of top-1 and F1."""
    rng, cells = random.Random(1), []
    for score in (lambda c: top(c, 1), element_f1):
        draws = sorted(score(rng.choices(cases, k=len(cases))) for _ in range(1000))
        cells.append(f"{score(cases):.3f} ({draws[25]:.2f}-{draws[974]:.2f})")
    return f"| {name} | {cells[0]} | {top(cases, 3):.3f} | {top(cases, 5):.3f} | {cells[1]} |"


def section() -> str:
    """The table, or why there is none."""
    title = "### Incidents: which field=value set\n\n"
    if not DATA.is_dir():
        return f"{title}Skipped: no robustspot_rs (set LOCARD_DATA)."
    known, theirs = truths(), published()
    ours = [(ranked(name, minute), true) for name, minute, true in known]
    other = [(theirs.get(name, []), true) for name, _, true in known]
    return (
        f"{title}{len(known)} real incidents; ours names one set at a time, so a cause of two is missed in top-k.\n\n"
        "| | top-1 (95 %) | top-3 | top-5 | element F1 (95 %) |\n|---|---|---|---|---|\n"
        f"{row('ours', ours)}\n{row('RobustSpot, by its authors, same incidents', other)}\n\n"
        "Goals: top-1 and F1 0.65."
    )
