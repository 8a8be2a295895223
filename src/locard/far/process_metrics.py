"""Samples processes, their control groups and the host beside the target, and prints series; standard library only, Python 3.6.

Travels behind metric_lines.py, cgroup_metrics.py and process_numbers.py. Arguments: seconds, interval, pids, then directories of
control groups. Children that the processes begin are sampled from the next tick on; a process is told from
a later one of its pid by its start time. Never a command line. SIGINT or SIGTERM ends it as the time does.
Lines of its own, beside those of metric_lines.py:

    {"processes": [{"pid", "comm", "start": Unix time, "began", "ended": times that were seen, or null}]}
    {"sampled": {"seconds", "interval", "ticks", "late", "cost_s", "stopped": early, "pids": asked for}}
    {"missed": [{"what", "why", "pids": [some], "of": how many}]}
"""

import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.cgroup_metrics import PROC, TICKS_S, Group, Host, Labels, with_relatives
    from locard.far.metric_lines import say
    from locard.far.process_numbers import Recorded, Sampled, stat_of

MOST_PROCESSES = 256
MOST_VALUES = 4000000  # that are held: 32 MB
MOST_TOLD = 200
LONG_S = 60.0  # from which on the beginning is a baseline for the rest
WINDOW = 0.75  # of it, which then is compared with what lies before
GAUGES = (
    "_bytes",
    "_fds",
    "_threads",
    "_max",
    "_quota",
    "_period",
    "_rss",
    "_cache",
    "_swap",
    "_load1",
)
ENDED_BY = []  # type: list[int]


class Family:
    """The processes that were named, and those that they and theirs begin."""

    def __init__(self, pids: "list[int]") -> None:
        """Opens those that are there."""
        self.living = {}  # type: dict[int, Sampled]
        self.over = []  # type: list[Sampled]
        self.left_out = set()  # type: set[int]
        self.own = ancestry() - set(pids)
        self.known = set(map(int, filter(str.isdigit, os.listdir(PROC))))
        for pid in pids:
            self.add(pid)

    def add(self, pid: int, began: "float | None" = None) -> None:
        """Sample this one too; more than are sampled are counted."""
        if pid in self.own or pid in self.living:
            return
        if len(self.living) >= MOST_PROCESSES:
            self.left_out.add(pid)
            return
        try:
            process = Sampled(pid)
        except (OSError, ValueError):
            return
        process.began = began
        self.living[pid] = process

    def look(self, now: float) -> None:
        """Find what was begun since the look before."""
        seen = set(map(int, filter(str.isdigit, os.listdir(PROC))))
        parents = {}
        for pid in seen - self.known:
            try:
                with open("%s/%d/stat" % (PROC, pid), "rb", 0) as file:
                    parents[pid] = int(stat_of(file.read(4096))[1][1])
            except (OSError, ValueError):
                continue
        self.known = seen
        grown = True
        while grown:
            mine = [p for p, parent in parents.items() if parent in self.living]
            for pid in mine:
                del parents[pid]
                self.add(pid, now)
            grown = bool(mine)

    def sample(self, moment: float) -> int:
        """One look at each; how many values were taken."""
        count = 0
        for pid, process in list(self.living.items()):
            at = moment + time.monotonic()
            values = process.sample()
            if values is None:
                process.ended = at
                process.close()
                self.over.append(self.living.pop(pid))
                continue
            count += process.recorded.take(int(at * 1000), values)
        return count

    def every(self) -> "list[Sampled]":
        """All that were sampled, in the order of their start."""
        return sorted(self.over + list(self.living.values()), key=lambda p: (p.start, p.pid))


def ancestry() -> "set[int]":
    """This process and those above it: never the target, unless they were named."""
    found, pid = set(), os.getpid()
    while pid > 1 and pid not in found:
        found.add(pid)
        try:
            with open("%s/%d/stat" % (PROC, pid), "rb", 0) as file:
                pid = int(stat_of(file.read(4096))[1][1])
        except (OSError, ValueError):
            break
    return found


class Sampling:
    """All that is looked at, tick by tick."""

    def __init__(self, seconds: float, interval: float, pids: "list[int]", groups: "list[str]") -> None:  # fmt: skip
        """Opens what is there."""
        self.seconds, self.interval, self.asked = seconds, interval, pids
        self.moment = (
            time.time() - time.monotonic()
        )  # one clock for all of it, though the other is set
        self.family = Family(pids)
        self.groups = [(g, Recorded()) for g in map(Group, with_relatives(groups, pids)) if g.files]
        self.host = Host(), Recorded()
        self.ticks = self.late = 0
        self.stopped = ""

    def run(self) -> None:
        """Until the time is over, a signal comes or too much is held."""
        held, begun = 0, time.monotonic()
        self.began = self.ended = begun
        last = max(1, int(self.seconds / self.interval + 1e-6))
        n = 0
        while not self.stopped:
            if n:
                self.family.look(self.moment + time.monotonic())
            held += self.family.sample(self.moment)
            for group, recorded in self.groups:
                held += recorded.take(self.now_ms(), group.sample())
            held += self.host[1].take(self.now_ms(), self.host[0].sample())
            self.ticks += 1
            self.ended = time.monotonic()
            gone = bool(self.asked) and not self.family.living
            if n >= last or gone:
                self.stopped = "every process of the target has ended" if gone and n < last else ""
                return
            if held > MOST_VALUES:
                self.stopped = "so many processes, so often, are not held for longer"
            n += 1
            while n < last and begun + n * self.interval < self.ended:
                n, self.late = n + 1, self.late + 1
            self.pause(begun + n * self.interval)

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        return int((self.moment + time.monotonic()) * 1000)

    def pause(self, until: float) -> None:
        """Wait; a signal ends the sampling."""
        while not self.stopped:
            left = until - time.monotonic()
            if left <= 0:
                return
            if ENDED_BY:
                self.stopped = "it was ended"
                return
            time.sleep(min(left, 0.2))

    def tell(self) -> None:
        """Print it."""
        start, end = self.moment + self.began, self.moment + self.ended
        took = end - start
        say(asked={"pids": self.asked, "window": took, "for": self.seconds})
        say(source={"kind": "procfs", "sampled": True})
        interest = WINDOW * took if took >= LONG_S - self.interval else took
        say(window={"start": start, "end": end, "match": "", "interest": interest})
        say(step=self.interval, interval=self.interval)
        if self.asked and not self.family.every():
            say(problem={"status": 0, "words": "none of its processes is there any more"})
        recordings = [r for _, r in self.groups] + [self.host[1]]
        names = {n for r in recordings for n, _ in r.values}
        names |= {n for p in self.family.every() for n, _ in p.recorded.values}
        types = {n: "gauge" if n.endswith(GAUGES) else "counter" for n in names}
        say(types=types)
        slack = max(0.001, self.interval / 100)  # seconds
        for group, recorded in self.groups:
            recorded.tell(group.labels, slack)
        self.host[1].tell((), slack)
        starts = {}  # type: dict[int, int]
        boot = self.moment + time.monotonic() - time.clock_gettime(7)  # CLOCK_BOOTTIME
        for process in self.family.every():
            labels = (("comm", process.comm), ("pid", str(process.pid)))  # type: Labels
            starts[process.pid] = starts.get(process.pid, 0) + 1
            if starts[process.pid] > 1:  # its pid was used again
                labels += (("use", str(starts[process.pid])),)
            process.recorded.tell(labels, slack)
        rows = [{"pid": p.pid, "comm": p.comm, "start": boot + p.start / TICKS_S, "began": p.began, "ended": p.ended}
                for p in self.family.every()]  # fmt: skip
        changed = [r for r in rows if r["began"] or r["ended"]]
        say(processes=changed[:MOST_TOLD], of=len(changed), all=len(rows))
        say(missed=self.missed())
        times = os.times()
        say(sampled={"seconds": took, "interval": self.interval, "ticks": self.ticks, "late": self.late,
                     "cost_s": times[0] + times[1], "stopped": self.stopped, "pids": self.asked[:8]})  # fmt: skip

    def missed(self) -> "list[dict[str, Any]]":
        """What could not be read, once each."""
        found = {}  # type: dict[tuple[str, str], list[int]]
        for process in self.family.every():
            for what, why in process.denied.items():
                found.setdefault((what, why), []).append(process.pid)
        rows = [
            {"what": w, "why": y, "pids": p[:4], "of": len(p)}
            for (w, y), p in sorted(found.items())
        ]
        for group, _ in self.groups:
            for name, number in group.denied.items():
                path = group.labels[0][1] + "/" + name
                rows.append({"what": path, "why": os.strerror(number), "pids": [], "of": 0})
        if self.family.left_out:
            some = sorted(self.family.left_out)
            why = "at most %d are sampled" % MOST_PROCESSES
            rows.append({"what": "processes", "why": why, "pids": some[:4], "of": len(some)})
        return rows


def sample_metrics(words: "list[str]") -> int:
    """`SECONDS INTERVAL PID… DIRECTORY…`."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: ENDED_BY.append(number))
    pids = [int(w) for w in words[2:] if not w.startswith("/")]
    sampling = Sampling(
        float(words[0]), float(words[1]), pids, [w for w in words[2:] if w.startswith("/")]
    )
    sampling.run()
    sampling.tell()
    return 0


if __name__ == "__main__":
    sys.exit(sample_metrics(sys.argv[1:]))
