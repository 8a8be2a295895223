"""What observing costs the observed: throughput left beside strace, perf, bpftrace and ltrace, in alternating pairs.

    bench/kernel.py [PAIRS]      (20)

Each pair is one moment without and the next with the tool attached, on the same process; the ratio of the two is
what it is left. Medians of the pairs with the interval that holds the median in 95 % of samples (order statistics).
Commands are those that a user types, whole, from a fresh process; today's tools run from a root folder of Debian
testing where LOCARD_FORKY names one (see CONTRIBUTING.md). What a tool counted is checked against the workload's own
count where it prints one.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import re
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOCARD = (sys.executable, "-m", "locard")
STATE = tempfile.mkdtemp(prefix="locard-bench-")  # nobody else may write to it
STARTS_S, MEASURED_S, ENDS_S = 1.7, 0.5, 2.6
HOT = """
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <sys/mman.h>
#include <fcntl.h>
int main(int n, char **argv) {
  (void)n;
  volatile uint64_t *count = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, open(argv[1], O_RDWR), 0);
  for (;;) { WORK; ++*count; }
}
"""
WORK = {
    "hot call loop": "syscall(SYS_getppid)",
    "malloc loop": 'void *p = malloc(64); __asm__ volatile("" : : "r"(p) : "memory"); free(p)',
}
SERVER = """
import http.server, mmap, struct, sys, threading
file = open(sys.argv[1], "r+b"); count = mmap.mmap(file.fileno(), 4096); lock = threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True
    def do_GET(self):
        body = b"x" * 512
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
        with lock: struct.pack_into("=Q", count, 0, struct.unpack_from("=Q", count, 0)[0] + 1)
    def log_message(self, *a): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
CLIENT = """
import http.client, sys, threading
def work():
    c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
    while True:
        c.request("GET", "/"); c.getresponse().read()
threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
for t in threads: t.start()
threads[0].join()
"""


class Counted:
    """A workload that counts what it does in a page that we share."""

    def __init__(self, folder: Path, name: str) -> None:
        """Starts it; `name` says which."""
        self._path = folder / f"{name.replace(' ', '-')}.count"
        self._path.write_bytes(bytes(4096))
        self.helpers: list[subprocess.Popen[bytes]] = []
        if name == "HTTP server":
            self._process = subprocess.Popen(
                [sys.executable, "-c", SERVER, self._path], stdout=subprocess.PIPE
            )
            port = self._process.stdout.readline().decode().strip()
            self.helpers.append(subprocess.Popen([sys.executable, "-c", CLIENT, port]))
        else:
            program = folder / name.replace(" ", "-")
            source = HOT.replace("WORK", WORK[name])
            subprocess.run(
                ["cc", "-O1", "-x", "c", "-", "-o", program], input=source.encode(), check=True
            )
            self._process = subprocess.Popen([program, self._path])
        self.pid = self._process.pid
        with self._path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 4096)

    @property
    def count(self) -> int:
        """How much it has done."""
        return struct.unpack_from("=Q", self._page, 0)[0]

    def rate(self, seconds: float) -> float:
        """How much it does a second, over so long."""
        began, before = time.monotonic(), self.count
        time.sleep(seconds)
        return (self.count - before) / (time.monotonic() - began)

    def close(self) -> None:
        """End it and its client."""
        for process in (self._process, *self.helpers):
            process.kill()
            process.wait()


def forky() -> Path | None:
    """The root folder of today's tools."""
    given = os.environ.get("LOCARD_FORKY") or Path.home() / ".cache" / "locard-forky"
    return Path(given) if (Path(given) / ".ready").exists() else None


def today(*words: str) -> tuple[str, ...]:
    root = forky()
    return ("chroot", str(root), *words) if root else ()


def timed(*words: str) -> tuple[str, ...]:
    return ("timeout", "-s", "INT", str(ENDS_S), *words) if words and shutil.which(words[0]) else ()


def bpftrace(pid: int, words: tuple[str, ...], field: str = "args.id") -> tuple[str, ...]:
    script = (
        f"tracepoint:raw_syscalls:sys_enter /pid == {pid}/ {{ @b[tid] = nsecs; }}"
        f" tracepoint:raw_syscalls:sys_exit /@b[tid]/ {{ @n[{field}] = count();"
        f" @t[{field}] = sum(nsecs - @b[tid]); delete(@b[tid]); }}"
    )
    return timed(*words, "-e", script) if words else ()


def ours(command: str, pid: int, *more: str) -> tuple[str, ...]:
    return (
        *LOCARD,
        command,
        f"pid/{pid}",
        "--for",
        f"{ENDS_S:g}s",
        "--max-overhead",
        "1000",
        "-q",
        *more,
    )


def contenders(kind: str, pid: int) -> dict[str, tuple[str, ...]]:
    """Each tool's command on a process."""
    if kind == "library":
        script = f"uprobe:/lib/x86_64-linux-gnu/libc.so.6:malloc /pid == {pid}/ {{ @n = count(); }}"
        new = ("-p", str(pid), "-e", script)
        return {
            "locard libcalls --no-latency": ours(
                "libcalls", pid, "-e", "malloc+free", "--no-latency"
            ),
            "locard libcalls": ours("libcalls", pid, "-e", "malloc+free"),
            "ltrace": timed("ltrace", "-c", "-e", "malloc+free", "-p", str(pid)),
            "bpftrace of Debian 12 (malloc alone)": timed("bpftrace", *new),
            "bpftrace of today (malloc alone)": timed(*today("bpftrace"), *new) if forky() else (),
        }
    return {
        "locard syscalls": ours("syscalls", pid),
        "strace -f -c -w": timed("strace", "-f", "-c", "-w", "-o", "/dev/null", "-p", str(pid)),
        "perf trace -s of Debian 12": timed(
            "perf", "trace", "-s", "-o", "/dev/null", "-p", str(pid)
        ),
        "perf trace -s --bpf-summary of today, the whole machine: it knows no -p": timed(
            *today("perf"), "trace", "-a", "-s", "--bpf-summary", "-o", "/dev/null"
        )
        if forky()
        else (),
        "bpftrace of Debian 12": bpftrace(pid, ("bpftrace",), "args->id"),
        "bpftrace of today": bpftrace(pid, today("bpftrace")),
    }


def versions() -> str:
    found = []
    for words in (
        ("strace", "--version"),
        ("perf", "--version"),
        ("bpftrace", "--version"),
        ("ltrace", "--version"),
        today("perf", "--version"),
        today("bpftrace", "--version"),
    ):
        if words and shutil.which(words[0]):
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            found.append(
                (done.stdout or done.stderr).splitlines()[0]
                + (" (today)" if words[0] == "chroot" else "")
            )
    return "; ".join(found)


def pairs(command: tuple[str, ...], measured: Counted, number: int) -> list[float] | str:
    """The share of its throughput that is left, pair by pair; why there is none where the tool does not run."""
    found = []
    for _ in range(number):
        before = measured.rate(MEASURED_S)
        left, early, said = beside(command, measured)
        if early is not None:  # before it was measured: it cost nothing, and told nothing
            return f"ended at once ({early}): {said}"
        found.append(left / before if before else 0.0)
    return found


def beside(command: tuple[str, ...], measured: Counted) -> tuple[float, int | None, str]:
    """The rate beside a tool; its exit code and last words where it had ended before that was measured."""
    with tempfile.TemporaryFile() as words:
        tool = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=words,
            start_new_session=True,  # what it starts ends with it: bpftrace 0.17 was seen to hang
            env={**os.environ, "LOCARD_STATE": STATE},
        )
        began = time.monotonic()
        time.sleep(STARTS_S)
        left = measured.rate(MEASURED_S)
        early = tool.poll()
        with contextlib.suppress(subprocess.TimeoutExpired):
            tool.wait(ENDS_S + 3 - (time.monotonic() - began))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(tool.pid, signal.SIGKILL)
        tool.wait()
        words.seek(0)
        lines = words.read().decode(errors="replace").strip().splitlines()
    return left, early, lines[-1] if lines else ""


def row(name: str, shares: list[float]) -> str:
    """Median and the interval that holds it in 95 % of samples."""
    ordered, n = sorted(shares), len(shares)
    low = max(0, int(n / 2 - 0.98 * n**0.5))
    return f"| {name} | {statistics.median(ordered):.3f} | {ordered[low]:.3f} to {ordered[n - 1 - low]:.3f} |"


def table(title: str, kind: str, target: Counted, measured: Counted, number: int) -> list[str]:
    lines = [f"\n**{title}**\n", "| | left | 95 % |", "|---|---|---|"]
    for name, command in contenders(kind, target.pid).items():
        if not command:
            lines.append(f"| {name} | not here | |")
            continue
        shares = pairs(command, measured, number)
        lines.append(f"| {name} | {shares} | |" if isinstance(shares, str) else row(name, shares))
        print(title, lines[-1], file=sys.stderr)
    return lines


def answer(target: Counted) -> str:
    """What ours counts beside what the workload counts."""
    before, began = target.count, time.monotonic()
    words = (
        *LOCARD,
        "syscalls",
        f"pid/{target.pid}",
        "--for",
        "2s",
        "--max-overhead",
        "1000",
        "-q",
        "-o",
        "json",
    )
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    rate = (target.count - before) / (time.monotonic() - began)
    (fact,) = json.loads(done.stdout)["evidence"][0]["facts"]
    counted = (
        next(c for c in fact["calls"] if c["what"] == "getppid")["count"]
        / fact["observed"]["seconds"]
    )
    return f"`locard syscalls` counted {counted:,.0f} calls a second; over the whole command the loop made {rate:,.0f} a second."


def start_up(pid: int, number: int) -> list[str]:
    lines = [
        "\n**Start-up of the whole command, and what it takes itself**\n",
        "| | wall, median | CPU | memory |",
        "|---|---|---|---|",
    ]
    commands = {
        "locard syscalls --for 0.1s, less 0.1 s": (
            *LOCARD,
            "syscalls",
            f"pid/{pid}",
            "--for",
            "0.1s",
            "-q",
        ),
        "bpftrace of Debian 12, one tracepoint, at once ended": (
            "bpftrace",
            "-e",
            "tracepoint:raw_syscalls:sys_enter { } BEGIN { exit(); }",
        ),
        "bpftrace of today, the same": today(
            "bpftrace", "-e", "tracepoint:raw_syscalls:sys_enter { } BEGIN { exit(); }"
        ),
    }
    for name, words in commands.items():
        if not words or not shutil.which(words[0]):
            continue
        walls, cpus, sizes = [], [], []
        for _ in range(number):
            began = time.perf_counter()
            done = subprocess.run(
                ("/usr/bin/time", "-f", "%U %S %M", *words),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
            walls.append(time.perf_counter() - began - (0.1 if "locard" in name else 0.0))
            user, system, size = done.stderr.splitlines()[-1].split()
            cpus.append(float(user) + float(system))
            sizes.append(int(size))
        lines.append(
            f"| {name} | {1000 * statistics.median(walls):.0f} ms | {statistics.median(cpus):.2f} s | {max(sizes) / 1024:.0f} MB |"
        )
    return lines


WAITING = """
import threading, time
c = threading.Condition()
def idle():
    with c: c.wait()
threading.stack_size(65536)
for _ in range(1000): threading.Thread(target=idle, daemon=True).start()
print("ready", flush=True); time.sleep(600)
"""


def looks() -> list[str]:
    """What `locard waits` takes of a CPU on 1,000 threads, start and end apart: a long look less a short one."""
    process = subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE)
    process.stdout.readline()
    used = {}
    for seconds in (2, 32):
        words = (*LOCARD, "waits", f"pid/{process.pid}", "--for", f"{seconds}s", "-q")
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        own = re.search(r"locard itself ([0-9.]+) (ms|s) of CPU", done.stdout)
        hz = re.search(r"([0-9.]+) a second", done.stdout)
        used[seconds] = float(own[1]) * (0.001 if own[2] == "ms" else 1.0)
    process.kill()
    process.wait()
    share = (used[32] - used[2]) / 30
    return [
        f"\n`locard waits` on 1,000 threads that wait: {hz[1]} looks a second take {share:.2%} of one CPU (goal 0.5 %)."
    ]


def main(number: int) -> None:
    """Run everything, print a section."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        head = (
            f"## Kernel\n\n`bench/kernel.py {number}`: throughput left to a process while a tool observes it"
            f" (1.0: untouched), {number} alternating pairs of {MEASURED_S} s.\n"
        )
        lines = [head, f"Versions: {versions()}."]
        hot = Counted(folder, "hot call loop")
        lines += table(
            "A loop of one system call (goal 0.40, and above perf's summary)",
            "calls",
            hot,
            hot,
            number,
        )
        lines.append("\n" + answer(hot))
        lines += start_up(hot.pid, number)
        hot.close()
        lines += looks()
        server = Counted(folder, "HTTP server")
        lines += table("A threaded HTTP server (goal 0.95)", "calls", server, server, number)
        loop = Counted(folder, "malloc loop")
        lines += table(
            "A bystander: the HTTP server while a loop of malloc is observed (goal 0.95)",
            "library",
            loop,
            server,
            number,
        )
        server.close()
        lines += table("A loop of malloc and free (goal 0.25)", "library", loop, loop, number)
        loop.close()
    print("\n".join(lines))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
