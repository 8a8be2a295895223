"""Names what an observation counted, beside the target: locks by symbol, sockets and descriptors in words.

Stands behind `_thread_reader.py` and before `far/observe.py` in one namespace: `EXTRA` is called at the end.

  {"of": pid, "address": N, "symbol", "offset", "file"}   a lock word
  {"of": pid, "descriptor": N, "words": ...}               what epoll reported
  {"socket": inode, "words": ...}                          a socket that is still open
  {"since_before": tid, "pid", "number"}                   a call from before locard came
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.observe import Observation, emit, family
    from locard.far.symbols import Symbols
    from locard.kernel._thread_reader import Reader, slurp

MOST_LOCKS = 40
MOST_SOCKETS = 400


def tell_locks(observation: "Observation") -> None:
    """Name the lock words that were waited for longest."""
    known = {}  # type: dict[int, Any]
    rows = sorted(observation.obj.entries("locks"), key=lambda kv: -kv[1]["total_ns"])
    for key, _ in rows[:MOST_LOCKS]:
        pid = key["tgid"]
        if pid not in known:
            try:
                known[pid] = Symbols(pid)
            except OSError:
                known[pid] = None
        if known[pid] is not None:
            found = known[pid].name(key["address"])
            if found:
                emit(dict(found, of=pid, address=key["address"]))
    for symbols in known.values():
        if symbols is not None:
            symbols.close()


def tell_descriptors(observation: "Observation", reader: "Reader") -> None:
    """Say what the descriptors are that epoll reported, where its data is a descriptor's number."""
    for key, _ in observation.obj.entries("readiness"):
        number = key["data"] & 0xFFFFFFFF
        if number < 1 << 20:
            words, peer, _ = reader.descriptor(key["tgid"], number)
            if words == "socket":
                words = "a socket that is not connected"
            emit({"of": key["tgid"], "descriptor": number, "words": words})


def tell_sockets(reader: "Reader", pids: "list[int]") -> None:
    """Say who stands at both ends of the sockets that are still open, with the direction."""
    count = 0
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
            if to.startswith("socket:[") and count < MOST_SOCKETS:
                words, _, _ = reader.descriptor(pid, int(fd))
                if words != "socket":
                    count += 1
                    emit({"socket": int(to[8:-1]), "words": words})


def tell_older(observation: "Observation") -> None:
    """Say which threads are in a call that began before the observation: the kernel had no entry of it."""
    begun = set()
    for key, _ in observation.obj.entries("calls"):
        begun.add(key["tid"])
    for pid in family(observation.pids):
        for tid, (call, of) in observation.before.items():
            if of != pid or tid in begun:
                continue
            now = slurp("/proc/%d/task/%d/syscall" % (pid, tid)) or ""
            if now == call and now.split()[:1] not in ([], ["running"], ["-1"]):
                emit({"since_before": tid, "pid": pid, "number": int(now.split()[0])})


def look_before(observation: "Observation") -> None:
    """Keep the call that each thread is in when the observation begins."""
    observation.before = {}
    for pid in family(observation.pids):
        try:
            tids = os.listdir("/proc/%d/task" % pid)
        except OSError:
            continue
        for tid in tids[:2000]:
            call = slurp("/proc/%d/task/%s/syscall" % (pid, tid))
            if call:
                observation.before[int(tid)] = (call, pid)


def tell_names(observation: "Observation") -> None:
    """All of it."""
    reader = Reader()
    pids = family(observation.pids)
    tell_older(observation)
    tell_locks(observation)
    tell_sockets(reader, pids)
    tell_descriptors(observation, reader)


ATTACH = look_before
EXTRA = tell_names
