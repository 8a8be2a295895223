"""Looks at what every thread does many times a second, beside the target; names locks, holders and peers.

Stands behind `_thread_reader.py` and before `far/observe.py` in one namespace. Where the kernel does not take
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
    from typing import Any

    from locard.far.ebpf import Refused
    from locard.far.observe import Names, Observation, alive, emit, family, threads_of, why_not
    from locard.far.symbols import Symbols
    from locard.kernel._thread_reader import Reader, slurp

STRETCH = struct.Struct("=QQQQ6Qq8I8Q16s")  # struct stretch of waits.bpf.c
PASS = struct.Struct("=II")
COLUMNS = 60
STATES = {0: "R", 1: "S", 2: "D", 4: "T", 8: "t", 16: "X", 32: "Z", 64: "P", 1026: "I"}
INTERRUPTIBLE, UNINTERRUPTIBLE = 1, 2
FUTEX_COMMAND = 0x7F
WAIT, LOCK_PI, WAIT_BITSET, LOCK_PI2 = 0, 6, 9, 13
SHARE = 0.02  # of a core, which the look at /proc may take
LEAST_HZ = 0.5
LOOK_AGAIN_S = 0.5  # at what a descriptor is
MOST_LOCKS = 64
NO_HOLDER = ("condition variable", "unknown")  # after a few looks they are let alone
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
        self.times = [0.0]  # of each look; looks count from 1
        self.began = time.monotonic()
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
            still_s: "float | None", longest_s: float) -> None:  # fmt: skip
        """One stretch: looks `first` to `last` in which a thread did one thing."""
        self.inner[(pid, nstid)] = tid
        known = {}  # type: dict[str, Any]
        if state != "R" and call >= 0:
            known = self.named(pid, call, args)
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
            for label in ("peer", "client", "waits_for", "futex", "futex_in", "fds"):
                if known.get(label):
                    wait[label] = known[label]
            if words == "a CPU":
                wait["waits_for"] = words
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

    # -- locks -------------------------------------------------------------------------------

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
            raw = self.reader._memory(pid, address - 48, 112)
            kind, holder = self.kind(pid, address, threads, raw)
            lock["kinds"][kind] += 1
            if holder:
                lock["holders"][holder] += 1
                lock["doing"][self.does(pid, holder)] += 1

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

    def kind(self, pid: int, address: int, threads: "list[tuple[int, int, int]]",
             raw: "bytes | None") -> "tuple[str, int]":  # fmt: skip
        """What sort of lock it is by its memory, and the thread that holds it: (words, tid or 0)."""
        op, value = threads[0][1] & FUTEX_COMMAND, threads[0][2] & 0xFFFFFFFF
        if raw is None:
            return "unknown: its memory cannot be read", 0
        at = lambda offset: struct.unpack_from("=I", raw, 48 + offset)[0]  # noqa: E731
        owner_of = lambda number: self.inner.get((pid, number), 0) if number else 0  # noqa: E731
        word = at(0)
        if op in (LOCK_PI, LOCK_PI2):
            return "mutex (priority inheritance)", owner_of(word & 0x3FFFFFFF)
        owner = owner_of(value)
        if owner and word == value and value > 2:
            return "join: waits for a thread to end", owner
        if word & 0x80000000 and owner_of(word & 0x3FFFFFFF):  # musl, robust
            return "mutex", owner_of(word & 0x3FFFFFFF)
        # glibc: lock, count, owner; the word is 2 where somebody waits
        if value == 2 and word in (1, 2) and owner_of(at(8)):
            return "mutex", owner_of(at(8))
        for base in (8, 12):  # glibc's rwlock: its word of the phase, or of the writers
            readers, writers, writer = at(-base), at(4 - base), at(24 - base)
            sane = readers >> 3 < 1 << 16 and writers < 1 << 16 and at(28 - base) in (0, 1)
            if sane and writers and owner_of(writer):
                return "rwlock, held by a writer", owner_of(writer)
            if sane and writers and readers >> 3 and not writer and value in (0, 1, 2, 3):
                return "rwlock, held by %d readers" % (readers >> 3), 0
            if sane and not writers and owner_of(writer) and readers & 2:
                return "rwlock, held by a writer", owner_of(writer)
        for base in (40, 44):  # glibc's condition variable: how many wait stands in it
            if (
                op == WAIT_BITSET
                and at(36 - base) >> 3 >= len(threads)
                and at(36 - base) >> 3 < 1 << 16
            ):
                return "condition variable", 0
        if value == 2 and word == 2:
            return "mutex", 0
        return "unknown", 0

    # -- at the end --------------------------------------------------------------------------

    def tell(self, engine: str) -> None:
        """Print groups and locks."""
        looks = len(self.times) - 1
        took = max(1e-9, self.times[-1] - self.began)
        emit({"looks": looks, "hz": round(looks / took, 2), "engine": engine})
        for group in self.groups.values():
            columns = collections.Counter()  # type: collections.Counter[int]
            for first, last in group.pop("spans"):
                for number in range(first, last + 1):
                    share = (self.times[min(number, looks)] - self.began) / took
                    columns[min(COLUMNS - 1, int(share * COLUMNS))] += 1
            emit(dict(group, strip=columns))
        rows = sorted(self.locks.items(), key=lambda kv: -kv[1]["looks"] * kv[1]["most"])
        for (pid, address), lock in rows[:MOST_LOCKS]:
            row = dict(lock["name"])
            row.update(lock=address, pid=pid, looks=lock["looks"], most=lock["most"],
                       kind=lock["kinds"].most_common(1)[0][0], doing=lock["doing"])  # fmt: skip
            if lock["holders"]:
                row["holder"], row["held"] = lock["holders"].most_common(1)[0]
            emit(row)
        for found in self.symbols.values():
            if found:
                found.close()


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
        self.waits = None  # type: Waits | None
        self.iterators = {}  # type: dict[int, int]
        self.followed = 0.0
        self.locked = self.lock_s = 0.0

    def attach(self, observation: "Observation") -> None:
        """One kept iterator a process."""
        self.waits = Waits(observation.pids, observation.seconds)
        self.passes = observation.obj.c.far_map(observation.obj.handle, b"passes")
        self.follow(observation)
        self.tick(observation)

    def follow(self, observation: "Observation") -> None:
        """Take processes that have begun meanwhile."""
        began = time.monotonic()
        obj = observation.obj
        for pid in family(observation.pids):
            if pid not in self.iterators:
                number = obj.c.far_iterator(obj.handle, b"look", pid)
                self.iterators[pid] = obj.check("attaching the iterator", number)
        self.follow_s = time.monotonic() - began
        self.followed = began + self.follow_s

    def tick(self, observation: "Observation", flush: bool = False) -> None:
        """One look."""
        import ctypes

        obj, waits = observation.obj, self.waits
        if time.monotonic() - self.followed > max(0.5, 1000 * self.follow_s):
            self.follow(observation)
        number = len(waits.times)
        obj.c.far_put(self.passes, PASS.pack(0, 0)[:4], PASS.pack(number, int(flush)))
        waits.times.append(time.monotonic())
        for pid, iterator in list(self.iterators.items()):
            got = obj.c.far_read_iterator(obj.handle, iterator, obj.room, ctypes.c_size_t(1 << 16))
            if got < 0 and got != -errno.ESRCH and alive(pid):
                obj.check("looking at the threads", got)
        waits.flushed = flush
        self.take(observation)
        began = time.monotonic()
        if not flush and began - self.locked > max(0.1, 300 * self.lock_s):
            self.look_at_locks()
            self.locked = time.monotonic()
            self.lock_s = self.locked - began

    def take(self, observation: "Observation") -> None:
        """The stretches that have ended."""
        waits = self.waits
        for data in observation.obj.drain_raw("stretches"):
            fields = STRETCH.unpack_from(data)
            asleep, now, ended = fields[1:4]
            args = fields[4:10]
            call, first, last, tid, tgid, inner, state, on_cpu, frames = fields[10:19]
            letter = state_of(state)
            names = [waits.kernel.name(a) for a in fields[19 : 19 + min(frames, 8)]]
            stack = [n for n in names if n and n not in SLEEPING]
            comm = fields[27].split(b"\0")[0].decode("utf-8", "replace")
            seen = (
                waits.times[min(last, len(waits.times) - 1)]
                - waits.times[min(first, len(waits.times) - 1)]
            )
            until = ended or now
            lasted = (until - asleep) / 1e9 if asleep and until > asleep and letter != "R" else 0.0
            goes_on = waits.flushed and last == len(waits.times) - 1 and lasted
            still = lasted if goes_on else None
            waits.add(tgid, tid, comm, inner, letter, bool(on_cpu), call, args, stack[0] if stack else "",
                      stack, first, last, still, max(seen, lasted))  # fmt: skip

    def look_at_locks(self) -> None:
        """Which threads wait for which lock words now, by /proc: a few reads where there are any."""
        waits = self.waits
        waiting = {}  # type: dict[tuple[int, int], list[tuple[int, int, int]]]
        threads = {}  # type: dict[tuple[int, int], int] # a few of each lock word
        each = collections.Counter()  # type: collections.Counter[Any]
        for group in waits.groups.values():
            wait = group["wait"]
            key = (wait["pid"], wait.get("futex"))
            known = waits.locks.get(key)
            told = known and known["looks"] > 5 and known["kinds"].most_common(1)[0][0] in NO_HOLDER
            if wait.get("futex") and not told and each[key] < 16:
                each[key] += 1
                threads[(wait["pid"], wait["tid"])] = 1
        for pid, tid in list(threads)[:200]:
            now = (slurp("/proc/%d/task/%d/syscall" % (pid, tid)) or "").split()
            if len(now) < 4 or not now[0].isdigit():
                continue
            if not waits.reader.names.get(int(now[0]), "").startswith("futex"):
                continue
            op = int(now[2], 16)
            if op & FUTEX_COMMAND in (WAIT, LOCK_PI, WAIT_BITSET, LOCK_PI2):
                waiting.setdefault((pid, int(now[1], 16)), []).append((tid, op, int(now[3], 16)))
        if waiting:
            waits.look_at_locks(waiting)

    def tell(self, observation: "Observation") -> None:
        """The last look, which tells the stretches that go on; then everything."""
        try:
            self.tick(observation, flush=True)
        except Refused:
            pass
        self.waits.tell("eBPF iterator")


def look_by_proc(seconds: float, pids: "list[int]", why: str) -> int:
    """The same from /proc, as often as it takes a small share of a core."""
    waits = Waits(pids, seconds)
    stop = []  # type: list[int]
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    emit({"began": int(waits.began * 1e9), "attached": [], "missing": {}, "kernel": os.uname().release,
          "machine": os.uname().machine})  # fmt: skip
    emit({"fallback": why})
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
        for pid in family(pids):
            for tid in threads_of(pid):
                row = waits.reader.thread(pid, tid)
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
                waits.add(pid, tid, str(row["comm"]), int(row.get("nstid") or tid), str(row["state"]), True,
                          int(call[0]) if known else -1, args, wchan, stack, number, number, None,
                          began - since)  # fmt: skip
        iterating.look_at_locks()
        if not any(alive(pid) for pid in pids):
            ended = "ended: the target ended"
            break
        took = time.monotonic() - began
        time.sleep(
            max(
                0.0,
                min(
                    max(0.05, took / SHARE), 1 / LEAST_HZ, waits.began + seconds - time.monotonic()
                ),
            )
        )
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
    return look_by_proc(seconds, pids, "%s%s" % (refused, ": " + said if said else ""))


LOOKS = Iterating()
ATTACH = LOOKS.attach
TICK = LOOKS.tick
LAST = LOOKS.tell
FALL_BACK = fall_back
