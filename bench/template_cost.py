"""What mining templates costs, beside masking in DuckDB and beside Drain3: `bench/template_cost.py [MEGABYTES]`.

The same messages for all: ours reads them as JSON lines, DuckDB as lines of text (masks for ids, addresses,
numbers and paths, then GROUP BY), Drain3 gets them one by one from memory, and fewer of them. CPU
seconds of a process of its own per 100 MB, median of five alternating runs. Drain3 is left out where it
cannot be imported; BENCH_PYTHON may name an interpreter that has it.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

CONTENDERS = Path(__file__).resolve().with_name("template_contenders.py")
OTHER = os.environ.get("BENCH_PYTHON", sys.executable)
RUNS = 5
DRAIN_LINES = 40_000
SAID = (
    "Accepted password for user{n} from 10.{a}.{b}.{c} port {p} ssh2",
    "Failed to connect to upstream {host}:{p} after {n} ms: connection refused",
    "GET /api/v1/orders/{n}/items took {f} ms status={s}",
    "Block blk_{n} replicated to 10.{a}.{b}.{c}:{p} of size {p}",
    "session {hex} opened for user{n} by worker-{a}",
    "Cache miss for key customer:{n}:profile, loading from {host}",
    "Slow query ({f} s): SELECT * FROM orders WHERE id = {n}",
    "retrying request {hex} attempt {a} of 5",
    "Wrote {p} rows to /var/lib/app/segments/{n}/data-{a}.bin in {f} s",
    "Heap usage {a}% after GC, paused {f} ms",
    "Payment {hex} declined: insufficient funds (code {s})",
    "Starting worker {a} with pid {p}",
)


def messages(size: int) -> list[str]:
    """About so many bytes of them."""
    draw = random.Random(1)
    out, written = [], 0
    while written < size:
        text = draw.choice(SAID).format(
            n=draw.randrange(10**7), a=draw.randrange(256), b=draw.randrange(256), c=draw.randrange(256),
            p=draw.randrange(1024, 65536), f=round(draw.lognormvariate(2, 1), 2), s=draw.choice((200, 404, 503)),
            hex=f"{draw.getrandbits(64):016x}", host=f"db-{draw.randrange(8)}.internal",
        )  # fmt: skip
        out.append(text)
        written += len(text) + 1
    return out


def measured(who: str, folder: Path) -> tuple[float, int]:
    """CPU seconds of the work and of starting up, and what it found."""
    python = OTHER if who == "drain3" else sys.executable
    argv = [python, str(CONTENDERS), who, str(folder)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    found = process.stdout.read() if process.stdout else ""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, argv)
    return used.ru_utime + used.ru_stime, int(found)


def main() -> int:
    """Generate, measure by turns, print a section."""
    megabytes = int((sys.argv[1:] or ["100"])[0])
    names = ["locard", "duckdb"]
    if not subprocess.run(
        [OTHER, "-c", "import drain3"], check=False, capture_output=True
    ).returncode:
        names.append("drain3")
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        said = messages(megabytes * 1_000_000)
        (folder / "said.txt").write_text("\n".join(said) + "\n")
        (folder / "some.txt").write_text("\n".join(said[:DRAIN_LINES]) + "\n")
        (folder / "said.json").write_text("".join(f'{{"message":{json.dumps(m)}}}\n' for m in said))
        share = {"drain3": len("\n".join(said[:DRAIN_LINES])) / 1e8}
        runs: dict[str, list[float]] = {name: [] for name in names}
        found: dict[str, int] = {}
        for _ in range(RUNS):
            for name in names:
                seconds, found[name] = measured(name, folder)
                runs[name].append(seconds / share.get(name, megabytes / 100))
    print(
        f"## Templates: what they cost\n\n`bench/template_cost.py {megabytes}`: {__doc__.split(chr(10) * 2)[1]}\n"
    )
    print("| | CPU s per 100 MB | CPU ÷ locard | groups |\n|---|---|---|---|")
    mine = statistics.median(runs["locard"])
    for name in names:
        cost = statistics.median(runs[name])
        print(f"| {name} | {cost:.2f} | {cost / mine:.1f} | {found[name]} |")
    print(
        f"\nThere are {len(SAID)} kinds of messages. Goals: 10 times DuckDB's masking, 20 times Drain3."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
