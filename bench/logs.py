"""Reading a log of JSON lines, beside jq, DuckDB and Polars: `bench/logs.py [MEGABYTES] [RUNS]`.

Two questions to the same file (bench/gen_logs.py; one line in 200 is no JSON): errors by upstream,
and what a first pass needs (requests, errors, p50 and p99 a minute, requests and errors by every
value of every categorical field; all fields are discovered and kept, for the questions that follow). Whole processes, alternating; medians of wall time and CPU, the largest RSS. The answers are
compared. Each with one thread and, where it has them, with all cores. Polars takes as many as it
wants, and is left out where it cannot be imported; BENCH_PYTHON may name an interpreter that has it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from gen_logs import write

HERE = Path(__file__).resolve()
OTHER = os.environ.get("BENCH_PYTHON", sys.executable)
JQ = 'fromjson? | select(type == "object" and .level == "error") | .upstream'


def measured(argv: list[str]) -> tuple[float, float, int, str]:
    """Wall s, CPU s, RSS MB and output of a process."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(argv, stdout=out)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - began
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, argv[:3])
        out.seek(0)
        text = out.read().decode()
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss >> 10, text


def answer(who: str, text: str) -> object:
    """What a process said, in one form for all; quantiles to a hundredth."""
    if who == "jq":
        return sorted([k, n] for k, n in Counter(text.splitlines()).items())
    said = json.loads(text)
    if isinstance(said, dict):
        said["minutes"] = [[n, bad, round(a, 1), round(b, 1)] for n, bad, a, b in said["minutes"]]
    return said


def compare(path: Path, question: str, who: list[str], runs: int) -> None:
    """Run the contenders by turns and print a table."""
    results: dict[str, list[tuple[float, float, int]]] = {name: [] for name in who}
    first: object = None
    same = dict.fromkeys(who, True)
    for run in range(runs):
        for name in who:
            if name == "jq" and run > 2:
                continue  # minutes on a large file: three times
            argv = [
                OTHER if name == "polars" else sys.executable,
                str(HERE.with_name("log_contenders.py")),
                name,
                question,
                str(path),
                str(path.parent),
            ]
            if name == "jq":
                argv = ["jq", "-Rr", JQ, str(path)]
            wall, cpu, rss, text = measured(argv)
            results[name].append((wall, cpu, rss))
            first = first if first is not None else answer(name, text)
            same[name] = same[name] and answer(name, text) == first
    print(f"| {question} | wall s | CPU s | RSS MB | wall ÷ locard | CPU ÷ locard | same answer |")
    print("|---|---|---|---|---|---|---|")
    middle = {n: [statistics.median(r[i] for r in results[n]) for i in (0, 1)] for n in who}
    for name in who:
        wall, cpu = middle[name]
        rss = max(r[2] for r in results[name])
        ratios = f"{wall / middle['locard'][0]:.1f} | {cpu / middle['locard'][1]:.1f}"
        print(
            f"| {name} | {wall:.2f} | {cpu:.2f} | {rss} | {ratios} | {'yes' if same[name] else '**no**'} |"
        )
    print()


def has_polars() -> bool:
    """Whether the interpreter for it can import it."""
    return (
        subprocess.run([OTHER, "-c", "import polars"], check=False, capture_output=True).returncode
        == 0
    )


def main() -> int:
    """Generate, compare, print a section."""
    megabytes, runs = int((sys.argv[1:] or ["1000"])[0]), int((sys.argv[2:] or ["5"])[0])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "app.log"
        write(path, megabytes * 1_000_000)
        print(f"## Logs: reading\n\n`bench/logs.py {megabytes} {runs}`: {runs} alternating runs (jq three), "
              f"{megabytes} MB.\n")  # fmt: skip
        polars_too = ["polars"] if has_polars() else []
        for threads in dict.fromkeys((1, os.cpu_count() or 1)):
            os.environ["BENCH_THREADS"] = str(threads)
            print(f"{threads} thread{'s'[: threads != 1]} (jq one, Polars as many as it takes):\n")
            compare(path, "errors", ["locard", "duckdb", *polars_too, "jq"], runs)
            compare(path, "first pass", ["locard", "duckdb", *polars_too], runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
