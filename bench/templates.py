"""Accuracy of the mined message templates, on labelled logs of real systems.

Data: loghub_2k below LOCARD_DATA, or below ../shared/data; corrected labels where there are any. One
configuration for all systems, one pass over the messages in their order.
"""

from __future__ import annotations

import csv
import os
import sys
from collections import defaultdict
from pathlib import Path

from locard._native import Templates

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("LOCARD_DATA") or HERE.parents[1] / "shared" / "data") / "loghub_2k"
PUBLISHED = """
| published | labels | systems | GA | FGA |
|---|---|---|---|---|
| Drain | corrected | 14 | 0.85 | 0.74 |
| UniParser (trained) | corrected | 14 | 0.85 | |
| AEL | corrected | 14 | 0.81 | |
| IPLoM | corrected | 14 | | 0.77 |
| LogPPT (trained) | corrected | 14 | | 0.86 |
| Brain (tuned by system) | original | 16 | 0.981 | |
| Drain (tuned by system) | original | 16 | 0.865 | |

Published figures: logparser's READMEs (original labels); LogPub, ISSTA 2024 (corrected labels, without
Android and Windows). They are for more systems than those here.

One configuration for all systems, but its rules were written while looking at mistakes on these eight:
ours is a development score. Expect less on systems that are not here."""


def labelled(system: Path) -> list[tuple[str, str]]:
    """Message and true template of each line."""
    name = system.name
    corrected = DATA / "loghub_2k_corrected" / name / f"{name}_2k.log_structured_corrected.csv"
    path = corrected if corrected.exists() else system / f"{name}_2k.log_structured.csv"
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return [(row["Content"], row["EventTemplate"]) for row in csv.DictReader(file)]


def groups(messages: list[str]) -> list[int]:
    """The group of each message, as it is when all have been read."""
    mined = Templates()
    skeletons = [mined.add(m) for m in messages]
    of = mined.groups()
    return [of[s] for s in skeletons]


def score(ours: list[int], truth: list[str]) -> tuple[float, float, int, int]:
    """Grouping accuracy, F1 over groups, groups found, groups there are."""
    found, true = defaultdict(set), defaultdict(set)
    for i, (group, label) in enumerate(zip(ours, truth, strict=True)):
        found[group].add(i)
        true[label].add(i)
    real = {frozenset(lines) for lines in true.values()}
    right = [lines for lines in map(frozenset, found.values()) if lines in real]
    accuracy = sum(map(len, right)) / len(truth)
    return accuracy, 2 * len(right) / (len(found) + len(true)), len(found), len(true)


def main() -> int:
    """One row a system, the mean, and what others have published."""
    if not DATA.is_dir():
        print(f"## Templates\n\nSkipped: no labelled logs in {DATA.name} (set LOCARD_DATA).")
        return 0
    print(f"## Templates\n\n`bench/templates.py`, {__doc__.splitlines()[0]}\n")
    print("| system | GA | FGA | templates | true |\n|---|---|---|---|---|")
    scores = []
    for system in sorted(p for p in (DATA / "loghub_2k").iterdir() if p.is_dir()):
        rows = labelled(system)
        result = score(groups([m for m, _ in rows]), [t for _, t in rows])
        scores.append(result)
        print(f"| {system.name} | {result[0]:.3f} | {result[1]:.3f} | {result[2]} | {result[3]} |")
    means = [sum(s[i] for s in scores) / len(scores) for i in (0, 1)]
    print(f"| **mean of {len(scores)}** | **{means[0]:.3f}** | **{means[1]:.3f}** | | |")
    print(PUBLISHED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
