"""One CPython process, looked at many times a second: the stacks of its threads, summed up, without a stop.

Stands behind `far/python_stacks.py` in one namespace; standard library only, 3.6 or later.

A look is one system call for up to 340 threads: where the innermost frame of each is, and the two innermost
frames as they lay at the look before. Where all these bytes are as before the thread counts where it stood. Else
its frames are read from the innermost on, level by level, until two in a row are as they were: the rest is taken
over. A frame that cannot be one (its code is no code object) makes the stack "torn": read again, then counted so.
"""

import os
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.memory import Memory
    from locard.far.python_objects import word
    from locard.far.python_stacks import MOST_DEPTH, TAG, Reader, Thread

MOST_STACKS = 50000
PARTS_AT_ONCE = 1020  # of 1024 that one call takes, a multiple of what a thread has
AGAIN = 2  # reads of a stack that tears
PAIR = struct.Struct("<QQ").pack
NOWHERE = (None, None, ())  # the key of nothing


class Sampled:
    """One thread: what was last seen of it, its stack, and in how many looks it stood so since."""

    __slots__ = (
        "at", "cframe", "chain", "fd", "iov", "key", "known", "last", "matched", "name", "new", "parts", "pending",
        "thread", "tid",
    )  # fmt: skip

    def __init__(self, thread: "Thread", tid: "int | None", name: str, pid: int) -> None:
        """Opens what the kernel says of it."""
        self.thread, self.tid, self.name = thread, tid, name
        self.chain = []  # type: list[tuple[int, bytes, tuple[int, int] | None]]
        self.key = None  # type: Any
        self.pending = self.cframe = self.at = self.matched = self.parts = 0
        self.last = self.iov = b""
        self.known = {}  # type: dict[int, int]
        self.new = None  # type: Any
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
            raw = os.pread(self.fd, 64, 0)
        except OSError:
            return False
        at = raw.rfind(b")")
        return raw[at + 2 : at + 3] == b"R"

    def close(self) -> None:
        """Let go of it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


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
        self.head = 16 if self.by_cframe else 8
        self.step = 3 + self.by_cframe
        self.threads = {}  # type: dict[tuple[int, int], Sampled]
        self.every = []  # type: list[Sampled]
        self.interpreters = []  # type: list[int]
        self.links = b""
        self.raw = b""
        self.sums = {}  # type: dict[Any, int]
        self.holds = {}  # type: dict[int, int]
        self.began = time.monotonic()
        self.looks = self.torn = self.left = 0
        self.collected = self.held = self.idle = self.most = 0

    # -- threads ---------------------------------------------------------------------------

    def refresh(self) -> None:
        """Which threads there are now."""
        if self.links and self.linked() == self.links:
            return
        found = {}  # type: dict[tuple[int, int], Sampled]
        self.interpreters = self.reader.interpreters()
        for interpreter in self.interpreters:
            threads = self.reader.threads(interpreter)
            tids = self.reader.tids(threads)
            known = {t.ident for t in threads if (t.address, t.ident) in self.threads}
            names = self.reader.names(interpreter) if len(known) < len(threads) else {}
            for thread in threads:
                key = thread.address, thread.ident
                if key in self.threads:
                    found[key] = self.threads.pop(key)
                else:
                    tid = tids.get(thread.ident)
                    name = names.get(thread.ident) or self.reader.comm(tid)
                    found[key] = Sampled(thread, tid, name, self.pid)
                    self.aim(found[key])
        for gone in self.threads.values():
            self.flush(gone)
            gone.close()
        self.threads, self.every = found, list(found.values())
        self.most = max(self.most, len(found))
        self.links = self.linked() or b""

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
            return [s for s in self.every if s.runs()]
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
                part = raw[at : at + len(sampled.last)]
                at += len(part)
            if part == sampled.last and sampled.key is not None:
                sampled.pending += 1
            elif not part or not self.moved_within(sampled, part):
                fresh.append(sampled)
        for _ in range(AGAIN):
            fresh = self.read(fresh) if fresh else []
        self.torn += len(fresh)

    def gather(self, some: "list[Sampled]") -> "bytes | None":
        """What lies where the threads were seen last; None where something is not mapped any more."""
        if sum([s.parts for s in some]) <= PARTS_AT_ONCE:
            return self.memory.gather(
                b"".join([s.iov for s in some]), sum([len(s.last) for s in some])
            )
        found = []
        each = PARTS_AT_ONCE // self.step
        for first in range(0, len(some), each):
            raw = self.gather(some[first : first + each])
            if raw is None:
                return None
            found.append(raw)
        return b"".join(found)

    def aim(self, sampled: "Sampled") -> None:
        """Where to look for it the next time: its pointer to the innermost frame, and two frames."""
        at, address = self.reader.layout.at, sampled.thread.address
        chain, size = sampled.chain, self.width
        if self.by_cframe:
            first = PAIR(address + at["thread.cframe"], 8)
            if sampled.cframe:
                first += PAIR(sampled.cframe + at["thread.cframe_frame"], 8)
        else:
            first = PAIR(address + at["thread.frame"], 8)
        sampled.iov = first + b"".join([PAIR(place, size) for place, _, _ in chain[:2]])
        head = PAIR(sampled.cframe, chain[0][0] if chain else 0)[16 - self.head :]
        if self.by_cframe and not sampled.cframe:
            head = head[:8]
        sampled.last = head + b"".join([raw for _, raw, _ in chain[:2]])
        sampled.parts = len(sampled.iov) // 16

    def moved_within(self, sampled: "Sampled", part: bytes) -> bool:
        """Whether only the innermost frame went on in its own code: then nothing has to be read."""
        head, width, chain = self.head, self.width, sampled.chain
        if sampled.key is None or not chain or len(part) < head + width:
            return False
        last = sampled.last
        if part[:head] != last[:head] or part[head + width :] != last[head + width :]:
            return False
        place, raw, frame = chain[0]
        now = part[head : head + width]
        where = self.previous
        if now[where : where + 8] != raw[where : where + 8] or frame is None:
            return False
        fresh = self.decoded(now)
        if fresh is None or fresh[0] not in self.reader.codes:
            return False
        chain[0] = place, now, fresh
        sampled.last = part
        self.stands(sampled)
        return True

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

    def firsts(self, fresh: "list[Sampled]") -> "list[int]":
        """Where the innermost frame of each is."""
        at, each = self.reader.layout.at, self.memory.each
        if not self.by_cframe:
            raws = each([(s.thread.address + at["thread.frame"], 8) for s in fresh])
            return [word(r, 0) if r else 0 for r in raws]
        raws = each([(s.thread.address + at["thread.cframe"], 8) for s in fresh])
        for sampled, raw in zip(fresh, raws):
            sampled.cframe = word(raw, 0) if raw else 0
        raws = each([(s.cframe + at["thread.cframe_frame"], 8) for s in fresh])
        return [word(r, 0) if r else 0 for r in raws]

    def read(self, fresh: "list[Sampled]") -> "list[Sampled]":
        """Read the stacks of some threads, as far out as they changed; those that tore."""
        for sampled, first in zip(fresh, self.firsts(fresh)):
            sampled.at, sampled.matched, sampled.new = first, 0, []
            sampled.known = {place: k for k, (place, _, _) in enumerate(sampled.chain)}
        active = [s for s in fresh if s.at]
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
                sampled.chain = new
                self.stands(sampled)
            self.aim(sampled)
        return torn

    def take(self, sampled: "Sampled", raw: "bytes | None") -> bool:
        """One frame more of a stack; whether it goes on."""
        if raw is None:
            sampled.new = None
            return False
        place, chain = sampled.at, sampled.chain
        at = sampled.known.get(place, -1)
        if at >= 0 and chain[at][1] == raw:
            sampled.matched += 1
            if sampled.matched == 2:
                sampled.new += chain[at:]
                return False
        else:
            sampled.matched = 0
        sampled.new.append((place, raw, self.decoded(raw)))
        sampled.at = struct.unpack_from("<Q", raw, self.previous)[0]
        return bool(sampled.at) and len(sampled.new) < MOST_DEPTH

    def taken(self) -> "dict[Any, int]":
        """What was counted since the last call: by (tid, name, frames innermost first)."""
        for sampled in self.every:
            self.flush(sampled)
        sums, self.sums = self.sums, {}
        return sums

    def close(self) -> None:
        """Let go of all threads."""
        for sampled in self.every:
            self.flush(sampled)
            sampled.close()
