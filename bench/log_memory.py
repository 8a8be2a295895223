"""Memory of `locard logs` from 100 MB to 10 GB, and how soon a pipe shows something: `bench/log_memory.py [GIGABYTES]`.

The log is that of bench/gen_logs.py, a day later in each further gigabyte, with other trace ids. What
does not fit into the memory goes to a file below the state directory. The largest RSS of the process,
its CPU and wall time; all cores. The pipe's writer writes 2,000 lines a second and stays.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from gen_logs import flat, write

LOCARD = str(Path(sys.executable).parent / "locard")
PIECE = 4 << 20
DAY = b'"time":"2026-03-01T'


def grow(path: Path, base: Path, gigabytes: int) -> None:
    """The base again and again, on other days and with other first digits of the trace ids."""
    with path.open("wb") as out:
        for i in range(gigabytes):
            with base.open("rb") as lines:
                # In pieces: a child's largest RSS begins with what its parent has.
                while piece := lines.read(PIECE):
                    text = (piece + lines.readline()).replace(
                        DAY, b'"time":"2026-03-%02dT' % (i + 1)
                    )
                    for digit in range(16 if i else 0):
                        new = b"%x" % ((digit + i) % 16)
                        text = text.replace(b'"trace_id":"%x' % digit, b'"trace_id":"_' + new)
                    out.write(text.replace(b'"trace_id":"_', b'"trace_id":"'))


def measured(path: Path, state: Path) -> str:
    """Wall s, CPU s and RSS MB of the first pass, and what of the log was judged."""
    # Not written just now: beside a log that is being written locard takes one core.
    os.utime(path, (time.time() - 3600,) * 2)
    began = time.perf_counter()
    argv = [LOCARD, "logs", str(path), "--no-keep", "--budget", "30m", "--state", str(state)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 1, 4}:
        raise subprocess.CalledProcessError(process.returncode, argv[:3])
    whole = "whole" if process.returncode in {0, 1} else "the newer part"
    cpu = used.ru_utime + used.ru_stime
    return f"{time.perf_counter() - began:.1f} | {cpu:.1f} | {used.ru_maxrss >> 10} | {whole}"


def first_result(state: Path) -> float:
    """Seconds from the start until a pipe that goes on shows something."""
    import datetime as dt  # noqa: PLC0415 - only here
    import random  # noqa: PLC0415 - only here

    argv = [LOCARD, "logs", "-", "--state", str(state)]
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    ended = threading.Event()

    def feed() -> None:
        draw, at = random.Random(1), dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
        while not ended.wait(0.05) and process.stdin:
            lines = [flat(draw, at + dt.timedelta(milliseconds=i), late=False) for i in range(100)]
            process.stdin.write("\n".join(lines) + "\n")
            process.stdin.flush()

    writer = threading.Thread(target=feed)
    began = time.perf_counter()
    writer.start()
    if process.stderr:
        process.stderr.readline()
    took = time.perf_counter() - began
    ended.set()
    writer.join()
    if process.stdin:
        process.stdin.close()
    process.wait()
    return took


def main() -> int:
    """Print a section."""
    gigabytes = int((sys.argv[1:] or ["10"])[0])
    print(
        f"## Logs: memory\n\n`bench/log_memory.py {gigabytes}`: {__doc__.split(chr(10) * 2)[1].strip()}\n"
    )
    print("| log | wall s | CPU s | RSS MB | judged |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        base, large = folder / "base.log", folder / "large.log"
        for size, name in ((100_000_000, "100 MB"), (1_000_000_000, "1 GB")):
            write(base, size)
            print(f"| {name} | {measured(base, folder / 'state')} |", flush=True)
        grow(large, base, gigabytes)
        print(f"| {gigabytes} GB | {measured(large, folder / 'state')} |")
        print(
            f"\nFirst result from a pipe that goes on: {first_result(folder / 'state'):.2f} s (goal 1)."
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
