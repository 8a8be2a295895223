"""Stacks to names, beside the target: kernel and user frames, code made at run time; 3.6, standard library only.

Stands before `far/observe.py` in one namespace and is used by a program's own part, from its EXTRA:

  stacks = Stacks(observation)            # in ATTACH: opens the files while the target lives
  stacks.refresh()                        # in TICK: files that were mapped meanwhile
  names = stacks.by_id(pid, user, kernel) # ids of bpf_get_stackid into the map `stack_traces`; negative: none
  names = stacks.by_addresses(pid, user_ips, kernel_ips)  # innermost first, as the kernel writes them
  emit({"stack": names, "value": N, "tid": tid})          # outermost first; told by _observing.stacks
  pieces = Pieces(stacks)                 # for programs with include/piece.h; far/unwind.py stands before
  pieces.take(); pieces.tell("samples")   # in TICK and at the end: {"stack", "value", "tid", "pid"} for each
  stacks.tell()                           # what could not be named, as {"unseen": words}

Declare the map so that it is not printed by itself:
  struct { __uint(type, BPF_MAP_TYPE_STACK_TRACE); __uint(max_entries, 8192);
           __uint(key_size, 4); __uint(value_size, 127 * 8); } stack_traces SEC(".maps");
"""

import bisect
import ctypes
import os
import re
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from locard.far.observe import Observation, emit
    from locard.far.processes import family
    from locard.far.symbols import Symbols
    from locard.far.unwind import BP, BX, PC, R12, R13, R14, R15, SP, Unwinder

DEPTH = 127  # of the map `stack_traces`
REFRESH_S = 1.0
MOST_PERF_MAP = 64 << 20
# Where a whole stack begins; one that begins elsewhere was cut: code without frame pointers, mostly.
ROOTS = frozenset(
    (
        "_start", "__libc_start_main", "__libc_start_call_main", "clone", "clone3", "__clone", "__clone3",
        "start_thread", "thread_start", "runtime.goexit", "runtime.mstart", "runtime.goexit.abi0",
        "__libc_start_main_impl", "libc_start_main_stage2", "start", "_start_c", "runtime.rt0_go",
    )
)  # fmt: skip

BASE = re.compile(
    r"\[(libc|libpthread|ld-musl|ld-linux)[-.].*\]$"
)  # stripped: it begins there as well


class Kernel:
    """The kernel's functions by address; without names where they are hidden."""

    def __init__(self) -> None:
        """Reads /proc/kallsyms, the kernel's own list."""
        self.starts, self.names = [], []  # type: list[int], list[str]
        try:
            with open("/proc/kallsyms") as file:
                rows = [line.split(None, 3) for line in file]
        except OSError:
            rows = []
        found = sorted(
            (int(r[0], 16), r[2]) for r in rows if len(r) > 2 and r[1] in "tTwW" and r[0].strip("0")
        )
        for address, name in found:
            self.starts.append(address)
            self.names.append(name)

    def name(self, address: int) -> str:
        """A function's name, marked as the kernel's."""
        at = bisect.bisect_right(self.starts, address) - 1
        return self.names[at] + "_[k]" if at >= 0 else "[kernel]"


def inner_pid(pid: int) -> int:
    """A process's number in its own pid namespace, by which its run time names its map."""
    try:
        with open("/proc/%d/status" % pid) as file:
            for line in file:
                if line.startswith("NSpid:"):
                    return int(line.split()[-1])
    except (OSError, ValueError):
        pass
    return pid


class Process:
    """What one process has mapped, kept open so that it can be read when the process has ended."""

    def __init__(self, pid: int) -> None:
        """Raises OSError where it may not be looked at."""
        self.pid, self.inner = pid, inner_pid(pid)
        self.symbols = Symbols(pid)
        self.root = os.open("/proc/%d/root" % pid, getattr(os, "O_PATH", os.O_RDONLY))
        self.cache = {}  # type: dict[int, str]
        self.jit = None  # type: list[tuple[int, int, str]] | None
        self.python = self.trampoline = False
        self.open_files()

    def open_files(self) -> None:
        """Open the files with code in them."""
        for mapping in self.symbols.maps:
            if "x" in mapping.permissions:
                self.symbols.elf(mapping)
                base = mapping.path.rpartition("/")[2]
                self.python = self.python or base.startswith(("python3", "libpython3"))

    def is_data(self, address: int) -> bool:
        """Whether nothing there can be executed; of what is not known to be mapped that is not known."""
        at = bisect.bisect_right(self.symbols.starts, address) - 1
        if at < 0 or address >= self.symbols.maps[at].end:
            return False
        return "x" not in self.symbols.maps[at].permissions

    def refresh(self) -> None:
        """Look again at what is mapped; what is gone stays known."""
        try:
            before = self.symbols.maps
            self.symbols.read_maps()
        except OSError:
            return
        if not self.symbols.maps:  # it has ended
            self.symbols.maps = before
            self.symbols.starts = [m.start for m in before]
            return
        self.open_files()

    def perf_map(self) -> "list[tuple[int, int, str]]":
        """What the run time says of the code that it made: /tmp/perf-PID.map of its own root."""
        if self.jit is None:
            self.jit = []
            try:
                fd = os.open(
                    "tmp/perf-%d.map" % self.inner, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self.root
                )
            except OSError:
                return self.jit
            with os.fdopen(fd, "rb") as file:
                for line in file.read(MOST_PERF_MAP).splitlines():
                    words = line.split(None, 2)
                    try:
                        at, size = int(words[0], 16), int(words[1], 16)
                    except (ValueError, IndexError):
                        continue
                    name = words[2].decode("utf-8", "backslashreplace") if len(words) > 2 else "?"
                    self.jit.append((at, size, name))
                    self.trampoline = self.trampoline or name.startswith("py::")
            self.jit.sort()
        return self.jit

    def name(self, address: int) -> str:
        """A frame in words: its function, `[file]` where the file names none, `[unknown]`."""
        if address not in self.cache:
            self.cache[address] = self.look_up(address)
        return self.cache[address]

    def look_up(self, address: int) -> str:
        """As name, anew."""
        found = self.symbols.name(address)
        if found.get("symbol"):
            return demangled(str(found["symbol"]))
        path = str(found.get("file", ""))
        if not path.startswith("/"):
            jit = self.perf_map()
            at = bisect.bisect_right(jit, (address, 1 << 64, "")) - 1
            if at >= 0 and address < jit[at][0] + max(jit[at][1], 1):
                return jit[at][2]
        return "[%s]" % (path.rpartition("/")[2].strip("[]") or "unknown")


class Demangler:
    """C++ names as people write them, by the C++ library of the place; as they are where it has none."""

    def __init__(self) -> None:
        """Finds it once."""
        self.known = {}  # type: dict[str, str]
        self.call, self.free = None, None  # type: Any, Any
        try:
            self.call = getattr(ctypes.CDLL("libstdc++.so.6"), "__cxa_demangle")
            self.free = ctypes.CDLL(None).free
        except (OSError, AttributeError):
            return
        self.call.restype = ctypes.c_void_p
        self.call.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        self.free.argtypes = [ctypes.c_void_p]

    def name(self, symbol: str) -> str:
        """A symbol in words."""
        if not symbol.startswith("_Z") or self.call is None or len(symbol) > 2000:
            return symbol
        if symbol not in self.known:
            status = ctypes.c_int()
            at = self.call(
                symbol.split("@", maxsplit=1)[0].encode(), None, None, ctypes.byref(status)
            )
            if at:
                self.known[symbol] = ctypes.string_at(at).decode("utf-8", "backslashreplace")
                self.free(at)
            else:
                self.known[symbol] = symbol
        return self.known[symbol]


DEMANGLER = []  # type: list[Demangler]


def demangled(symbol: str) -> str:
    """A C++ symbol in words, any other as it is."""
    if not symbol.startswith("_Z"):
        return symbol
    if not DEMANGLER:
        DEMANGLER.append(Demangler())
    return DEMANGLER[0].name(symbol)


class Stacks:
    """The stacks of one observation."""

    def __init__(self, observation: "Observation", name: str = "stack_traces") -> None:
        """Opens the files of all processes of the target."""
        self.observation, self.name = observation, name
        self.processes = {}  # type: dict[int, Process | None]
        self.kernel = None  # type: Kernel | None
        self.map = -1
        self.tables = False  # whether stacks are unwound by tables
        self.seen = self.short = self.lost = 0
        self.looked = 0.0
        self.refresh()

    def refresh(self) -> None:
        """Look again, once a second at most: children, libraries that were loaded meanwhile."""
        now = time.monotonic()
        if now - self.looked < REFRESH_S:
            return
        self.looked = now
        for pid in family(self.observation.pids):
            known = self.processes.get(pid)
            if known is not None:
                known.refresh()
            else:
                self.process(pid)

    def process(self, pid: int) -> "Process | None":
        """One process; None where it cannot be looked at."""
        if pid not in self.processes:
            try:
                self.processes[pid] = Process(pid)
            except OSError:
                self.processes[pid] = None
        return self.processes[pid]

    def trace(self, number: int) -> "list[int]":
        """The addresses of a stack id, innermost first."""
        if number < 0:
            return []
        obj = self.observation.obj
        if self.map < 0:
            self.map = obj.check(
                "map %s" % self.name, obj.c.far_map(obj.handle, self.name.encode())
            )
        room = ctypes.create_string_buffer(DEPTH * 8)
        key = ctypes.c_uint32(number)
        if obj.c.far_get(self.map, ctypes.byref(key), room) < 0:
            self.lost += 1
            return []
        found = []
        for address in struct.unpack("=%dQ" % DEPTH, room.raw):
            if not address:
                break
            found.append(address)
        return found

    def by_id(self, pid: int, user: int, kernel: int = -1) -> "list[str]":
        """Names of stack ids, outermost first."""
        return self.by_addresses(pid, self.trace(user), self.trace(kernel))

    def by_addresses(
        self, pid: int, user: "Sequence[int]", kernel: "Sequence[int]" = ()
    ) -> "list[str]":
        """Names of addresses that stand innermost first; the names stand outermost first."""
        process = self.process(pid)
        if kernel and self.kernel is None:
            self.kernel = Kernel()
        names = [self.kernel.name(address) if self.kernel else "[kernel]" for address in kernel]
        for k, address in enumerate(user):
            if process and process.is_data(address):
                break  # a register that is no frame pointer led there: what stands in it is no frame
            # Behind a call: the return address may be the next function's first byte.
            names.append(
                process.name(address - (1 if k or kernel else 0)) if process else "[unknown]"
            )
            if names[-1] in ROOTS:  # what stands behind it is no frame
                break
        if user:
            self.seen += 1
            if len(user) < DEPTH and not any(n in ROOTS or BASE.match(n) for n in names[-3:]):
                self.short += 1
        names.reverse()
        return names

    def tell(self) -> None:
        """What the stacks do not show."""
        if self.short:
            lacks = "frame pointers or unwind tables" if self.tables else "frame pointers"
            emit({"unseen": "%d of %d stacks do not reach the thread's beginning: code without %s hides its callers"
                  % (self.short, self.seen, lacks)})  # fmt: skip
        if self.lost:
            emit({"unseen": "%d stacks were overwritten before they were read" % self.lost})
        if self.kernel is not None and not self.kernel.starts:
            emit({"unseen": "the kernel hides its names (kptr_restrict): its frames are [kernel]"})
        for pid, process in sorted(self.processes.items()):
            if process is None:
                emit(
                    {
                        "unseen": "process %d: its mappings cannot be read, so its frames have no names"
                        % pid
                    }
                )
            elif process.python and not (process.perf_map() and process.trampoline):
                emit({"unseen": "process %d: Python frames are not merged (it was started without -X perf); locard probe stacks shows them" % pid})  # fmt: skip


HEAD = struct.Struct(
    "=6I9Q"
)  # struct piece of piece.h: numbers, then kernel and user addresses, then the stack
MOST_KERNEL, MOST_USER = 64, 127
KERNEL_AT = HEAD.size
USER_AT = KERNEL_AT + 8 * MOST_KERNEL
PIECE_AT = USER_AT + 8 * MOST_USER
MOST_ROWS_OF_STACKS = 5000


class Pieces:
    """Pieces of stacks as they come, unwound by the files' tables and counted by where they were taken."""

    def __init__(self, stacks: "Stacks") -> None:
        """`stacks` names them."""
        self.stacks = stacks
        stacks.tables = os.uname().machine == "x86_64"
        self.counts: "dict[Any, int]" = {}
        self.unwinders = {}  # type: dict[int, Unwinder]
        self.taken = self.cut = 0

    def take(self) -> None:
        """Unwind what has come."""
        for raw in self.stacks.observation.obj.drain_raw("pieces"):
            self.one(raw)

    def one(self, raw: bytes) -> None:
        """One piece."""
        (tid, tgid, size, of_kernel, of_user, _, weight, ip, sp, bp, bx, r12, r13, r14, r15) = (
            HEAD.unpack_from(raw)
        )
        kernel = struct.unpack_from("=%dQ" % min(of_kernel, MOST_KERNEL), raw, KERNEL_AT)
        self.taken += 1
        if size:
            unwinder = self.unwinder(tgid)
            registers = {PC: ip, SP: sp, BP: bp, BX: bx, R12: r12, R13: r13, R14: r14, R15: r15}
            user = (
                tuple(unwinder.walk(registers, sp, raw[PIECE_AT : PIECE_AT + size]))
                if unwinder
                else (ip,)
            )
        else:
            user = struct.unpack_from("=%dQ" % min(of_user, MOST_USER), raw, USER_AT)
        key = (tid, tgid, user, kernel)
        self.counts[key] = self.counts.get(key, 0) + weight

    def unwinder(self, pid: int) -> "Unwinder | None":
        """The unwinder of a process."""
        if pid not in self.unwinders:
            process = self.stacks.process(pid)
            if process is None:
                return None
            self.unwinders[pid] = Unwinder(process.symbols)
        return self.unwinders[pid]

    def tell(self, scale: int = 1) -> None:
        """Print each stack by name with what was counted for it, the greatest first."""
        named = {}  # type: dict[Any, int]
        for (tid, tgid, user, kernel), value in self.counts.items():
            key = (tid, tgid, tuple(self.stacks.by_addresses(tgid, user, kernel)))
            named[key] = named.get(key, 0) + value
        rows = sorted(named.items(), key=lambda item: -item[1])
        for (tid, tgid, stack), value in rows[:MOST_ROWS_OF_STACKS]:
            emit({"stack": stack, "value": value * scale, "tid": tid, "pid": tgid})
        if len(rows) > MOST_ROWS_OF_STACKS:
            rest = sum(value for _, value in rows[MOST_ROWS_OF_STACKS:])
            emit({"stack": ["[many different stacks]"], "value": rest * scale})
