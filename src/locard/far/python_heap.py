"""What grows among the objects of a CPython process, and who holds it, from outside and without a stop.

Stands behind `far/python_chains.py` in one namespace. Arguments: "heap", seconds, looks, most objects of a look, pids.
Prints one JSON object: {"processes": see `Heap.told`, "refused", "left_out"}. Nothing of the target runs, nothing is collected: counts are of all objects
in the collector's lists, garbage that waits to be collected among them.
"""

import json
import os
import signal
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.python_chains import Chains
    from locard.far.python_gc import Collector, Look, Walker
    from locard.far.python_growth import Growth
    from locard.far.python_kinds import Kinds
    from locard.far.python_layout import UnreadableError
    from locard.far.python_loose import Loose
    from locard.far.python_stacks import Reader, failed, reason

GONE = "the target ended"
ONE_LOOK_S = 20.0  # of one look, at most
MOST_PROCESSES = 4
OWN_BYTES, EACH_BYTES = (
    40 << 20,
    64,
)  # what the looks take beside their objects, and for each of these
LIMITS = tuple(
    ("/sys/fs/cgroup/%s" % limit, "/sys/fs/cgroup/%s" % used)
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    )
)  # of the container in which this runs
SEARCH_S, HASTY_S = 20.0, 2.0  # for the holders; for who was told to end
STOPPED = []  # type: list[int] # the signals by which it was told to end before its time
# What reading a process that changes, or is no CPython after all, may raise.
FAULTS = (UnreadableError, OSError, LookupError, OverflowError, ValueError, struct.error)


class Heap:
    """The looks at one process."""

    def __init__(self, reader: "Reader", most: int) -> None:
        """`most`: objects of one look."""
        self.reader, self.memory = reader, reader.memory
        self.kinds = Kinds(reader.objects, reader.layout)
        self.walker = Walker(self.memory, self.kinds, most)
        self.walker.stopped = lambda: bool(STOPPED)
        every = reader.interpreters()
        self.interpreters = every
        if "interpreter.gc" not in reader.layout.at:
            every = every[-1:]  # up to 3.8 all interpreters have one collector
        self.collectors = [Collector(self.memory, reader.layout, i) for i in every]
        self.loose = Loose(reader, self.kinds)
        self.looks = []  # type: list[Look]
        self.counts = []  # type: list[tuple[dict[int, int], dict[int, int]]] # without and with young ones
        self.ended = ""
        self.age = age(reader.pid)
        self.on = True
        self.begun = self.ran = [c.collections() for c in self.collectors]

    # -- looks -----------------------------------------------------------------------------

    def look(self) -> None:
        """One; of those between the second and the last only counts are kept."""
        if self.ended:
            return
        try:
            self.take()
        except ProcessLookupError:
            self.ended = GONE

    def take(self) -> None:
        """As `look`, where the process is there."""
        began = time.monotonic()
        if len(self.looks) > 2:
            self.looks[-1].objects, self.looks[-1].young = {}, {}
        look = self.walker.look(self.collectors, began + ONE_LOOK_S)
        look.anonymous = anonymous(self.reader.pid)
        self.on = all(c.on() for c in self.collectors)
        self.ran = [c.collections() for c in self.collectors]
        look.loose = self.loose.look(self.interpreters, look)
        look.took = time.monotonic() - began
        if STOPPED and look.partial:
            self.ended = "stopped"
            return
        self.looks.append(look)
        self.counts.append((look.counts(False), look.counts(True)))

    # -- whole -----------------------------------------------------------------------------

    def told(self) -> "dict[str, Any]":
        """All of it: "looks", "collector", "types", "containers", "texts", "search"."""
        looks = self.looks
        types, containers, texts = [], [], []  # type: list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]
        search = {"took": 0.0, "rounds": 0, "unfinished": ""}  # type: dict[str, Any]
        if len(looks) > 1 and self.ended != GONE and not any(look.partial for look in looks):
            young = not any(look.fleeting for look in looks)
            for look in looks if young else ():
                look.merge()
            growth = Growth(self.kinds, self.loose, looks, [c[young] for c in self.counts])
            types, containers, texts = growth.types(), growth.containers(), growth.texts()
            types = growth.merged(types)
            search = Chains(self.reader, self.kinds, self.loose, looks[-1]).find(
                types, containers, texts, HASTY_S if STOPPED else SEARCH_S
            )
            for row in types:
                row.pop("sample")
        return {
            "pid": self.reader.pid, "age_s": self.age, "ended": self.ended,
            "version": "%d.%d" % self.reader.layout.version,
            "looks": [
                {"at": look.at - looks[0].at, "took": look.took, "objects": sum(c[1].values()), "fleeting": look.fleeting, "torn": look.torn,
                 "again": look.again, "partial": look.partial, "anonymous": look.anonymous, "lists": look.lists}
                for look, c in zip(looks, self.counts)
            ],
            "collector": {
                "on": self.on,
                "ran": [sum(b - a for a, b in zip(x, y)) for x, y in zip(zip(*self.begun), zip(*self.ran))],
                "interpreters": len(self.interpreters),
            },
            "types": types, "containers": containers, "texts": texts, "search": search,
        }  # fmt: skip


def anonymous(pid: int) -> int:
    """Bytes of private memory of a process, in RAM or swapped out; 0 where the kernel does not say."""
    found = 0
    try:
        with open("/proc/%d/status" % pid) as file:
            for line in file:
                if line.startswith(("RssAnon:", "VmSwap:")):
                    found += int(line.split()[1]) * 1024
    except OSError:
        return 0
    return found


def affordable(most: int, processes: int) -> int:
    """Objects of one look for which there is memory: in a container at most half of what is left of its limit."""
    for limit, used in LIMITS:
        try:
            with open(limit) as first, open(used) as second:
                room = int(first.read()) - int(second.read())
        except (OSError, ValueError):  # no such file, or "max"
            continue
        return max(1000, min(most, (room // 2 - OWN_BYTES) // (EACH_BYTES * max(1, processes))))
    return most


def age(pid: int) -> float:
    """Seconds since a process began."""
    with open("/proc/%d/stat" % pid) as file:
        began = int(file.read().rpartition(")")[2].split()[19])
    with open("/proc/uptime") as file:
        return float(file.read().split()[0]) - began / os.sysconf("SC_CLK_TCK")


def observe(works: "list[Heap]", seconds: float, looks: int) -> None:
    """So many looks over so many seconds at each process, in turn."""
    began = time.monotonic()
    for number in range(looks):
        left = began + seconds * number / (looks - 1) - time.monotonic()
        while left > 0 and not STOPPED:
            time.sleep(min(left, 0.1))
            left = began + seconds * number / (looks - 1) - time.monotonic()
        for work in works:
            if STOPPED:
                work.ended = work.ended or "stopped"
            work.look()
        if all(work.ended for work in works):
            return


def heap(words: "list[str]") -> int:
    """`heap SECONDS LOOKS MOST PID...`: of many processes those with the most private memory."""
    seconds, looks, most = float(words[1]), int(words[2]), int(words[3])
    pids = sorted(map(int, words[4:]), key=lambda pid: -anonymous(pid))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: STOPPED.append(number))
    most = affordable(most, len(pids[:MOST_PROCESSES]))
    works, refused, error = [], [], None  # type: list[Heap], list[dict[str, Any]], Exception | None
    for pid in pids[:MOST_PROCESSES]:
        try:
            works.append(Heap(Reader(pid), most))
        except FAULTS as why:
            error = why
            refused.append({"pid": pid, "why": reason(why, pid)})
    if error is not None and not works:
        return failed(error, pids[0])
    observe(works, seconds, looks)
    found = []
    for work in works:
        try:
            found.append(work.told())
        except FAULTS as why:
            refused.append({"pid": work.reader.pid, "why": str(why)})
    times = os.times()
    for one in found:
        one["cost_s"] = (times[0] + times[1]) / len(found)
    print(json.dumps({"processes": found, "refused": refused, "left_out": pids[MOST_PROCESSES:]}))
    return 0


if __name__ == "__main__" and sys.argv[1:2] == ["heap"]:
    sys.exit(heap(sys.argv[1:]))
