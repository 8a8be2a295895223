"""Questions after the first pass of a 1 GB log, beside jq over the file: `bench/slice.py [MEGABYTES]`.

The first pass reads the log and keeps what is cheap; questions about that are answered from the copy,
others read the log again with their own fields. Wall time of whole processes, alternating with that of
Python and DuckDB started for nothing, medians. The answer with and without a copy is compared. jq runs
once, in the form that survives dirty lines.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gen_logs import write

RUNS = 9
QUESTIONS = {
    "errors by upstream": ("--where", "level = error", "--by", "upstream"),
    "5xx by upstream and region": ("--where", "status >= 500", "--by", "upstream,region"),
    "slow ones, six fields": ("--where", "duration > 900ms", "--select",
                              "time,trace_id,path,status,duration_ms,upstream"),
    "one trace": ("--trace", "{trace}"),
    "20 s around a time": ("--around", "2026-03-01T13:10:00Z", "--window", "10s", "--by", "status"),
}  # fmt: skip
NOTHING = {
    "Python": ("-c", "pass"),
    "Python + DuckDB": ("-c", "import duckdb; duckdb.connect().execute('SELECT 1')"),
}
JQ = 'fromjson? | select(type == "object" and .level == "error") | .upstream'


def timed(argv: list[str]) -> tuple[float, str]:
    """Milliseconds and output of one process."""
    began = time.perf_counter()
    done = subprocess.run(
        argv, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    if done.returncode not in {0, 1}:  # 1: the first pass has found something
        raise subprocess.CalledProcessError(done.returncode, argv[:5])
    return 1000 * (time.perf_counter() - began), done.stdout


def measure(folder: Path, megabytes: int) -> dict[str, float]:
    """Median milliseconds by what was run; "first" is one run."""
    log = folder / "app.log"
    write(log, megabytes * 1_000_000)
    with log.open() as lines:
        trace = json.loads(lines.readline())["trace_id"]
    state = ["--state", str(folder / "state")]
    plain = [sys.executable, "-m", "locard", "logs", str(log), "-q", "--threads", "2"]
    base = [*plain, *state, "-o", "jsonl"]
    questions = {
        n: [*base, *(w.format(trace=trace) for w in words)] for n, words in QUESTIONS.items()
    }
    os.sync()
    found: dict[str, float] = {}
    found["first pass (reads the log)"], _ = timed([*plain, *state])
    words = QUESTIONS["errors by upstream"]
    found["errors by upstream, no copy"], first = timed(
        [*plain, "--no-keep", "-o", "jsonl", *words]
    )
    runs: dict[str, list[float]] = {name: [] for name in (*NOTHING, *questions)}
    for _ in range(RUNS):
        for name, words in NOTHING.items():
            runs[name].append(timed([sys.executable, *words])[0])
        for name, argv in questions.items():
            spent, answer = timed(argv)
            runs[name].append(spent)
            assert name != "errors by upstream" or answer == first, "with and without a copy alike"
    found |= {name: statistics.median(times) for name, times in runs.items()}
    if shutil.which("jq"):
        found["jq -R, errors by upstream"], said = timed(["jq", "-rR", JQ, str(log)])
        counts = {row["upstream"]: row["count"] for row in map(json.loads, first.splitlines())}
        assert all(said.count(f"{name}\n") >= n for name, n in counts.items()), "jq counts the same"
    kept = folder / "state" / "scans"
    found["kept copy, MB"] = sum(p.stat().st_size for p in kept.iterdir()) / 1e6
    return found


def markdown(found: dict[str, float], megabytes: int) -> str:
    """The section of RESULTS.md."""
    rows = "\n".join(f"| {name} | {value:,.0f} |" for name, value in found.items())
    floor = found["Python + DuckDB"]
    worst = max(found[name] for name in QUESTIONS)
    return (
        f"## The second question\n\n`bench/slice.py {megabytes}`: a generated log of {megabytes} MB, whole "
        f"processes, median wall time of {RUNS} alternating runs (the first two rows and jq: one run).\n\n"
        f"| | ms |\n|---|---|\n{rows}\n\nGoal: at most 200 ms. Starting Python and DuckDB alone takes "
        f"{floor:.0f} ms here; the slowest question adds {worst - floor:.0f} ms to that.\n"
    )


if __name__ == "__main__":
    size = int((sys.argv[1:] or ["1000"])[0])
    with tempfile.TemporaryDirectory() as place:
        print(markdown(measure(Path(place), size), size), end="")
