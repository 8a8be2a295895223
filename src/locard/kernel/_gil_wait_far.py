"""Finds the interpreter and the C library's waits in each Python; beside the target, Python 3.6.

Stands behind `_attacher_far.py` and before `far/observe.py` in one namespace.

  {"python": pid, "file": path}   an interpreter was found in the process
  {"no_python": pid}
"""

import ctypes
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.observe import Observation, emit
    from locard.far.processes import alive, family
    from locard.kernel._attacher_far import Attacher, left_pages
    from locard.kernel._functions_far import File, Functions

MOST_RANGES = 8
INTERPRETER = "PyEval_RestoreThread"
WAITS = "pthread_cond_timedwait"
HELD = []  # type: list[Interpreters] # of this observation


class Interpreters:
    """The Pythons among the target's processes."""

    def __init__(self, observation: "Observation") -> None:
        """Attaches to the waits in those that have an interpreter."""
        self.observation = observation
        self.marks = Functions(INTERPRETER)
        self.waits = Functions(WAITS)
        self.attacher = Attacher(observation, self.waits, "enter", "")
        self.attacher.prepare = self.prepare
        self.found = {}  # type: dict[int, str]
        self.before = {pid: left_pages(pid) for pid in family(observation.pids)}
        self.look()
        self.attacher.begin()

    def look(self) -> None:
        """Where the interpreter's code lies in each process, told to the program."""
        obj = self.observation.obj
        fd = obj.check("map interpreters", obj.c.far_map(obj.handle, b"interpreters"))
        for pid, file in self.marks.look(family(self.observation.pids)):
            ranges = self.marks.places[pid, file.key][:MOST_RANGES]
            self.found[pid] = file.path
            rest = [0] * (MOST_RANGES - len(ranges))
            words = [r[0] for r in ranges] + rest + [r[1] for r in ranges] + rest
            data = struct.pack("=%dQ" % (2 * MOST_RANGES), *words)
            obj.check(
                "writing interpreters", obj.c.far_put(fd, ctypes.byref(ctypes.c_uint32(pid)), data)
            )

    def prepare(self, _pid: int, _file: "File") -> None:
        """Before a process's waits are attached to, its interpreter is known."""
        self.look()

    def tell(self) -> None:
        """Print what was found, and what stays."""
        for pid in sorted(set(family(self.observation.pids)) | set(self.observation.pids)):
            if pid in self.found:
                emit({"python": pid, "file": self.found[pid]})
            elif pid not in self.marks.unread:
                emit({"no_python": pid})
        self.attacher.tell()
        for pid in sorted(self.waits.mapped):
            if alive(pid):
                emit({"left": pid, "pages": left_pages(pid), "before": self.before.get(pid, [])})


def begin_gil(observation: "Observation") -> None:
    """ATTACH."""
    HELD.append(Interpreters(observation))
    for name in ("call_ends", "call_begins"):
        observation.attach(name)


def tick_gil(_observation: "Observation") -> None:
    """TICK."""
    HELD[0].attacher.again()


def tell_gil(_observation: "Observation") -> None:
    """EXTRA."""
    HELD[0].tell()


ATTACH = begin_gil
TICK = tick_gil
EXTRA = tell_gil
