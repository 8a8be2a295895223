"""Names what an observation counted, beside the target: locks by symbol, sockets and descriptors in words.

Stands behind `_thread_reader.py` and before `far/observe.py` in one namespace: it looks while the target lives.

  {"of": pid, "address": N, "symbol", "offset", "file"}   a lock word
  {"of": pid, "descriptor": N, "words": ...}               what epoll reported
  {"socket": inode, "words": ...}                          a socket that is still open
"""

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.observe import Observation, emit
    from locard.far.processes import family, tell_closed
    from locard.far.symbols import Symbols
    from locard.kernel._thread_reader import Reader, slurp

MOST_LOCKS = 40
MOST_SOCKETS = 400
NAMES_EVERY_S, NAMES_FIRST_S = 1.0, 0.3


class DescriptorNames:
    """Names found while the target lives: it may end before we do."""

    def __init__(self) -> None:
        """Nothing is named yet."""
        self.reader = Reader()
        self.symbols = {}  # type: dict[int, Symbols | None]
        self.locks = {}  # type: dict[tuple[int, int], dict[str, object]]
        self.descriptors = {}  # type: dict[tuple[int, int], str]
        self.sockets = {}  # type: dict[int, str]
        self.looked = time.monotonic() - NAMES_EVERY_S + NAMES_FIRST_S
        self.took = 0.0

    def look(self, observation: "Observation", last: bool = False) -> None:
        """Name what is new, once a second at most and seldom where it takes long."""
        began = time.monotonic()
        if not last and began - self.looked < max(NAMES_EVERY_S, 100 * self.took):
            return
        self.reader = Reader()  # its tables of sockets are of one moment
        self.look_at_locks(observation)
        self.look_at_sockets(family(observation.pids))
        self.look_at_descriptors(observation)
        if last:
            self.look_at_blocked(observation)
        self.looked = time.monotonic()
        self.took = self.looked - began

    def look_at_locks(self, observation: "Observation") -> None:
        """The lock words that were waited for longest."""
        rows = sorted(observation.obj.entries("locks"), key=lambda kv: -kv[1]["total_ns"])
        for key, _ in rows[:MOST_LOCKS]:
            pid, address = key["tgid"], key["address"]
            if (pid, address) in self.locks:
                continue
            if pid not in self.symbols:
                try:
                    self.symbols[pid] = Symbols(pid)
                except OSError:
                    self.symbols[pid] = None
            symbols = self.symbols[pid]
            found = symbols.name(address) if symbols is not None else {}
            if found:
                self.locks[(pid, address)] = found

    def look_at_descriptors(self, observation: "Observation") -> None:
        """The descriptors that epoll reported, where its data is a descriptor's number."""
        for key in observation.obj.keys("readiness"):
            number = key["data"] & 0xFFFFFFFF
            if number < 1 << 20 and os.path.isdir("/proc/%d/fd" % key["tgid"]):
                words, _, _ = self.reader.descriptor(key["tgid"], number)
                if words != "descriptor %d" % number:
                    lost = "a socket that is not connected"
                    self.descriptors[(key["tgid"], number)] = lost if words == "socket" else words

    def look_at_blocked(self, observation: "Observation") -> None:
        """The descriptors of calls that have not ended."""
        for pid in family(observation.pids):
            for row in observation.obj.iterate("blocked", "blocked_row", pid)[:200]:
                if row["first"] < 1 << 20 and os.path.isdir("/proc/%d/fd" % pid):
                    words, _, _ = self.reader.descriptor(pid, row["first"])
                    if not words.startswith("descriptor "):
                        self.descriptors.setdefault((pid, row["first"]), words)

    def look_at_sockets(self, pids: "list[int]") -> None:
        """Who stands at both ends of the sockets that are open, with the direction."""
        for pid in pids:
            try:
                fds = os.listdir("/proc/%d/fd" % pid)
            except OSError:
                continue
            for fd in fds:
                try:
                    to = os.readlink("/proc/%d/fd/%s" % (pid, fd))
                except OSError:
                    continue
                if to.startswith("socket:[") and len(self.sockets) < MOST_SOCKETS:
                    words, _, _ = self.reader.descriptor(pid, int(fd))
                    if words != "socket":
                        self.sockets[int(to[8:-1])] = words

    def tell(self, observation: "Observation") -> None:
        """Print them."""
        for number in {key["device"] for key in observation.obj.keys("descriptors")}:
            try:
                to = os.readlink("/sys/dev/block/%d:%d" % (number >> 20, number & 0xFFFFF))
            except OSError:
                continue  # no disk: memory, the network, a layer over others
            emit({"device_number": number, "name": "/dev/" + os.path.basename(to)})
        for (pid, address), found in self.locks.items():
            emit(dict(found, of=pid, address=address))
        for (pid, number), words in self.descriptors.items():
            emit({"of": pid, "descriptor": number, "words": words})
        for inode, words in self.sockets.items():
            emit({"socket": inode, "words": words})
        for symbols in self.symbols.values():
            if symbols is not None:
                symbols.close()


NAMED = []  # type: list[DescriptorNames] # the one of this observation


def begin_names(_observation: "Observation") -> None:
    """When it is attached."""
    NAMED.append(DescriptorNames())


def look_at_names(observation: "Observation") -> None:
    """While it goes on."""
    NAMED[0].look(observation)


def tell_names(observation: "Observation") -> None:
    """At its end."""
    tell_closed(observation.pids)
    NAMED[0].look(observation, last=True)
    NAMED[0].tell(observation)


ATTACH = begin_names
TICK = look_at_names
LAST = tell_names
