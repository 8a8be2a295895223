"""Accuracy of the mined message templates: on programs that nobody looked at, and on those that were.

Programs: 2000 messages of each, written with the formats in its binary, modules or message files (see
template_programs.py and template_values.py); a program is held out or for development by its name. Labelled
logs of real systems: loghub_2k below LOCARD_DATA, or below ../shared/data; corrected labels where there are
any. One configuration for all, one pass over the messages in their order.
"""

from __future__ import annotations

import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from locard._native import Templates
from template_programs import programs
from template_values import written

HERE = Path(__file__).resolve().parent
OTHER = os.environ.get("BENCH_PYTHON", sys.executable)
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

The rules were written while looking at mistakes on all of these systems (on Android, HPC, HealthApp, Mac,
OpenStack, Proxifier, Thunderbird and Windows last: before that, with nobody having looked, their mean was
.760 / .842): a development score. Expect less on systems that are not here."""
PROGRAMS = """
Looked at: mistakes on the development programs, and the labelled systems above. Of the held-out
programs only these means were looked at while the rules were made. The truth is the format of the program; how
values are drawn is ours and the same on both sides, so that these figures say how rules carry over to other
messages, not to other kinds of values. A place that takes but two words in a log is not told from two
messages by anybody; that is the largest kind of mistakes on the development programs."""


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


def drained(logs: list[list[str]]) -> list[list[int]] | None:
    """The groups of Drain3, by an interpreter that has it (BENCH_PYTHON)."""
    if subprocess.run([OTHER, "-c", "import drain3"], check=False, capture_output=True).returncode:
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(logs, file)
        file.flush()
        argv = [OTHER, str(HERE / "template_contenders.py"), "drain3-groups", file.name]
        return json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)


def of_labelled() -> None:
    """One row a system, the mean, and what others have published."""
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


def of_programs() -> None:
    """The means of development and held-out programs apart, Drain3 beside."""
    print(
        "| programs | | GA | worst GA | a tenth below | FGA | worst FGA |\n|---|---|---|---|---|---|---|"
    )
    for side in ("development", "held out"):
        logs = [written(p) for p in programs() if p.held_out == (side == "held out")]
        if not logs:
            continue
        said = [[m for m, _ in log] for log in logs]
        found = {"locard": [groups(messages) for messages in said], "Drain3": drained(said)}
        for who, all_groups in found.items():
            if all_groups is None:
                continue
            scores = [
                score(one, [form for _, form in log])
                for one, log in zip(all_groups, logs, strict=True)
            ]
            ga, fga = sorted(s[0] for s in scores), sorted(s[1] for s in scores)
            print(
                f"| {side}, {len(logs)} | {who} | {statistics.mean(ga):.3f} | {ga[0]:.3f} "
                f"| {ga[len(ga) // 10]:.3f} | {statistics.mean(fga):.3f} | {fga[0]:.3f} |"
            )
    print(PROGRAMS)


def main() -> int:
    """What there is data or programs for."""
    print(f"## Templates\n\n`bench/templates.py`, {__doc__}")
    if DATA.is_dir():
        of_labelled()
    else:
        print(f"Skipped: no labelled logs in {DATA.name} (set LOCARD_DATA).")
    print()
    if programs():
        of_programs()
    else:
        print("Skipped: no program with enough formats is installed (set LOCARD_PROGRAMS).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
