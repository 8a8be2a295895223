"""Finds the functions of TLS libraries in what the target has mapped, and says whose TLS is not seen.

Stands behind `_attacher_far.py` and before `far/observe.py` in one namespace; its lines are those of that.
"""

import ctypes
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.observe import Observation, emit
    from locard.far.processes import alive, family
    from locard.kernel._attacher_far import Attacher, left_pages
    from locard.kernel._functions_far import File, Functions

(
    HANDSHAKE,
    READS,
    READS_EX,
    WRITES,
    WRITES_EX,
    ERRORS,
    FREES,
    GNU_HANDSHAKE,
    GNU_READS,
    GNU_WRITES,
) = range(1, 11)
KINDS = {
    "SSL_do_handshake": HANDSHAKE, "SSL_connect": HANDSHAKE, "SSL_accept": HANDSHAKE,
    "SSL_read": READS, "SSL_read_ex": READS_EX, "SSL_write": WRITES, "SSL_write_ex": WRITES_EX,
    "SSL_get_error": ERRORS, "SSL_free": FREES,
    "gnutls_handshake": GNU_HANDSHAKE, "gnutls_record_recv": GNU_READS, "gnutls_record_send": GNU_WRITES,
    "gnutls_deinit": FREES,
}  # fmt: skip
OTHERS = (("libnss3.so", "NSS"), ("libmbedtls.so", "mbed TLS"), ("libwolfssl.so", "wolfSSL"))
HELD = []  # type: list[Tls]


class Tls:
    """The TLS libraries of one observation."""

    def __init__(self, observation: "Observation") -> None:
        """Attaches to all that are mapped."""
        self.observation = observation
        self.functions = Functions("+".join(sorted(KINDS)))
        self.attacher = Attacher(observation, self.functions, "enter", "leave")
        self.attacher.prepare = self.prepare
        self.before = {pid: left_pages(pid) for pid in family(observation.pids)}
        self.found = set()  # type: set[int]
        self.attacher.begin()

    def prepare(self, pid: int, file: "File") -> None:
        """Tell the program what the functions of a file are."""
        obj = self.observation.obj
        fd = obj.check("map kinds", obj.c.far_map(obj.handle, b"kinds"))
        for function in file.functions:
            kind = next((KINDS[n] for n in function.names if n in KINDS), 0)
            key = ctypes.c_uint32(function.id)
            obj.check(
                "writing kinds", obj.c.far_put(fd, ctypes.byref(key), struct.pack("=I", kind))
            )
        self.found.add(pid)

    def tell(self) -> None:
        """Print what was found, and what is not seen."""
        self.functions_only()
        self.attacher.tell()
        for pid in family(self.observation.pids):
            why = unseen(pid, self.functions)
            if why:
                emit({"unseen": "process %d: %s" % (pid, why)})
        for pid in sorted(self.functions.mapped):
            if alive(pid):
                emit({"left": pid, "pages": left_pages(pid), "before": self.before.get(pid, [])})
        emit({"tls_in": sorted(self.found)})

    def functions_only(self) -> None:
        """The functions by number; what no file has is no news here."""
        for f in self.functions.every:
            emit({"function": f.id, "name": f.name, "file": f.path})


def unseen(pid: int, functions: "Functions") -> str:
    """Whose TLS in a process has no functions that are attached to; empty where none is known."""
    try:
        exe = os.readlink("/proc/%d/exe" % pid)
        with open("/proc/%d/maps" % pid, errors="backslashreplace") as file:
            paths = sorted({line.split(None, 5)[5].strip() for line in file if line.count("/")})
    except (OSError, IndexError):
        return ""
    words = []
    if any(f.go and f.path == exe for f in functions.files.values()):
        words.append("it is a Go program, whose crypto/tls is not seen")
    for path in paths:
        name = path.rpartition("/")[2]
        if name == "libjvm.so":
            words.append("the TLS of Java itself (JSSE) is not seen")
        words += [
            "what goes through %s is not seen" % word
            for lib, word in OTHERS
            if name.startswith(lib)
        ]
    return "; ".join(sorted(set(words)))


def begin_tls(observation: "Observation") -> None:
    """ATTACH."""
    HELD.append(Tls(observation))


def tick_tls(_observation: "Observation") -> None:
    """TICK."""
    HELD[0].attacher.again()


def tell_tls(_observation: "Observation") -> None:
    """EXTRA."""
    HELD[0].tell()


ATTACH = begin_tls
TICK = tick_tls
EXTRA = tell_tls
