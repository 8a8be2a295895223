"""Looks at what every thread does many times a second, beside the target.

Stands behind `_wait_groups_far.py` and before `far/observe.py` in one namespace. Where the kernel does not take
the eBPF programs, the same is read from /proc, as often as it costs little. Prints, beside what observe.py does:

  {"wait": {"pid", "tid", "comm", "nstid", "state", "call", "op", "waits_for", "peer", "futex", "wchan", ...},
   "looks", "longest_s", "still_s", "strip": {column: looks}}
  {"lock": address, "pid", "symbol", "file", "kind", "looks", "most", "holder", "held", "doing": {words: looks}}
  {"looks": N, "hz": F, "engine": ...}
"""

import ctypes
import errno
import os
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.ebpf import Refused, surroundings, why_not
    from locard.far.observe import EVERY_S, STOPPED, Names, Observation, emit, end_when_told
    from locard.far.processes import alive, family, threads_of
    from locard.kernel._locks_far import FUTEX_COMMAND, NO_HOLDER, WAITS
    from locard.kernel._thread_reader import slurp
    from locard.kernel._throttle_far import look_at_limits
    from locard.kernel._wait_groups_far import SLEEPING, Waits, state_of

STRETCH = struct.Struct("=Q8IQQ6Qq4H16s16s8Q16s")  # struct stretch of waits.bpf.c
PASS = struct.Struct("=IIQ")
KEY = bytes(4)
TELL_ALL, TELL_FUTEXES = 1, 2
SHARE = 0.02  # of a core, which the look at /proc may take
LEAST_HZ = 0.5


class Iterating:
    """The looks by eBPF: SETUP, ATTACH, TICK and EXTRA of observe.py."""

    def __init__(self) -> None:
        """Made before the object is loaded."""
        self.waits = Waits([], 0.0)
        self.iterators = {}  # type: dict[int, int]
        self.followed = 0.0
        self.locked = self.lock_s = self.snapped = self.snap_s = 0.0
        self.once = False

    def attach(self, observation: "Observation") -> None:
        """One kept iterator a process; and the ends of threads."""
        observation.attach("gone")
        look_at_limits(observation)
        self.waits = Waits(observation.pids, observation.seconds)
        self.once = "look_once" not in observation.settings.get("leave_out", ())
        self.passes = observation.obj.c.far_map(observation.obj.handle, b"passes")
        self.follow(observation)
        self.tick(observation)

    def follow(self, observation: "Observation") -> None:
        """Take processes that have begun meanwhile."""
        began = time.monotonic()
        obj = observation.obj
        for pid in family(observation.pids):
            if pid not in self.iterators:
                number = 0 if self.once else obj.c.far_iterator(obj.handle, b"look", pid)
                self.iterators[pid] = obj.check("attaching the iterator", number)
        self.follow_s = time.monotonic() - began
        self.followed = began + self.follow_s

    def tick(self, observation: "Observation", flush: bool = False) -> None:
        """One look."""
        obj, waits = observation.obj, self.waits
        if time.monotonic() - self.followed > max(0.5, 1000 * self.follow_s):
            self.follow(observation)
        number, began = len(waits.times), time.monotonic()
        snapshot = not flush and began - self.snapped > max(1.0, 500 * self.snap_s)
        if snapshot:
            waits.futexes = {}
        telling = TELL_ALL if flush else TELL_FUTEXES if snapshot else 0
        obj.c.far_put(self.passes, KEY, PASS.pack(number, telling, 0))
        waits.times.append(time.monotonic())
        for pid, iterator in list(self.iterators.items()):
            if self.once:
                got = obj.c.far_run(
                    obj.handle, b"look_once", struct.pack("=i", pid), ctypes.c_size_t(4)
                )
            else:
                got = obj.c.far_read_iterator(
                    obj.handle, iterator, obj.room, ctypes.c_size_t(1 << 16)
                )
            if got < 0 and got != -errno.ESRCH and alive(pid):
                obj.check("looking at the threads", got)
        row = ctypes.create_string_buffer(PASS.size)
        obj.c.far_get(self.passes, KEY, row)
        waits.clock.append(PASS.unpack(row.raw)[2])
        waits.flushed = flush
        self.take(observation, snapshot)
        if snapshot:
            self.snapped = time.monotonic()
            self.snap_s = self.snapped - began
        began = time.monotonic()
        if not flush and began - self.locked > max(0.1, 300 * self.lock_s):
            self.look_at_locks()
            self.locked = time.monotonic()
            self.lock_s = self.locked - began

    def take(self, observation: "Observation", snapshot: bool) -> None:
        """The stretches that have ended; `snapshot`: and who waits for a lock word now."""
        waits = self.waits
        for data in observation.obj.drain_raw("stretches"):
            fields = STRETCH.unpack_from(data)
            tid, state, on_cpu, last, first, tgid, inner, frames, asleep, ended = fields[1:11]
            args, call = fields[11:17], fields[17]
            ends = fields[18:24]
            last = min(last, len(waits.times) - 1)
            if (
                snapshot and last == len(waits.times) - 1
            ):  # it goes on: who waits for which lock word
                waits.futexes.setdefault((tgid, args[0]), []).append(tid)
                continue
            letter = state_of(state)
            names = [waits.kernel.name(a) for a in fields[24 : 24 + min(frames, 8)]]
            stack = [n for n in names if n and n not in SLEEPING]
            comm = fields[32].split(b"\0")[0].decode("utf-8", "backslashreplace")
            seen = waits.times[last] - waits.times[min(first, last)]
            until = ended or waits.clock[last]
            lasted = (until - asleep) / 1e9 if asleep and until > asleep and letter != "R" else 0.0
            goes_on = waits.flushed and last == len(waits.times) - 1 and lasted
            still = lasted if goes_on else None
            waits.add(tgid, tid, comm, inner, letter, bool(on_cpu), call, args, stack[0] if stack else "",
                      stack, first, last, still, max(seen, lasted), ends)  # fmt: skip

    def look_at_locks(self) -> None:
        """Which threads wait for which lock words now, by /proc: a few reads where there are any."""
        waits = self.waits
        waiting = {}  # type: dict[tuple[int, int], list[tuple[int, int, int]]]
        threads = []
        for key, tids in waits.futexes.items():  # a few of each lock word
            known = waits.locks.get(key)
            told = known and known["looks"] > 5 and known["kinds"].most_common(1)[0][0] in NO_HOLDER
            threads += [] if told else [(key[0], tid) for tid in tids[:16]]
        for pid, tid in threads[:200]:
            now = (slurp("/proc/%d/task/%d/syscall" % (pid, tid)) or "").split()
            if len(now) < 4 or not now[0].isdigit():
                continue
            if not waits.reader.names.get(int(now[0]), "").startswith("futex"):
                continue
            op = int(now[2], 16)
            if op & FUTEX_COMMAND in WAITS:
                waiting.setdefault((pid, int(now[1], 16)), []).append((tid, op, int(now[3], 16)))
        if waiting:
            waits.look_at_locks(waiting)

    def tell(self, observation: "Observation") -> None:
        """The last look, which tells the stretches that go on; then everything."""
        try:
            self.tick(observation, flush=True)
        except Refused:
            pass
        self.waits.tell("eBPF" if self.once else "eBPF iterator")


def look_by_proc(seconds: float, pids: "list[int]", why: "dict[str, Any]") -> int:
    """The same from /proc, as often as it takes a small share of a core."""
    waits = Waits(pids, seconds)
    end_when_told()
    emit({"began": int(waits.began * 1e9), "attached": [], "missing": {}, "kernel": os.uname().release,
          "machine": os.uname().machine})  # fmt: skip
    emit(why)
    before = {}  # type: dict[int, tuple[Any, ...]]
    iterating = Iterating()
    iterating.waits = waits
    ended = ""
    while not STOPPED:
        began = time.monotonic()
        if began - waits.began >= seconds:
            break
        number = len(waits.times)
        waits.times.append(began)
        waits.futexes = {}
        for pid in family(pids):
            for tid in threads_of(pid):
                row = waits.reader.thread(pid, tid)  # type: Any
                if row is None:
                    continue
                call = str(row.get("call") or "").split()
                known = call and call[0].lstrip("-").isdigit()
                key = (row["state"], row.get("switches"), row.get("call"))
                same = before.get(tid)
                since = same[1] if same and same[0] == key and row["state"] != "R" else began
                before[tid] = (key, since)
                stack = [n for n in row.get("kernel_stack") or () if n not in SLEEPING]
                wchan = stack[0] if stack else str(row.get("wchan") or "")
                args = tuple(int(w, 16) for w in call[1:7]) if known else ()
                if row.get("futex"):
                    waits.futexes.setdefault((pid, row["futex"]), []).append(tid)
                waits.add(pid, tid, str(row["comm"]), int(row.get("nstid") or tid), str(row["state"]), True,
                          int(call[0]) if known else -1, args, wchan, stack, number, number, None,
                          began - since)  # fmt: skip
        iterating.look_at_locks()
        if not any(alive(pid) for pid in pids):
            ended = "ended: the target ended"
            break
        # The first look reads tables, too: it tells nothing about the next ones.
        took = time.monotonic() - began if number > 1 else 0.0
        pause = min(max(0.05, took / SHARE), 1 / LEAST_HZ, waits.began + seconds - time.monotonic())
        until = time.monotonic() + pause
        while not STOPPED and time.monotonic() < until:
            time.sleep(max(0.0, min(EVERY_S, until - time.monotonic())))
    waits.tell("/proc")
    names = Names()
    names.look(pids)
    names.tell()
    times = os.times()
    emit({"end": int(time.monotonic() * 1e9), "took": time.monotonic() - waits.began, "asked": seconds,
          "why": ended or ("stopped" if STOPPED else ""), "hits": 0, "cost_s": times[0] + times[1], "losses": {}})  # fmt: skip
    return 0


def fall_back(refused: "Refused", seconds: float, pids: "list[int]") -> int:
    """What observe.py calls where the kernel did not take the program."""
    said = why_not(refused)
    words = "%s%s" % (refused, ": " + said if said else "")
    return look_by_proc(
        seconds,
        pids,
        {"fallback": words, "errno": refused.number, "said": said, "facts": surroundings()},
    )


LOOKS = Iterating()
ATTACH = LOOKS.attach
TICK = LOOKS.tick
LAST = LOOKS.tell
FALL_BACK = fall_back
