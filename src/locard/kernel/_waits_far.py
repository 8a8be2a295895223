"""Looks at what every thread does many times a second, beside the target; names locks, holders and peers.

Stands behind `_thread_reader.py` and `_locks_far.py` and before `far/observe.py` in one namespace. Where the kernel does not take
the eBPF iterator, the same is read from /proc, as often as it costs little. Prints, beside what observe.py does:

  {"wait": {"pid", "tid", "comm", "nstid", "state", "call", "op", "words", "peer", "address", "wchan", ...},
   "looks", "longest_s", "still_s", "strip": {column: looks}}
  {"lock": address, "pid", "symbol", "file", "kind", "word", "looks", "most", "holder", "held", "doing": {words: looks}}
  {"looks": N, "hz": F, "engine": ...}
"""

import bisect
import collections
import errno
import os
import signal
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from locard.far.ebpf import Refused, surroundings, why_not
    from locard.far.observe import (
        Names,
        Observation,
        address_of,
        alive,
        emit,
        family,
        inner_tid,
        tell_closed,
        threads_of,
    )
    from locard.far.symbols import Symbols
    from locard.kernel._locks_far import (
        FUTEX_COMMAND,
        LOCK_BEFORE,
        LOCK_ROOM,
        NO_HOLDER,
        UNKNOWN,
        WAITS,
        LockMemory,
    )
    from locard.kernel._thread_reader import Reader, link, slurp
    from locard.kernel._throttle_far import look_at_limits

STRETCH = struct.Struct("=Q8IQQ6Qq4H16s16s8Q16s")  # struct stretch of waits.bpf.c
PASS = struct.Struct("=IIQ")
KEY = bytes(4)
FILE_LOCKS = ("flock", "fcntl")
TELL_ALL, TELL_FUTEXES = 1, 2
COLUMNS = 60
STATES = {0: "R", 1: "S", 2: "D", 4: "T", 8: "t", 16: "X", 32: "Z", 64: "P", 1026: "I"}
INTERRUPTIBLE, UNINTERRUPTIBLE = 1, 2
SHARE = 0.02  # of a core, which the look at /proc may take
LEAST_HZ = 0.5
LOOK_AGAIN_S = 0.5  # at what a descriptor is
MOST_LOCKS = 64
KERNEL_WORDS = 8


def state_of(number: int) -> str:
    """The letter of a task state as /proc writes it."""
    low = number & 0x7F
    if low == UNINTERRUPTIBLE and number & 0x400:
        return "I"
    return STATES.get(low, "S" if low & INTERRUPTIBLE else "D")


class KernelNames:
    """Functions of the kernel by address: wait channels. Empty where it hides them."""

    def __init__(self) -> None:
        """Nothing is read before it is asked."""
        self.lines = None  # type: list[bytes] | None # as the kernel writes them, sorted by address
        self.known = {}  # type: dict[int, str]

    def name(self, address: int) -> str:
        """The function that holds an address; empty where it is not known."""
        if address not in self.known:
            self.known[address] = self.find(address)
        return self.known[address]

    def find(self, address: int) -> str:
        """The same, looked up."""
        if self.lines is None:
            try:
                with open("/proc/kallsyms", "rb") as file:
                    self.lines = sorted(file.read().split(b"\n"))
            except OSError:
                self.lines = []
            if self.lines and self.lines[-1].startswith(b"0000000000000000"):
                self.lines = []  # hidden
        at = bisect.bisect_right(self.lines, b"%016x \xff" % address) - 1
        words = self.lines[at].split() if at >= 0 else []
        return words[2].decode("utf-8", "replace") if len(words) > 2 else ""


# Frames that say no more than that it sleeps.
SLEEPING = ("__schedule", "schedule", "io_schedule", "schedule_timeout", "schedule_hrtimeout",
            "schedule_preempt_disabled", "io_schedule_timeout", "preempt_schedule", "do_task_dead",
            "__cond_resched", "schedule_hrtimeout_range", "schedule_hrtimeout_range_clock")  # fmt: skip


class Waits:
    """Gathers looks into groups: one thread in one wait."""

    def __init__(self, pids: "list[int]", seconds: float) -> None:
        """Nothing has been looked at yet."""
        self.pids, self.seconds = pids, seconds
        self.reader = Reader()
        self.kernel = KernelNames()
        self.groups = {}  # type: dict[tuple[Any, ...], dict[str, Any]]
        self.words = {}  # type: dict[tuple[Any, ...], tuple[float, dict[str, Any]]]
        self.locks = {}  # type: dict[tuple[int, int], dict[str, Any]]
        self.inner = {}  # type: dict[tuple[int, int], int] # (pid, tid inside) -> tid
        self.counted = {}  # type: dict[int, float] # when the threads of a process were
        self.times = [0.0]  # of each look; looks count from 1
        self.clock = [0]  # the same by the scheduler's clock, in ns
        self.began = time.monotonic()
        self.file_locks = {}  # type: dict[tuple[int, int], dict[str, Any]]
        self.futexes = {}  # type: dict[tuple[int, int], list[int]] # who waits, a moment ago
        self.symbols = {}  # type: dict[int, Any]
        self.flushed = False

    # -- one thread in one wait --------------------------------------------------------------

    def named(self, pid: int, call: int, args: "tuple[int, ...]") -> "dict[str, Any]":
        """What a call waits for, in words and numbers; looked up again when it may have changed."""
        key = (pid, call) + tuple(args[:2])
        now = time.monotonic()
        known = self.words.get(key)
        if known and now - known[0] < LOOK_AGAIN_S:
            return known[1]
        state = {}  # type: dict[str, Any]
        words = [str(call)] + [hex(a) for a in args]
        self.reader.round = len(self.times)
        try:
            self.reader._call(pid, words, state)
        except (OSError, ValueError):
            pass
        if len(self.words) > 20000:
            self.words.clear()
        self.words[key] = (now, state)
        return state

    def add(self, pid: int, tid: int, comm: str, nstid: int, state: str, on_cpu: bool, call: int,
            args: "tuple[int, ...]", wchan: str, stack: "list[str]", first: int, last: int,
            still_s: "float | None", longest_s: float, ends: "tuple[Any, ...]" = (0,)) -> None:  # fmt: skip
        """One stretch: looks `first` to `last` in which a thread did one thing."""
        self.inner[(pid, nstid)] = tid
        known = {}  # type: dict[str, Any]
        if state != "R" and call >= 0:
            known = self.named(pid, call, args)
            if ends[0] and known.get("waits_for", "").startswith(("descriptor ", "socket")):
                known = dict(known, **self.ends_in_words(pid, ends))
            if known.get("syscall") in FILE_LOCKS:
                known = dict(known, file_lock=self.file_lock(pid, args))
        name = known.get("syscall") or ""
        futex = known.get("futex")
        words = known.get("waits_for") or ""
        if state == "R" and not on_cpu:
            words = "a CPU"
        key = (pid, tid, state, call, words, futex, wchan if call < 0 or state == "D" else "")
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = {
                "wait": {"pid": pid, "tid": tid, "comm": comm, "state": state, "call": name, "wchan": wchan},
                "looks": 0, "longest_s": 0.0, "spans": [],
            }  # fmt: skip
            wait = group["wait"]
            if nstid != tid:
                wait["nstid"] = nstid
            for label in ("peer", "client", "waits_for", "futex", "futex_in", "fds", "file_lock"):
                if known.get(label):
                    wait[label] = known[label]
            if words == "a CPU":
                wait["waits_for"] = words
            if words == "pipe" and args:
                try:
                    wait["pipe"] = os.readlink("/proc/%d/fd/%d" % (pid, args[0] & 0xFFFFFFFF))
                except OSError:
                    pass
            if name.startswith("futex"):
                wait["op"] = args[1]
            if stack:
                wait["stack"] = stack[:KERNEL_WORDS]
        group["looks"] += last - first + 1
        group["spans"].append((first, last))
        group["longest_s"] = max(group["longest_s"], longest_s)
        if still_s is not None:
            group["still_s"] = still_s
        group["wait"]["comm"] = comm

    def ends_in_words(self, pid: int, ends: "tuple[Any, ...]") -> "dict[str, Any]":
        """A socket that is closed by now, by its ends as they were; a client's where the port is listened on."""
        family, protocol, near_port, far_port, near, far = ends
        near, far = address_of(family, near, near_port), address_of(family, far, far_port)
        if not far or far.endswith(":0"):
            return {}
        name = {6: "tcp", 17: "udp"}.get(protocol, "socket")
        table = self.reader.sockets.get(link("/proc/%d/ns/net" % pid) or "")
        if table and "%04X" % near_port in table.serving:
            return {"waits_for": "%s %s <- %s" % (name, near, far), "client": far}
        return {"waits_for": "%s %s -> %s" % (name, near, far), "peer": far}

    # -- locks -------------------------------------------------------------------------------

    def file_lock(self, pid: int, args: "tuple[int, ...]") -> int:
        """The inode of a file whose lock is waited for; who holds it is looked up, with what it does."""
        try:
            inode = os.stat("/proc/%d/fd/%d" % (pid, args[0] & 0xFFFFFFFF)).st_ino
            with open("/proc/locks") as file:
                rows = [line.split() for line in file]
        except OSError:
            return 0
        lock = self.file_locks.setdefault(
            (pid, inode),
            {"looks": 0, "holders": collections.Counter(), "doing": collections.Counter()},
        )
        lock["looks"] += 1
        for row in rows:  # 1: FLOCK ADVISORY WRITE 1234 08:01:5678 0 EOF; an arrow marks who waits
            if len(row) > 5 and row[1] != "->" and row[5].rpartition(":")[2] == str(inode):
                holder = int(row[4])
                if holder > 0:
                    lock["holders"][holder] += 1
                    lock["doing"][self.does(holder, holder)] += 1
        return inode

    def look_at_locks(self, waiting: "dict[tuple[int, int], list[tuple[int, int, int]]]") -> None:
        """Read the words of the locks that threads wait for now: (pid, address) -> [(tid, op, value)]."""
        for (pid, address), threads in waiting.items():
            lock = self.locks.get((pid, address))
            if lock is None:
                if len(self.locks) >= 4 * MOST_LOCKS:
                    continue
                lock = self.locks[(pid, address)] = {
                    "looks": 0, "most": 0, "kinds": collections.Counter(), "name": self.symbol(pid, address),
                    "holders": collections.Counter(), "doing": collections.Counter(),
                }  # fmt: skip
            lock["looks"] += 1
            lock["most"] = max(lock["most"], len(threads))
            raw = self.reader._memory(pid, address - LOCK_BEFORE, LOCK_ROOM)
            kind, holder = UNKNOWN, 0
            if raw is not None:
                kind, holder = LockMemory(raw, threads, self.tid_of(pid)).kind()
            lock["kinds"][kind] += 1
            if holder:
                lock["holders"][holder] += 1
                lock["doing"][self.does(pid, holder)] += 1

    def tid_of(self, pid: int) -> "Callable[[int], int]":
        """From a number in a process's own pid namespace to ours."""
        return lambda number: self.known_tid(pid, number) if number else 0

    def known_tid(self, pid: int, number: int) -> int:
        """Our number of a thread; 0 where the process has no such thread."""
        now = time.monotonic()
        if (pid, number) not in self.inner and now - self.counted.get(pid, 0.0) > 1.0:
            self.counted[pid] = now
            for tid in threads_of(pid):
                try:
                    self.inner[(pid, inner_tid(pid, tid))] = tid
                except OSError:
                    continue
        return self.inner.get((pid, number), 0)

    def does(self, pid: int, tid: int) -> str:
        """What a thread does now, in words."""
        state = (slurp("/proc/%d/task/%d/stat" % (pid, tid)) or "").rpartition(")")[2].split()[:1]
        now = (slurp("/proc/%d/task/%d/syscall" % (pid, tid)) or "").split()
        known = {}  # type: dict[str, Any]
        if len(now) > 1 and now[0].isdigit():
            known = self.named(pid, int(now[0]), tuple(int(w, 16) for w in now[1:7]))
        return in_words(state[0] if state else "", known)

    def symbol(self, pid: int, address: int) -> "dict[str, Any]":
        """What the lock word is called, while the process lives."""
        if pid not in self.symbols:
            try:
                self.symbols[pid] = Symbols(pid)
            except OSError:
                self.symbols[pid] = None
        found = self.symbols[pid]
        if found and found.mapping(address) is None:
            try:
                found.read_maps()
            except OSError:
                pass
        return found.name(address) if found else {}

    # -- at the end --------------------------------------------------------------------------

    def name_pipes(self) -> None:
        """Who else has the pipes that threads waited for: one pass over the descriptors of all processes."""
        wanted = {g["wait"]["pipe"] for g in self.groups.values() if g["wait"].get("pipe")}
        if not wanted:
            return
        ends = collections.defaultdict(set)  # type: dict[str, set[int]]
        for name in os.listdir("/proc"):
            try:
                fds = os.listdir("/proc/%s/fd" % name) if name.isdigit() else []
            except OSError:
                continue
            for fd in fds[:1024]:
                try:
                    to = os.readlink("/proc/%s/fd/%s" % (name, fd))
                except OSError:
                    continue
                if to in wanted:
                    ends[to].add(int(name))
        for group in self.groups.values():
            wait = group["wait"]
            others = sorted(ends.get(wait.get("pipe", ""), set()) - {wait["pid"]})[:3]
            if others:
                names = [
                    "%s (pid %d)" % ((slurp("/proc/%d/comm" % p) or "").strip(), p) for p in others
                ]
                wait["waits_for"] = "%s with %s" % (wait["pipe"], ", ".join(names))
            elif wait.get("pipe"):
                wait["waits_for"] = (
                    "%s, whose other end is in the same process or gone" % wait["pipe"]
                )

    def tell(self, engine: str) -> None:
        """Print groups and locks."""
        looks = len(self.times) - 1
        took = max(1e-9, time.monotonic() - self.began)
        emit({"looks": looks, "hz": round(looks / took, 2), "engine": engine})
        self.name_pipes()
        tell_closed(self.pids)
        for group in self.groups.values():
            columns = [0] * COLUMNS
            for first, last in group.pop("spans"):
                spread(columns, (first - 1) / looks, min(last, looks) / looks, last - first + 1)
            emit(dict(group, strip={k: n for k, n in enumerate(columns) if n}))
        rows = sorted(self.locks.items(), key=lambda kv: -kv[1]["looks"] * kv[1]["most"])
        for (pid, address), lock in rows[:MOST_LOCKS]:
            row = dict(lock["name"])
            row.update(lock=address, pid=pid, looks=lock["looks"], most=lock["most"],
                       kind=lock["kinds"].most_common(1)[0][0], doing=lock["doing"])  # fmt: skip
            if lock["holders"]:
                row["holder"], row["held"] = lock["holders"].most_common(1)[0]
            emit(row)
        for (pid, inode), lock in self.file_locks.items():
            row = {
                "lock": inode,
                "pid": pid,
                "kind": "file lock",
                "looks": lock["looks"],
                "doing": lock["doing"],
                "most": 1,
            }
            if lock["holders"]:
                row["holder"], row["held"] = lock["holders"].most_common(1)[0]
                row["holder_name"] = (slurp("/proc/%d/comm" % row["holder"]) or "").strip()
            emit(row)
        for found in self.symbols.values():
            if found:
                found.close()


def spread(columns: "list[int]", first: float, last: float, count: int) -> None:
    """Share looks out over the columns from one part of the time to another."""
    low, high = int(first * COLUMNS), min(COLUMNS - 1, int(last * COLUMNS - 1e-9))
    if low >= high:
        columns[min(low, COLUMNS - 1)] += count
        return
    for k in range(low, high + 1):
        columns[k] += max(1, count // (high - low + 1))


def in_words(state: str, known: "dict[str, Any]") -> str:
    """What a thread does, short."""
    if not state:
        return "has ended"
    if state == "R":
        return "runs or waits for a CPU"
    name = known.get("syscall") or ("a page fault" if state == "D" else "the kernel")
    if name in ("nanosleep", "clock_nanosleep"):
        return "sleeps (%s)" % name
    on = known.get("waits_for")
    return "%s%s in %s" % (
        "waits for " + on if on else "waits",
        " (state D)" if state == "D" else "",
        name,
    )


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
        import ctypes

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
            comm = fields[32].split(b"\0")[0].decode("utf-8", "replace")
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
    stop = []  # type: list[int]
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    emit({"began": int(waits.began * 1e9), "attached": [], "missing": {}, "kernel": os.uname().release,
          "machine": os.uname().machine})  # fmt: skip
    emit(why)
    before = {}  # type: dict[int, tuple[Any, ...]]
    iterating = Iterating()
    iterating.waits = waits
    ended = ""
    while not stop:
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
        time.sleep(max(0.0, pause))
    waits.tell("/proc")
    names = Names()
    names.look(pids)
    names.tell()
    times = os.times()
    emit({"end": int(time.monotonic() * 1e9), "took": time.monotonic() - waits.began, "why": ended or ("stopped" if stop else ""),
          "hits": 0, "cost_s": times[0] + times[1], "losses": {}})  # fmt: skip
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
