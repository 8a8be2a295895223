"""Looks at the target's listening sockets again and again, and counts what its network namespace overflowed.

Stands before `far/observe.py` in one namespace.

  {"listens_unix": path}                              sockets of the other kind, which are not followed
  {"overflows": namespace, "full": N, "dropped": N}   in the namespace, while it was observed
"""

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.observe import Observation, emit
    from locard.far.processes import family

LOOK_EVERY_S = 0.5
LOOKED = [0.0]
SPACES = {}  # type: dict[str, tuple[int, list[int], list[int]]]
UNIX = {}  # type: dict[str, str]
FLAGS, INODE, LISTENS = 3, 6, "00010000"  # columns of /proc/net/unix, and the flag of who listens
MOST_NAMES = 4
COUNTERS = ("ListenOverflows", "ListenDrops")


def overflows(pid: int) -> "list[int]":
    """The counters of a process's network namespace; none where they cannot be read."""
    try:
        with open("/proc/%d/net/netstat" % pid) as file:
            rows = [line.split() for line in file if line.startswith("TcpExt:")]
        return [int(rows[1][rows[0].index(name)]) for name in COUNTERS]
    except (OSError, IndexError, KeyError, ValueError):
        return []


def look(observation: "Observation") -> None:
    """One look at each listening socket; and the counters as they are now."""
    LOOKED[0] = time.monotonic()
    for pid in family(observation.pids):
        observation.obj.iterate("listening", "", pid)
        try:
            space = os.readlink("/proc/%d/ns/net" % pid)
        except OSError:
            continue
        if space not in SPACES or pid == SPACES[space][0]:
            now = overflows(pid)
            if now:
                first = SPACES[space][1] if space in SPACES else now
                SPACES[space] = (pid, first, now)


def look_for_unix(observation: "Observation") -> None:
    """The unix sockets on which the target listens: all that is known of them is their names."""
    for pid in family(observation.pids):
        try:
            with open("/proc/%d/net/unix" % pid, errors="backslashreplace") as file:
                rows = [line.rstrip("\n").split(None, 7) for line in file]
            held = set()
            for fd in os.listdir("/proc/%d/fd" % pid):
                try:
                    held.add(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
                except OSError:
                    continue
        except OSError:
            continue
        for row in rows:
            if len(row) > INODE and row[FLAGS] == LISTENS and "socket:[%s]" % row[INODE] in held:
                name = row[INODE + 1] if len(row) > INODE + 1 else "without a name"
                UNIX[row[INODE]] = name


def begin(observation: "Observation") -> None:
    """The first look at everything."""
    look(observation)
    look_for_unix(observation)


def again(observation: "Observation") -> None:
    """The next, when it is time."""
    if time.monotonic() - LOOKED[0] >= LOOK_EVERY_S:
        look(observation)


def tell_overflows(_observation: "Observation") -> None:
    """What was counted since the first look."""
    for name in sorted(UNIX.values()):
        emit({"listens_unix": name})
    if UNIX:
        names = sorted(UNIX.values())
        more = " and %d more" % (len(names) - MOST_NAMES) if len(names) > MOST_NAMES else ""
        emit({"unseen": "what waits to be accepted at unix sockets: %s%s (ss -lx)" % (", ".join(names[:MOST_NAMES]), more)})  # fmt: skip
    for space, (_, first, last) in SPACES.items():
        emit({"overflows": space, "full": last[0] - first[0], "dropped": last[1] - first[1]})


ATTACH, LAST = begin, look_for_unix
TICK = again
EXTRA = tell_overflows
