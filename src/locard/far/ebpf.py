"""One eBPF object beside the target: loaded from memory, attached, read as plain values by its own types.

The first part of every reader that observes through the kernel; standard library only, Python 3.6 or
later. `PARTS` names descriptors of what travelled along: the C library (native/far) and the object. What
an entry of a map or an event holds is told by the object's BTF, so that a program needs no reader here.
"""

import ctypes
import errno
import os
import re
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    PARTS: "dict[str, int]"

PER_CPU = (5, 6, 10)  # BPF_MAP_TYPE_PERCPU_HASH, _ARRAY, LRU_PERCPU_HASH
ROOM = 4 << 20  # bytes for one pass over a map or a ring
INT, POINTER, ARRAY, STRUCT, UNION, ENUM, TYPEDEF = 1, 2, 3, 4, 5, 6, 8
MODIFIERS = (8, 9, 10, 11, 18)  # typedef, volatile, const, restrict, type tag
SIGNED = 1
FIRST_USERS = 0xEFFFFFFD  # the inode number of the kernel's first user namespace
FORMATS = {1: "B", 2: "H", 4: "I", 8: "Q"}
# What the kernel lacks or forbids when a step fails, by its errno.
MEANS = {
    errno.EPERM: "not permitted",
    errno.EACCES: "refused by the verifier, or not permitted",
    errno.ENOENT: "this kernel has no such event",
    errno.EINVAL: "this kernel does not know it",
    errno.EOPNOTSUPP: "this kernel does not support it",
    errno.ENOMEM: "there is no memory left for it",
    errno.E2BIG: "it is too big for this kernel",
    errno.ESRCH: "the process has ended, or its kernel types are missing",
}


class Refused(Exception):  # noqa: N818 - the kernel refuses
    """The kernel did not take it: `step`, and the errno as a number."""

    def __init__(self, step: str, number: int, said: str = "") -> None:
        """`said` is the last line of what libbpf and the verifier said; number 0: `step` says it all."""
        self.step, self.number, self.said = step, number, said
        words = MEANS.get(number, os.strerror(number))
        code = errno.errorcode.get(number, number)
        super(Refused, self).__init__("%s: %s (%s)" % (step, words, code) if number else step)


# Lines that explain nothing, or wrongly: what stands around the verifier's words, and libbpf's guess at a limit that
# no kernel since 5.11 has.
IDLE = re.compile(
    r"libbpf: (failed to load object|prog '.*': (failed to load|-- BEGIN|BPF program load failed)|permission error while"
    r"|Error in bpf_object__probe_loading|Failed to bump RLIMIT_MEMLOCK)"
    r"|processed \d+ insns|-- (BEGIN|END) |(peak_states|verification time|stack depth) |; "
)


def why_not(refused: "Refused") -> str:
    """The last words of the verifier or of libbpf that explain; empty where there are none."""
    lines = [line.strip() for line in refused.said.splitlines()]
    lines = [line for line in lines if line and not IDLE.match(line)]
    for line in reversed(lines):
        if "BTF" in line or "permitted" in line or "lockdown" in line:
            return line[:300]
    return lines[-1][:300] if lines else ""


def words_of(path: str) -> str:
    """The text of a file of the kernel; empty where there is none."""
    try:
        with open(path, errors="replace") as file:
            return file.read(4096).strip()
    except OSError:
        return ""


def surroundings() -> "dict[str, str]":
    """What explains a refusal: guard/kernel_refusal.py reads it."""
    status = dict(
        line.split(":", 1) for line in words_of("/proc/self/status").splitlines() if ":" in line
    )
    lockdown = words_of("/sys/kernel/security/lockdown")
    try:
        users = os.stat("/proc/self/ns/user").st_ino
    except OSError:
        users = FIRST_USERS
    return {
        "btf": "yes" if os.path.exists("/sys/kernel/btf/vmlinux") else "",
        "lockdown": lockdown.partition("[")[2].partition("]")[0],
        "tracefs": "yes" if os.path.isdir("/sys/kernel/tracing/events") else "",
        "seccomp": status.get("Seccomp", "").strip(),
        "capabilities": status.get("CapEff", "").strip(),
        "user": str(os.geteuid()),
        "users": ""
        if users == FIRST_USERS
        else "own",  # a user namespace of its own, as rootless containers have
        "last_capability": words_of("/proc/sys/kernel/cap_last_cap"),
        "kernel": os.uname().release,
    }


class Types:
    """The types of an object, from its BTF: struct layouts by name."""

    def __init__(self, raw: bytes) -> None:
        """`raw` is the whole .BTF section."""
        _, _, _, head, type_off, type_len, str_off, str_len = struct.unpack_from("=HBBIIIII", raw)
        self.strings = raw[head + str_off : head + str_off + str_len]
        self.types = [None]  # type: list[Any]
        self.fields = {}  # type: dict[int, list[tuple[int, tuple[int, str, int]]]] # of structs that were read
        self.named = {}  # type: dict[str, int]
        at, end = head + type_off, head + type_off + type_len
        extra = {1: 4, 3: 12, 14: 4, 17: 4}
        each = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}
        while at < end:
            name_off, info, size = struct.unpack_from("=III", raw, at)
            kind, count = info >> 24 & 31, info & 0xFFFF
            at += 12
            rest = extra.get(kind, 0) + each.get(kind, 0) * count
            name = self.text(name_off)
            self.types.append((kind, name, size, info >> 31, count, raw[at : at + rest]))
            if name and kind in (STRUCT, UNION):
                self.named[name] = len(self.types) - 1
            elif name and kind == 14:  # a variable: what its pointer points to
                self.named.setdefault("var " + name, size)
            at += rest

    def text(self, offset: int) -> str:
        """A string of the table."""
        return self.strings[offset : self.strings.index(b"\0", offset)].decode()

    def plain(self, number: int) -> int:
        """A type without typedefs and qualifiers."""
        while number and self.types[number][0] in MODIFIERS:
            number = self.types[number][2]
        return number

    def pointed(self, variable: str) -> int:
        """The struct that a variable of the object points to."""
        number = self.plain(self.named["var " + variable])
        return self.plain(self.types[number][2])

    def field(self, number: int, name: str) -> int:
        """The type of a map's `key` or `value`, which libbpf wraps as a pointer member."""
        for offset, (kind, label, _) in self.members(number):
            if label == name and offset >= 0:
                return self.plain(self.types[self.plain(kind)][2])
        return 0

    def members(self, number: int) -> "list[tuple[int, tuple[int, str, int]]]":
        """(byte offset, (type, name, bits)) of a struct's fields."""
        if number in self.fields:
            return self.fields[number]
        _, _, _, flagged, count, rest = self.types[number]
        found = []
        for k in range(count):
            name_off, kind, offset = struct.unpack_from("=III", rest, 12 * k)
            bits = offset >> 24 if flagged else 0
            offset = offset & 0xFFFFFF if flagged else offset
            found.append((offset // 8, (kind, self.text(name_off), bits)))
        self.fields[number] = found
        return found

    def read(self, number: int, data: bytes, at: int = 0) -> "Any":
        """The value of a type in bytes: numbers, text for arrays of char, lists, dicts."""
        number = self.plain(number)
        kind, _, size, _, _, rest = self.types[number]
        if kind == INT:
            form = FORMATS[size]
            return struct.unpack_from(
                "=" + (form.lower() if self.signed(number) else form), data, at
            )[0]
        if kind in (STRUCT, UNION):
            fields = self.members(number)
            return {label: self.read(of, data, at + offset) for offset, (of, label, _) in fields}
        if kind == ARRAY:
            of, _, count = struct.unpack("=III", rest)
            of = self.plain(of)
            item = self.types[of]
            if item[0] == INT and item[2] == 1:
                raw = data[at : at + count]
                if item[1] == "char":
                    return (
                        raw
                        if count > 64
                        else raw.split(b"\0")[0].decode("utf-8", "backslashreplace")
                    )
                return raw
            if item[0] == INT and not self.signed(of):
                return list(struct.unpack_from("=%d%s" % (count, FORMATS[item[2]]), data, at))
            width = self.width(of)
            return [self.read(of, data, at + k * width) for k in range(count)]
        if kind == ENUM:
            return struct.unpack_from("=" + FORMATS[size], data, at)[0]
        return struct.unpack_from("=Q", data, at)[0]

    def signed(self, number: int) -> bool:
        """Whether a plain type of numbers has negative ones."""
        return bool(struct.unpack("=I", self.types[number][5])[0] >> 24 & SIGNED)

    def width(self, number: int) -> int:
        """Bytes that a value of a type takes."""
        number = self.plain(number)
        kind, _, size, _, _, rest = self.types[number]
        if kind == ARRAY:
            of, _, count = struct.unpack("=III", rest)
            return int(self.width(of) * count)
        return 8 if kind == POINTER else int(size)


def library() -> "ctypes.CDLL":
    """The C library, from memory."""
    if "library" not in PARTS:
        raise Refused("the C library for %s is not part of this build" % os.uname().machine, 0)
    found = ctypes.CDLL("/proc/self/fd/%d" % PARTS["library"], use_errno=True)
    for name, result in (("far_said", ctypes.c_char_p), ("far_version", ctypes.c_char_p),
                         ("far_open", ctypes.c_void_p), ("far_ring", ctypes.c_void_p),
                         ("far_types", ctypes.c_void_p), ("far_dump", ctypes.c_long), ("far_keys", ctypes.c_long),
                         ("far_iterate", ctypes.c_long), ("far_read_iterator", ctypes.c_long),
                         ("far_drain", ctypes.c_long), ("far_own_site", ctypes.c_void_p),
                         ("far_time_site", ctypes.c_int64)):  # fmt: skip
        getattr(found, name).restype = result
    return found


class Site(ctypes.Structure):
    """One function to attach to: its offset in the file, and the program's cookie."""

    _fields_ = [("offset", ctypes.c_uint64), ("cookie", ctypes.c_uint64)]


class RedZone(ctypes.Structure):
    """What a probe did to values below a function's stack pointer: `spoilt` of `tries`, `after` it."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("tries", "spoilt", "hits", "after")]


def inside_spoils(c: "Any") -> str:
    """Why no probe may be put inside a function here; empty where a trial in this process did no harm.

    Some kernels (6.18 until 7.1) write a return address into the red zone of who is probed at a NOP, as USDT
    sites are. What cannot be tried counts as harmful.
    """
    found = RedZone()
    result = c.far_red_zone(0, ctypes.byref(found))
    if result == -errno.EOPNOTSUPP:
        return ""  # only x86-64 has such a path
    if result < 0:
        return "it could not be tried whether a probe inside a function does harm: %s" % (
            os.strerror(-result)
        )
    if found.spoilt:
        return "this kernel's probes inside functions overwrite the target's stack (%d of %d calls)" % (
            found.spoilt, found.tries)  # fmt: skip
    if found.hits < found.tries:
        return "the trial of a probe inside a function was hit %d times in %d calls" % (
            found.hits, found.tries)  # fmt: skip
    return ""


class Object:
    """One eBPF object; everything attached ends with this process at the latest."""

    def __init__(self, part: str) -> None:
        """`part` names the bytes in PARTS; raises Refused."""
        self.c = library()
        size = os.fstat(PARTS[part]).st_size
        data = os.pread(PARTS[part], size, 0)
        handle = self.c.far_open(data, ctypes.c_size_t(len(data)))
        if not handle:
            raise Refused("opening the program", ctypes.get_errno(), self.said())
        self.handle = ctypes.c_void_p(handle)
        length = ctypes.c_uint32()
        raw = self.c.far_types(self.handle, ctypes.byref(length))
        self.types = Types(ctypes.string_at(raw, length.value))
        self.cpus = self.c.far_cpus()
        self.room = ctypes.create_string_buffer(ROOM)
        self.rings = {}  # type: dict[str, Any]
        self.spoils = None  # type: str | None

    def said(self) -> str:
        """What libbpf and the verifier said last."""
        return (self.c.far_said() or b"").decode("utf-8", "backslashreplace")

    def check(self, step: str, result: int) -> int:
        """The result of a call; raises Refused where it is an errno."""
        if result < 0:
            raise Refused(step, -result, self.said())
        return result

    def set(self, name: str, value: "Any", form: str = "") -> None:
        """Set a `const volatile` before loading: a number, bytes, or as `form` of struct packs it."""
        if isinstance(value, (bytes, bytearray)):
            data = bytes(value)
        else:
            number = self.types.plain(self.types.named["var " + name])
            data = struct.pack("=" + (form or FORMATS[self.types.width(number)]), value)
        self.check(
            "setting %s" % name,
            self.c.far_set(self.handle, name.encode(), data, ctypes.c_size_t(len(data))),
        )

    def resize(self, name: str, entries: int) -> None:
        """Give a map so many entries, before loading."""
        self.check("resizing %s" % name, self.c.far_resize(self.handle, name.encode(), entries))

    def leave_out(self, program: str) -> None:
        """Do not load one of its programs."""
        self.check("leaving %s out" % program, self.c.far_leave_out(self.handle, program.encode()))

    def load(self) -> None:
        """Load it into the kernel."""
        self.check("loading the program", self.c.far_load(self.handle))

    def attach(self, program: str) -> None:
        """Attach one program where its section says."""
        self.check("attaching %s" % program, self.c.far_attach(self.handle, program.encode()))

    def attach_sites(
        self,
        program: str,
        pid: int,
        path: str,
        sites: "Sequence[tuple[int, int]]",
        at_return: bool = False,
    ) -> None:
        """Attach to functions of a file: (offset, cookie) each; one link where the kernel can."""
        array = (Site * len(sites))(*[Site(offset, cookie) for offset, cookie in sites])
        result = self.c.far_attach_sites(self.handle, program.encode(), pid, os.fsencode(path), array,
                                         ctypes.c_size_t(len(sites)), int(at_return))  # fmt: skip
        self.check("attaching %s to %s" % (program, path), result)

    def attach_usdt(
        self, program: str, pid: int, path: str, provider: str, name: str, cookie: int = 0
    ) -> None:
        """Attach to a USDT site; refused where such probes do harm, which is tried once."""
        if self.spoils is None:
            self.spoils = inside_spoils(self.c)
        if self.spoils:
            raise Refused("attaching to %s:%s: %s" % (provider, name, self.spoils), errno.EPERM)
        result = self.c.far_attach_usdt(self.handle, program.encode(), pid, os.fsencode(path),
                                        provider.encode(), name.encode(), ctypes.c_uint64(cookie))  # fmt: skip
        self.check("attaching %s to %s:%s" % (program, provider, name), result)

    def attach_clock(self, program: str, pid: int, hz: int) -> None:
        """Attach to the CPU clock of a process (0: of every CPU)."""
        result = self.c.far_attach_clock(self.handle, program.encode(), pid, ctypes.c_uint64(hz))
        self.check("attaching %s to the clock" % program, result)

    def links(self) -> int:
        """How many attachments there are."""
        return int(self.c.far_links(self.handle))

    def detach(self, kept: int = 0) -> None:
        """Detach all but the first so many attachments; what was counted can still be read."""
        if kept:
            self.c.far_detach_from(self.handle, kept)
        else:
            self.c.far_detach(self.handle)

    def iterate(self, program: str, row: str, pid: int = 0) -> "list[Any]":
        """The rows that an iterator writes in one pass over the threads of a process."""
        got = self.c.far_iterate(
            self.handle, program.encode(), pid, self.room, ctypes.c_size_t(ROOM)
        )
        self.check("reading %s" % program, got)
        if not row:
            return []
        of = self.types.pointed(row)
        width = self.types.width(of)
        data = ctypes.string_at(self.room, got)
        return [self.types.read(of, data, at) for at in range(0, got - width + 1, width)]

    def entries(self, name: str) -> "Iterator[tuple[Any, Any]]":
        """(key, value) of a map; a value per CPU is a list."""
        sizes = (ctypes.c_uint32 * 4)()
        self.check("map %s" % name, self.c.far_map_sizes(self.handle, name.encode(), sizes))
        kind, key_size, value_size, _ = list(sizes)
        cpus = self.cpus if kind in PER_CPU else 1
        each = (
            (value_size + 7) // 8 * 8 if kind in PER_CPU else value_size
        )  # as the kernel copies it
        wrapped = self.types.plain(self.types.named["var " + name])
        key_of, value_of = self.types.field(wrapped, "key"), self.types.field(wrapped, "value")
        row, empty = key_size + each * cpus, bytes(each * cpus)
        room = ctypes.create_string_buffer(max(ROOM, row))
        fits, after = len(room) // row, None
        while True:
            count = self.c.far_dump(self.c.far_map(self.handle, name.encode()), ctypes.c_size_t(key_size),
                                    ctypes.c_size_t(each), cpus, after, room, ctypes.c_size_t(len(room)))  # fmt: skip
            self.check("reading %s" % name, count)
            data = ctypes.string_at(room, count * row)
            for at in range(0, len(data), row):
                raw = data[at + key_size : at + row]
                if kind not in (2, 6) or raw != empty:  # of an array, what was never written
                    values = [self.types.read(value_of, raw, k * each) for k in range(cpus)]
                    yield self.types.read(key_of, data, at), values if cpus > 1 else values[0]
            if count < fits:
                return
            after = data[-row : key_size - row or None]

    def keys(self, name: str) -> "Iterator[Any]":
        """The keys of a map alone: for who looks while it grows."""
        sizes = (ctypes.c_uint32 * 4)()
        self.check("map %s" % name, self.c.far_map_sizes(self.handle, name.encode(), sizes))
        wrapped = self.types.plain(self.types.named["var " + name])
        of, fd = self.types.field(wrapped, "key"), self.c.far_map(self.handle, name.encode())
        room, fits, after = ctypes.create_string_buffer(ROOM), ROOM // sizes[1], None
        while True:
            count = self.check(
                "reading %s" % name,
                self.c.far_keys(fd, ctypes.c_size_t(sizes[1]), after, room, ctypes.c_size_t(ROOM)),
            )
            data = ctypes.string_at(room, count * sizes[1])
            for at in range(0, len(data), sizes[1]):
                yield self.types.read(of, data, at)
            if count < fits:
                return
            after = data[-sizes[1] :]

    def drain(self, name: str) -> "Iterator[Any]":
        """The events that stand in a ring buffer now, as its `NAME_event` is declared."""
        for data in self.drain_raw(name):
            yield self.types.read(self.rings[name][1], data)

    def drain_raw(self, name: str) -> "Iterator[bytes]":
        """The same as bytes: for many events."""
        if name not in self.rings:
            ring = self.c.far_ring(self.handle, name.encode())
            if not ring:
                raise Refused("reading %s" % name, ctypes.get_errno(), self.said())
            self.rings[name] = (ctypes.c_void_p(ring), self.types.pointed(name + "_event"))
        ring = self.rings[name][0]
        while True:
            got = self.check(
                "reading %s" % name, self.c.far_drain(ring, self.room, ctypes.c_size_t(ROOM))
            )
            data, at = ctypes.string_at(self.room, got), 0
            while at < got:
                size = struct.unpack_from("=I", data, at)[0]
                yield data[at + 8 : at + 8 + size]
                at += 8 + (size + 7) // 8 * 8
            if got < ROOM // 2:
                return


ENDS = {"max_": max, "min_": min}  # type: dict[str, Any]


def summed(values: "Any") -> "Any":
    """The values of several CPUs as one: sums; of fields named max_* the greatest, of min_* the least."""
    first = values[0]
    if isinstance(first, dict):
        return {name: ENDS.get(name[:4], summed)([v[name] for v in values]) for name in first}
    if isinstance(first, list):
        return [summed([v[k] for v in values]) for k in range(len(first))]
    return sum(values)
