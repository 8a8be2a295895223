"""Sampling a live CPython: locard profile beside CPython 3.15's own profiling.sampling and py-spy, on one target of known shares.

    bench/python.py [ROUNDS [SECONDS]]     (3 and 5)

The target is tests/programs/shares.py on Python 3.15 in the root that LOCARD_FORKY names: one thread spends 75 : 25 of its
time in two functions, 99 or 599 more wait. All three tools are whole commands as typed, each in turn, between looks at the
target alone. `cost` is the CPU time of the whole command (start, sampling, writing) by its duration, `slower` the target's
rounds a second beside those just before and after without a tool, `error` by how many points the share of the greater
function is off, `missed` the share of the looks that were not made by the tool's own words (py-spy makes all of them and takes
the longer when it is behind: `took more`, start and end included); medians of the rounds.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = os.environ.get("LOCARD_FORKY", "")
PROGRAM = Path(__file__).parents[1] / "tests/programs/shares.py"
TRUTH = 0.75
PAUSE_S = 2.0  # without a tool, before and after each


@dataclass
class Run:
    """What one run of a tool gave."""

    cost: float
    slower: float
    error: float | None
    missed: float | None
    took: float  # a hundredth of the seconds more than were asked for, as `shown` takes it


class Target:
    """The program in the root; `rate`: its rounds a second over a while."""

    def __init__(self, idle: int) -> None:
        """Starts it with so many threads that wait."""
        there = Path(ROOT + "/tmp/locard-bench")
        there.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROGRAM, there)
        self.process = subprocess.Popen(
            ["chroot", ROOT, "python3.15", "-B", f"/tmp/locard-bench/{PROGRAM.name}", "3:1", "--here",
             "--idle", str(idle)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.process.stdout.readline()
        self.pid = self.process.pid

    def count(self) -> tuple[float, int]:
        """Now, and its rounds so far."""
        self.process.stdin.write("count\n")
        self.process.stdin.flush()
        return time.monotonic(), json.loads(self.process.stdout.readline())["rounds"]

    def rate(self, since: tuple[float, int]) -> float:
        """Its rounds a second since then."""
        now = self.count()
        return (now[1] - since[1]) / (now[0] - since[0])

    def alone(self) -> float:
        """The same of a while without a tool."""
        since = self.count()
        time.sleep(PAUSE_S)
        return self.rate(since)

    def end(self) -> None:
        """As it ends by itself."""
        self.process.stdin.close()
        self.process.wait(30)


def commands(mode: str, hz: int, seconds: float, pid: int, out: str) -> dict[str, list[str]]:
    """As they are typed."""
    tools = Path(sys.executable).parent
    spy = shutil.which("py-spy") or str(tools / "py-spy")
    return {
        "locard": [sys.executable, "-m", "locard", "profile", f"pid/{pid}", "--for", f"{seconds:g}s", "--hz", str(hz),
                   "--mode", mode, "--folded", out, "-q"],
        "profiling.sampling": ["chroot", ROOT, "python3.15", "-m", "profiling.sampling", "attach", "-a", "--mode", mode,
                               "-r", str(hz), "-d", f"{seconds:g}", "--collapsed", "-o", "/tmp/locard-bench/out", str(pid)],
        "py-spy": [spy, "record", "--nonblocking", "-r", str(hz), "-d", f"{seconds:g}", "-f", "raw", "-t",
                   *(["--idle"] if mode == "wall" else []), "-o", out, "--pid", str(pid)],
    }  # fmt: skip


def looks(tool: str, said: str) -> int | None:
    """How many looks it says to have made."""
    pattern = {
        "locard": r" in\s+([0-9,]+)\s+looks?",
        "profiling.sampling": r"Captured ([0-9,]+) samples",
        "py-spy": r"Samples: ([0-9]+)",
    }[tool]
    found = re.search(pattern, said)
    return int(found[1].replace(",", "")) if found else None


def share(folded: str) -> float | None:
    """The share of the greater function in the thread that works."""
    own = {"heavy": 0, "light": 0}
    for line in folded.splitlines():
        path, _, value = line.rpartition(" ")
        names = re.findall(r"\b(heavy|light)\b", path.rpartition(";")[2])
        if names and value.isdigit():
            own[names[0]] += int(value)
    total = sum(own.values())
    return own["heavy"] / total if total else None


def one(target: Target, tool: str, mode: str, hz: int, seconds: float) -> Run:
    """One run between two looks at the target alone."""
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out"
        argv = commands(mode, hz, seconds, target.pid, out)[tool]
        before = target.alone()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        since, began = target.count(), time.monotonic()
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False,
            env={**os.environ, "LOCARD_STATE": f"{folder}/state"},
        )  # fmt: skip
        took = time.monotonic() - began
        with_tool = target.rate(since)
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        after = target.alone()
        if tool == "profiling.sampling":
            out = ROOT + "/tmp/locard-bench/out"
        text = Path(out).read_text(errors="replace") if Path(out).exists() else ""
        with contextlib.suppress(OSError):
            Path(out).unlink()
        said = done.stdout + done.stderr
        if not text:
            print(f"{' '.join(argv)}: {said[-500:]}", file=sys.stderr)
        cost = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
        made, found = looks(tool, said), share(text)
        return Run(
            cost / took,
            1 - with_tool / ((before + after) / 2),
            None if found is None else abs(found - TRUTH),
            None if made is None else max(0.0, 1 - made / (hz * seconds)),
            (took - seconds) / 100,
        )


def shown(values: list[float | None], form: str) -> str:
    """The median of what is known."""
    known = [v for v in values if v is not None]
    return form.format(100 * statistics.median(known)) if known else "not said"


def main(rounds: int, seconds: float) -> None:
    """Run all, print a section."""
    print(f"## Sampling a live CPython\n\n`LOCARD_FORKY=ROOT bench/python.py {rounds} {seconds:g}`")
    if not ROOT or os.geteuid():
        print(
            "\nSkipped: it takes root, and LOCARD_FORKY must name a root folder with Python 3.15."
        )
        return
    print("\n" + __doc__.partition("\n\n")[2].partition("\n\n")[2].strip())
    load = os.getloadavg()[0]
    print(f"Load of the machine at the beginning: {load:.1f} on {os.cpu_count()} cores.\n")
    print(
        "| threads | mode | a second | tool | cost, of a core | target slower | error of the share | missed |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for idle in (99, 599):
        target = Target(idle)
        try:
            for mode in ("wall", "cpu"):
                for hz in (100, 1000):
                    found: dict[str, list[Run]] = {}
                    for _ in range(rounds):
                        for tool in commands(mode, hz, seconds, target.pid, ""):
                            found.setdefault(tool, []).append(one(target, tool, mode, hz, seconds))
                    for tool, runs in found.items():
                        print(
                            f"| {idle + 1} | {mode} | {hz} | {tool} | {shown([r.cost for r in runs], '{:.1f} %')} "
                            f"| {shown([r.slower for r in runs], '{:+.1f} %')} "
                            f"| {shown([r.error for r in runs], '{:.1f}')} "
                            f"| {shown([r.missed for r in runs], '{:.1f} %')} "
                            f"| {shown([r.took for r in runs], '{:.1f} s')} |",
                            flush=True,
                        )
        finally:
            target.end()
            shutil.rmtree(ROOT + "/tmp/locard-bench", ignore_errors=True)


if __name__ == "__main__":
    words = sys.argv[1:]
    main(int(words[0]) if words else 3, float(words[1]) if len(words) > 1 else 5.0)
