"""Samples the stacks of CPython processes many times a second and sums them up, without a stop.

Stands behind `far/python_looks.py` and `far/processes.py` in one namespace. Arguments: "profile", seconds, samples
a second, mode, pids. All of them are looked at in turn at each look, and what they begin meanwhile as well.
Prints one JSON object: {"table": frames, "stacks": [{"pid", "thread", "tid", "frames": numbers in the table, outermost
first, "count"}], "processes": [{"pid", "version", "threads", "looks", "torn", "gc", "gil", "idle", "ended"}],
"unread": [{"pid", "why"}], "samples", "late", "took", "cost_s", "ended", "hz", "mode"}.

Modes: `wall` counts every thread at each look, `cpu` those that the kernel has on a CPU or waiting for one, `gil`
the one that has the interpreter's lock.
"""

import json
import os
import signal
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from locard.far.processes import family
    from locard.far.python_layout import NO_PYTHON, UnreadableError
    from locard.far.python_looks import Looks
    from locard.far.python_stacks import Reader, failed, reason

FAMILY_S = 2.0  # and for processes
MOST_PROCESSES = 64
MOST_THREADS_OF_ALL = (
    4000  # beyond which nobody looks for new processes: each thread may have begun one
)
STOPPED = []  # type: list[int] # the signals by which it was told to end before its time


class Profile:
    """Several processes, looked at in turn."""

    def __init__(self, pids: "list[int]", mode: str) -> None:
        """`mode`: wall, cpu or gil. Nothing is read yet."""
        self.pids, self.mode = pids, mode
        self.looked = {}  # type: dict[int, Looks]
        self.ended = {}  # type: dict[int, Looks]
        self.unread = {}  # type: dict[int, str]
        self.known = set(pids)  # looked at once
        self.samples = self.late = 0
        self.searched = -1e9

    def begin(self) -> "Exception | None":
        """Open what can be read of the processes that were named; the last error where that is none."""
        error = None  # type: Exception | None
        for pid in self.pids[:MOST_PROCESSES]:
            error = self.open(pid) or error
        return None if self.looked else error

    def open(self, pid: int) -> "Exception | None":
        """Begin to look at one process; why that cannot be."""
        try:
            looks = Looks(Reader(pid), self.mode)
            looks.refresh()
        except (UnreadableError, OSError, ValueError, struct.error) as error:
            self.unread[pid] = reason(error, pid)
            return error
        self.looked[pid] = looks
        return None

    def refresh(self, now: float) -> None:
        """Which threads there are now, and now and then which processes."""
        threads = sum(len(looks.every) for looks in self.looked.values())
        if now - self.searched >= FAMILY_S and threads <= MOST_THREADS_OF_ALL:
            self.searched = now
            for pid in set(family(list(self.looked))) - set(self.looked) - self.known:
                if len(self.looked) < MOST_PROCESSES:
                    self.known.add(pid)
                    self.open(pid)
                    if self.unread.get(pid) == NO_PYTHON:  # a shell, a tool: it was not asked for
                        del self.unread[pid]
                else:
                    self.unread[pid] = "it began meanwhile, and %d are sampled" % MOST_PROCESSES
        self.each(Looks.refresh)

    def each(self, work: "Callable[[Looks], None]") -> None:
        """Do something for every process that still is."""
        for pid, looks in list(self.looked.items()):
            try:
                work(looks)
            except ProcessLookupError:
                self.ended[pid] = self.looked.pop(pid)
                looks.close()
            except (OSError, ValueError, struct.error):
                looks.torn += 1

    def run(self, seconds: float, hz: float) -> str:
        """Sample until the time is over; why it ended before. Looks that came too late are counted."""
        began = time.monotonic()
        number = 0
        while not STOPPED:
            now = time.monotonic() - began
            if now >= seconds:
                return ""
            self.refresh(began + now)
            if not self.looked:
                return "the target ended"
            self.each(Looks.look)
            self.samples += 1
            number += 1
            # At a moment of its own within each interval: what the target does at a fixed pace is not met always
            # at the same point.
            left = began + (number + chance()) / hz - time.monotonic()
            if left > 0:
                time.sleep(left)
            else:
                missed = int(-left * hz)
                self.late += missed
                number += missed
        return "stopped"

    def told(self) -> "dict[str, Any]":
        """What was counted since the last call: stacks by the numbers of their frames, and processes."""
        numbers = {}  # type: dict[tuple[str, str, int], int]
        stacks, processes = [], []
        for pid, looks in sorted(list(self.looked.items()) + list(self.ended.items())):
            codes = looks.reader.codes
            sums = {}  # type: dict[Any, int]
            for (tid, name, frames), count in looks.taken().items():
                named = []
                for address, place in reversed(frames):
                    code = codes[address]
                    frame = code.name, code.file, code.line(place)
                    named.append(numbers.setdefault(frame, len(numbers)))
                key = tid, name, tuple(named)
                sums[key] = sums.get(key, 0) + count
            stacks += [
                {"pid": pid, "tid": t, "thread": n, "frames": list(f), "count": c}
                for (t, n, f), c in sums.items()
            ]
            processes.append(
                {
                    "pid": pid, "version": "%d.%d" % looks.reader.layout.version, "threads": looks.most,
                    "looks": looks.looks, "torn": looks.torn, "gc": looks.collected, "gil": looks.held,
                    "idle": looks.idle, "unseen": looks.unseen, "left": looks.left, "ended": pid in self.ended,
                }
            )  # fmt: skip
        table = [{"name": n, "filename": f, "line": line} for n, f, line in numbers]
        unread = [{"pid": p, "why": w} for p, w in sorted(self.unread.items())]
        return {"table": table, "stacks": stacks, "processes": processes, "unread": unread}


def cost_s() -> float:
    """The CPU time that this process took so far."""
    times = os.times()
    return times[0] + times[1]


def chance() -> float:
    """A random number from 0 to 1."""
    return int.from_bytes(os.urandom(2), "little") / 65536.0


def heed() -> None:
    """End by a signal as at the end of the time."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: STOPPED.append(number))


def profile(words: "list[str]") -> int:
    """`profile SECONDS HZ MODE PID…`."""
    seconds, hz, mode = float(words[1]), float(words[2]), words[3]
    heed()
    work = Profile([int(w) for w in words[4:]], mode)
    error = work.begin()
    if error is not None:
        return failed(error, int(words[4]))
    began, before = time.monotonic(), cost_s()
    ended = work.run(seconds, hz)
    took, cost = time.monotonic() - began, cost_s() - before
    answer = work.told()
    answer.update(
        samples=work.samples, late=work.late, took=took, cost_s=cost, ended=ended, hz=hz, mode=mode
    )  # fmt: skip
    print(json.dumps(answer))
    return 0


if __name__ == "__main__" and sys.argv[1:2] == ["profile"]:
    sys.exit(profile(sys.argv[1:]))
