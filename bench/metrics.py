"""`locard metrics URL` as typed, on a real Prometheus: cost by the number of series, and what holds on drawn histories.

Cost: the whole command from a fresh process, all its processes' CPU and memory, beside promtool, which only
fetches the same samples. Accuracy: histories of the lab (lab/metric_histories.py) from seeds that no rule was
written on, through promtool and Prometheus, the answer read from `-o json`.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from locard.lab.metric_histories import HISTORIES
from locard.stats.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCARD = (sys.executable, "-I", "-m", "locard")
SIZES = ((100, 120), (1_000, 120), (10_000, 120), (100_000, 24))  # series, minutes of history
SEEDS = range(5000, 5012)
STEP_S = 15


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def prometheus(history: Path) -> Iterator[str]:
    """A Prometheus with the history, ready."""
    folder = history.parent
    blocks = (
        "promtool",
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        str(history),
        str(folder / "tsdb"),
    )
    subprocess.run(blocks, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    history.unlink()
    (folder / "p.yml").write_text("global: {scrape_interval: 1m}\n")
    url = f"http://127.0.0.1:{free_port()}"
    argv = ("prometheus", f"--config.file={folder}/p.yml", f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address={url[7:]}", "--storage.tsdb.retention.time=10y")  # fmt: skip
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(argv, stdout=log, stderr=log) as server,
    ):
        try:
            for _ in range(1200):
                try:
                    if urllib.request.urlopen(f"{url}/-/ready", timeout=5).status == 200:
                        break
                except OSError:
                    time.sleep(0.05)
            yield url
        finally:
            server.terminate()
            server.wait(30)


def big(path: Path, series: int, minutes: int) -> int:
    """Half counters, half gauges; one family in fifty changes. Returns its end."""
    rnd, end = random.Random(1), int(time.time()) // STEP_S * STEP_S
    count = minutes * 60 // STEP_S + 1
    times = [end - (count - 1 - i) * STEP_S for i in range(count)]
    on = count - max(8, count // 6)
    with path.open("w") as file:
        for k in range(max(1, series // 100)):
            kind = "counter" if k % 2 == 0 else "gauge"
            name = f"svc_m{k}_{'requests' if kind == 'counter' else 'level'}"
            file.write(f"# TYPE {name} {kind}\n")
            for j in range(100):
                bad = k % 50 == 0 and j < 20
                head = f'{name}{"_total" if kind == "counter" else ""}{{job="svc{k % 20}",instance="i{j % 10}:80",part="p{j // 10}"'
                head += f',code="{"500" if bad else "200"}"}}' if kind == "counter" else "}"
                value, base = rnd.randint(0, 10_000), rnd.uniform(10, 1000)
                rows = []
                for i, at in enumerate(times):
                    if kind == "counter":
                        value += rnd.randint(40, 60) + (200 if bad and i >= on else 0)
                        rows.append(f"{head} {value} {at}\n")
                    else:
                        rows.append(
                            f"{head} {base + rnd.gauss(0, base / 20) + (2 * base if bad and i >= on else 0):.4f} {at}\n"
                        )
                file.writelines(rows)
        file.write("# EOF\n")
    return end


def family(pid: int) -> list[int]:
    found = [pid]
    for name in os.listdir("/proc"):  # noqa: PTH208 - numbers, thousands of times
        if name.isdigit():
            try:
                stat = Path(f"/proc/{name}/stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == pid:
                found += family(int(name))
    return found


def cost(argv: tuple[str, ...]) -> tuple[float, float, int, bytes]:
    """(seconds, CPU seconds, most MB of all its processes together, output) of a whole command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began, peak, over = time.monotonic(), [0], threading.Event()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:

        def look() -> None:
            while not over.wait(0.05):
                held = 0
                for pid in family(child.pid):
                    try:
                        held += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4
                    except (OSError, IndexError):
                        continue
                peak[0] = max(peak[0], held)

        watching = threading.Thread(target=look)
        watching.start()
        out = child.communicate()[0]
        over.set()
        watching.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began, used, peak[0] // 1024, out


def growth(folder: Path) -> Iterator[str]:
    yield "| series | samples | locard metrics: s | CPU s | most MB | promtool, fetch alone: s | CPU s | found |"
    yield "|---:|---:|---:|---:|---:|---:|---:|---|"
    for series, minutes in SIZES:
        path = folder / f"{series}" / "h.om"
        path.parent.mkdir()
        end = big(path, series, minutes)
        since = max(5, minutes // 5)
        state = ("--state", str(folder / "state"))
        with prometheus(path) as url:
            argv = (
                *LOCARD,
                "metrics",
                url,
                "--since",
                f"{since}m",
                "--most",
                "200000",
                "-o",
                "json",
                "-q",
                *state,
            )
            took, cpu, most, out = cost(argv)
            peer = (
                "promtool",
                "query",
                "instant",
                "--time",
                str(end),
                url,
                f'{{job=~"svc.*"}}[{minutes}m]',
            )
            fetched, peer_cpu, _, _ = cost(peer)
        fact = history_of(out)
        top = [c["metric"] for c in fact["changed"][:2]] if fact else []
        right = (
            "the families that changed"
            if top
            and all(
                "_m0_" in t or "_m50_" in t or int(t.split("_m")[1].split("_")[0]) % 50 == 0
                for t in top
            )
            else "no"
        )
        yield (f"| {series:,} | {fact['samples'] if fact else 0:,} | {took:.1f} | {cpu:.1f} | {most} | {fetched:.1f} "
               f"| {peer_cpu:.1f} | {right} |")  # fmt: skip
        shutil.rmtree(path.parent)


def history_of(out: bytes) -> dict[str, object] | None:
    try:
        found = json.loads(out)
    except ValueError:
        return None
    return next((f for e in found["evidence"] for f in e["facts"] if "changed_in_all" in f), None)


def accuracy(folder: Path) -> Iterator[str]:
    yield "| history | planted | right | 95 % | what is asked |"
    yield "|---|---|---:|---|---|"
    asked = {
        "metrics-only": "onset within 30 s, step, rule", "ramp": "onset within 3 min, ramp, memory-leak",
        "periodic-fault": "first burst within 30 s, periodic", "daily-rhythm": "no finding, no changed signal",
        "alert-fired-late": "onset within 30 s, before the first pending", "healthy": "no finding, no changed signal",
    }  # fmt: skip
    for name, build in HISTORIES.items():
        right = 0
        seeds = SEEDS if name != "daily-rhythm" else SEEDS[:4]
        for seed in seeds:
            book = build(seed, int(time.time()))
            path = folder / f"{name}-{seed}" / "h.om"
            path.parent.mkdir()
            book.write(path)
            with prometheus(path) as url:
                argv = (
                    *LOCARD,
                    "metrics",
                    url,
                    "--since",
                    "30m",
                    "-o",
                    "json",
                    "-q",
                    "--state",
                    str(folder / "state"),
                )
                out = subprocess.run(
                    argv, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                ).stdout
            fact, rules = history_of(out), [f["rule"] for f in json.loads(out)["findings"]]
            right += fact is not None and is_right(book.planted, fact, rules)
            shutil.rmtree(path.parent)
        low, high = wilson(right, len(seeds))
        yield f"| {name} | {len(seeds)} | {right} | {low:.2f}-{high:.2f} | {asked[name]} |"


def is_right(planted: object, fact: dict[str, object], rules: list[str]) -> bool:
    moved = [s for s in fact["signals"] if s["onset"] is not None]
    if planted.onset is None:
        return not rules and not moved
    slack = 180 if planted.shape == "ramp" else 30
    return planted.rule in rules and any(
        s["signal"] == planted.signal and s["metric"] == planted.family and s["shape"] == planted.shape
        and s["onset"]["earliest"] - slack <= planted.onset <= s["onset"]["latest"] + slack
        for s in moved
    )  # fmt: skip


def main() -> None:
    print("## Metrics\n\n`bench/metrics.py`\n")
    if not shutil.which("prometheus") or not shutil.which("promtool"):
        print("Skipped: there is no prometheus or promtool here.")
        return
    with tempfile.TemporaryDirectory(prefix="locard-bench-") as name:
        print(
            "Cost of the whole command, by the number of series (2 h at 15 s; of 100,000 24 min):\n"
        )
        for line in growth(Path(name)):
            print(line, flush=True)
        print("\nDrawn histories served by a real Prometheus, seeds that no rule was written on:\n")
        for line in accuracy(Path(name)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
