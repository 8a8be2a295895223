"""Stacks of every thread of a CPython process, read from outside without a stop.

Stands behind `far/memory.py`, `far/symbols.py` and `far/python_layout.py` in one namespace. Prints what
`py-spy dump --json` prints: a list of threads, innermost frame first.

All stacks are read side by side: the outermost of them in one call, then what called these in one call, and so
on. A thread that runs meanwhile can tear: it is read again, up to three times, and counted in `torn` if none fits.
"""

import json
import os
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from locard.far.memory import Memory
    from locard.far.python_access import Numbers, refused
    from locard.far.python_code import Code
    from locard.far.python_contention import Contention
    from locard.far.python_greenlets import Greenlets
    from locard.far.python_layout import Layout, UnreadableError
    from locard.far.python_locals import Locals
    from locard.far.python_locks import Locks
    from locard.far.python_objects import Objects, word
    from locard.far.python_pools import WORKER, Pools
    from locard.far.python_source import Sources
    from locard.far.python_tasks import Tasks
    from locard.far.python_threads import Kernel, Thread, Walked
    from locard.far.symbols import Symbols

MOST_THREADS = 20000
MOST_INTERPRETERS = 256
DEEP_LINES, MOST_LINES = 5, 1000  # innermost frames whose source is shown, and how many lines
MOST_DEPTH = 1200  # CPython's own limit is 1000 frames, unless it was raised
TRIES = 3
TAG = ~7  # what 3.14 and later keep in the low bits of a reference


class Reader:
    """Reads the stacks of one process, again and again; names of code are read once."""

    def __init__(self, pid: int) -> None:
        """Finds the interpreter; raises UnreadableError or OSError."""
        self.pid = pid
        self.memory = Memory(pid)
        self.numbers_of = Numbers(pid)
        symbols = Symbols(pid)
        try:
            self.layout = Layout(self.memory, symbols)
        finally:
            symbols.close()
        if self.layout.free_threaded:
            raise UnreadableError("free-threaded CPython: its stacks are not read")
        self.objects = Objects(self.memory, self.layout)
        self.locks = Locks(self.objects, self.layout)
        self.tasks = Tasks(self.objects, self.layout)
        self.pools = Pools(self.objects, self.layout)
        self.greenlets = Greenlets(self.objects, self.layout)
        self.contention = Contention(self)
        self.codes = {}  # type: dict[int, Code]
        self.code_type = 0
        self.tid_at = None  # type: int | None
        self.kernel = Kernel(pid)

    # -- threads ---------------------------------------------------------------------------

    def interpreters(self) -> "list[int]":
        """Addresses of PyInterpreterState, the main one last as CPython lists them."""
        at = self.layout.at
        found = []  # type: list[int]
        address = self.memory.number(self.layout.runtime + at["runtime.interpreters_head"])
        while address and address not in found and len(found) < MOST_INTERPRETERS:
            found.append(address)
            address = self.memory.number(address + at["interpreter.next"])
        return found

    def threads(self, interpreter: int) -> "list[Thread]":
        """The threads of one interpreter, the newest first, but those that are about to begin (`beginning`).

        Until it runs, a new thread state has the ids of the thread that made it (up to 3.11), or none.
        """
        at = self.layout.at
        size = at["thread.size"]
        found = []  # type: list[Thread]
        seen = set()
        address = self.memory.number(interpreter + at["interpreter.threads_head"])
        while address and address not in seen and len(found) < MOST_THREADS:
            seen.add(address)
            raw = self.memory.read(address, size)
            if word(raw, at["thread.interp"]) != interpreter:
                if not found:
                    raise UnreadableError(
                        "the layout of its thread states is not the one of its version"
                    )
                break  # it ended while we read
            found.append(Thread(address, raw, self.layout))
            address = word(raw, at["thread.next"])
        oldest = {t.ident: t.address for t in found}
        begun = [t for t in found if t.ident and oldest[t.ident] == t.address]
        self.beginning = len(begun) < len(found)
        return begun

    def holder(self, interpreter: int) -> int:
        """The thread state that has the GIL, 0 for none."""
        at, memory = self.layout.at, self.memory
        if "runtime.gil_holder" in at:
            return memory.number(self.layout.runtime + at["runtime.gil_holder"])
        gil = memory.number(interpreter + at["interpreter.ceval_gil"])
        if "gil.holder" in at:
            holder, locked = at["gil.holder"], at["gil.locked"]
        else:
            holder = at["interpreter.gil_holder"] - at["interpreter.gil"]
            locked = at["interpreter.gil_locked"] - at["interpreter.gil"]
        if int.from_bytes(memory.read(gil + locked, 4), "little") != 1:
            return 0
        return memory.number(gil + holder)

    def collects(self, interpreter: int) -> bool:
        """Whether its garbage collector runs; False where that is not known (3.8)."""
        at = self.layout.at
        if "interpreter.gc" not in at:
            return False
        raw = self.memory.read(interpreter + at["interpreter.gc"] + at["gc.collecting"], 4)
        return int.from_bytes(raw, "little") == 1

    # -- frames ----------------------------------------------------------------------------

    def stacks(self, threads: "list[Thread]") -> None:
        """Fill in `frames` of each: (code, offset of the instruction) innermost first; `torn` where none fit."""
        todo = self.begin(threads)
        for turn in range(TRIES):
            self.walk(todo)
            todo = [t for t in todo if t.torn]
            if not todo or turn == TRIES - 1:
                return
            raws = self.memory.each([(t.address, len(t.raw)) for t in todo])
            for thread, raw in zip(todo, raws):
                thread.raw = raw or thread.raw
            todo = self.begin(todo)

    def begin_anew(self, thread: "Thread") -> None:
        """Read the stack of one thread once more, as it is now."""
        (raw,) = self.memory.each([(thread.address, len(thread.raw))])
        thread.raw = raw or thread.raw
        self.walk(self.begin([thread]))

    def begin(self, threads: "list[Thread]") -> "list[Thread]":
        """Where each stack begins."""
        at = self.layout.at
        if "thread.frame" in at:
            for thread in threads:
                thread.start(word(thread.raw, at["thread.frame"]))
            return threads
        wanted = [
            (word(t.raw, at["thread.cframe"]) + at["thread.cframe_frame"], 8) for t in threads
        ]
        for thread, raw in zip(threads, self.memory.each(wanted)):
            thread.start(word(raw, 0) if raw else 0)
        return threads

    def walk(self, threads: "Sequence[Walked]") -> None:
        """Read the frames of all of them, level by level."""
        at = self.layout.at
        previous, code, instruction = self.layout.words("frame", "previous", "code", "instruction")
        owner, said = at.get("frame.owner"), self.layout.version >= (3, 11)
        size = max(previous, code, instruction, owner or 0) + 8
        many = struct.Struct("<Q").unpack_from
        few = struct.Struct("<i").unpack_from
        shim = 3 if self.layout.version >= (3, 12) else 256
        active = [t for t in threads if t.next]
        while active:
            going = []
            for thread, raw in zip(active, self.memory.each([(t.next, size) for t in active])):
                if raw is None or len(thread.frames) >= MOST_DEPTH:
                    thread.torn, thread.next = raw is None, 0
                    thread.cut = raw is not None
                    continue
                here, thread.next = thread.next, many(raw, previous)[0]
                if not (owner and raw[owner] >= shim):
                    place = many(raw, instruction)[0] if said else few(raw, instruction)[0]
                    thread.frames.append((many(raw, code)[0] & TAG, place))
                    thread.places.append(here)
                if thread.next:
                    going.append(thread)
            active = going
        self.learn({c for t in threads for c, _ in t.frames} - set(self.codes))
        for thread in threads:
            thread.torn = thread.torn or any(c not in self.codes for c, _ in thread.frames)

    def learn(self, addresses: "set[int]") -> None:
        """Read code objects: name, file, lines."""
        at = self.layout.at
        wanted = sorted(addresses)
        size = (
            max(v for k, v in at.items() if k.startswith("code.") and not k.endswith(".size")) + 8
        )
        raws = self.memory.each([(a, size) for a in wanted])
        for address, raw in zip(wanted, raws):
            kind = word(raw, at["object.type"]) if raw else 0
            if raw is None or not kind or (self.code_type and kind != self.code_type):
                continue
            try:
                name = self.objects.text(word(raw, at.get("code.qualname", at["code.name"])))
                file = self.objects.text(word(raw, at["code.filename"]))
                lines = self.objects.blob(word(raw, at["code.lines"]))
            except (OSError, ValueError):
                continue
            self.code_type = self.code_type or kind
            first = struct.unpack_from("<i", raw, at["code.firstlineno"])[0]
            base = address + at.get("code.bytes", 0)
            self.codes[address] = Code(name, file, first, lines, base, self.layout.version)

    # -- whole -----------------------------------------------------------------------------

    def look(self, variables: int = 0, source: bool = False) -> "list[dict[str, Any]]":
        """All threads of all interpreters, and what else was found; frames by their number in the last, the `table`.

        `variables`: of so many innermost frames of each thread the locals too; `source`: and their lines.
        """
        inner = Locals(self.objects, self.layout) if variables else None
        found = []  # type: list[dict[str, Any]]
        self.numbers = {}  # type: dict[tuple[int, int], int]
        within = {}  # type: dict[int, dict[str, Any]] # by the kernel's id: those inside of later interpreters
        for interpreter in self.interpreters():
            threads = self.threads(interpreter)
            self.stacks(threads)
            holder = self.holder(interpreter)
            collects = self.collects(interpreter)
            tids = self.tids(threads)
            names = self.names(interpreter)
            futexes = {t.ident: self.kernel.futex(tids.get(t.ident)) for t in threads}
            locks = self.locked(threads, tids, futexes)
            number = self.memory.number(interpreter + self.layout.at["interpreter.id"])
            found += [dict(pool, pid=self.pid) for pool in self.pooled(threads, tids)]
            suspended, greenlets = self.suspended(interpreter)
            found += suspended
            awaited = self.awaited(interpreter, threads)
            shared = self.contention.shared(threads, tids, futexes, greenlets, awaited)
            found += [dict(item, pid=self.pid) for item in (*awaited, *shared)]
            if self.tasks.unread:
                found.append({"pid": self.pid, "unread_tasks": self.tasks.unread})
            for thread in threads:
                has = thread.address == holder
                tid = tids.get(thread.ident)
                name = names.get(thread.ident) or self.kernel.comm(tid)
                frames = [] if thread.torn else self.frames(thread)
                if (
                    tid in within
                ):  # it called into another interpreter, and waits there: one thread, one stack
                    inside = within[tid]
                    inside["frames"] += frames
                    inside["thread_name"] = "%s (interpreter %d)" % (name, inside["interpreter"])
                    continue
                found.append(
                    {
                        **({"locals": self.variables(thread, inner, variables)} if inner else {}),
                        "pid": self.pid,
                        "thread_id": thread.ident,
                        "thread_name": name + (" (interpreter %d)" % number if number else ""),
                        "os_thread_id": tid,
                        "active": self.kernel.runs(tid, has),
                        "owns_gil": has,
                        "gc": has and collects,
                        "interpreter": number,
                        "torn": thread.torn,
                        "cut": thread.cut,
                        "lock": locks.get(thread.ident),
                        "frames": frames,
                    }
                )
                if tid is not None:
                    within[tid] = found[-1]
            kept = self.kept(interpreter, threads, tids, futexes, greenlets)
            found += [dict(item, pid=self.pid) for item in kept]
        return [*found, self.table(found if source else [])]

    def variables(self, thread: "Thread", inner: "Locals", most: int) -> "list[dict[str, str]]":
        """The locals of the innermost frames, nothing from where on a frame is another one by now."""
        told = []
        pairs = [] if thread.torn else list(zip(thread.frames, thread.places))[:most]
        at = self.layout.at["frame.code"]
        for (code, _), place in pairs:
            try:
                values = inner.of(place, code)
                if self.memory.number(place + at) & TAG != code:
                    break
            except (OSError, ValueError, struct.error):
                break
            told.append(values)
        return told

    def sources(self, found: "list[dict[str, Any]]", frames: "list[dict[str, Any]]") -> None:
        """Add to the innermost frames of all threads the lines of their sources."""
        wanted = {n for item in found for n in item.get("frames", ())[:DEEP_LINES]}
        try:
            files = Sources(self.pid)
        except OSError as error:
            for n in wanted:
                frames[n]["source"] = {"note": "its root cannot be read: %s" % error.strerror}
            return
        for n in sorted(wanted)[:MOST_LINES]:
            frames[n]["source"] = files.line(frames[n]["filename"], frames[n]["line"])
        files.close()

    def kept(
        self,
        interpreter: int,
        threads: "list[Thread]",
        tids: "dict[int, int]",
        futexes: "dict[int, int]",
        greenlets: "list[Walked]",
    ) -> "list[dict[str, Any]]":
        """Who has the GIL that others wait for, and which callback an event loop is inside of; read last of all."""
        try:
            hub = any(self.contention.is_hub(g) for g in greenlets)
            return self.contention.look(interpreter, threads, tids, futexes, hub)
        except (OSError, ValueError, struct.error):
            return []

    def locked(
        self, threads: "list[Thread]", tids: "dict[int, int]", futexes: "dict[int, int]"
    ) -> "dict[int, dict[str, Any]]":
        """The locks that threads wait for, by pthread id; the owner's kernel id is `owner_tid`, None: no thread here."""
        waits = {}
        for thread in threads:
            futex = futexes[thread.ident]
            if futex and thread.places and not thread.torn:
                waits[thread.ident] = thread.places, futex
        try:
            found = self.locks.find(waits)
        except (OSError, ValueError, struct.error):
            return {}
        here = {t.ident for t in threads}
        for lock in found.values():
            lock["owner_tid"] = tids.get(lock["owner"] or 0)
            lock["owner_here"] = lock["owner"] in here
        return found

    def awaited(self, interpreter: int, threads: "list[Thread]") -> "list[dict[str, Any]]":
        """The tasks of asyncio with their chains, as frames."""
        try:
            found = self.tasks.find(interpreter, [t.address for t in threads])
        except (OSError, ValueError, struct.error):
            return []
        steps = [s for task in found for s in task["chain"] if "code" in s]
        self.learn({s["code"] for s in steps} - set(self.codes))
        for task in found:
            for step in task["chain"]:
                code = self.codes.get(step.pop("code", 0))
                place = step.pop("place", 0)
                if code is not None:
                    step.update(name=code.name, filename=code.file, line=code.line(place))
            task["task"] = task.pop("name")
        return found

    def pooled(self, threads: "list[Thread]", tids: "dict[int, int]") -> "list[dict[str, Any]]":
        """The thread pools whose workers are among these threads; their threads by the kernel's ids."""
        workers = []
        for thread in threads:
            for (address, _), place in zip(thread.frames, thread.places):
                code = self.codes.get(address)
                if code is not None and code.name == WORKER[1] and code.file.endswith(WORKER[0]):
                    workers.append((thread.ident, place))
        found = self.pools.find(workers)
        for pool in found:
            pool["pool"] = pool.pop("name")
            pool["threads"] = [tids[i] for i in pool["threads"] if i in tids]
        return found

    def suspended(self, interpreter: int) -> "tuple[list[dict[str, Any]], list[Walked]]":
        """The greenlets that are suspended, as threads without a thread; and their stacks."""
        try:
            known = self.greenlets.find(interpreter)
        except (OSError, ValueError, struct.error):
            return [], []
        unread = (
            [{"pid": self.pid, "unread": self.greenlets.unread}] if self.greenlets.unread else []
        )
        walked = []
        for address, frame, kind in known:
            one = Walked()
            one.start(frame)
            walked.append((one, address, kind))
        self.walk([one for one, _, _ in walked])
        told = [
            {
                "pid": self.pid,
                "greenlet": kind,
                "at": address,
                "torn": one.torn,
                "frames": [] if one.torn else self.frames(one),
            }
            for one, address, kind in walked
        ]
        return unread + told, [one for one, _, _ in walked]

    def names(self, interpreter: int) -> "dict[int, str]":
        """Names of threads by pthread ids; none where they change too fast to be read."""
        try:
            return self.objects.thread_names(interpreter)
        except (OSError, ValueError, struct.error):
            return {}

    def frames(self, thread: "Walked") -> "list[int]":
        """The frames of one, as they are printed: each by its number in `table`."""
        return [self.numbers.setdefault(frame, len(self.numbers)) for frame in thread.frames]

    def table(self, found: "list[dict[str, Any]]") -> "dict[str, Any]":
        """What the numbers of frames stand for; with the lines of the innermost ones of `found`."""
        frames = []
        for address, place in self.numbers:
            code = self.codes[address]
            frames.append({"name": code.name, "filename": code.file, "line": code.line(place)})
        if found:
            self.sources(found, frames)
        return {"pid": self.pid, "table": frames}

    def tids(self, threads: "list[Thread]") -> "dict[int, int]":
        """Kernel's ids by pthread ids: said by 3.11 and later, else found in glibc's or musl's own record."""
        self.numbers_of.look()
        outer = self.numbers_of.outer
        if "thread.tid" in self.layout.at:
            if not self.numbers_of.nested:
                return {t.ident: t.tid for t in threads}
            return {t.ident: outer[t.tid] for t in threads if t.tid in outer}
        places = [self.tid_at] if self.tid_at is not None else [720, 208, 56, 48, 64]
        for place in places:
            raws = self.memory.each([(t.ident + place, 4) for t in threads])
            found = {t.ident: int.from_bytes(raw, "little") for t, raw in zip(threads, raws) if raw}
            if (
                found
                and set(found.values()) <= set(outer)
                and len(set(found.values())) == len(threads)
            ):
                self.tid_at = place
                return {ident: outer[tid] for ident, tid in found.items()}
        return {}


def reason(error: Exception, pid: int) -> str:
    """Why a process is not read, in words."""
    if isinstance(error, UnreadableError):
        return str(error)
    if isinstance(error, PermissionError):
        return "not permitted: %s" % refused(pid, error)
    if isinstance(error, (FileNotFoundError, ProcessLookupError)):
        return "No such file or directory (os error 2)"
    return "its memory does not read as CPython's: %s" % error


def failed(error: Exception, pid: int) -> int:
    """Say on standard error why there is nothing to print; the exit code."""
    sys.stderr.write("%s\n" % reason(error, pid))
    return 1


def main(words: "list[str]") -> int:
    """`dump [VARIABLES SOURCE] PID`: one look, printed; or why there is none, on standard error."""
    more = [int(w) for w in words[1:-1]] or [0, 0]
    try:
        found = Reader(int(words[-1])).look(more[0], bool(more[1]))
    except (UnreadableError, OSError, ValueError, struct.error) as error:
        return failed(error, int(words[-1]))
    print(json.dumps(found))
    return 0


if __name__ == "__main__" and sys.argv[1:2] == ["dump"]:
    sys.exit(main(sys.argv[1:]))
