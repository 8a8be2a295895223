"""What the first pass costs as a log grows: `bench/firstpass.py [LINES] [MEGABYTES]`.

The whole pass (scan, judging, screen) beside the scan alone, CPU seconds of one thread, on the log of
bench/gen_logs.py; then the table of growth: fields, different values of a field, onsets. Median of
three processes each.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve()
RUNS = 3
BEGIN = 1_763_812_800.0


def write(path: Path, lines: int, *, fields: int = 5, values: int = 10, onsets: int = 1) -> None:
    """A log of requests: `fields` groups with `values` values each, and so many spells of errors."""
    draw = random.Random(7)
    spells = [(0.2 + 0.7 * i / onsets, 0.2 + 0.7 * (i + 0.5) / onsets) for i in range(onsets)]
    with path.open("w") as file:
        for i in range(lines):
            at = i / lines
            bad = draw.random() < (0.2 if any(a <= at < b for a, b in spells) else 0.005)
            groups = "".join(f',"field_{k}":"v{draw.randrange(values)}"' for k in range(fields))
            file.write(
                f'{{"time":{BEGIN + 3600 * at:.3f},"level":"{"error" if bad else "info"}",'
                f'"status":{503 if bad else 200},"duration_ms":{draw.lognormvariate(3, 0.6):.2f},'
                f'"msg":"{"upstream failed" if bad else "request done"}"{groups}}}\n'
            )


def worker(path: str) -> dict[str, float]:
    """CPU seconds of the scan, and of what comes after it up to the screen."""
    from locard.investigate import logs_alone  # noqa: PLC0415 - only the worker's process pays for it
    from locard.logs.input import log_source  # noqa: PLC0415 - as above
    from locard.logs.judge import first_pass  # noqa: PLC0415 - as above
    from locard.logs.scan import loader  # noqa: PLC0415 - as above
    from locard.report import logs_screen  # noqa: PLC0415 - as above

    began = time.process_time()
    source = log_source.open_source(path)
    with tempfile.TemporaryDirectory() as folder:
        table = loader.load(source, 1e6, 1, spill=folder)
        scanned = time.process_time()
        summary = first_pass.judge(path, table)
        list(logs_screen.screen(summary, logs_alone.conclude(summary).claims))
        done = time.process_time()
    return {
        "scan": scanned - began,
        "rest": done - scanned,
        "onsets": bool(summary.onset) + len(summary.further_onsets),
    }


def measured(path: Path) -> tuple[float, float, int]:
    """Medians of scan and rest, and the onsets found."""
    found = []
    for _ in range(RUNS):
        argv = [sys.executable, str(HERE), "work", str(path)]
        found.append(json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout))
    middle = [statistics.median(f[k] for f in found) for k in ("scan", "rest")]
    return middle[0], middle[1], found[0]["onsets"]


def main() -> int:
    """Print a section."""
    if sys.argv[1:2] == ["work"]:
        print(json.dumps(worker(sys.argv[2])))
        return 0
    from gen_logs import write as write_log  # noqa: PLC0415 - the workers need none

    lines = int((sys.argv[1:] or ["100000"])[0])
    megabytes = int((sys.argv[2:] or ["1000"])[0])
    print(
        f"## The first pass\n\n`bench/firstpass.py {lines} {megabytes}`: {__doc__.split(chr(10) * 2)[1].strip()}\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "app.log"
        write_log(path, megabytes * 1_000_000)
        scan, rest, _ = measured(path)
        print(f"{megabytes} MB: the scan {scan:.2f} s, judging and screen {rest:.2f} s: "
              f"**{(scan + rest) / scan:.2f} times the scan** (goal 1.5).\n")  # fmt: skip
        print(
            "| lines | fields | values of a field | onsets | scan s | rest s | onsets found |\n|---|---|---|---|---|---|---|"
        )
        rows = (
            [{"fields": f} for f in (5, 50, 500)]
            + [{"values": v} for v in (1000, 1_000_000)]
            + [{"onsets": o} for o in (2, 3)]
        )
        for row in rows:
            few = lines // 4 if row.get("fields", 0) > 50 else lines
            write(path, few, **row)
            scan, rest, onsets = measured(path)
            print(f"| {few:,} | {row.get('fields', 5)} | {row.get('values', 10):,} | {row.get('onsets', 1)} "
                  f"| {scan:.2f} | {rest:.2f} | {onsets} |")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
