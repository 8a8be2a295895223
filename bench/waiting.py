"""How long an engineer waits for an investigation of the demo's service: first finding, last evidence.

    bench/waiting.py [SEEDS]     (3)

The whole `locard demo` as typed; the seconds are those of its progress, from the start of the process of
`locard investigate`, while the service and its clients run on the same cores.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys

_LINE = re.compile(r"^ *(?P<at>[0-9.]+) s  (?P<what>finding|e\d+ stored)", re.MULTILINE)


def main(seeds: int) -> None:
    """Run the demos, print a section."""
    rows, firsts, lasts = [], [], []
    for seed in range(1, seeds + 1):
        argv = [sys.executable, "-m", "locard", "demo", "--seed", str(seed)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        found = [(float(m["at"]), m["what"]) for m in _LINE.finditer(done.stderr)]
        first = min(at for at, what in found if what == "finding")
        last = max(at for at, _ in found)
        firsts.append(first)
        lasts.append(last)
        rows.append(f"| {seed} | {first:.1f} s | {last:.1f} s | {len(found)} |")
    print(
        f"## Waiting\n\n`bench/waiting.py {seeds}`: `locard demo --seed N`, from the start of `locard investigate`.\n\n"
        "| seed | first finding | all evidence | lines |\n|---|---|---|---|\n"
        + "\n".join(rows)
        + f"\n| median | {statistics.median(firsts):.1f} s | {statistics.median(lasts):.1f} s | |"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
