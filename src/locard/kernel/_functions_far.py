"""Functions by name in what processes have mapped, as ltrace's filter names them; 3.6, standard library only.

Stands behind `far/symbols.py` and before `far/observe.py` in one namespace:

  found = find_functions(expression, pids)   # [Function], in the order of their files
  follow = Follower(observation, found, ...)  # attaches, and again where a file or a process is new

  {"function": id, "name", "file", "offset", "aliases": [...], "pids": [...], "returns": bool, "why": ""}
  {"no_function": "the rule", "why": ...}
  {"unseen": words}
  {"left_out": functions that fit and were not attached to, "of": all that fit}
"""

import ctypes
import errno
import os
import re
import struct
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.ebpf import PARTS, Refused
    from locard.far.observe import Observation, emit
    from locard.far.processes import family
    from locard.far.symbols import FUNC, IFUNC, Elf, Mapping, Symbols

MOST_FUNCTIONS = 600  # the kernel takes 5 to 10 ms to let go of each, and of its return
# A cookie (calls.h): the function's number, then whether its return is attached to, then the kind of its site.
MOST_SINGLE = 60  # probes, where each takes one of its own
SELF_TEST = 0xFFFFFFFF  # our own call, by which the kernel is tried
RETURNS = 1 << 32
SITE_SHIFT = 33
EMULATED, ENDBR, STEPPED = 0, 1, 2
OWN_FUNCTIONS = 2048 - 8
LOOK_S = 1.0
ATTACHING_S = 5.0  # at the beginning; what is not attached to by then is left out, and said
# Functions that return twice, never, or through an unwinder: a replaced return address would end the target.
NO_RETURN = re.compile(
    r"_*(sig)?setjmp|_*(sig)?longjmp(_chk)?|_*v?fork|_*clone[23]?|[gs]etcontext|swapcontext|makecontext"
    r"|_*jmp_fcontext|jump_fcontext|ontop_fcontext|__cxa_.*|_Unwind_.*|__gxx_.*|pthread_exit|_*exit|_Exit"
    r"|exec[lv].*|abort|__libc_start.*|start_thread|main|_start|__restore_rt|siglongjmp|coro_.*|.*greenlet.*"
)
# C++ functions that throw nothing: every form of delete, and new (std::nothrow).
NO_THROW = re.compile(r"_Zd[al]Pv.*|_Zn[aw]m.*RKSt9nothrow_t")


class Rule:
    """One word of a filter: `+SSL_*@libssl*`; later ones add to or take from what stands before."""

    def __init__(self, text: str) -> None:
        """`text` begins with + or - (or nothing: +)."""
        self.text = text
        self.add = not text.startswith("-")
        words = text.lstrip("+-")
        self.symbol, at, self.library = words.partition("@")
        if not at:
            self.library = "*"
        self.symbol = self.symbol or "*"
        self.of_symbol = pattern(self.symbol)
        self.of_library = None if self.library == "MAIN" else pattern(self.library)

    def in_file(self, path: str, main: bool) -> bool:
        """Whether the rule is about a file: by its path where it has a slash, else by its name."""
        if self.of_library is None:
            return main
        name = path if "/" in self.library else path.rpartition("/")[2]
        return bool(self.of_library.match(name))


def pattern(words: str) -> "Any":
    """A shell pattern as ltrace reads it, or /regular expression/."""
    if len(words) > 1 and words.startswith("/") and words.endswith("/"):
        return re.compile("(?:" + words[1:-1] + r")")
    out, k = "", 0
    while k < len(words):
        c = words[k]
        if c == "*":
            out += "" if out.endswith(".*") else ".*"  # several are one, and quicker
        elif c == "?":
            out += "."
        elif c == "[" and "]" in words[k + 2 :]:
            end = words.index("]", k + 2)
            inner = words[k + 1 : end].replace("\\", "\\\\")
            out += "[" + ("^" + inner[1:] if inner[0] in "!^" else inner) + "]"
            k = end
        else:
            out += re.escape(c)
        k += 1
    return re.compile(out + r"\Z")


def rules_of(expression: str) -> "list[Rule]":
    """The rules of an expression in order; the first `-` alone begins with everything, as in ltrace."""
    parts = [p for p in re.split(r"(?=[+-])", expression) if p.strip("+- ")]
    rules = [Rule(p.strip()) for p in parts]
    if rules and not rules[0].add:
        rules.insert(0, Rule("+*"))
    return rules


def takes(rules: "list[Rule]", name: str) -> bool:
    """Whether the last rule that fits a name adds it."""
    taken = False
    for rule in rules:
        if rule.of_symbol.match(name):
            taken = rule.add
    return taken


class Function:
    """One place in one file, with all names that it has there."""

    def __init__(self, path: str, name: str, offset: int, key: "Any") -> None:
        """`key` identifies the file: device, inode."""
        self.path, self.name, self.offset, self.key = path, name, offset, key
        self.names = [name]
        self.size = 0
        self.site = EMULATED
        self.returns, self.why = True, ""
        self.id = -1
        self.pids = []  # type: list[int]


class File:
    """One mapped file and its functions that the rules take."""

    def __init__(
        self, symbols: "Symbols", mapping: "Mapping", main: bool, rules: "list[Rule]"
    ) -> None:
        """Reads its symbols if any rule is about it."""
        self.path, self.main, self.key = mapping.path, main, mapping.inode
        self.functions = []  # type: list[Function]
        self.skipped = {}  # type: dict[str, str]
        self.fd = -1
        self.base = 0
        self.stripped = self.go = False
        about = [r for r in rules if r.in_file(mapping.path, main)]
        if not any(r.add for r in about):
            return
        elf = symbols.elf(mapping)
        if elf is None:
            return
        self.fd = os.dup(elf.fd)
        self.stripped = elf.stripped
        self.go = any(name in (".gopclntab", ".go.buildinfo") for name in section_names(elf))
        self.take(elf, about)

    def take(self, elf: "Elf", rules: "list[Rule]") -> None:
        """The functions whose name the last rule about them takes; several names of one place are one."""
        by_offset = {}  # type: dict[int, Function]
        for name, address, size, kind in elf.every():
            bare = name.partition("@")[0]
            if kind not in (FUNC, IFUNC) or not takes(rules, bare):
                continue
            offset = elf.file_offset(address)
            if kind == IFUNC:
                self.skipped[bare] = "it is chosen when the program starts (IFUNC)"
            elif offset is not None:
                found = by_offset.setdefault(offset, Function(self.path, bare, offset, self.key))
                found.size = found.size or size
                if bare not in found.names:
                    found.names.append(bare)
        for found in by_offset.values():
            # The name that people know: without underscores in front, the shortest.
            found.names.sort(
                key=lambda n: (n.startswith("__"), n.startswith("_") and n[:2] != "_Z", len(n), n)
            )
            found.name = found.names[0]
            found.site = site_of(elf, found.offset)
            found.why = self.no_return(found.names)
            found.returns = not found.why
        self.functions = sorted(by_offset.values(), key=lambda f: f.offset)

    def no_return(self, names: "list[str]") -> str:
        """Why a function's return must not be attached to; empty where it may."""
        if self.go:
            return "Go moves its stacks"
        if any(NO_RETURN.fullmatch(n) for n in names):
            return "it returns twice, or not"
        if any(n.startswith("_Z") and not NO_THROW.fullmatch(n) for n in names):
            return "C++ exceptions may pass through it"
        return ""

    def way(self) -> str:
        """A path by which the kernel finds the very file."""
        return "/proc/self/fd/%d" % self.fd


def site_of(elf: "Elf", offset: int) -> int:
    """What the kernel does with the instruction that a probe replaces: emulates it, or steps through it."""
    code = os.pread(elf.fd, 4, offset)
    if elf.machine != 62 or len(code) < 4:  # x86-64
        return EMULATED
    if code == b"\xf3\x0f\x1e\xfa":
        return ENDBR
    first, second = code[0], code[1]
    if 0x50 <= first <= 0x57 or (first == 0x41 and 0x50 <= second <= 0x57):  # push
        return EMULATED
    if first in (0x90, 0xC3, 0xE8, 0xE9, 0xEB) or 0x70 <= first <= 0x7F:  # nop, ret, call, jumps
        return EMULATED
    return EMULATED if first == 0x0F and (second == 0x1F or 0x80 <= second <= 0x8F) else STEPPED


def section_names(elf: "Elf") -> "list[str]":
    """The names of a file's sections."""
    index = os.pread(elf.fd, 2, 62)
    number = index[0] | index[1] << 8
    if number >= len(elf.sections):
        return []
    table = elf.sections[number]
    text = os.pread(elf.fd, min(table[5], 1 << 20), table[4])
    found = []
    for section in elf.sections:
        end = text.find(b"\0", section[0])
        if end >= 0:
            found.append(text[section[0] : end].decode("utf-8", "backslashreplace"))
    return found


class Functions:
    """All functions that an expression takes, in all processes."""

    def __init__(self, expression: str) -> None:
        """Nothing is looked at yet."""
        self.rules = rules_of(expression)
        self.files = {}  # type: dict[Any, File]
        self.every = []  # type: list[Function]
        self.mapped = {}  # type: dict[int, set[Any]]
        self.maps = {}  # type: dict[int, str]
        self.unread = set()  # type: set[int]
        self.cut = 0
        # where the code of a file lies in a process: (start, end, offset in the file)
        self.places = {}  # type: dict[Any, list[tuple[int, int, int]]]

    def look(self, pids: "list[int]") -> "list[tuple[int, File]]":
        """The (process, file) pairs that are new and have functions."""
        found = []
        self.places = {}
        for pid in pids:
            try:
                symbols = Symbols(pid)
            except PermissionError:
                self.unread.add(pid)
                continue
            except OSError:
                continue  # it has ended
            self.unread.discard(pid)
            seen = self.mapped.setdefault(pid, set())
            try:
                main = os.readlink("/proc/%d/exe" % pid)
            except OSError:
                main = ""
            for mapping in symbols.maps:
                if "x" not in mapping.permissions or not mapping.path.startswith("/"):
                    continue
                self.places.setdefault((pid, mapping.inode), []).append(
                    (mapping.start, mapping.end, mapping.offset)
                )
                if mapping.inode in seen:
                    continue
                seen.add(mapping.inode)
                if mapping.inode not in self.files:
                    file = File(symbols, mapping, mapping.path == main, self.rules)
                    self.files[mapping.inode] = file
                    self.add(file)
                file = self.files[mapping.inode]
                if file.functions:
                    for function in file.functions:
                        function.pids.append(pid)
                    found.append((pid, file))
            if symbols.closed and not any(pid in f.pids for f in self.every):
                self.unread.add(pid)
            symbols.close()
        return found

    def add(self, file: "File") -> None:
        """Number a file's functions."""
        room = MOST_FUNCTIONS - len(self.every)
        if len(file.functions) > room:
            self.cut += len(file.functions) - room
            file.functions = file.functions[:room]
        for function in file.functions:
            function.id = len(self.every)
            self.every.append(function)

    def lies(self, pid: int, function: "Function") -> "tuple[int, int] | None":
        """From and to, in a process, as of the last look; of one whose size is not known, nothing."""
        for start, end, offset in self.places.get((pid, function.key), ()):
            at = function.offset - offset + start
            if start <= at < end and function.size:
                return at, at + function.size
        return None

    def tell(self, returns: bool) -> None:
        """Say what was found, and which rule found nothing."""
        for f in self.every:
            if not f.pids:
                continue
            emit({"function": f.id, "name": f.name, "file": f.path, "offset": f.offset, "aliases": f.names[1:9],
                  "pids": f.pids, "returns": returns and f.returns, "site": f.site, "why": f.why if returns else ""})  # fmt: skip
        chosen = sorted({n for f in self.files.values() for n in f.skipped})
        if chosen:
            names = ", ".join(chosen[:8]) + (
                " and %d more" % (len(chosen) - 8) if len(chosen) > 8 else ""
            )
            emit(
                {"unseen": "%s: chosen when the program starts (IFUNC), so not attached to" % names}
            )
        for rule in self.rules:
            if not rule.add:
                continue
            hit = any(
                rule.of_symbol.match(n) and rule.in_file(f.path, self.files[f.key].main)
                for f in self.every
                for n in f.names
            )
            if hit:
                continue
            files = [f for f in self.files.values() if rule.in_file(f.path, f.main)]
            skipped = sorted(
                {w for f in files for n, w in f.skipped.items() if rule.of_symbol.match(n)}
            )
            why = skipped[0] if skipped else "no file that is mapped has it"
            if not files:
                why = "no file of that name is mapped"
            elif not skipped and any(f.stripped for f in files if f.fd >= 0):
                why += ", as far as its names are left (stripped files show what they export)"
            emit({"no_function": rule.text.lstrip("+"), "why": why})
        if self.cut:
            emit({"left_out": self.cut, "of": self.cut + len(self.every)})


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
