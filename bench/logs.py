"""`locard logs` as typed, beside jq and DuckDB: `bench/logs.py [MEGABYTES] [RUNS]`.

Whole commands from a fresh process, by turns: errors by upstream and the first pass of three logs of
different make (bench/gen_logs.py: flat JSON lines; nested ones with spaces, nulls and junk; text). With
--no-keep, with a state directory that is empty, and once more after a first pass. Medians of CPU and wall
time, the largest RSS. The answers are compared. DuckDB reads the two columns alone
(bench/log_contenders.py). All cores are there for who takes them.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from gen_logs import write

HERE = Path(__file__).resolve()
GROUP = {"flat": "upstream", "nested": "upstream", "text": "logger"}
JQ = {
    "flat": 'fromjson? | select(type == "object" and .level == "error") | .upstream',
    "nested": 'fromjson? | select(type == "object" and .level == "error") | .upstream',
    "text": r'capture("^\\S+ \\S+ ERROR +\\[[^\\]]*\\] (?<l>\\S+) - ")? | .l',
}
SMALL_MB = 1
SETTLED_S = 11  # what was written just now is read with one thread, as the log of a live service


class Used(NamedTuple):
    """What a command took, and what it printed."""

    wall_s: float
    cpu_s: float
    rss_mb: int
    text: str


def used(argv: list[str]) -> Used:
    """Run a command; locard's exit 1 says that it found something."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(argv, stdout=out, stderr=subprocess.DEVNULL)
        _, status, spent = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - began
        if process.returncode not in {0, 1}:
            raise subprocess.CalledProcessError(process.returncode, argv[:3])
        out.seek(0)
        text = out.read().decode()
    return Used(wall, spent.ru_utime + spent.ru_stime, spent.ru_maxrss >> 10, text)


def answer(name: str, text: str) -> dict[str, int]:
    """Errors by group, from what a command printed; jq says null of what has none."""
    if name == "jq":
        return {k: n for k, n in Counter(text.splitlines()).items() if k != "null"}
    if name == "DuckDB":
        return dict(json.loads(text))
    rows = csv.reader(io.StringIO(text))
    next(rows)
    return {row[-1]: int(row[0]) for row in rows if row[-1]}


def commands(log: Path, kind: str) -> dict[str, list[str]]:
    """The question, by who answers it."""
    ask = ["logs", str(log), "--where", "level = error", "--by", GROUP[kind], "-o", "csv"]
    locard = [str(Path(sys.executable).with_name("locard")), *ask]
    empty, known = (str(log.parent / name) for name in ("empty", "known"))
    found = {
        "locard --no-keep": [*locard, "--no-keep"],
        "locard, the first question": [*locard, "--state", empty],
        "locard, after a first pass": [*locard, "--state", known],
        "DuckDB": [sys.executable, str(HERE.with_name("log_contenders.py")), kind, str(log)],
    }
    return found | ({"jq": ["jq", "-Rr", JQ[kind], str(log)]} if shutil.which("jq") else {})


def questions(log: Path, kind: str, runs: int) -> list[str]:
    """A table of the question."""
    every = commands(log, kind)
    spent: dict[str, list[Used]] = {name: [] for name in every}
    for run in range(runs):
        for name, argv in every.items():
            if name == "jq" and run:
                continue  # minutes on a large file
            shutil.rmtree(log.parent / "empty", ignore_errors=True)
            spent[name].append(used(argv))
    answers = {name: answer(name, runs_of[0].text) for name, runs_of in spent.items()}
    own = middle(spent["locard --no-keep"])[0]
    lines = [f"| errors by {GROUP[kind]} | CPU s | wall s | RSS MB | CPU ÷ locard | same answer |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for name, runs_of in spent.items():
        cpu, wall, rss = middle(runs_of)
        same = "yes" if answers[name] == answers["locard --no-keep"] else "**no**"
        lines.append(f"| {name} | {cpu:.2f} | {wall:.2f} | {rss} | {cpu / own:.2f} | {same} |")
    return lines


def middle(runs: list[Used]) -> tuple[float, float, int]:
    """Medians of CPU and wall seconds, the largest RSS."""
    cpu = statistics.median(r.cpu_s for r in runs)
    return cpu, statistics.median(r.wall_s for r in runs), max(r.rss_mb for r in runs)


def passes(log: Path, runs: int) -> list[str]:
    """A table of the first pass; the last one that was kept stays for the questions."""
    locard = [str(Path(sys.executable).with_name("locard")), "logs", str(log)]
    lines = ["| first pass | CPU s | wall s | RSS MB |", "|---|---|---|---|"]
    for name, words in (
        ("--no-keep", ["--no-keep"]),
        ("kept", ["--state", str(log.parent / "known")]),
    ):
        found = []
        for _ in range(runs):
            shutil.rmtree(log.parent / "known", ignore_errors=True)
            found.append(used([*locard, *words]))
        cpu, wall, rss = middle(found)
        lines.append(f"| locard, {name} | {cpu:.2f} | {wall:.2f} | {rss} |")
    return lines


def small(folder: Path, runs: int) -> list[str]:
    """Wall times of a question on a small log."""
    lines = [f"| {SMALL_MB} MB, errors by upstream | wall s |", "|---|---|"]
    bare = [
        used([sys.executable, "-c", words])
        for words in ("pass", "import duckdb")
        for _ in range(runs)
    ]
    lines += [f"| bare Python | {middle(bare[:runs])[1]:.2f} |",
              f"| Python, import duckdb | {middle(bare[runs:])[1]:.2f} |"]  # fmt: skip
    for kind in GROUP:
        write(folder / f"small-{kind}.log", SMALL_MB * 1_000_000, kind=kind, block=1000)
    time.sleep(SETTLED_S)
    for kind in GROUP:
        log = folder / f"small-{kind}.log"
        argv = commands(log, kind)["locard --no-keep"]
        lines.append(
            f"| locard --no-keep, {kind} | {middle([used(argv) for _ in range(runs)])[1]:.2f} |"
        )
    return lines


def main() -> int:
    """Generate, run, print a section."""
    megabytes, runs = int((sys.argv[1:] or ["1000"])[0]), int((sys.argv[2:] or ["3"])[0])
    print(f"## Logs: reading\n\n`bench/logs.py {megabytes} {runs}`: {(__doc__ or '').split(chr(10) * 2)[1].strip()} "
          f"{runs} runs, of jq one.\n")  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        print("\n".join(small(Path(place), 2 * runs + 1)), flush=True)
        for kind in GROUP:
            log = Path(place) / f"{kind}.log"
            write(log, megabytes * 1_000_000, kind=kind)
            time.sleep(
                11
            )  # what was written just now is read with one thread: the log of a live service
            print(f"\n{kind}, {megabytes} MB:\n")
            print("\n".join(passes(log, runs)), flush=True)
            print()
            print("\n".join(questions(log, kind, runs)), flush=True)
            log.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
