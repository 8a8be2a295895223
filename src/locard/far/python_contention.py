"""Who keeps others of a CPython waiting: its GIL, the callbacks of its event loops, pools and queues that are used up.

Stands behind `far/python_waits.py` and before `far/python_stacks.py` in one namespace. Where threads wait for the GIL, or
an event loop is inside of a callback, it looks `RELOOKS` times more, `RELOOK_S` apart: who held it all the while kept it.
"""

import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from locard.far.python_stacks import Reader
    from locard.far.python_threads import Thread, Walked
    from locard.far.python_waits import MOST_HOLD, NEAR, Known, Taken, Waiting

RELOOKS, RELOOK_S = 6, 0.01
TURN_WORDS, FLOAT_VALUE = 12, 16  # of the locals of `_run_once`; of a float
# The GIL (`_gil_runtime_state`): interval in us, holder, locked, switches; then what threads wait in.
GIL_WAITS, GIL_SIZE = 32, 208
# (end of the file, function): the loop whose callbacks are called from there.
LOOPS = {
    ("/asyncio/events.py", "_run"): "asyncio",
    ("/asyncio/runners.py", "run"): "asyncio",
    ("/uvloop/__init__.py", "run"): "uvloop",
    ("/trio/_core/_run.py", "unrolled_run"): "trio",
    ("/gevent/hub.py", "run"): "gevent",
}
# Where a loop stands while it is inside of no callback, itself or one call further.
SELECTS = ("/selectors.py", "/trio/_core/_io_epoll.py")
BETWEEN = (
    "/asyncio/base_events.py",
    "/asyncio/runners.py",
    "/uvloop/__init__.py",
    "/trio/_core/_run.py",
    "/gevent/hub.py",
)
WORKS = ("/gevent/threadpool.py", "/threading.py")  # threads of these have no hub of their own


class Inside:
    """A thread whose event loop is inside of a callback."""

    __slots__ = ("exact", "kind", "mark", "over", "steps", "task", "thread")

    def __init__(self, thread: "Thread", kind: str, mark: "tuple[Any, ...]", exact: bool) -> None:
        """`mark`: what stays the same as long as the callback does; `exact` where another one has another mark."""
        self.thread, self.kind, self.mark, self.exact = thread, kind, mark, exact
        self.task, self.steps, self.over = "", 0, False


class Contention:
    """What of one process keeps others waiting, at one moment."""

    def __init__(self, reader: "Reader") -> None:
        """Nothing is read yet."""
        self.reader, self.memory = reader, reader.memory
        self.waiting = Waiting(reader.objects, reader.locks.place)

    # -- the GIL and the loops ---------------------------------------------------------------

    def gil(self, interpreter: int) -> int:
        """Where the GIL of an interpreter lies."""
        at = self.reader.layout.at
        if "runtime.gil" in at:
            return self.reader.layout.runtime + at["runtime.gil"]
        return self.memory.number(interpreter + at["interpreter.ceval_gil"])

    def state(self, gil: int) -> "tuple[int, int, int, int]":
        """(interval in us, who has it or had it last, whether it is held, how often it changed hands)."""
        interval, holder, locked, switches = struct.unpack("<QQi4xQ", self.memory.read(gil, 32))
        return interval, holder, locked, switches

    def queue(self, gil: int, tids: "dict[int, int]") -> "list[int]":
        """The threads that the kernel has wait inside of the GIL."""
        return sorted(
            tid for tid in set(tids.values())
            if gil + GIL_WAITS <= self.reader.kernel.futex(tid) < gil + GIL_SIZE
        )  # fmt: skip

    def look(
        self,
        interpreter: int,
        threads: "list[Thread]",
        tids: "dict[int, int]",
        futexes: "dict[int, int]",
        hub: bool,
    ) -> "list[dict[str, Any]]":
        """What is said of the GIL and of each loop that is inside of a callback; `hub`: a hub of gevent is suspended."""
        gil = self.gil(interpreter)
        waiting = sorted(
            tids[ident] for ident, futex in futexes.items()
            if ident in tids and gil + GIL_WAITS <= futex < gil + GIL_SIZE
        )  # fmt: skip
        loops = [i for i in (self.inside(t, hub) for t in threads) if i is not None]
        if not waiting and not loops:
            return []
        began = time.monotonic()
        interval, holder, locked, first = self.state(gil)
        of_thread = {t.address: t for t in threads}
        ident = of_thread[holder].ident if locked == 1 and holder in of_thread else 0
        counted = [len(waiting)]
        for inside in loops:
            inside.task = self.task(interpreter, inside)
        kept, switches = 0.0, first
        for _ in range(RELOOKS):
            time.sleep(RELOOK_S)
            if waiting:
                found = self.state(gil)
                if found[1:] == (holder, locked, first):
                    kept = time.monotonic() - began
                switches = found[3]
                counted.append(len(self.queue(gil, tids)))
            for inside in loops:
                self.again(inside, hub)
        took = time.monotonic() - began
        said = [
            {
                "loop": i.kind, "tid": tids.get(i.thread.ident), "task": i.task, "exact": i.exact,
                "kept_ms": round(took * 1000 * i.steps / RELOOKS, 1),
            }
            for i in loops
        ]  # type: list[dict[str, Any]] # fmt: skip
        if waiting:
            said.append({
                "gil": interval / 1000.0, "holder": tids.get(ident), "waiting": waiting,
                "queue": sum(counted) / float(len(counted)), "switches": switches - first,
                "kept_ms": round(kept * 1000 if switches == first else 0.0, 1), "looked_ms": round(took * 1000, 1),
            })  # fmt: skip
        return said

    def inside(self, thread: "Thread", hub: bool) -> "Inside | None":
        """Whether the loop of a thread is inside of a callback, and of which."""
        if thread.torn or not thread.frames:
            return None
        frames = self.named(thread)
        head = next((f for _, f, _ in frames if not f.endswith(SELECTS)), "")
        if head.endswith(BETWEEN):
            return None
        for at, (name, file, place) in enumerate(frames):
            kind = next(
                (k for (end, n), k in LOOPS.items() if n == name and file.endswith(end)), ""
            )
            if not kind or at == 0:
                continue
            if name == "_run":
                mark = (self.waiting.self_of(place), *self.turn(frames[at + 1 :]))
                return Inside(thread, kind, mark, len(mark) > 1)
            uv = any("/uvloop/" in f for _, f, _ in frames)
            return Inside(thread, "uvloop" if uv else kind, (frames[at - 1][2],), False)
        if hub and not any(f.endswith(end) for _, f, _ in frames for end in WORKS):
            return Inside(thread, "gevent", (frames[-1][2],), False)
        return None

    def turn(self, frames: "list[tuple[str, str, int]]") -> "tuple[bytes, ...]":
        """What tells one turn of asyncio's loop from the next: the times that its `_run_once` keeps in locals.

        The handles of one turn are all there when it begins, so none has the address of another.
        """
        self.waiting.seen.clear()  # what lay there at the look before may be gone
        for name, file, place in frames:
            if name == "_run_once" and file.endswith("/asyncio/base_events.py"):
                raw = self.memory.read(place + self.waiting.place, 8 * TURN_WORDS)
                words = [w & ~7 for w in struct.unpack("<%dQ" % TURN_WORDS, raw)]
                floats = [w for w in words if self.waiting.kind_of(w) == "float"]
                return tuple(self.memory.read(w + FLOAT_VALUE, 8) for w in floats)
        return ()

    def again(self, inside: Inside, hub: bool) -> None:
        """Look once more whether it is still the same callback."""
        thread = inside.thread
        if inside.over:
            return
        self.reader.begin_anew(thread)
        found = self.inside(thread, hub)
        inside.over = found is None or found.mark != inside.mark
        inside.steps += not inside.over

    def is_hub(self, greenlet: "Walked") -> bool:
        """Whether a suspended greenlet is a hub of gevent: then another greenlet runs in its thread."""
        if greenlet.torn:
            return False
        return any(n == "run" and f.endswith("/gevent/hub.py") for n, f, _ in self.named(greenlet))

    def named(self, thread: "Walked") -> "list[tuple[str, str, int]]":
        """(bare name of the function, its file, where the frame lies), innermost first."""
        codes = self.reader.codes
        return [
            (codes[code].name.rpartition(".")[2], codes[code].file, place)
            for (code, _), place in zip(thread.frames, thread.places)
        ]

    def task(self, interpreter: int, inside: Inside) -> str:
        """The name of the task that runs on a loop; "" where there is none, or it is not told."""
        tasks, objects = self.reader.tasks, self.reader.objects
        if inside.kind not in ("asyncio", "uvloop"):
            return ""
        try:
            offset = self.reader.layout.running_task
            if offset:
                address = self.memory.number(inside.thread.address + offset)
            else:
                module = objects.module(interpreter, "asyncio.tasks")
                current = objects.lookup(module, "_current_tasks") if module else 0
                running = objects.items(current) if current else []
                loop = self.loop_of(inside.thread)
                mine = [task for key, task in running if key == loop or len(running) == 1]
                address = mine[0] if mine else 0
            found = tasks.task_named(address) if address else ""
        except (KeyError, OSError, ValueError, struct.error, IndexError):
            return ""
        return found

    def loop_of(self, thread: "Thread") -> int:
        """The loop of a thread: the `self` of its `_run_once`."""
        for name, file, place in self.named(thread):
            if name == "_run_once" and file.endswith("/asyncio/base_events.py"):
                return self.waiting.self_of(place)
        return 0

    # -- pools, queues, semaphores -----------------------------------------------------------

    def shared(
        self,
        threads: "list[Thread]",
        tids: "dict[int, int]",
        futexes: "dict[int, int]",
        greenlets: "list[Walked]",
        tasks: "list[dict[str, Any]]",
    ) -> "list[dict[str, Any]]":
        """What threads, greenlets and tasks wait in, with who waits and who has taken of it."""
        found = {}  # type: dict[int, dict[str, Any]]
        kinds = {}  # type: dict[int, Known]
        waiters = set()

        def add(taken: "Taken | None", key: str, who: "Any") -> None:
            if taken is None:
                return
            if taken.address not in found:
                kinds[taken.address] = taken.known
                found[taken.address] = dict(
                    self.waiting.told(taken),
                    threads=[],
                    tasks=[],
                    greenlets=[],
                    holders=[],
                    holding_tasks=[],
                )
            found[taken.address][key].append(who)

        self.waiting.seen.clear()
        parked = [t for t in threads if futexes.get(t.ident) and t.ident in tids and not t.torn]
        for thread, frames in zip(parked, self.owned(parked)):
            taken = self.waiting.waits(frames)
            add(taken, "threads", tids[thread.ident])
            if taken is not None:
                waiters.add(thread.ident)
        whole = [g for g in greenlets if not g.torn]
        for number, frames in enumerate(self.owned(whole)):
            add(self.waiting.waits(frames), "greenlets", number)
        for task in tasks:
            add(self.waiting.waits(self.steps(task)), "tasks", task["task"])
        pools = {a: k for a, k in kinds.items() if k.held or k.inside}
        if pools:
            self.held(
                pools,
                found,
                [t for t in threads if t.ident not in waiters][:MOST_HOLD],
                tids,
                tasks,
            )
        return [dict(one, greenlets=len(one["greenlets"])) for one in found.values()]

    def held(
        self,
        pools: "dict[int, Known]",
        found: "dict[int, dict[str, Any]]",
        threads: "list[Thread]",
        tids: "dict[int, int]",
        tasks: "list[dict[str, Any]]",
    ) -> None:
        """Fill in who has taken of them."""
        for thread in threads:
            for address in [] if thread.torn else self.waiting.holds(self.named(thread), pools):
                if thread.ident in tids:
                    found[address]["holders"].append(tids[thread.ident])
        for task in tasks:
            for address in self.waiting.stood_for(set(task["inside"]), pools):
                if task["task"] not in found[address]["tasks"]:
                    found[address]["holding_tasks"].append(task["task"])

    def owned(self, every: "Sequence[Walked]") -> "list[list[tuple[str, str, int]]]":
        """(function, file, `self`) of the frames in which a wait may stand, of each stack."""
        stacks = [self.named(walked)[:NEAR] for walked in every]
        wanted = [
            place
            for frames in stacks
            for name, file, place in frames
            if self.waiting.known(name, file)
        ]
        raws = self.memory.each([(place + self.waiting.place, 8) for place in wanted])
        own = {place: int.from_bytes(raw, "little") & ~7 for place, raw in zip(wanted, raws) if raw}
        return [[(n, f, own.get(place, 0)) for n, f, place in frames] for frames in stacks]

    @staticmethod
    def steps(task: "dict[str, Any]") -> "list[tuple[str, str, int]]":
        """The same of what a task awaits."""
        return [
            (s["name"].rpartition(".")[2], s["filename"], s.get("self") or 0)
            for s in reversed(task["chain"])
            if "name" in s
        ]
