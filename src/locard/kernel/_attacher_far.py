"""Attaches to functions: many at once, or one by one; again where a file or a process is new. Standard library only, 3.6.

Stands behind `_functions_far.py` and before `far/observe.py` in one namespace:

  attacher = Attacher(observation, functions, "enter", "leave")
  attacher.begin()   # attaches to all that is mapped now
  attacher.again()   # now and then: to what was mapped since
  attacher.tell()    # prints what was not attached to
"""

import ctypes
import errno
import os
import struct
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.ebpf import PARTS, Refused
    from locard.far.observe import Observation, emit
    from locard.far.processes import family
    from locard.kernel._functions_far import File, Function, Functions

# A cookie (calls.h): the function's number, then whether its return is attached to, then the kind of its site.
MOST_SINGLE = 60  # probes, where each takes one of its own
SELF_TEST = 0xFFFFFFFF  # our own call, by which the kernel is tried
RETURNS = 1 << 32
SITE_SHIFT = 33
OWN_FUNCTIONS = 2048 - 8
LOOK_S = 1.0
ATTACHING_S = 5.0  # at the beginning; what is not attached to by then is left out, and said


class Attacher:
    """Attaches to what is found: many at once where this kernel counts all threads so, else one by one."""

    def __init__(
        self, observation: "Observation", functions: "Functions", enter: str, leave: str
    ) -> None:
        """`enter` and `leave` are programs; their variants for many have `_multi` at the end; leave "": none."""
        self.observation, self.functions = observation, functions
        self.enter, self.leave = enter, leave
        self.multi = None  # type: bool | None
        self.why = ""
        self.looked = 0.0
        self.sites = self.untried = 0
        self.began = 0.0
        self.took_s = 0.0
        self.failed = {}  # type: dict[str, int]
        self.failed_by = None  # type: Any
        self.late = []  # type: list[tuple[int, str]]
        self.entry_ns, self.both_ns, self.shown_ns = [], [], []  # type: list[int], list[int], list[int]
        self.prepare = None  # type: Any # called with (process, file) before each

    def begin(self) -> None:
        """Attach to all that is mapped now."""
        began = self.began = time.monotonic()
        self.multi = self.many_work()
        pids = family(self.observation.pids)
        for pid, file in self.functions.look(pids):
            self.attach(pid, file)
        closed = self.functions.unread
        if closed and closed.issuperset(pids):  # else nothing found would look like nothing there
            raise Refused("the files that process %d has mapped cannot be read" % min(closed), 0)
        if self.failed and not self.sites:
            raise self.failed_by
        self.looked = time.monotonic()
        self.began = 0.0
        self.took_s = self.looked - began

    def again(self) -> None:
        """Once a second: processes that began and files that were loaded meanwhile."""
        if time.monotonic() - self.looked < LOOK_S:
            return
        for pid, file in self.functions.look(family(self.observation.pids)):
            self.late.append((pid, file.path))
            self.attach(pid, file)
        self.looked = time.monotonic()

    def attach(self, pid: int, file: "File") -> None:
        """Attach to a file's functions in one process; returns first, so that no return is unseen."""
        seen = bool(self.leave)
        chosen = file.functions if self.multi else self.few(pid, file)
        if self.began and time.monotonic() - self.began > ATTACHING_S:
            self.untried += len(chosen)
            for function in chosen:
                function.pids.remove(pid)
            return
        sites = [
            (f.offset, f.id | (RETURNS if seen and f.returns else 0) | f.site << SITE_SHIFT)
            for f in chosen
        ]
        returns = [(f.offset, f.id) for f in chosen if f.returns]
        if self.prepare:
            self.prepare(pid, file)
        if self.leave and returns:
            self.put(self.leave, pid, file, returns, True)
        if sites:
            self.put(self.enter, pid, file, sites, False)

    def few(self, pid: int, file: "File") -> "list[Function]":
        """Where each function takes a probe of its own the kernel takes 0.1 s to take each away: few then."""
        room = max(0, (MOST_SINGLE - self.sites) // (2 if self.leave else 1))
        rest = file.functions[room:]
        if rest:
            self.failed[file.path] = self.failed.get(file.path, 0) + len(rest)
            self.why = "this kernel has no link for many functions, and is slow to take probes away"
            for function in rest:
                function.pids.remove(pid)
        return file.functions[:room]

    def put(
        self, program: str, pid: int, file: "File", sites: "list[tuple[int, int]]", at_return: bool
    ) -> None:
        """One program at some functions. Where one of many is refused, each is tried alone."""
        obj = self.observation.obj
        name = program + "_multi" if self.multi else program
        try:
            obj.attach_sites(name, pid, file.way(), sites, at_return)
            self.sites += len(sites)
        except Refused as refused:
            if refused.number == errno.ESRCH:  # the process has ended
                return
            if len(sites) == 1:
                self.failed[file.path] = self.failed.get(file.path, 0) + 1
                self.why, self.failed_by = str(refused), refused
                return
            for site in sites:
                self.put(program, pid, file, [site], at_return)

    def many_work(self) -> bool:
        """Whether one link for many counts every thread: 6.6 to 6.9 took a process's id for a thread's.

        Tried on functions of our own library, the first of them called from a second thread. What probes
        cost here is measured by the same.
        """
        obj = self.observation.obj
        kept = obj.links()
        places = [own_place(obj.c.far_own_site(k)) for k in range(6)]
        path = places[0][1]
        test = own_place(ctypes.cast(obj.c.far_version, ctypes.c_void_p).value or 0)
        entries = [(test[0], SELF_TEST)]
        returns = []
        for k, (offset, _) in enumerate(places):
            both = RETURNS if k % 2 and self.leave else 0
            entries.append((offset, OWN_FUNCTIONS + k | both | k // 2 << SITE_SHIFT))
            if both:
                returns.append((offset, OWN_FUNCTIONS + k))
        many = True
        for suffix in ("_multi", ""):
            try:
                if returns:
                    obj.attach_sites(self.leave + suffix, os.getpid(), path, returns, True)
                obj.attach_sites(self.enter + suffix, os.getpid(), path, entries)
            except Refused:
                obj.detach(kept)
                many = False
                continue
            thread = threading.Thread(target=obj.c.far_version)
            thread.start()
            thread.join()
            if not suffix:
                break
            many = bool(
                sum(sum(v) if isinstance(v, list) else v for _, v in obj.entries("self_test"))
            )
            if many:
                break
            obj.detach(kept)
        self.measure(obj)
        obj.detach(kept)
        return many

    def measure(self, obj: "Any") -> None:
        """What a call costs that is probed, by the kind of its site; for programs that sum `calls`."""
        if "var calls" not in obj.types.named:
            return
        took = [max(0, obj.c.far_time_site(k)) for k in range(6)]
        shown = [0, 0, 0]
        for key, sums in obj.entries("calls"):
            k = key["function"] - OWN_FUNCTIONS
            if 0 <= k < 6 and sums["ended"] > 1:
                shown[k // 2] = (sums["total_ns"] - sums["max_ns"]) // (sums["ended"] - 1)
        self.entry_ns = took[0::2]
        self.both_ns = took[1::2] if self.leave else took[0::2]
        self.shown_ns = shown
        rows = [v + [0] for v in (self.entry_ns, self.both_ns, shown)]
        fd = obj.check("map costs", obj.c.far_map(obj.handle, b"costs"))
        data = struct.pack("=12I", *[int(min(n, 1 << 31)) for row in rows for n in row])
        obj.check("writing costs", obj.c.far_put(fd, ctypes.byref(ctypes.c_uint32(0)), data))

    def each_ns(self, hits: int) -> "float | None":
        """What a call of the target cost on average, by what was measured."""
        spent = sum(
            sum(v) if isinstance(v, list) else v
            for _, v in self.observation.obj.entries("spent_ns")
        )
        return spent / float(hits) if hits else None

    def tell(self) -> None:
        """Say how it went."""
        emit({"sites": self.sites, "took_s": round(self.took_s, 6),
              "entry_ns": self.entry_ns, "both_ns": self.both_ns, "shown_ns": self.shown_ns,
              "engine": "one link for many functions" if self.multi else "a probe for each function"})  # fmt: skip
        for path, count in sorted(self.failed.items()):
            emit({"unseen": "%d functions of %s were not attached: %s" % (count, path, self.why)})
        for pid in sorted(self.functions.unread):
            emit(
                {
                    "unseen": "process %d: the files that it has mapped cannot be read, so nothing of it is counted"
                    % pid
                }
            )
        if self.untried:
            emit({"left_out": self.untried, "of": len(self.functions.every)})
        for pid, path in self.late[:20]:
            emit(
                {
                    "unseen": "process %d loaded %s meanwhile: its calls count from then on"
                    % (pid, path)
                }
            )


def own_place(address: int) -> "tuple[int, str]":
    """Where an address of the C library lies in its file, and that file."""
    with open("/proc/self/maps") as file:
        for line in file:
            words = line.split(None, 5)
            start, end = (int(w, 16) for w in words[0].split("-"))
            if start <= address < end:
                return address - start + int(words[2], 16), "/proc/self/fd/%d" % PARTS["library"]
    return 0, ""


def left_pages(pid: int) -> "list[str]":
    """The pages that the kernel keeps in a process for probes."""
    found = []
    try:
        with open("/proc/%d/maps" % pid, errors="backslashreplace") as file:
            found = [line.split(None, 5)[5].strip() for line in file if "[uprobes" in line]
    except OSError:
        pass
    return found
