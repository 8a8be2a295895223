"""How a python3 is started at a place over a bare pair of streams, and how we know that it was.

One constant text (constant but for a random nonce) goes through the login shell there; argv never
does. It starts the first python3 of at least 3.6 that there is. That one proves that it ran by
*computing* a mark from the nonce, so that neither a mirror nor a forged answer passes. Only then
the program is sent, and run from memory; nothing is written there. Where no python3 starts, the sh
that looked for it says so with a mark that it computed, and serves as `transport/bare.py` says.

The text is tried once: a forced command acts each time. Nothing here does I/O.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from typing import Literal

State = Literal["waiting", "open", "bare", "failed"]
# Why a handshake failed, or what it met; the words for people are made by the transports.
Problem = Literal["", "input", "flood", "output", "terminal"]

NOISE_KEPT = 4096  # bytes from before the mark, for the explanation
NOISE_MOST = 4 << 20  # after which nobody waits for the end of it
_LONGEST_MARK = 256  # bytes
_NONCE = re.compile(r"[0-9a-f]{32}")
# A login that reads lines from our standard input (`read -p "Accept? [y/N]"`) is given empty ones.
_FIRST = b"\n" * 4
_HEX_OLDEST = 0x03060000

# The boot program, a line an argument, since neither quotes nor line ends survive every shell:
# no quote, backslash, `$`, `!` or backtick may stand in it. argv: the nonce, a name, these lines.
# It parses on 3.4, to be able to say that it is too old: 86 sends sh to the next python3.
_BOOT = (
    "import hashlib, os, stat, sys",
    "if sys.hexversion < 0x3060000: os._exit(86)",
    "try: import zlib",
    "except ImportError: os._exit(86)",
    "def digest(data): return hashlib.sha256(data).hexdigest()",
    "def say(fd, mark, word): os.write(fd, (chr(10) + mark + chr(32) + str(word) + chr(10)).encode())",
    "def take(size):",
    " data = bytes()",
    " while len(data) < size:",
    "  part = os.read(0, size - len(data))",
    "  if not part: os._exit(0)",
    "  data += part",
    " return data",
    "mark = digest(sys.argv[1].encode())",
    "kind = os.fstat(1).st_mode",
    "if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):",
    " say(2, digest(mark.encode()), 1)",
    " os._exit(0)",
    "say(1, mark, sys.hexversion)",
    "while not take(1) == bytes([1]): pass",
    "head = take(74)",
    "body = take(min(int(head[:10]), 1 << 24) if head[:10].isdigit() else 0)",
    "good = digest(body).encode() == head[10:]",
    "say(1, digest(mark.encode()), int(good))",
    "if not good: os._exit(0)",
    "code = compile(zlib.decompress(body), sys.argv[2], exec.__name__)",
    "exec(code, dict(__name__=sys.argv[2], NONCE=sys.argv[1]))",
)
_NAME = "locard_far"
_STARTER = "import sys; exec(chr(10).join(sys.argv[3:]))"
_FLAGS = ("-I", "-S", "-B", "-c")

# 86: too old; 2: knows no -I; 126, 127: cannot be executed. Then the next candidate is started.
# In a container whose memory limit leaves too little, an interpreter more could be the one that has the
# service killed: then sh alone serves. What can be given back (inactive file pages) counts as free.
_ROOM = 48 << 20
_LOOK_AT_ROOM = (
    "m=max; u=0; f=0; d=/sys/fs/cgroup; if [ -r $d/memory.max ]; then"
    " read -r m <$d/memory.max; read -r u <$d/memory.current; s=$d/memory.stat; k=inactive_file;"
    " elif [ -r $d/memory/memory.limit_in_bytes ]; then read -r m <$d/memory/memory.limit_in_bytes;"
    " read -r u <$d/memory/memory.usage_in_bytes; s=$d/memory/memory.stat; k=total_inactive_file; fi;"
    ' case "$m" in max|"") ;; *) while read -r a b; do if [ "$a" = "$k" ]; then f=$b; fi; done <$s;'
    f' if [ "$((m-u+f))" -lt {_ROOM} ]; then o=full; fi;; esac; '
)
_LOOK_FOR_PYTHON = (
    "o=none; c=$(command -v python3); "
    + _LOOK_AT_ROOM
    + 'if [ "$o" = none ]; then for p in /usr/bin/python3 /usr/local/bin/python3'
    ' /usr/libexec/platform-python "$c"; do if [ -x "$p" ]; then'
    ' "$p" {python}; r=$?; case $r in 86|2) o=old;; 126|127) o=unfit;; *) exit $r;; esac; fi; done; fi; '
)
# The bare session: `transport/bare.py` writes what `read` reads here. Words are data to the end.
_BARE = (
    'PATH="$PATH:/usr/sbin:/sbin:/usr/bin:/bin"; p="env LC_ALL=C"; t=none;'
    ' if command -v nice >/dev/null; then p="$p nice -n 19"; fi;'
    " if timeout 5 true 2>/dev/null; then t=timeout; fi;"
    ' m={mark}; echo; echo "$m" "$o" "$t" "$(id -u)" "$(id -un)" "$(uname -n)" "$$"; while IFS= read -r n; do'
    ' case "$n" in [1-9]*) ;; *) continue;; esac;'
    " IFS= read -r b; set --;"
    ' while [ "$n" -gt 0 ]; do IFS= read -r a; set -- "$@" "$a"; n=$((n-1)); done;'
    ' if [ "$t" = timeout ]; then set -- timeout -s KILL "$b" "$@"; fi;'
    ' $p "$@" </dev/null; r=$?;'
    ' echo; echo "$m" "$r"; echo >&2; echo "$m" "$r" >&2; done'
)


def new_nonce() -> str:
    """A nonce for one session: 32 hex digits. No secret: every user there may see it in an argv."""
    return secrets.token_hex(16)


def argv(nonce: str) -> tuple[str, ...]:
    """The bootstrap for transports that take an argv (`docker exec`, `kubectl exec`)."""
    return ("/bin/sh", "-c", _script(nonce))


def words(nonce: str) -> str:
    """The bootstrap for transports that take a line for a login shell (ssh), whichever that is.

    One pair of single quotes, in which no shell reads anything but csh's `!` and line ends, and
    fish's backslash: none of them stands in it.
    """
    return f"exec /bin/sh -c '{_script(nonce)}'"


def python_argv(nonce: str, executable: str) -> tuple[str, ...]:
    """The bootstrap for a python3 that is known: this machine's. No shell."""
    return (executable, *_FLAGS, _STARTER, _checked(nonce), _NAME, *_BOOT)


def start_mark(nonce: str) -> str:
    """What a python3 computes there before the program is sent: hex."""
    return hashlib.sha256(_checked(nonce).encode()).hexdigest()


def bare_mark(nonce: str) -> str:
    """What sh computes there where it has no python3: products of the nonce's parts, in decimal."""
    return "".join(str(a * b) for a, b in _factors(nonce))


def _checked(nonce: str) -> str:
    if not _NONCE.fullmatch(nonce):
        raise ValueError(nonce)
    return nonce


def _factors(nonce: str) -> list[tuple[int, int]]:
    """Three pairs whose products fit 31 bits, the arithmetic of the smallest shells."""
    _checked(nonce)
    return [(int(nonce[k : k + 4], 16) + 1, int(nonce[k + 4 : k + 7], 16) + 1) for k in (0, 7, 14)]


def _script(nonce: str) -> str:
    lines = " ".join(f'"{line}"' for line in (_NAME, *_BOOT))
    python = f'{" ".join(_FLAGS)} "{_STARTER}" {_checked(nonce)} {lines}'
    mark = "".join(f"$(({a}*{b}))" for a, b in _factors(nonce))
    return _LOOK_FOR_PYTHON.replace("{python}", python) + _BARE.replace("{mark}", mark)


class Handshake:
    """The operator's side of the bootstrap, without I/O.

    Write `first_bytes()`, then what each `feed` returns. `rest` holds what came behind the last
    mark: frames of the program ("open") or answers of sh ("bare").
    """

    def __init__(self, nonce: str, payload: bytes) -> None:
        """`payload` is the source of the program to run there."""
        packed = zlib.compress(payload, 9)
        digest = hashlib.sha256(packed).hexdigest()
        self._sent = b"\x01%010d%s" % (len(packed), digest.encode()) + packed
        start = start_mark(nonce)
        after = hashlib.sha256(start.encode()).hexdigest()
        self._start = re.compile(rb"%s (\d{1,12})\r?\n" % start.encode())
        self._ready = re.compile(rb"%s ([01])\r?\n" % after.encode())
        self._bare = re.compile(
            rb"%s (none|old|unfit|full) (none|timeout) (\d{0,10}) (\S*) (\S*) (\d{1,10})\r?\n"
            % bare_mark(nonce).encode()
        )
        self._buffer = b""
        self._errors = b""
        self.state: State = "waiting"
        self.problem: Problem = ""
        self.noise = b""  # what came before the mark: never shown unescaped
        self.noise_bytes = 0
        self.rest = b""
        self.python: tuple[int, int] | None = None  # (3, 11), once it has proved itself
        self.bare_words: tuple[str, ...] = ()  # why bare; timeout or none; uid, user, host, pid

    def first_bytes(self) -> bytes:
        """Empty lines for a login that reads some; the boot program skips them."""
        return _FIRST

    def feed(self, data: bytes) -> bytes:
        """Take bytes of standard output; what to write to standard input now."""
        if self.state != "waiting":
            self.rest += data
            return b""
        self._buffer += data
        answer = b""
        if self.python is None:
            if found := self._bare.search(self._buffer):
                self._pass(found)
                self.bare_words = tuple(_word(part) for part in found.groups())
                self.state, self.rest = "bare", self._buffer
                return b""
            if found := self._ready.search(self._buffer):  # meant for standard error: both are one
                self._pass(found)
                self.state, self.problem = "failed", "terminal"
                return b""
            if found := self._start.search(self._buffer):
                self._pass(found)
                version = int(found[1])
                self.python = (version >> 24, version >> 16 & 255)
                answer = self._sent
        if self.python is not None and (found := self._ready.search(self._buffer)):
            self._pass(found)
            if found[1] == b"1":
                self.state, self.rest = "open", self._buffer
            else:
                self.state, self.problem = "failed", "input"
            return b""
        self._drop_noise()
        return answer

    def feed_errors(self, data: bytes) -> None:
        """Look at standard error, where the boot program says that standard output is sent away."""
        seen = self._errors + data
        if self.state in ("waiting", "failed") and self._ready.search(seen):
            self.state, self.problem = "failed", "output"
        self._errors = seen[-_LONGEST_MARK:]

    def _pass(self, found: re.Match[bytes]) -> None:
        self._keep_noise(self._buffer[: found.start()].removesuffix(b"\n"))
        self._buffer = self._buffer[found.end() :]

    def _drop_noise(self) -> None:
        """Let go of what can hold no mark's beginning."""
        extra = len(self._buffer) - _LONGEST_MARK
        if extra > 0:
            self._keep_noise(self._buffer[:extra])
            self._buffer = self._buffer[extra:]
        if self.noise_bytes > NOISE_MOST:
            self.state, self.problem = "failed", "flood"

    def _keep_noise(self, data: bytes) -> None:
        self.noise_bytes += len(data)
        self.noise += data[: NOISE_KEPT - len(self.noise)]

    def closed(self) -> None:
        """Standard output has ended: what was held back belongs to the noise."""
        if self.state == "waiting":
            self._keep_noise(self._buffer)
            self._buffer = b""
            self.state = "failed"


def _word(part: bytes) -> str:
    return part.decode("utf-8", "backslashreplace")[:64]
