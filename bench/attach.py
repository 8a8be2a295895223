"""Attach, watch, detach, a thousand times: is a target ever harmed, how long is it stopped, what does a call cost.

    python bench/attach.py [--rounds 1000] [--python 3.8,3.12] [--targets busy,idle] [--kill 0.2]

Each target counts its own work and what it sees of itself (threads, descriptors, mappings, code objects); a round is
the very program that `locard watch` streams, in a process of its own, asked for one call; with `--kill` a share of the
rounds ends by SIGKILL at a random moment. Harmed: an error in the target, an exit, code that was not put back.
Residue: threads, descriptors, mappings or agents that are still there 6 s later. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import locard
from locard.runtime.python import watch

TARGET = """
import json, os, sys, threading, time
kind = sys.argv[1]
if kind == "gevent":
    from gevent import monkey
    monkey.patch_all()
errors, done = [], [0]
def work(number):
    done[0] += 1
    return number + 1
code = work.__code__
def loop(pause):
    while True:
        try:
            assert work(1) == 2
            if pause: time.sleep(pause)
            else:
                for _ in range(2000): pass
        except BaseException as error: errors.append(repr(error))
def begin():
    if kind == "idle": threading.Thread(target=loop, args=(0.01,), daemon=True).start()
    elif kind == "busy": threading.Thread(target=loop, args=(0,), daemon=True).start()
    elif kind == "contended": [threading.Thread(target=loop, args=(0,), daemon=True).start() for _ in range(4)]
    elif kind == "gevent":
        import gevent
        start = monkey.get_original("_thread", "start_new_thread")
        start(lambda: gevent.joinall([gevent.spawn(loop, 0.01) for _ in range(10)]), ())
    else:
        import asyncio
        if kind == "uvloop":
            import uvloop
            uvloop.install()
        async def main():
            async def one():
                while True:
                    try:
                        assert work(1) == 2
                        await asyncio.sleep(0.005)
                    except Exception as error: errors.append(repr(error))
            await asyncio.gather(*[one() for _ in range(10)])
        threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
def truth():
    maps = [l for l in open("/proc/self/maps") if "[" not in l]
    return {"errors": errors[:3], "done": done[0], "code": work.__code__ is code,
            "threads": len(os.listdir("/proc/self/task")), "fds": len(os.listdir("/proc/self/fd")),
            "ours": sum(l.split()[1] == "r-xp" and len(l.split()) == 5 for l in maps), "rwx": sum(l.split()[1].startswith("rwx") for l in maps)}
begin()
print(json.dumps({"ready": os.getpid()}), flush=True)
for line in sys.stdin:
    print(json.dumps(truth()), flush=True)
print(json.dumps(truth()), flush=True)
os._exit(0)
"""
COST = """
import sys, time
def work(number):
    return number
def measure():
    began = time.perf_counter()
    for number in range(200000): work(number)
    return (time.perf_counter() - began) / 200000 * 1e9
print("ready", flush=True)
for line in sys.stdin:
    print(measure(), flush=True)
"""
GAPS = """
import sys, time
def work(number):
    return number + 1
print("ready", flush=True)
clock = time.perf_counter
for line in sys.stdin:
    end, last, most = clock() + float(line), clock(), 0.0
    while last < end:
        work(1)
        now = clock()
        most = max(most, now - last)
        last = now
    print(most * 1000, flush=True)
"""
FORKY = os.environ.get("LOCARD_FORKY", "")
GDB = (
    "gdb", "-batch", "-nx", "-p", "{pid}", "-ex", "call (int) PyGILState_Ensure()",
    "-ex", 'call (int) PyRun_SimpleString("1")', "-ex", "call (void) PyGILState_Release($1)",
)  # fmt: skip
KINDS = ("busy", "idle", "contended", "asyncio", "gevent", "uvloop")
SETTINGS = {
    "most": 1, "depth": 2, "where": "", "show": "", "only": False, "before": False, "stats": False, "callers": False,
    "locals": False, "share": 10.0, "seconds": 10.0, "others": False, "tree": False, "spec": ["__main__:work"],
}  # fmt: skip


def source() -> Path:
    """The program that is streamed, with its parts, as a file."""
    package = Path(locard.__file__).parent
    folder = Path(tempfile.mkdtemp(prefix="locard-attach-"))
    parts = {name: str(shutil.copy(package / path, folder)) for name, path in watch.AGENT}
    head = f"import os\nPARTS = {{n: os.open(p, os.O_RDONLY) for n, p in {parts!r}.items()}}\n"
    text = head + "\n".join((package / name).read_text() for name in watch.READER.split("+"))
    (folder / "watch.py").write_text(text)
    return folder


def watching(program: Path, pid: int | str, **settings: object) -> list[str]:
    """The command line of one watch."""
    asked = json.dumps(SETTINGS | settings)
    return [sys.executable, "-I", "-S", "-B", str(program / "watch.py"), "watch", asked, str(pid)]


def interpreters(wanted: str) -> dict[str, str]:
    """{version: path} of the CPythons that are there, of paths or versions."""
    found = {}
    for one in wanted.split(","):
        path = shutil.which(one) or shutil.which(f"python{one}")
        argv = [path or "", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]
        if (
            path
            and (
                done := subprocess.run(argv, capture_output=True, text=True, check=False)
            ).returncode
            == 0
        ):
            found[done.stdout.strip()] = path
        else:
            print(f"<!-- no {one} here -->")
    return found


class Target:
    """One target of a kind."""

    def __init__(self, python: str, kind: str) -> None:
        """Raises LookupError where it does not begin."""
        self.process = subprocess.Popen(
            [python, "-B", "-c", TARGET, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )  # fmt: skip
        line = self.process.stdout.readline()
        if not line:
            raise LookupError(self.process.stderr.read().strip().splitlines()[-1])
        self.pid = json.loads(line)["ready"]

    def ask(self) -> dict:
        """What it says of itself."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self) -> tuple[int, str]:
        """Its exit code, and what it said on standard error."""
        self.process.stdin.close()
        return self.process.wait(20), self.process.stderr.read()


def rounds(
    python: str, kind: str, number: int, program: Path, *, kill: float, draws: random.Random
) -> dict:
    """A number of rounds on one target: {"stops", "told", "killed", "refused", "harmed", "residue"}."""
    target = Target(python, kind)
    time.sleep(0.5)
    first = target.ask()
    out: dict = {"stops": [], "told": 0, "killed": 0, "refused": [], "harmed": [], "residue": []}
    for _ in range(number):
        tool = subprocess.Popen(watching(program, target.pid), stdout=subprocess.PIPE, text=True)
        if draws.random() < kill:
            try:
                tool.wait(draws.uniform(0.02, 0.35))
            except subprocess.TimeoutExpired:
                tool.kill()
                out["killed"] += 1
        said = [
            json.loads(line)
            for line in tool.stdout.read().splitlines()
            if line.startswith("{") and line.endswith("}")
        ]
        tool.wait()
        tool.stdout.close()
        out["stops"] += [r["stopped_ms"] for r in said if "stopped_ms" in r]
        out["told"] += any(r.get("ev") == "call" for r in said)
        out["refused"] += [r["refused"] for r in said if "refused" in r]
        if target.process.poll() is not None:
            out["harmed"].append(f"exit {target.process.returncode}")
            break
    deadline = time.monotonic() + 8
    while True:
        last = target.ask()
        same = all(last[k] == first[k] for k in ("threads", "fds", "ours", "rwx")) and last["code"]
        if same or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    if last["errors"] or not last["code"] or last["done"] <= first["done"]:
        out["harmed"].append(str(last))
    if not same:
        out["residue"].append(f"{first} -> {last}")
    code, stderr = target.end()
    if code or stderr:
        out["harmed"].append(f"exit {code}: {stderr[-200:]}")
    return out


def cost(python: str, program: Path, pairs: int) -> tuple[float, float, float]:
    """Nanoseconds that a call of a watched function costs more, where nothing matches: median, 95 % interval."""
    target = subprocess.Popen(
        [python, "-B", "-c", COST], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    target.stdout.readline()

    def measure() -> float:
        target.stdin.write("\n")
        target.stdin.flush()
        return float(target.stdout.readline())

    found = []
    for _ in range(pairs):
        plain = measure()
        argv = watching(program, target.pid, where="cost_ms > 1e9", seconds=60.0, share=1e9)
        tool = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        while '"ev":"on"' not in tool.stdout.readline():
            pass
        found.append(measure() - plain)
        tool.terminate()
        tool.communicate()
    target.stdin.close()
    target.wait(20)
    found.sort()
    low = found[max(0, round(len(found) / 2 - 0.98 * len(found) ** 0.5))]
    high = found[min(len(found) - 1, round(len(found) / 2 + 0.98 * len(found) ** 0.5))]
    return statistics.median(found), low, high


def gaps(python: str, tool: list[str] | None, times: int) -> list[float]:
    """The longest time between two turns of a loop, in ms, for 2.5 s in which a tool attaches once; of each time."""
    found = []
    for _ in range(times):
        target = subprocess.Popen(
            [python, "-B", "-c", GAPS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        target.stdout.readline()
        target.stdin.write("2.5\n")
        target.stdin.flush()
        time.sleep(0.3)
        if tool:
            argv = [word.replace("{pid}", str(target.pid)) for word in tool]
            subprocess.run(
                argv, capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=60
            )
        line = target.stdout.readline()
        found.append(float(line) if line.strip() else float("inf"))
        target.stdin.close()
        target.wait(20)
    return sorted(found)


def peers(python: str, program: Path, times: int) -> None:
    """The longest pause of one busy thread beside each tool, whole commands."""
    tools: dict[str, list[str] | None] = {
        "nobody": None,
        "locard watch": watching(program, "{pid}"),
    }
    if shutil.which("gdb"):
        tools["gdb, three calls"] = list(GDB)
    script = program / "script.py"
    script.write_text("1\n")
    if FORKY and (
        there := Path(FORKY + str(script.parent))
    ):  # for interpreters that run below that root
        there.mkdir(parents=True, exist_ok=True)
        shutil.copy(script, there)
    if (
        subprocess.run(
            [python, "-c", "import sys; sys.remote_exec"], capture_output=True, check=False
        ).returncode
        == 0
    ):
        tools["sys.remote_exec"] = [
            python,
            "-c",
            f"import sys; sys.remote_exec({{pid}}, {str(script)!r})",
        ]
    flight = Path(python).with_name(
        "flight_profiler"
    )  # PyFlightProfiler wants to be installed in the target's
    if flight.exists():
        tools["PyFlightProfiler"] = [
            str(flight),
            "{pid}",
            "--cmd",
            "watch __main__ work -n 1",
            "--no-color",
        ]
    for name, tool in tools.items():
        found = gaps(python, tool, times)
        print(
            f"longest pause of a busy thread, {name}: median {found[len(found) // 2]:.1f} ms, most {found[-1]:.1f} ms ({times} times)",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=1000, help="of each interpreter, over its targets"
    )
    parser.add_argument("--python", default="3.8,3.9,3.10,3.11,3.12,3.13")
    parser.add_argument("--targets", default=",".join(KINDS))
    parser.add_argument(
        "--kill", type=float, default=0.2, help="share of the rounds that end by SIGKILL"
    )
    parser.add_argument(
        "--pairs", type=int, default=20, help="of the cost of a call; 0: not measured"
    )
    parser.add_argument("--peers", type=int, default=10, help="times of each peer; 0: none")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    program = source()
    draws = random.Random(asked.seed)
    print(
        "## Attach, watch, detach\n\n`bench/attach.py`: the stop is the time for which a thread of the target was held.\n"
    )
    print(
        "| CPython | target | rounds | killed | told | refused | stop p50 / p99 / max ms | harmed | residue |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    failed = 0
    for version, python in interpreters(asked.python).items():
        kinds = asked.targets.split(",")
        for kind in kinds:
            try:
                found = rounds(
                    python,
                    kind,
                    max(1, asked.rounds // len(kinds)),
                    program,
                    kill=asked.kill,
                    draws=draws,
                )
            except LookupError as error:
                print(f"| {version} | {kind} | not run: {error} | | | | | | |", flush=True)
                continue
            stops = sorted(found["stops"]) or [0.0]
            at = f"{stops[len(stops) // 2]:.2f} / {stops[int(len(stops) * 0.99)]:.2f} / {stops[-1]:.2f}"
            print(
                f"| {version} | {kind} | {asked.rounds // len(kinds)} | {found['killed']} | {found['told']} | {len(found['refused'])} "
                f"| {at} | {len(found['harmed'])} | {len(found['residue'])} |", flush=True,
            )  # fmt: skip
            for what in ("harmed", "residue", "refused"):
                for line in sorted(set(found[what]))[:3]:
                    print(f"<!-- {what}: {line} -->", flush=True)
            failed += len(found["harmed"]) + len(found["residue"])
    for version, python in interpreters(asked.python).items() if asked.pairs else ():
        median, low, high = cost(python, program, asked.pairs)
        print(
            f"\ncost of a call that does not match, CPython {version}: {median:.0f} ns ({low:.0f} to {high:.0f}), {asked.pairs} pairs",
            flush=True,
        )
    for version, python in interpreters(asked.python).items() if asked.peers else ():
        print(f"\nCPython {version}:")
        peers(python, program, asked.peers)
    shutil.rmtree(program)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
