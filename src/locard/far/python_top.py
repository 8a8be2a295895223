"""Samples CPython processes and says every few seconds what they did meanwhile: one JSON object a line, as long as asked.

Stands behind `far/python_profile.py` in one namespace. Arguments: "top", seconds of an interval, how many of them,
looks a second, mode, pids. A line: {"interval", "at", "seconds", "looks", "late", "hz", "mode", "samples", "cost_s",
"functions": [{"name", "filename", "own", "all"}], "threads": [{"pid", "tid", "thread", "cpu_s", "samples", "gil"}],
"processes": as of a profile with "cpu_s", all of its threads, also those that came
and went, "unread", "ended"}. `own` and `all` are samples in which it was innermost, and anywhere.
"""

import json
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.python_looks import Looks, Sampled
    from locard.far.python_profile import STOPPED, Profile, cost_s, heed
    from locard.far.python_stacks import failed

MOST_FUNCTIONS = 60
MOST_THREADS_SHOWN = 60
LEAST_S = 0.2  # of an interval that was cut short, to be told
TICKS = float(os.sysconf("SC_CLK_TCK"))


def spent(sampled: "Sampled") -> "float | None":
    """The CPU time of a thread so far, by the kernel; None where that is not known."""
    if sampled.fd < 0:
        return None
    try:
        return ticks(os.pread(sampled.fd, 512, 0))
    except (OSError, ValueError, IndexError):
        return None


def spent_by(pid: int) -> "float | None":
    """The CPU time of a process so far, its ended threads among it; None where it has ended."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            return ticks(file.read())
    except (OSError, ValueError, IndexError):
        return None


def ticks(stat: bytes) -> float:
    """Seconds in user and system mode, of a line of stat."""
    words = stat.rpartition(b")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


class Top:
    """Intervals of one profile."""

    def __init__(self, profile: "Profile", hz: float) -> None:
        """Of a profile that has begun."""
        self.profile, self.hz = profile, hz
        self.before = {}  # type: dict[Any, float]
        self.cost = cost_s()
        self.clocks()

    def clocks(self) -> "dict[Any, float]":
        """CPU seconds of each thread since the last call; of those that began meanwhile since their beginning."""
        used, now = {}, {}  # type: dict[Any, float], dict[Any, float]
        for pid, looks in self.profile.looked.items():
            whole = spent_by(pid)
            if whole is not None:
                now[pid, 0] = whole
                used[pid, 0] = max(0.0, whole - self.before.get((pid, 0), whole))
            for sampled in looks.every:
                clock = spent(sampled)
                if clock is not None:
                    key = pid, sampled.tid
                    now[key] = clock
                    used[key] = max(0.0, clock - self.before.get(key, clock))
        self.before = now
        return used

    def interval(self, number: int, seconds: float) -> "str":
        """Sample one interval and print it; why nothing comes after it."""
        profile = self.profile
        began = time.monotonic()
        looks, late = profile.samples, profile.late
        ended = profile.run(seconds, self.hz)
        took = time.monotonic() - began
        if took >= LEAST_S or not STOPPED:
            used = self.clocks()
            functions, threads, processes, samples = [], [], [], 0
            sums = {}  # type: dict[tuple[str, str], list[int]]
            every = list(profile.looked.items()) + list(profile.ended.items())
            for pid, one in sorted(every):
                counted = one.taken()
                samples += sum(counted.values())
                self.add(sums, one, counted)
                threads += self.threads(pid, one, counted, used)
                processes.append(self.process(pid, one, used.get((pid, 0))))
                one.forget()
            profile.ended.clear()
            ranked = sorted(sums.items(), key=lambda item: (-item[1][0], -item[1][1], item[0]))
            shown = ranked[:MOST_FUNCTIONS]
            shown += sorted(ranked[MOST_FUNCTIONS:], key=lambda item: -item[1][1])[:MOST_FUNCTIONS]
            for (name, file), (own, anywhere) in shown:
                functions.append({"name": name, "filename": file, "own": own, "all": anywhere})
            threads.sort(key=lambda t: (-(t["cpu_s"] or 0.0), -t["samples"], t["tid"] or 0))
            cost, self.cost = cost_s() - self.cost, cost_s()
            line = {
                "interval": number, "at": time.time(), "seconds": took, "hz": self.hz, "mode": profile.mode,
                "looks": profile.samples - looks, "late": profile.late - late, "samples": samples,
                "cost_s": cost, "functions": functions, "threads": threads[:MOST_THREADS_SHOWN],
                "processes": processes, "ended": ended,
                "unread": [{"pid": p, "why": w} for p, w in sorted(profile.unread.items())],
            }  # type: dict[str, Any] # fmt: skip
            print(json.dumps(line))
            sys.stdout.flush()
        return ended

    @staticmethod
    def add(
        sums: "dict[tuple[str, str], list[int]]", one: "Looks", counted: "dict[Any, int]"
    ) -> None:
        """Sum up functions: by themselves, and with what they call."""
        codes = one.reader.codes
        for (_, _, frames), count in counted.items():
            names = [(codes[a].name, codes[a].file) for a, _ in frames]
            if names:
                sums.setdefault(names[0], [0, 0])[0] += count
            for name in set(names):
                sums.setdefault(name, [0, 0])[1] += count

    @staticmethod
    def threads(
        pid: int, one: "Looks", counted: "dict[Any, int]", used: "dict[Any, float]"
    ) -> "list[dict[str, Any]]":
        """The threads that did something: CPU time, samples, looks in which they had the GIL."""
        samples = {}  # type: dict[Any, int]
        for (tid, _, _), count in counted.items():
            samples[tid] = samples.get(tid, 0) + count
        found = []
        for sampled in one.every:
            holds = one.holds.get(sampled.thread.address, 0)
            cpu = used.get((pid, sampled.tid))
            if cpu or holds or samples.get(sampled.tid):
                found.append({
                    "pid": pid, "tid": sampled.tid, "thread": sampled.name, "cpu_s": cpu,
                    "samples": samples.get(sampled.tid, 0), "gil": holds,
                })  # fmt: skip
        return found

    def process(self, pid: int, one: "Looks", cpu_s: "float | None") -> "dict[str, Any]":
        """One process, and from here on it is counted anew."""
        said = {
            "pid": pid, "version": "%d.%d" % one.reader.layout.version, "threads": len(one.every),
            "looks": one.looks, "torn": one.torn, "gc": one.collected, "gil": one.held, "idle": one.idle,
            "unseen": one.unseen, "left": one.left, "ended": pid in self.profile.ended,
            "cpu_s": cpu_s,
        }  # type: dict[str, Any] # fmt: skip
        one.looks = one.torn = one.left = one.collected = one.held = one.idle = 0
        one.holds = {}
        return said


def top(words: "list[str]") -> int:
    """`top INTERVAL COUNT HZ MODE PID…`."""
    seconds, most, hz, mode = float(words[1]), int(words[2]), float(words[3]), words[4]
    heed()
    work = Profile([int(w) for w in words[5:]], mode)
    error = work.begin()
    if error is not None:
        return failed(error, int(words[5]))
    view = Top(work, hz)
    for number in range(1, most + 1):
        if view.interval(number, seconds):
            break
    return 0


if __name__ == "__main__" and sys.argv[1:2] == ["top"]:
    sys.exit(top(sys.argv[1:]))
