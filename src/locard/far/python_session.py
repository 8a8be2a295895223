"""One watched CPython: the agent is put in, given its parts, asked, read, and seen to be gone.

Stands behind `far/python_names.py` and `far/python_inject.py` in one namespace. The agent's text travels as parts
(`PARTS`: boot, then the others in their order); what it is given is split at its top level, so that no piece holds the
interpreter's lock for long.
"""

import ast
import ctypes
import json
import os
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.memory import Memory, Part
    from locard.far.python_inject import Injector
    from locard.far.python_layout import Layout, UnreadableError
    from locard.far.python_listeners import has_audit_hooks
    from locard.far.python_names import Names
    from locard.far.python_objects import Objects
    from locard.far.python_thread import CODE_MAGIC, PAGE, Mail
    from locard.far.symbols import Symbols
    from locard.far.thread_stop import RefusedError

    PARTS: "dict[str, int]"

PIECE = 2500  # characters that are compiled at once, if the text can be split
ANSWERS_S, BEATS_S, BEGINS_S = 8.0, 0.5, 2.0
SERVES, BROKEN = 2, 4
LAST_TIME = 4102444800.0  # the year 2100


class Session:
    """The agent in one process."""

    def __init__(self, pid: int) -> None:
        """Reads the process from outside; raises UnreadableError, RefusedError or OSError."""
        self.pid = pid
        self.memory = Memory(pid)
        self.symbols = Symbols(pid)
        self.layout = Layout(self.memory, self.symbols)
        if self.layout.free_threaded:
            raise RefusedError(
                "it is a free-threaded CPython: counting and exchanging code there is not safe"
            )
        self.objects = Objects(self.memory, self.layout)
        runtime = self.layout.runtime + self.layout.at["runtime.interpreters_head"]
        self.interpreter = self.main_interpreter(self.memory.number(runtime))
        self.names = Names(self.objects, self.interpreter)
        self.page, self.stopped_s = 0, 0.0
        self.command, self.beat, self.beat_at = 0, 0, 0.0
        self.read_at, self.rest = 0, b""
        self.children = set()  # type: set[int]
        self.before = children_of(pid)

    def main_interpreter(self, first: int) -> int:
        """The interpreter that began first; how many others there are is kept in `others`."""
        self.others = 0
        at = first
        while True:
            after = self.memory.number(at + self.layout.at["interpreter.next"])
            if not after:
                return at
            self.others += 1
            at = after

    # -- put in --------------------------------------------------------------------------------

    def start(self, about: "dict[str, Any]", expires: float) -> None:
        """Put the agent in and give it its parts; raises RefusedError or OSError."""
        if has_audit_hooks(self.objects, self.layout, self.symbols, self.interpreter):
            raise RefusedError(
                "it has audit hooks (sys.addaudithook): they would be told of what is put in, and may end it"
            )
        injector = Injector(self.pid, self.memory, self.symbols, self.untraced())
        text = pieces_of("boot", whole=True)[0]
        words = json.dumps(about, separators=(",", ":")).encode()[: Mail.ABOUT_SIZE]
        self.page, self.stopped_s = injector.start(text, words, expires)
        self.data = self.page + PAGE
        self.wait_begin(injector)
        self.wait(self.serves, "its interpreter's lock was not given to the agent")
        if self.number(Mail.STATE) == BROKEN:
            name = (
                self.memory.read(self.data + Mail.TEXT, 64)
                .partition(b"\0")[0]
                .decode("ascii", "replace")
            )
            known = name.replace("_", "a").replace(".", "a").isalnum()
            why = "its %s was replaced: what is put in would run the application's code" % name
            raise RefusedError(why if known else "the agent's first source failed in it")
        if self.number(Mail.WIPES):
            self.let_go()
            raise RefusedError(
                "its kernel cannot keep forked children clean (MADV_WIPEONFORK, 4.14)"
            )
        for name in [part for part in PARTS if part != "boot"]:
            for piece in pieces_of(name):
                self.give(piece)
        self.give(b"0")  # what it says of the last piece comes before its next answer
        faults = [line["what"] for line in self.lines() if line.get("ev") == "fault"]
        if faults:
            raise RefusedError("what watches could not be put together in it: %s" % faults[0])

    def untraced(self) -> bool:
        """Whether it is of a version whose loop may be many functions, and its memory is not traced."""
        if self.layout.version < (3, 14) or {"tracemalloc", "_tracemalloc"} & set(
            self.names.modules
        ):
            return False
        with open("/proc/%d/cmdline" % self.pid, "rb") as file:
            words = file.read()
        try:
            with open("/proc/%d/environ" % self.pid, "rb") as file:
                words += file.read()
        except OSError:
            return False
        return b"tracemalloc" not in words.lower()

    def wait_begin(self, injector: "Injector") -> None:
        """Until the thread runs: the first it does is to make its data writable. Raises RefusedError where none began."""
        end = time.monotonic() + BEGINS_S
        while time.monotonic() < end:
            self.symbols.read_maps()
            data = self.symbols.mapping(self.data)
            if data is None or data.permissions.startswith("rw"):
                return
            time.sleep(0.002)
        if injector.release(self.page):
            self.page = 0
            raise RefusedError(
                "no thread could be started in it: a limit of threads, processes or memory?",
                "see: locard host pid/%d" % self.pid,
            )

    def serves(self) -> bool:
        """Whether the agent runs, well or not."""
        return self.number(Mail.STATE) in (SERVES, BROKEN)

    def wait(self, done: "Any", why: str) -> None:
        """Until something holds; raises RefusedError, and tells the agent to do nothing if it comes later."""
        end = time.monotonic() + ANSWERS_S
        while not done():
            if time.monotonic() > end:
                self.force(Mail.CANCEL, b"\1")
                self.force(Mail.OFF, b"\1")
                raise RefusedError(
                    "%s within %g s" % (why, ANSWERS_S),
                    "something in it holds the lock (a long call into C?): locard stacks pid/%d"
                    % self.pid,
                )
            if self.number(Mail.STATE):
                self.keep_alive()
            time.sleep(0.001)

    def give(self, text: bytes) -> None:
        """Have some source run, and wait for it."""
        if len(text) > Mail.TEXT_SIZE:
            raise RefusedError("what was asked is too long")
        self.command += 1
        self.write(Mail.TEXT, text)
        self.write(Mail.LENGTH, struct.pack("<Q", len(text)))
        self.write(Mail.COMMAND, struct.pack("<Q", self.command))
        self.wait(lambda: self.number(Mail.DONE) == self.command, "the agent did not answer")

    # -- memory --------------------------------------------------------------------------------

    def number(self, at: int) -> int:
        """A number of the mailbox."""
        return self.memory.number(self.data + at)

    def write(self, at: int, raw: bytes) -> None:
        """Write into the mailbox."""
        write_memory(self.memory, self.data + at, raw)

    def force(self, at: int, raw: bytes) -> None:
        """Write into the mailbox, also before it can be written from inside."""
        descriptor = os.open("/proc/%d/mem" % self.pid, os.O_RDWR)
        try:
            os.pwrite(descriptor, raw, self.data + at)
        finally:
            os.close(descriptor)

    def keep_alive(self) -> None:
        """Let the agent know that we live."""
        now = time.monotonic()
        if now - self.beat_at > BEATS_S:
            self.beat, self.beat_at = self.beat + 1, now
            self.write(Mail.BEAT, struct.pack("<Q", self.beat))
            self.children |= children_of(self.pid) - self.before

    def lines(self) -> "list[dict[str, Any]]":
        """What the agent told since the last time; raises OSError where its memory is gone."""
        self.keep_alive()
        raw = self.memory.read(self.data + Mail.WROTE, 8)
        wrote = int.from_bytes(raw, "little")
        size = wrote - self.read_at
        if not 0 < size <= Mail.RING_SIZE:
            return []
        at = self.read_at % Mail.RING_SIZE
        first = min(size, Mail.RING_SIZE - at)
        text = self.memory.read(self.data + Mail.RING + at, first)
        if size > first:
            text += self.memory.read(self.data + Mail.RING, size - first)
        self.read_at = wrote
        self.write(Mail.READ, struct.pack("<Q", wrote))
        whole, _, self.rest = (self.rest + text).rpartition(b"\n")
        found = []
        for line in whole.split(b"\n"):
            try:
                found.append(json.loads(line.decode("utf-8", "replace")))
            except (ValueError, RecursionError):
                found.append({"ev": "fault", "what": "a line of the agent could not be read"})
        return found

    # -- the end -------------------------------------------------------------------------------

    def let_go(self) -> "list[dict[str, Any]]":
        """Tell it to take back its hooks and to end; what it told last. Returns when its memory is gone, or after 4 s."""
        found = []  # type: list[dict[str, Any]]
        end = time.monotonic() + 4.0
        try:
            self.write(Mail.OFF, b"\1")
            while time.monotonic() < end:
                found += self.lines()
                time.sleep(0.005)
        except OSError:
            pass
        return found

    def gone(self) -> bool:
        """Whether nothing is left of its memory; True where the process itself is gone."""
        try:
            self.symbols.read_maps()
        except OSError:
            return True
        return not any(m.start == self.page for m in self.symbols.maps)

    def close(self) -> None:
        """Let go of files."""
        self.symbols.close()


def pieces_of(name: str, whole: bool = False) -> "list[bytes]":
    """A part of the agent as pieces that can be compiled one after the other; bare of docstrings and imports for types."""
    descriptor = PARTS[name]
    text = os.pread(descriptor, 1 << 20, 0).decode()
    lines = text.split("\n")
    tree = ast.parse(text)
    nodes = [n for n in tree.body if not skipped(n)]
    begins = [
        min([n.lineno] + [d.lineno for d in getattr(n, "decorator_list", [])]) - 1
        for n in tree.body
    ]
    begins.append(len(lines))
    parts = []
    for node, begin, end in zip(tree.body, begins, begins[1:]):
        if node in nodes:
            parts.append("\n".join(lines[begin:end]) + "\n")
    if whole:
        return ["\n".join(parts).encode()]
    found, room = [], 0  # type: list[str], int
    for part in parts:
        if found and room + len(part) <= PIECE:
            found[-1] += part
        else:
            found.append(part)
            room = 0
        room += len(part)
    return [piece.encode() for piece in found]


def skipped(node: "Any") -> bool:
    """Whether a statement of the agent's text is only for people and type checkers."""
    if isinstance(node, ast.Expr) and type(node.value).__name__ in ("Str", "Constant"):
        return True
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name):
        return node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "TYPE_CHECKING"


def write_memory(memory: "Memory", address: int, raw: bytes) -> None:
    """Write into memory that the process itself may write, by process_vm_writev(2); raises OSError."""
    call = memory.libc.process_vm_writev
    call.restype = ctypes.c_ssize_t
    call.argtypes = memory.call.argtypes
    room = ctypes.create_string_buffer(raw, len(raw))
    here = Part(ctypes.addressof(room), len(raw))
    there = Part(address, len(raw))
    if call(memory.pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) != len(raw):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def children_of(pid: int) -> "set[int]":
    """The processes that it or its threads began and that live."""
    found = set()  # type: set[int]
    try:
        for tid in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, tid)) as file:
                found.update(int(p) for p in file.read().split())
    except OSError:
        pass
    return found


def live_agents() -> "list[dict[str, Any]]":
    """Every agent of ours on this machine: {"pid", "page", "about", "expires", "put"}."""
    found = []  # type: list[dict[str, Any]]
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/maps" % name, errors="replace") as file:
                lines = file.read().splitlines()
        except OSError:
            continue
        for line, after in zip(lines, lines[1:]):
            agent = agent_at(int(name), line.split(), after.split())
            if agent:
                found.append(agent)
    return found


def agent_at(pid: int, words: "list[str]", after: "list[str]") -> "dict[str, Any] | None":
    """The agent whose code is in a mapping; None where it is something else."""
    if len(words) > 5 or words[1] != "r-xp" or len(after) > 5 or after[1] != "rw-p":
        return None
    start, end = (int(w, 16) for w in words[0].split("-"))
    if end - start != PAGE or not after[0].startswith("%x-" % end):
        return None
    memory = Memory(pid)
    try:
        if memory.read(start, 7) != CODE_MAGIC:
            return None
        head = memory.read(end, Mail.ABOUT + Mail.ABOUT_SIZE)
    except OSError:
        return None
    about = head[Mail.ABOUT :].rstrip(b"\0").decode("utf-8", "replace")
    try:
        told = json.loads(about)
    except (ValueError, RecursionError):
        told = {}
    expires = struct.unpack_from("<d", head, Mail.EXPIRES)[
        0
    ]  # whoever has a page like ours may say anything
    return {
        "pid": pid, "page": start, "about": told, "expires": expires if 0 < expires < LAST_TIME else 0.0,
        "put": struct.unpack_from("<Q", head, Mail.PUT)[0],
    }  # fmt: skip
