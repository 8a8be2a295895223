"""Samples the stacks of a CPython process many times a second and sums them up, without a stop.

Stands behind `far/python_stacks.py` in one namespace. Arguments: "profile", seconds, samples a second, mode, pid.
Prints one JSON object: {"stacks": [{"thread", "tid", "frames": outermost first, "count"}], "samples", "late",
"torn", "gc", "threads", "took", "cost_s", "ended"}.

A look at all threads is three calls: where their innermost frames are, these frames, and the frames that called
them. A thread in which none of that changed has the stack of the look before; the others are read whole. Modes:
`wall` counts every thread at each look, `cpu` those that the kernel has on a CPU or waiting for one, `gil` the one
that has the interpreter's lock.
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

    from locard.far.memory import Memory
    from locard.far.python_layout import UnreadableError
    from locard.far.python_objects import word
    from locard.far.python_stacks import Reader, Thread, failed

REFRESH_S = 0.5  # between looks for threads that began or ended
MOST_STACKS = 50000
STOPPED = []  # type: list[int] # the signals by which it was told to end before its time


class Sampled:
    """One thread: what was last seen of it, and its stack."""

    __slots__ = ("fd", "key", "name", "seen", "thread", "tid")

    def __init__(self, thread: "Thread", tid: "int | None", name: str, pid: int) -> None:
        """Opens what the kernel says of it."""
        self.thread, self.tid, self.name = thread, tid, name
        self.seen = None  # type: Any
        self.key = None  # type: Any
        self.fd = -1
        if tid is not None:
            try:
                self.fd = os.open("/proc/%d/task/%d/stat" % (pid, tid), os.O_RDONLY)
            except OSError:
                pass

    def runs(self) -> bool:
        """Whether it is on a CPU or waits for one."""
        if self.fd < 0:
            return False
        try:
            raw = os.pread(self.fd, 128, 0)
        except OSError:
            return False
        at = raw.rfind(b")")
        return raw[at + 2 : at + 3] == b"R"

    def close(self) -> None:
        """Let go of it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Profile:
    """The sums of one process."""

    def __init__(self, reader: "Reader", mode: str) -> None:
        """`mode`: wall, cpu or gil."""
        self.reader, self.mode = reader, mode
        self.memory = reader.memory  # type: Memory
        at = reader.layout.at
        self.previous = at["frame.previous"]
        self.width = max(self.previous, at["frame.code"], at["frame.instruction"]) + 8
        self.threads = {}  # type: dict[tuple[int, int], Sampled]
        self.interpreters = []  # type: list[int]
        self.sums = {}  # type: dict[Any, int]
        self.samples = self.late = self.torn = self.collected = self.most = 0

    def refresh(self) -> None:
        """Which threads there are now."""
        found = {}  # type: dict[tuple[int, int], Sampled]
        self.interpreters = self.reader.interpreters()
        for interpreter in self.interpreters:
            threads = self.reader.threads(interpreter)
            tids = self.reader.tids(threads)
            known = {t.ident for t in threads if (t.address, t.ident) in self.threads}
            names = self.reader.names(interpreter) if len(known) < len(threads) else {}
            for thread in threads:
                key = thread.address, thread.ident
                if key not in self.threads:
                    name = names.get(thread.ident) or ""
                    found[key] = Sampled(thread, tids.get(thread.ident), name, self.reader.pid)
                else:
                    found[key] = self.threads.pop(key)
        for gone in self.threads.values():
            gone.close()
        self.threads = found
        self.most = max(self.most, len(found))

    def chosen(self) -> "list[Sampled]":
        """The threads that count at this look."""
        if self.mode == "cpu":
            return [s for s in self.threads.values() if s.runs()]
        if self.mode == "gil":
            holders = {self.reader.holder(i) for i in self.interpreters}
            return [s for s in self.threads.values() if s.thread.address in holders]
        return list(self.threads.values())

    def firsts(self, chosen: "list[Sampled]") -> "list[int]":
        """Where the innermost frame of each is."""
        at, memory = self.reader.layout.at, self.memory
        if "thread.frame" in at:
            raws = memory.each([(s.thread.address + at["thread.frame"], 8) for s in chosen])
        else:
            frames = memory.each([(s.thread.address + at["thread.cframe"], 8) for s in chosen])
            raws = memory.each(
                [(word(r, 0) + at["thread.cframe_frame"] if r else 0, 8) for r in frames]
            )
        return [word(r, 0) if r else 0 for r in raws]

    def look(self) -> None:
        """One sample."""
        self.samples += 1
        if any(self.reader.collects(i) for i in self.interpreters):
            self.collected += 1
        chosen = self.chosen()
        if not chosen:
            return
        tops = self.firsts(chosen)
        first = self.memory.each([(a, self.width) for a in tops])
        above = self.memory.each([(word(r, self.previous) if r else 0, self.width) for r in first])
        fresh = []
        for sampled, top, one, two in zip(chosen, tops, first, above):
            seen = (top, one, two)
            if sampled.seen != seen:
                sampled.seen, sampled.key = seen, None
                sampled.thread.start(top)
                fresh.append(sampled)
        if fresh:
            self.read(fresh)
        for sampled in chosen:
            if sampled.key is None:
                self.torn += 1
                sampled.seen = None
            elif sampled.key in self.sums or len(self.sums) < MOST_STACKS:
                self.sums[sampled.key] = self.sums.get(sampled.key, 0) + 1

    def read(self, fresh: "list[Sampled]") -> None:
        """Read the stacks of some threads whole."""
        self.reader.walk([s.thread for s in fresh])
        for sampled in fresh:
            if not sampled.thread.torn:
                sampled.key = sampled.tid, sampled.name, tuple(sampled.thread.frames)

    def stacks(self) -> "list[dict[str, Any]]":
        """What was counted: threads with the names of their frames, outermost first."""
        found = {}  # type: dict[Any, int]
        for (tid, name, frames), count in self.sums.items():
            named = []
            for address, place in reversed(frames):
                code = self.reader.codes[address]
                file = code.file.rpartition("/")[2]
                named.append("%s (%s:%d)" % (code.name, file, code.line(place)))
            key = tid, name, tuple(named)
            found[key] = found.get(key, 0) + count
        return [
            {"tid": tid, "thread": name, "frames": list(frames), "count": count}
            for (tid, name, frames), count in found.items()
        ]

    def run(self, seconds: float, hz: float) -> str:
        """Sample until the time is over; why it ended before. Looks that came too late are counted."""
        began = time.monotonic()
        number, refreshed = 0, -1.0
        while not STOPPED:
            now = time.monotonic() - began
            if now >= seconds:
                return ""
            try:
                if now - refreshed >= REFRESH_S:
                    refreshed = now
                    self.refresh()
                self.look()
            except ProcessLookupError:
                return "the target ended"
            except (OSError, ValueError, struct.error):
                self.torn += 1
            number += 1
            left = began + number / hz - time.monotonic()
            if left > 0:
                time.sleep(left)
            else:
                missed = int(-left * hz)
                self.late += missed
                number += missed
        return "stopped"


def profile(words: "list[str]") -> int:
    """`profile SECONDS HZ MODE PID`."""
    seconds, hz, mode, pid = float(words[1]), float(words[2]), words[3], int(words[4])
    began = time.monotonic()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: STOPPED.append(number))
    try:
        work = Profile(Reader(pid), mode)
        work.refresh()
    except (UnreadableError, OSError, ValueError, struct.error) as error:
        return failed(error, pid)
    ended = work.run(seconds, hz)
    times = os.times()
    print(json.dumps({
        "stacks": work.stacks(), "samples": work.samples, "late": work.late, "torn": work.torn,
        "gc": work.collected, "threads": work.most, "took": time.monotonic() - began,
        "cost_s": times[0] + times[1], "ended": ended, "hz": hz, "mode": mode, "pid": pid,
        "version": "%d.%d" % work.reader.layout.version,
    }))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(profile(sys.argv[1:]))
