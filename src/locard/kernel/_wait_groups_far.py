"""Gathers what threads were seen doing into groups, beside the target: one thread in one wait; locks and holders.

Stands between `_locks_far.py` and `_waits_far.py` in one namespace. It names what a call waits for while the
process lives: descriptors, far ends, lock words by symbol, files that are locked, who else has a pipe.
"""

import bisect
import collections
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from locard.far.observe import address_of, emit
    from locard.far.processes import inner_tid, tell_closed, threads_of
    from locard.far.symbols import Symbols
    from locard.kernel._locks_far import LOCK_BEFORE, LOCK_ROOM, UNKNOWN, LockMemory
    from locard.kernel._thread_reader import Reader, link, slurp

FILE_LOCKS = ("flock", "fcntl")
COLUMNS = 60
STATES = {0: "R", 1: "S", 2: "D", 4: "T", 8: "t", 16: "X", 32: "Z", 64: "P", 1026: "I"}
INTERRUPTIBLE, UNINTERRUPTIBLE = 1, 2
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
        return words[2].decode("utf-8", "backslashreplace") if len(words) > 2 else ""


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
        looks = max(0, len(self.times) - 1)
        took = max(1e-9, time.monotonic() - self.began)
        emit({"looks": looks, "hz": round(looks / took, 2), "engine": engine})
        self.name_pipes()
        tell_closed(self.pids)
        for group in self.groups.values():
            columns = [0] * COLUMNS
            spans = group.pop("spans")
            for first, last in spans if looks else ():  # it can be ended before it has looked twice
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
