"""How fast text formats are read: `bench/text_formats.py [MEGABYTES]`, one file of each.

`read` is from the file to the table, `answered` all of `locard logs --no-keep` with its start. A
process of its own each time, two threads, the median of three.
"""

from __future__ import annotations

import datetime as dt
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 3
MEGABYTES = 100
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.5.0",
)
LEVELS = ("INFO",) * 18 + ("WARNING", "ERROR")


def access_log(draw: random.Random, at: dt.datetime) -> str:
    """Combined, as nginx writes it."""
    return (
        f"10.0.{draw.randrange(256)}.{draw.randrange(256)} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "
        f'"GET /orders/{draw.randrange(10**5)}?page={draw.randrange(9)} HTTP/1.1" '
        f'{draw.choice((200, 200, 200, 404, 503))} {draw.randrange(10**5)} "https://shop.example/cart" '
        f'"{draw.choice(AGENTS)}"'
    )


def logfmt(draw: random.Random, at: dt.datetime) -> str:
    """Nine pairs, and a tenth with every fourth line."""
    more = f" user=u{draw.randrange(999)}" if draw.randrange(4) == 0 else ""
    return (
        f"time={at.isoformat(timespec='milliseconds')}Z level={draw.choice(LEVELS).lower()} service=shop "
        f'msg="order {draw.randrange(10**6)} handled" method=GET path=/orders/{draw.randrange(10**5)} '
        f"status={draw.choice((200, 200, 500))} duration={draw.randrange(900)}ms "
        f"trace_id={draw.getrandbits(64):016x}{more}"
    )


def python_logging(draw: random.Random, at: dt.datetime) -> str:
    """The formatter that most copy."""
    return (
        f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d} - shop.pay - {draw.choice(LEVELS)} - "
        f"order {draw.randrange(10**6)} handled in {draw.randrange(900)} ms for user {draw.randrange(9999)}"
    )


def syslog(draw: random.Random, at: dt.datetime) -> str:
    """As rsyslog writes to files."""
    return (
        f"{at:%b %d %H:%M:%S} web-{draw.randrange(9)} payment[{draw.randrange(99999)}]: "
        f"order {draw.randrange(10**6)} handled in {draw.randrange(900)} ms for user {draw.randrange(9999)}"
    )


def unknown_text(draw: random.Random, at: dt.datetime) -> str:
    """In no known format, but with a time and a level."""
    return (
        f"{at:%Y-%m-%d %H:%M:%S} | worker {draw.randrange(9)} | {draw.choice(LEVELS)} | "
        f"order {draw.randrange(10**6)} handled in {draw.randrange(900)} ms for user {draw.randrange(9999)}"
    )


def mixed(draw: random.Random, at: dt.datetime) -> str:
    """Lines of all these formats by turns, as several services write to one place."""
    return draw.choice(FORMATS[:-1])[1](draw, at)


FORMATS: tuple[tuple[str, Callable[[random.Random, dt.datetime], str]], ...] = (
    ("access log (combined)", access_log),
    ("logfmt", logfmt),
    ("Python logging", python_logging),
    ("syslog (RFC 3164)", syslog),
    ("unknown text", unknown_text),
    ("all five by turns", mixed),
)

READ = """
import sys, time
from locard.logs.input import log_source
from locard.logs.scan import loader
source = log_source.open_source(sys.argv[1])
begin = time.perf_counter()
table = loader.load(source, 600, 2)
seconds = time.perf_counter() - begin
assert table.records == table.lines and not table.partial, table.skipped
print(seconds, time.process_time())
"""


def write(path: Path, line: Callable[[random.Random, dt.datetime], str], size: int) -> int:
    """A file of about so many bytes; how many they became."""
    draw, at = random.Random(1), dt.datetime(2025, 11, 22, 12)  # noqa: DTZ001 - text
    written = 0
    with path.open("w", encoding="utf-8") as file:
        while written < size:
            at += dt.timedelta(milliseconds=draw.randrange(20))
            written += file.write(line(draw, at) + "\n")
    return written


def read(path: Path) -> tuple[float, float]:
    """Seconds to the table, by the clock and of the CPU."""
    argv = [sys.executable, "-c", READ, str(path)]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True)
    wall, cpu = map(float, done.stdout.split())
    return wall, cpu


def answered(path: Path) -> float:
    """Seconds of the whole command."""
    argv = [sys.executable, "-m", "locard", "logs", str(path), "--no-keep", "--threads", "2"]
    begin = time.perf_counter()
    subprocess.run(argv, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main() -> None:
    """One row a format."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else MEGABYTES
    print(
        f"## Text formats\n\n`bench/text_formats.py`: files of {size} MB, two threads, the median of {RUNS} runs. "
        "The first column is from the file to the table, the last the whole of `locard logs --no-keep`.\n\n"
        "| lines | read, MB/s | CPU, s per 100 MB | answered, MB/s |\n| --- | ---: | ---: | ---: |"
    )
    for name, line in FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "lines.log"
            megabytes = write(path, line, size * 1_000_000) / 1e6
            runs = [read(path) for _ in range(RUNS)]
            whole = statistics.median(answered(path) for _ in range(RUNS))
        wall, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
        print(
            f"| {name} | {megabytes / wall:.0f} | {cpu / megabytes * 100:.1f} | {megabytes / whole:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
