"""Accuracy of the field=value sets named for real incidents, by the search of the product (`judge.correlates`).

Data: robustspot_rs below LOCARD_DATA, or below ../shared/data. The minutes before the alert's against that
minute, which is given: the onset is not searched. Only what the product may name counts.
"""

from __future__ import annotations

import ast
import csv
import os
import random
import re
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low
from types import SimpleNamespace

import duckdb

from locard.logs.judge import before_after, correlates
from locard.stats.contrast import Values

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("LOCARD_DATA") or HERE.parents[1] / "shared" / "data") / "robustspot_rs"
ALL = (135, "0.674", "0.874", "0.978", "0.684")  # RobustSpot on all incidents, most are not here
Cause = frozenset[frozenset[tuple[str, str]]]  # one set of values, or several at once
Leaves = dict[Values, dict[int, list[int]]]  # by leaf and minute: total, bad
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
            frozenset((k, plain(v.strip())) for k, v in PAIR.findall(one))
            for one in re.findall(r"\{[^}]*\}", causes)
        ]
        if (DATA / "data" / "RS" / f"{name}.csv").exists():
            found.append((name, minute, frozenset(sets)))
    return found


@dataclass(frozen=True)
class Requests:
    """What the search of the product asks: a database with the requests to compare."""

    db: duckdb.DuckDBPyConnection

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """All rows of a query."""
        return self.db.execute(sql).fetchall()

    def one(self, sql: str) -> tuple[object, ...]:
        """The only row of a query."""
        return self.rows(sql)[0]


def ours(name: str, minute: int, *, calm: bool) -> list[Cause]:
    """The best five explanations that the product may name, its own answer first.

    `calm`: compared with the minutes before the alert without earlier bursts, else with all of them.
    """
    counts: Leaves = {}
    with (DATA / "data" / "RS" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            when, bad, total = (int(float(row.pop(k))) for k in ("min", "value", "cnt"))
            leaf = tuple((field, plain(value)) for field, value in sorted(row.items()))
            at = counts.setdefault(leaf, {}).setdefault(when, [0, 0])
            at[0], at[1] = at[0] + total, at[1] + bad
    earlier = quiet(counts, minute) if calm else {m for c in counts.values() for m in c} - {minute}
    fields = [field for field, _ in next(iter(counts))]
    columns = {field: f"c{i}" for i, field in enumerate(fields)}
    db = duckdb.connect(config={"threads": 1})
    try:
        listed = ", ".join(columns.values())
        held = ", ".join(f"{c} VARCHAR" for c in columns.values())
        db.execute(f"CREATE TABLE leaves ({held}, later BOOLEAN, bad BOOLEAN, n BIGINT)")
        rows = [
            [*(value for _, value in leaf), later, bad, n]
            for leaf, minutes in counts.items()
            for later, which in (
                (False, earlier & minutes.keys()),
                (True, {minute} & minutes.keys()),
            )
            for bad, n in kinds([minutes[m] for m in which if m <= minute])
            if n > 0
        ]
        db.executemany(f"INSERT INTO leaves VALUES ({', '.join('?' * (len(fields) + 3))})", rows)
        db.execute(
            f"CREATE TABLE compared AS SELECT {listed}, later, bad, row_number() OVER () AS n "
            f"FROM (SELECT {listed}, later, bad, unnest(range(n)) FROM leaves)"
        )
        table = Requests(db)
        totals = before_after.counts(table)
        found = correlates.ranked(table, SimpleNamespace(groups=columns), totals)
        return [frozenset(frozenset(values) for values in sets) for sets in found[:5]]
    finally:
        db.close()


def kinds(some: list[list[int]]) -> list[tuple[bool, int]]:
    """How many requests failed, and how many did not."""
    bad = sum(b for _, b in some)
    return [(True, bad), (False, sum(max(0, t - b) for t, b in some))]


def quiet(counts: Leaves, minute: int) -> set[int]:
    """The minutes before the alert, but not those of an earlier burst.

    A burst's rate is more than three (scaled) median deviations, and a fifth, above the median one.
    """
    sums: dict[int, list[int]] = {}
    for minutes in counts.values():
        for when, (total, bad) in minutes.items():
            if when < minute:
                at = sums.setdefault(when, [0, 0])
                at[0], at[1] = at[0] + total, at[1] + bad
    rates = {when: bad / total for when, (total, bad) in sums.items() if total}
    middle = median_low(rates.values())
    spread = 1.4826 * median_low(abs(r - middle) for r in rates.values())
    most = max(middle + 3 * spread, 1.2 * middle)
    return {when for when, rate in rates.items() if rate <= most}


def plain(value: object) -> str:
    """2000 and 2000.0 are the same value: the published results were written with pandas."""
    return str(value).removesuffix(".0")


def published() -> dict[str, list[Cause]]:
    """The ranked causes of RobustSpot's authors."""
    path = DATA / "published_robustspot_result.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return {name: [cause(one) for one in ast.literal_eval(text)] for name, text in rows}


def cause(sets: list[tuple[tuple[str, object], ...]]) -> Cause:
    """A cause in their notation."""
    return frozenset(frozenset((k, plain(v)) for k, v in values) for values in sets)


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
    rows = [
        row(what, [(ours(name, minute, calm=calm), true) for name, minute, true in known])
        for what, calm in (
            ("ours, against all minutes before", False),
            ("ours, without minutes of earlier bursts (done in the bench only)", True),
        )
    ]
    other = [(theirs.get(name, []), true) for name, _, true in known]
    many, *figures = ALL
    return (
        f"{title}{len(known)} real incidents, the published outputs rescored on the same (2000 and 2000.0 count as one value). "
        "Ours counts only what the product may name: its answer first, then other explanations that stand its tests.\n\n"
        "| | top-1 (95 %) | top-3 | top-5 | element F1 (95 %) |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + f"\n{row('RobustSpot, by its authors, same incidents', other)}\n"
        f"| RobustSpot, by its authors, all {many} incidents (given, not run here) | {' | '.join(figures)} |\n\n"
        "Goals: top-1 0.80, top-5 0.90."
    )
