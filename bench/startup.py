"""How long `locard --help` takes beside bare Python, in alternating runs: a ratio and both medians."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

RUNS = 21


def once(*argv: str) -> float:
    """Wall time of one process in milliseconds."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *argv], check=True, capture_output=True)
    return 1000 * (time.perf_counter() - began)


def measure() -> dict[str, float]:
    """Medians in ms, and their ratio."""
    bare, ours = [], []
    for _ in range(RUNS):
        bare.append(once("-c", "pass"))
        ours.append(once("-m", "locard", "--help"))
    python, locard = statistics.median(bare), statistics.median(ours)
    return {"python_ms": python, "locard_help_ms": locard, "ratio": locard / python, "runs": RUNS}


def markdown(found: dict[str, float]) -> str:
    """The section of RESULTS.md."""
    return (
        "## Start-up\n\n`locard --help` beside `python -c pass`, "
        f"{found['runs']:.0f} alternating runs, median wall time.\n\n"
        "| | ms | ratio |\n|---|---|---|\n"
        f"| bare Python | {found['python_ms']:.0f} | 1.0 |\n"
        f"| locard --help | {found['locard_help_ms']:.0f} | {found['ratio']:.1f} |\n\n"
        "Goal: at most 150 ms where bare Python takes 45 (ratio 3.3).\n"
    )


if __name__ == "__main__":
    result = measure()
    print(json.dumps(result) if "json" in sys.argv else markdown(result), end="\n")
