"""Functions by name in what processes have mapped, as ltrace's filter names them; 3.6, standard library only.

Stands behind `far/symbols.py` and before `far/observe.py` in one namespace; behind `far/unwind.py` too where the filter
may name addresses:

  functions = Functions(expression)
  functions.look(pids)   # [(process, File with its functions)] that are new since the last look
  functions.tell(True)   # prints what was found, and which rule found nothing:

  {"function": id, "name", "file", "offset", "aliases": [...], "pids": [...], "returns": bool, "why": ""}
  {"no_function": "the rule", "why": ...}
  {"unseen": words}
  {"left_out": functions that fit and were not attached to, "of": all that fit}
"""

import bisect
import os
import re
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.observe import emit
    from locard.far.symbols import FUNC, IFUNC, Elf, Mapping, Symbols
    from locard.far.unwind import SP, X86_64, Broken, Tables

MOST_FUNCTIONS = 600  # the kernel takes 5 to 10 ms to let go of each, and of its return
EMULATED, ENDBR, STEPPED = 0, 1, 2
# Functions that return twice, never, or through an unwinder: a replaced return address would end the target.
NO_RETURN = re.compile(
    r"_*(sig)?setjmp|_*(sig)?longjmp(_chk)?|_*v?fork|_*clone[23]?|[gs]etcontext|swapcontext|makecontext"
    r"|_*jmp_fcontext|jump_fcontext|ontop_fcontext|__cxa_.*|_Unwind_.*|__gxx_.*|pthread_exit|_*exit|_Exit"
    r"|exec[lv].*|abort|__libc_start.*|start_thread|main|_start|__restore_rt|siglongjmp|coro_.*|.*greenlet.*"
)
# C++ functions that throw nothing: every form of delete, and new (std::nothrow).
NO_THROW = re.compile(r"_Zd[al]Pv.*|_Zn[aw]m.*RKSt9nothrow_t")


class FilterRule:
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
        # 0x1b2f40@libx.so: what lies there, in the numbering of the file itself, whether it has a name or not
        plain = re.match(r"0x[0-9a-fA-F]{1,16}\Z", self.symbol)
        self.address = int(self.symbol, 16) if plain else None
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


def rules_of(expression: str) -> "list[FilterRule]":
    """The rules of an expression in order; the first `-` alone begins with everything, as in ltrace."""
    parts = [p for p in re.split(r"(?=[+-])", expression) if p.strip("+- ")]
    rules = [FilterRule(p.strip()) for p in parts]
    if rules and not rules[0].add:
        rules.insert(0, FilterRule("+*"))
    return rules


def takes(rules: "list[FilterRule]", name: str) -> bool:
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
        self, symbols: "Symbols", mapping: "Mapping", main: bool, rules: "list[FilterRule]"
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

    def take(self, elf: "Elf", rules: "list[FilterRule]") -> None:
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
        for rule in rules:
            if rule.add and rule.address:
                self.take_address(elf, rule, by_offset)
        for found in by_offset.values():
            # The name that people know: without underscores in front, the shortest.
            found.names.sort(
                key=lambda n: (
                    n.startswith("0x"),
                    n.startswith("__"),
                    n.startswith("_") and n[:2] != "_Z",
                    len(n),
                    n,
                )
            )
            found.name = found.names[0]
            found.site = site_of(elf, found.offset)
            found.why = self.no_return(found.names)
            found.returns = not found.why
        self.functions = sorted(by_offset.values(), key=lambda f: f.offset)

    def take_address(
        self, elf: "Elf", rule: "FilterRule", by_offset: "dict[int, Function]"
    ) -> None:
        """The function that begins at the address of a rule: a probe inside of an instruction would break the target."""
        offset = elf.file_offset(rule.address or 0)
        name = begins_at(elf, rule.address or 0)
        if offset is None or name is None:
            self.skipped[rule.symbol] = "no function begins there"
            return
        found = by_offset.setdefault(
            offset, Function(self.path, name or rule.symbol, offset, self.key)
        )
        if rule.symbol not in found.names:
            found.names.append(rule.symbol)

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


def begins_at(elf: "Elf", address: int) -> "str | None":
    """The name of the function that begins at an address, empty where it has none; None where none begins.

    Without its name it is known by the unwind tables: an entry begins there, and the return address is on top.
    """
    hit = elf.at(address)
    if hit is not None and hit[1] == 0:
        return hit[0]
    if elf.machine != X86_64:
        return None
    try:
        tables = Tables(elf)
    except (Broken, struct.error):
        return None
    at = bisect.bisect_left(tables.starts, address - tables.base)
    rule = tables.rule(address)
    begins = at < len(tables.starts) and tables.starts[at] == address - tables.base
    if not begins or rule is None or (rule.register, rule.offset) != (SP, 8):
        return None
    return ""


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
