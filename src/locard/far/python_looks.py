"""One CPython process, looked at many times a second: the stacks of its threads, summed up, without a stop.

Stands behind `far/python_stacks.py` in one namespace; standard library only, 3.6 or later.

A look is one system call for some hundred threads: where the innermost frame of each is, and the memory where its
innermost frames lay at the look before, all of one moment. Where these bytes are as before the thread counts where it
stood. Else its frames are taken from them, from the innermost on, until two in a row are as they were: the rest is
taken over. Only what lies elsewhere is read by further calls: a stack that were read whole because it changed would
be one of a later moment, and what lasts short would be missed. A frame that cannot be one (its code is no code
object) makes the stack "torn": read again, then counted so.
"""

import os
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.memory import Memory
    from locard.far.python_objects import word
    from locard.far.python_stacks import MOST_DEPTH, TAG, Reader
    from locard.far.python_threads import Thread

MOST_STACKS = 50000
PARTS_AT_ONCE = 1020  # of 1024 that one call takes, a multiple of what a thread has
AGAIN = 2  # reads of a stack that tears
BELOW, ABOVE, PAGE = (
    1024,
    1024,
    4096,
)  # bytes around the innermost frame of who moves; no page more than needed
MOST_CFRAMES = 4
WORKED = 0.02  # of the time: less is no work
PAIR = struct.Struct("<QQ").pack


class Sampled:
    """One thread: what was last seen of it, its stack, and in how many looks it stood so since."""

    __slots__ = (
        "at", "cframes", "chain", "fd", "head", "iov", "key", "known", "last", "matched", "moves", "name", "new",
        "parts", "path", "pending", "ran_ns", "regions", "sched", "seen_at", "size", "thread", "tid",
    )  # fmt: skip

    def __init__(self, thread: "Thread", tid: "int | None", name: str, pid: int) -> None:
        """Opens what the kernel says of it."""
        self.thread, self.tid, self.name = thread, tid, name
        self.chain = []  # type: list[tuple[int, bytes, tuple[int, int] | None]]
        self.key = None  # type: Any
        self.pending = self.at = self.matched = self.parts = self.head = self.size = 0
        self.last = self.iov = b""
        self.moves = False
        self.known = {}  # type: dict[int, int]
        self.cframes = []  # type: list[int] # where it keeps its innermost frame (3.11, 3.12), the latest first
        self.regions = []  # type: list[tuple[int, int]] # address and size of what is read of its frames
        self.new = None  # type: Any
        self.fd = self.sched = -1
        self.ran_ns, self.seen_at = 0, 0.0
        self.path = "/proc/%d/task/%d/" % (pid, tid or 0)
        if tid is not None:
            try:
                self.fd = os.open(self.path + "stat", os.O_RDONLY)
            except OSError:
                pass

    def runs(self) -> bool:
        """Whether it is on a CPU or waits for one."""
        if self.fd < 0:
            return False
        try:
            raw = os.pread(self.fd, 64, 0)
        except OSError:
            return False
        at = raw.rfind(b")")
        return raw[at + 2 : at + 3] == b"R"

    def worked(self) -> bool:
        """Whether it was on a CPU for more than a moment since this was asked last; True where that is not known.

        Who waits for the GIL wakes every 5 ms to ask for it, and waits for a CPU then where there is none free.
        """
        try:
            if self.sched < 0:
                self.sched = os.open(self.path + "schedstat", os.O_RDONLY)
            ran_ns = int(os.pread(self.sched, 64, 0).split()[0])
        except (OSError, ValueError, IndexError):
            return True
        now, before, since = time.monotonic(), self.ran_ns, self.seen_at
        self.ran_ns, self.seen_at = ran_ns, now
        return not since or ran_ns - before > WORKED * (now - since) * 1e9

    def close(self) -> None:
        """Let go of it."""
        for fd in (self.fd, self.sched):
            if fd >= 0:
                os.close(fd)
        self.fd = self.sched = -1


class Looks:
    """The sums of one process."""

    def __init__(self, reader: "Reader", mode: str) -> None:
        """`mode`: wall, cpu or gil."""
        self.reader, self.mode, self.pid = reader, mode, reader.pid
        self.memory = reader.memory  # type: Memory
        at = reader.layout.at
        self.said = reader.layout.version >= (3, 11)
        self.shim = 3 if reader.layout.version >= (3, 12) else 256
        self.owner = at.get("frame.owner")
        self.previous, self.code = at["frame.previous"], at["frame.code"]
        self.instruction = at["frame.instruction"]
        self.width = max(self.previous, self.code, self.instruction, self.owner or 0) + 8
        self.by_cframe = "thread.frame" not in at
        self.side_by_side = self.said  # frames lie behind each other, the innermost last
        self.step = 3 + MOST_CFRAMES
        self.threads = {}  # type: dict[tuple[int, int], Sampled]
        self.every = []  # type: list[Sampled]
        self.interpreters = []  # type: list[int]
        self.links = b""
        self.raw = b""
        self.sums = {}  # type: dict[Any, int]
        self.holds = {}  # type: dict[int, int]
        self.began = time.monotonic()
        self.looks = self.torn = self.left = 0
        self.collected = self.held = self.idle = self.most = self.unseen = 0

    # -- threads ---------------------------------------------------------------------------

    def refresh(self) -> None:
        """Which threads there are now."""
        if self.links and self.linked() == self.links:
            return
        found = {}  # type: dict[tuple[int, int], Sampled]
        inside = {}  # type: dict[int, Sampled] # those of later interpreters, by the kernel's id
        self.interpreters = self.reader.interpreters()
        beginning = False
        for interpreter in self.interpreters:
            threads = self.reader.threads(interpreter)
            number = self.memory.number(interpreter + self.reader.layout.at["interpreter.id"])
            beginning = beginning or self.reader.beginning
            tids = self.reader.tids(threads)
            known = {t.ident for t in threads if (t.address, t.ident) in self.threads}
            names = self.reader.names(interpreter) if len(known) < len(threads) else {}
            for thread in threads:
                key = thread.address, thread.ident
                if key in self.threads:
                    found[key] = self.threads.pop(key)
                else:
                    tid = tids.get(thread.ident)
                    name = names.get(thread.ident) or self.reader.kernel.comm(tid)
                    name += " (interpreter %d)" % number if number else ""
                    found[key] = Sampled(thread, tid, name, self.pid)
                    self.aim(found[key])
                one = found[key]
                if one.tid is None:
                    continue
                if one.tid in inside:  # it called into that interpreter, and waits there
                    name = inside[one.tid].name
                    if not name.startswith(one.name):
                        inside[one.tid].name = one.name + name[name.rfind(" (") :]
                    found.pop(key).close()
                else:
                    inside[one.tid] = one
        for gone in self.threads.values():
            self.flush(gone)
            gone.close()
        self.threads, self.every = found, list(found.values())
        self.most = max(self.most, len(found))
        self.unseen = sum([s.fd < 0 for s in self.every]) if self.mode == "cpu" else 0
        self.links = b"" if beginning else self.linked() or b""

    def linked(self) -> "bytes | None":
        """How the threads hang together: as before where none began or ended. None where it cannot be read."""
        at, size = self.reader.layout.at, 8
        words = [(i + at["interpreter.threads_head"], size) for i in self.interpreters]
        words += [(self.reader.layout.runtime + at["runtime.interpreters_head"], size)]
        for sampled in self.every:
            address = sampled.thread.address
            words += [(address + at["thread.next"], size), (address + at["thread.ident"], size)]
        raws = self.memory.each(words)
        return None if None in raws else b"".join(r for r in raws if r)

    def chosen(self) -> "list[Sampled]":
        """The threads that count at this look."""
        holders = {h for h in (self.reader.holder(i) for i in self.interpreters) if h}
        self.held += bool(holders)
        for holder in holders:
            self.holds[holder] = self.holds.get(holder, 0) + 1
        if self.mode == "cpu":
            running = [s for s in self.every if s.runs()]
            if not holders:
                return running
            return [s for s in running if s.thread.address in holders or s.worked()]
        if self.mode == "gil":
            return [s for s in self.every if s.thread.address in holders]
        return self.every

    # -- looks -----------------------------------------------------------------------------

    def look(self) -> None:
        """One sample."""
        self.looks += 1
        if any(self.reader.collects(i) for i in self.interpreters):
            self.collected += 1
        chosen = self.chosen()
        if not chosen:
            self.idle += 1
            return
        raw = self.gather(chosen)
        if raw is not None and raw == self.raw and chosen is self.every:
            for sampled in chosen:
                sampled.pending += 1
            return
        self.raw = raw if chosen is self.every and raw is not None else b""
        fresh, at = [], 0
        for sampled in chosen:
            if raw is None:
                part = self.gather([sampled]) or b""
            else:
                part = raw[at : at + sampled.size]
                at += sampled.size
            if part == sampled.last and sampled.key is not None:
                sampled.pending += 1
            else:
                self.begin(sampled, part)
                fresh.append(sampled)
        for _ in range(AGAIN):
            if fresh:
                fresh = self.read(fresh)
                for sampled in fresh:
                    self.begin(sampled, b"")
        self.torn += len(fresh)

    def gather(self, some: "list[Sampled]") -> "bytes | None":
        """What lies where the threads were seen last; None where something is not mapped any more."""
        if sum([s.parts for s in some]) <= PARTS_AT_ONCE:
            return self.memory.gather(b"".join([s.iov for s in some]), sum([s.size for s in some]))
        found = []
        each = PARTS_AT_ONCE // self.step
        for first in range(0, len(some), each):
            raw = self.gather(some[first : first + each])
            if raw is None:
                return None
            found.append(raw)
        return b"".join(found)

    def aim(self, sampled: "Sampled") -> None:
        """Where to look for it the next time: pointers to the innermost frame, and where its frames lie."""
        at, address, chain = self.reader.layout.at, sampled.thread.address, sampled.chain
        if self.by_cframe:
            sampled.cframes = sampled.cframes[: MOST_CFRAMES if sampled.moves else 1]
            where = at["thread.cframe_frame"]
            places = [(address + at["thread.cframe"], 8)] + [
                (c + where, 8) for c in sampled.cframes
            ]
        else:
            places = [(address + at["thread.frame"], 8)]
        sampled.head = 8 * len(places)
        sampled.regions = []
        if chain and sampled.moves and self.side_by_side:
            top = chain[0][0]
            low = min([a for a, _, _ in chain[:6] if top - BELOW <= a <= top])
            high = min(top + ABOVE, (top + self.width + PAGE - 1) & -PAGE)
            sampled.regions = [(low, high - low)]
        elif chain:
            sampled.regions = [(place, self.width) for place, _, _ in chain[:2]]
        places += sampled.regions
        sampled.iov = b"".join([PAIR(place, size) for place, size in places])
        sampled.parts = len(places)
        sampled.size = sum([size for _, size in places])
        sampled.last = b""
        if sampled.key is not None and not sampled.moves:
            frames = b"".join([raw for _, raw, _ in chain[:2]])
            first = chain[0][0] if chain else 0
            if not self.by_cframe:
                sampled.last = PAIR(0, first)[8:] + frames
            elif sampled.cframes:
                sampled.last = PAIR(sampled.cframes[0], first) + frames

    def begin(self, sampled: "Sampled", part: bytes) -> None:
        """Take of a stack what lies in `part`, as it was found; `at` is where it goes on, 0 for nowhere."""
        sampled.matched, sampled.new = 0, []
        sampled.known = {place: k for k, (place, _, _) in enumerate(sampled.chain)}
        first = self.first(sampled, part) if part else None
        if first is None:  # it is not in there: asked for anew
            sampled.at = -1
            return
        sampled.at = first
        while sampled.at:
            raw = self.within(sampled, part, sampled.at)
            if raw is None or not self.take(sampled, raw):
                break

    def first(self, sampled: "Sampled", part: bytes) -> "int | None":
        """Where the innermost frame was; None where that did not come."""
        if not self.by_cframe:
            return word(part, 0)
        cframe = word(part, 0)
        if not cframe:
            return 0
        if cframe not in sampled.cframes:
            return None
        return word(part, 8 + 8 * sampled.cframes.index(cframe))

    def within(self, sampled: "Sampled", part: bytes, place: int) -> "bytes | None":
        """The bytes of a frame, if they came."""
        at = sampled.head
        for start, size in sampled.regions:
            if start <= place and place + self.width <= start + size:
                return part[at + place - start : at + place - start + self.width]
            at += size
        return None

    def decoded(self, raw: bytes) -> "tuple[int, int] | None":
        """The code of a frame and the place of its instruction; None for a frame of the interpreter's own."""
        if self.owner and raw[self.owner] >= self.shim:
            return None
        form = "<Q" if self.said else "<i"
        place = struct.unpack_from(form, raw, self.instruction)[0]
        return struct.unpack_from("<Q", raw, self.code)[0] & TAG, place

    def stands(self, sampled: "Sampled") -> None:
        """It counts at its stack as it is in its chain."""
        self.flush(sampled)
        sampled.key = tuple([f for _, _, f in sampled.chain if f is not None])
        sampled.pending = 1

    def flush(self, sampled: "Sampled") -> None:
        """Add what was counted of a thread to the sums."""
        if sampled.pending and sampled.key is not None:
            key = sampled.tid, sampled.name, sampled.key
            if key in self.sums or len(self.sums) < MOST_STACKS:
                self.sums[key] = self.sums.get(key, 0) + sampled.pending
            else:
                self.left += sampled.pending
        sampled.pending = 0

    # -- whole stacks ----------------------------------------------------------------------

    def firsts(self, fresh: "list[Sampled]") -> None:
        """Ask where the innermost frame of each is."""
        at, each = self.reader.layout.at, self.memory.each
        if self.by_cframe:
            raws = each([(s.thread.address + at["thread.cframe"], 8) for s in fresh])
            for sampled, raw in zip(fresh, raws):
                cframe = word(raw, 0) if raw else 0
                others = [c for c in sampled.cframes if c != cframe]
                sampled.cframes = ([cframe] * bool(cframe) + others)[:MOST_CFRAMES]
            where = at["thread.cframe_frame"]
            raws = each([((s.cframes or [-where])[0] + where, 8) for s in fresh])
        else:
            raws = each([(s.thread.address + at["thread.frame"], 8) for s in fresh])
        for sampled, raw in zip(fresh, raws):
            sampled.at = word(raw, 0) if raw else 0

    def read(self, fresh: "list[Sampled]") -> "list[Sampled]":
        """Read what is missing of the stacks of some threads, as far out as they changed; those that tore."""
        lacking = [s for s in fresh if s.at == -1]
        if lacking:
            self.firsts(lacking)
        active = [s for s in fresh if s.at and s.matched < 2]
        while active:
            raws = self.memory.each([(s.at, self.width) for s in active])
            active = [s for s, raw in zip(active, raws) if self.take(s, raw)]
        wanted = {f[0] for s in fresh for _, _, f in s.new or () if f is not None}
        wanted -= set(self.reader.codes)
        if wanted:
            self.reader.learn(wanted)
        codes, torn = self.reader.codes, []
        for sampled in fresh:
            new = sampled.new
            self.flush(sampled)
            if new is None or any(f is not None and f[0] not in codes for _, _, f in new):
                sampled.key, sampled.chain = None, []
                torn.append(sampled)
            else:
                before = sampled.chain[:1] if sampled.key is not None else new[:1]
                sampled.moves = new[:1] != before  # since the look before
                sampled.chain = new
                self.stands(sampled)
            self.aim(sampled)
        return torn

    def take(self, sampled: "Sampled", raw: "bytes | None") -> bool:
        """One frame more of a stack; whether it goes on."""
        if raw is None:
            sampled.new, sampled.at = None, 0
            return False
        place, chain = sampled.at, sampled.chain
        at = sampled.known.get(place, -1)
        if at >= 0 and chain[at][1] == raw:
            sampled.matched += 1
            # Two in a row; or the caller of a frame that lies where the innermost one lay.
            beside = at == 1 and len(sampled.new) == 1 and sampled.new[0][0] == chain[0][0]
            if sampled.matched == 2 or beside:
                sampled.new += chain[at:]
                sampled.matched = 2
                return False
        else:
            sampled.matched = 0
        sampled.new.append((place, raw, self.decoded(raw)))
        sampled.at = struct.unpack_from("<Q", raw, self.previous)[0]
        if len(sampled.new) >= MOST_DEPTH:
            sampled.at = 0
        return bool(sampled.at)

    def taken(self) -> "dict[Any, int]":
        """What was counted since the last call: by (tid, name, frames innermost first)."""
        for sampled in self.every:
            self.flush(sampled)
        sums, self.sums = self.sums, {}
        return sums

    def forget(self) -> None:
        """Read all stacks and names anew at the next look: what lies where a code object lay may be another one."""
        self.raw = b""
        self.reader.codes.clear()
        for sampled in self.every:
            self.flush(sampled)
            sampled.key, sampled.chain = None, []
            self.aim(sampled)

    def close(self) -> None:
        """Let go of all threads."""
        for sampled in self.every:
            self.flush(sampled)
            sampled.close()
