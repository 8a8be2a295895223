"""Reads what the kernel says of every thread of some processes, and what their descriptors are.

This file travels, in front of a part that uses it in the same namespace (`_threads.py`, `_names_far.py`):
locard gives their source to the target's python3 (3.6 or later) on standard input, so it uses the
standard library only and leaves nothing behind.
"""

import bisect
import errno
import ipaddress
import json
import os
import re
import struct
import sys
import time

MAX_THREADS = 2000  # read per round over all processes; a sample says as much of 10,000
MAX_TABLE_BYTES = 8 << 20  # of one socket table: about 50,000 connections
MAX_MAPS_BYTES = 4 << 20
MAX_SECONDS = 6.0  # after this no new round begins
MAX_FDS = 16  # of one poll, select or epoll that are looked up
SHOWN_FDS = 3  # of those that stand in the words

# The calls that threads are seen waiting in; any other is shown by its number.
_X86_64 = (
    "read 0 write 1 open 2 close 3 stat 4 fstat 5 poll 7 mmap 9 mprotect 10 munmap 11 brk 12 "
    "ioctl 16 pread64 17 pwrite64 18 readv 19 writev 20 select 23 sched_yield 24 msync 26 "
    "madvise 28 pause 34 nanosleep 35 sendfile 40 connect 42 accept 43 sendto 44 recvfrom 45 "
    "sendmsg 46 recvmsg 47 execve 59 wait4 61 semop 65 msgsnd 69 msgrcv 70 fcntl 72 flock 73 "
    "fsync 74 fdatasync 75 ftruncate 77 getdents 78 rename 82 mkdir 83 unlink 87 "
    "rt_sigtimedwait 128 rt_sigsuspend 130 sync 162 futex 202 io_getevents 208 getdents64 217 "
    "restart_syscall 219 semtimedop 220 clock_nanosleep 230 exit_group 231 epoll_wait 232 "
    "waitid 247 openat 257 newfstatat 262 unlinkat 263 renameat 264 pselect6 270 ppoll 271 "
    "splice 275 sync_file_range 277 epoll_pwait 281 fallocate 285 accept4 288 preadv 295 "
    "pwritev 296 recvmmsg 299 sendmmsg 307 renameat2 316 statx 332"
)
_AARCH64 = (
    "io_getevents 4 epoll_pwait 22 fcntl 25 ioctl 29 flock 32 unlinkat 35 ftruncate 46 "
    "fallocate 47 openat 56 close 57 getdents64 61 read 63 write 64 readv 65 writev 66 "
    "pread64 67 pwrite64 68 preadv 69 pwritev 70 sendfile 71 pselect6 72 ppoll 73 splice 76 "
    "newfstatat 79 sync 81 fsync 82 fdatasync 83 sync_file_range 84 waitid 95 futex 98 "
    "nanosleep 101 clock_nanosleep 115 sched_yield 124 restart_syscall 128 rt_sigsuspend 133 "
    "rt_sigtimedwait 137 msgrcv 188 msgsnd 189 semtimedop 192 semop 193 accept 202 connect 203 "
    "sendto 206 recvfrom 207 sendmsg 211 recvmsg 212 brk 214 munmap 215 execve 221 mmap 222 "
    "mprotect 226 msync 227 madvise 233 accept4 242 recvmmsg 243 wait4 260 sendmmsg 269 "
    "renameat2 276 statx 291"
)
# From 424 on, all architectures share their numbers.
_COMMON = "io_uring_enter 426 epoll_pwait2 441 futex_waitv 449 futex_wait 455"

_FD_CALLS = (
    "read write readv writev pread64 pwrite64 preadv pwritev recvfrom recvmsg recvmmsg sendto "
    "sendmsg sendmmsg accept accept4 connect fsync fdatasync sync_file_range fallocate "
    "ftruncate flock fcntl ioctl sendfile splice getdents getdents64"
)
# In /proc/PID/task/TID/status: how often it was switched, and its id in its own pid namespace.
_SWITCHES = re.compile(r"ctxt_switches:\s*(\d+)")
_NSPID = re.compile(r"^NSpid:.*\s(\d+)$", re.MULTILINE)
_PRIVATE = re.compile(r"^(?:RssAnon|VmSwap):\s*(\d+) kB$", re.MULTILINE)
_TRACER = re.compile(r"^TracerPid:\s*(\d+)$", re.MULTILINE)
_ON_FD = frozenset(_FD_CALLS.split())
_TCP_LISTEN, _SYN_SENT = "0A", "02"
_EVENTS = frozenset(("eventfd", "timerfd", "signalfd", "inotify"))


def syscall_names(machine: str) -> "dict[int, str]":
    """The names by number for a machine as uname says it; empty for one that is not known."""
    table = {"x86_64": _X86_64, "aarch64": _AARCH64}.get(machine)
    if table is None:
        return {}
    words = (table + " " + _COMMON).split()
    return {int(words[i + 1]): words[i] for i in range(0, len(words), 2)}


def slurp(path: str, limit: int = 65536) -> "str | None":
    """The text of a /proc file up to a limit, or None where it cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - no Path per file: thousands are read
            return file.read(limit).decode("utf-8", "backslashreplace")
    except OSError:
        return None


def link(path: str) -> "str | None":
    """Where a link leads, or None."""
    try:
        return os.readlink(path)  # noqa: PTH115 - as above
    except OSError:
        return None


def address(text: str) -> str:
    """`0100007F:1F90` as the kernel prints it in hexadecimal -> `127.0.0.1:8080`."""
    host, _, port = text.partition(":")
    words = [int(host[i : i + 8], 16) for i in range(0, len(host), 8)]
    raw = struct.pack(f"={len(words)}I", *words)
    if len(words) == 1:
        return f"{ipaddress.IPv4Address(raw)}:{int(port, 16)}"
    long = ipaddress.IPv6Address(raw)
    return f"{long.ipv4_mapped or f'[{long}]'}:{int(port, 16)}"


class Sockets:
    """Socket inodes to words, from the tables of one network namespace, read when asked."""

    def __init__(self, pid: int) -> None:
        """Any process of the namespace will do."""
        self.pid = pid
        self.known: dict[str, tuple[str, str | None, str]] = {}
        self.serving: set[str] = set()  # ports that something listens on
        self.round = -1

    def get(self, inode: str, at_round: int) -> "tuple[str, str | None, str]":
        """What the socket is, its far end and its kind; connections come and go: again each round."""
        if inode not in self.known and self.round != at_round:
            self.round = at_round
            self.known = {}
            lines = {proto: self._lines(proto) for proto in ("tcp", "tcp6", "udp", "udp6")}
            for proto in ("tcp", "tcp6"):
                self._listeners(lines[proto])
            for proto, found in lines.items():
                self._internet(proto, found)
            self._unix()
        return self.known.get(inode, ("socket", None, "other"))

    def _listeners(self, lines: "list[str]") -> None:
        for line in lines:
            part = line.split(None, 4)
            if len(part) > 3 and part[3] == _TCP_LISTEN:  # noqa: PLR2004 - the state's column
                self.serving.add(part[1].partition(":")[2])

    def _lines(self, proto: str) -> "list[str]":
        text = slurp(f"/proc/{self.pid}/net/{proto}", MAX_TABLE_BYTES)
        return (text or "").splitlines()[1:]

    def _internet(self, proto: str, lines: "list[str]") -> None:
        for line in lines:
            part = line.split()
            try:
                local, remote, inode = address(part[1]), address(part[2]), part[9]
            except (IndexError, ValueError):
                continue
            name = proto[:3]
            if part[3] == _TCP_LISTEN and name == "tcp":
                self.known[inode] = ("tcp listening on " + local, None, "listening")
            elif remote.endswith(":0"):
                self.known[inode] = (name + " " + local, None, "udp" if name == "udp" else "other")
            elif name == "tcp" and part[1].partition(":")[2] in self.serving:
                self.known[inode] = (f"tcp {local} <- {remote}", remote, "incoming")
            else:
                kind = "outgoing" if name == "tcp" else "udp"
                begins = " (connecting)" if part[3] == _SYN_SENT and name == "tcp" else ""
                self.known[inode] = (f"{name} {local} -> {remote}{begins}", remote, kind)

    def _unix(self) -> None:
        for line in self._lines("unix"):
            inode_and_path = line.split(None, 6)[6:]
            if inode_and_path:
                inode, _, path = inode_and_path[0].partition(" ")
                self.known[inode] = (f"unix {path}".strip(), None, "unix")


class Reader:
    """Reads rounds of thread states; keeps socket tables by network namespace."""

    def __init__(self) -> None:
        """Syscall names are those of this machine, which is where the target runs."""
        self.names = syscall_names(os.uname().machine)
        self.sockets: dict[str, Sockets] = {}
        self.maps: dict[int, tuple[list[int], list[tuple[int, int, str]]]] = {}
        self.missed: dict[str, None] = {}
        self.round = 0

    def read_round(self, at_round: int, pids: "list[int]") -> None:
        """Print one line for each thread, and one for each process's I/O counters."""
        self.round = at_round
        self.maps = {}
        tasks = [(pid, self._tids(pid)) for pid in pids]
        total = sum(len(tids) for _, tids in tasks)
        step = max(1, -(-total // MAX_THREADS))
        for pid, tids in tasks:
            chosen = tids[at_round % step :: step]
            if step > 1 and tids:
                self._miss(pid, f"one thread in {step} was read, of {len(tids)}")
            for tid in chosen:
                state = self.thread(pid, tid)
                if state:
                    emit(state)
            self._io(pid)
            if at_round == 0:
                self._condition(pid)

    def _condition(self, pid: int) -> None:
        """Say that a process is stopped, traced, dying or a zombie, if it is."""
        status = slurp(f"/proc/{pid}/status") or ""
        states = [self._state_of(pid, tid) for tid in self._tids(pid)]
        tracer = _TRACER.search(status)
        by = tracer.group(1) if tracer else "0"
        main = re.search(r"^State:\s*(\w)", status, re.MULTILINE)
        worst = main.group(1) if main else ""
        if worst in "TtZX" or by != "0":
            name = re.search(r"^Name:\s*(.*)$", status, re.MULTILINE)
            found: dict[str, object] = {"condition": pid, "state": worst}
            found["name"] = name.group(1) if name else ""
            found["threads"] = sum(s in "Tt" if by != "0" else s == worst for s in states)
            if by != "0":
                found["by"] = f"{(slurp(f'/proc/{by}/comm') or 'a process').strip()} (pid {by})"
            emit(found)

    def _state_of(self, pid: int, tid: int) -> str:
        stat = slurp(f"/proc/{pid}/task/{tid}/stat") or ""
        return (stat.rpartition(")")[2].split() or ["X"])[0]

    def thread(self, pid: int, tid: int) -> "dict[str, object] | None":
        """One thread, or None if it has gone."""
        base = f"/proc/{pid}/task/{tid}/"
        stat = slurp(base + "stat")
        if stat is None or ")" not in stat:
            return None
        comm, _, rest = stat.partition("(")[2].rpartition(")")
        state: dict[str, object] = {
            "round": self.round,
            "pid": pid,
            "tid": tid,
            "comm": comm,
            "state": rest.split()[0],
        }
        status = slurp(base + "status") or ""
        state["switches"] = sum(int(n) for n in _SWITCHES.findall(status))
        inner = _NSPID.search(status)
        if inner and int(inner.group(1)) != tid:
            state["nstid"] = int(inner.group(1))
        wchan = slurp(base + "wchan")
        state["wchan"] = wchan if wchan and wchan != "0" else None
        state["syscall"] = None
        call = slurp(base + "syscall")
        if call is None:
            self._miss(pid, "its system calls may not be read (CAP_SYS_PTRACE)")
        else:
            state["call"] = call.strip()
            self._call(pid, call.split(), state)
        stack = slurp(base + "stack")
        if stack:
            lines = stack.splitlines()[:6]
            state["kernel_stack"] = [s.split()[-1].partition("+")[0] for s in lines if s.split()]
        return state

    def _call(self, pid: int, words: "list[str]", state: "dict[str, object]") -> None:
        if not words or words[0] in ("running", "-1"):
            return
        number = int(words[0])
        name = self.names.get(number, f"syscall {number}")
        state["syscall"] = name
        args = [int(w, 16) for w in words[1:7]]
        if not args:
            return
        if name.startswith("futex"):
            if name != "futex_waitv":  # its first argument is a list of addresses
                state["futex"] = args[0]
                state["futex_in"] = self._mapping(pid, args[0])
            return
        fds = self._waits_on(pid, name, args)
        if fds is None:
            return
        seen = [self.descriptor(pid, fd) for fd in fds[:MAX_FDS]]
        ends = {(peer, kind) for _, peer, kind in seen}
        words_of = [text for text, _, _ in seen]
        if len(fds) > SHOWN_FDS:
            words_of = [*words_of[:SHOWN_FDS], f"{len(fds) - SHOWN_FDS} more"]
        state["waits_for"] = ", ".join(words_of) or "no descriptor"
        kinds = [kind for _, _, kind in seen]
        state["fds"] = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
        if len(fds) <= MAX_FDS and len(ends) == 1:
            peer, kind = ends.pop()
            state["client" if kind == "incoming" else "peer"] = peer

    def _waits_on(self, pid: int, name: str, args: "list[int]") -> "list[int] | None":
        if name in _ON_FD:
            return [args[0] & 0xFFFFFFFF]
        if name.startswith("epoll"):
            info = slurp(f"/proc/{pid}/fdinfo/{args[0]}") or ""
            return [int(s.split()[1]) for s in info.splitlines() if s.startswith("tfd:")]
        if name in ("poll", "ppoll"):
            raw = self._memory(pid, args[0], 8 * min(args[1], MAX_FDS))
            if raw is None:
                return None
            return [fd for fd, _ in struct.iter_unpack("=iI", raw) if fd >= 0]
        if name in ("select", "pselect6"):
            return self._select(pid, args)
        return None

    def _select(self, pid: int, args: "list[int]") -> "list[int] | None":
        size = (min(args[0], 1024) + 63) // 64 * 8
        found: set[int] = set()
        for pointer in args[1:3]:
            if pointer and size:
                raw = self._memory(pid, pointer, size)
                if raw is None:
                    return None
                bits = int.from_bytes(raw, sys.byteorder)
                found.update(i for i in range(args[0]) if bits >> i & 1)
        return sorted(found)

    def descriptor(self, pid: int, fd: int) -> "tuple[str, str | None, str]":
        """What a descriptor is in words, the far end of a connected socket, and its kind."""
        to = link(f"/proc/{pid}/fd/{fd}")
        if to is None:
            return (f"descriptor {fd}", None, "other")
        if to.startswith("socket:["):
            space = link(f"/proc/{pid}/ns/net") or ""
            if space not in self.sockets:
                self.sockets[space] = Sockets(pid)
            table = self.sockets[space]
            table.pid = pid  # the one asked first may have gone
            return table.get(to[8:-1], self.round)
        if to.startswith("pipe:["):
            return ("pipe", None, "pipe")
        if to.startswith("anon_inode:"):
            name = to[11:].strip("[]")
            return (name, None, "event" if name in _EVENTS else "other")
        return ("file " + to, None, "file")

    def _mapping(self, pid: int, at: int) -> "str | None":
        """The mapping that holds an address; zeroed data is told by the file just before it."""
        if pid not in self.maps:
            found = parse_maps(slurp(f"/proc/{pid}/maps", MAX_MAPS_BYTES) or "")
            self.maps[pid] = ([low for low, _, _ in found], found)
        starts, found = self.maps[pid]
        index = bisect.bisect_right(starts, at) - 1
        if index >= 0 and at < found[index][1]:
            return found[index][2]
        return None

    def _memory(self, pid: int, at: int, size: int) -> "bytes | None":
        try:
            with open(f"/proc/{pid}/mem", "rb", 0) as file:  # noqa: PTH123 - as above
                file.seek(at)
                raw = file.read(size)
        except (OSError, OverflowError, ValueError):
            return None
        return raw if raw is not None and len(raw) == size else None

    def _tids(self, pid: int) -> "list[int]":
        try:
            names = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - as above
            return sorted(int(t) for t in names)
        except OSError as error:
            gone = error.errno in (errno.ENOENT, errno.ESRCH)
            self._miss(pid, "it has ended" if gone else os.strerror(error.errno or 0))
            return []

    def _io(self, pid: int) -> None:
        text = slurp(f"/proc/{pid}/io")
        if text:
            counts: dict[str, object] = {"io": pid, "round": self.round, "at": time.time()}
            for line in text.splitlines():
                name, _, value = line.partition(":")
                if value.strip().isdigit():
                    counts[name] = int(value)
            kib = _PRIVATE.findall(slurp(f"/proc/{pid}/status") or "")
            if kib:
                counts["private"] = 1024 * sum(map(int, kib))
            emit(counts)

    def _miss(self, pid: int, why: str) -> None:
        text = f"pid {pid}: {why}"
        if text not in self.missed:
            self.missed[text] = None
            emit({"missed": text})


def parse_maps(text: str) -> "list[tuple[int, int, str]]":
    """/proc/PID/maps as (low, high, name). What touches a file's data is its zeroed data."""
    found: list[tuple[int, int, str]] = []
    for line in text.splitlines():
        span, _, rest = line.partition(" ")
        low, _, high = span.partition("-")
        try:
            start, end = int(low, 16), int(high, 16)
        except ValueError:
            continue
        name = "".join(rest.split(None, 4)[4:]).strip() or "anonymous"
        if name == "anonymous" and found and found[-1][1] == start:
            before = found[-1][2]
            # A thread's stack or heap can touch a library by chance, but never a writable one
            # from below: the loader puts zeroed data right above the data of its file.
            if before.startswith("/"):
                name = before + " (zeroed data)"
        found.append((start, end, name))
    return found


def emit(value: "dict[str, object]") -> None:
    """One JSON line; pure ASCII, whatever a process calls itself."""
    sys.stdout.write(json.dumps(value) + "\n")
