"""Children of the server beside the target: how they begin, what they may do, what they leave.

The first part of what is sent to a place; `far/serve.py` follows it in the same namespace. Standard
library only, Python 3.6 or later, from memory.
"""

import base64
import ctypes
import errno
import fcntl
import io
import os
import pwd
import resource
import signal
import sys
import time
import traceback
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    Head = dict[str, Any]

MOST_STDERR = 64 << 10
UNDO_BOUND_S = 10.0
MOST_FDS = 4096
# What a child may inherit: enough to find programs, homes, servers, agents, credentials and zones;
# nothing that loads code into it.
INHERITED = (
    "PATH", "HOME", "USER", "LOGNAME", "TZ", "TMPDIR", "SSH_AUTH_SOCK", "SUDO_USER", "KRB5CCNAME",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
PREFIXES = (
    "XDG_", "KUBE", "DOCKER_", "CONTAINER_", "LOCARD_", "AWS_", "GOOGLE_", "CLOUDSDK_", "AZURE_",
    "OCI_", "TELEPORT_", "TSH_",
)  # fmt: skip
PATHS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
PR_SET_PDEATHSIG = 1
F_SETPIPE_SZ = 1031


def libc() -> "ctypes.CDLL | None":
    """The C library, or None where ctypes cannot load it."""
    try:
        return ctypes.CDLL(None, use_errno=True)
    except (OSError, TypeError):
        return None


def environment() -> "dict[str, str]":
    """What a child may inherit: enough to find programs and zones, nothing that loads code."""
    found = {
        name: value
        for name, value in os.environ.items()
        if name in INHERITED or name.startswith(PREFIXES)
    }
    have = [p for p in found.get("PATH", "").split(":") if p]
    found["PATH"] = ":".join(have + [p for p in PATHS if p not in have])
    found["LC_ALL"] = "C.UTF-8"
    found["PYTHONDONTWRITEBYTECODE"] = "1"
    return found


def start_ticks(pid: int) -> "int | None":
    """When a process started, in clock ticks since boot; None where it is gone or a zombie."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if len(fields) < 20 or (fields[0] in (b"Z", b"X") and int(fields[17]) <= 1):
        return None
    return int(fields[19])


def group_cpu_s(group: int) -> float:
    """CPU seconds of all processes of a group, those that have been reaped included where kept."""
    ticks = float(os.sysconf("SC_CLK_TCK"))
    spent = 0
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            if int(fields[2]) == group:
                spent += sum(int(word) for word in fields[11:15])
        except (OSError, ValueError, IndexError):
            continue
    return spent / ticks


def find(name: str) -> "str | None":
    """The path of a program, or None."""
    if "/" in name:
        return name if os.path.exists(name) else None  # access(2) knows no ambient capability
    beside = os.path.dirname(sys.executable or "")
    for folder in [beside] * bool(beside) + environment()["PATH"].split(":"):
        path = folder + "/" + name
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


class Run:
    """One child: its pipes, what it may still send, and when it must end."""

    def __init__(self, number: int, asked: "Head") -> None:
        """`asked` is the frame that asked for it."""
        self.number = number
        self.asked = asked
        self.pid = -1
        self.pipes = {}  # type: dict[int, str] # descriptor -> "stdout" or "stderr"
        self.left = {"stdout": int(asked.get("most") or (4 << 20)), "stderr": MOST_STDERR}
        self.program = b""
        self.stdin = -1
        self.began = time.monotonic()
        self.until = self.began + float(asked["bound"])
        self.interrupted = False  # it was asked to end by itself
        self.told_by = self.until  # when it has to have told what it has, then
        self.why = ""
        self.kind = ""  # bound, output, cost, stop: how it was stopped
        self.code = None  # type: int | None
        self.ended_at = None  # type: float | None
        self.costed_at = self.began
        self.parts = {}  # type: dict[str, int] # what travelled along, as files in memory


MEMFD_CREATE = {"x86_64": 319, "aarch64": 279}


def memory_file(data: bytes, libc: "ctypes.CDLL | None") -> int:
    """A descriptor of a file that is nowhere but in memory."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("locard", 1)
    else:  # before Python 3.8
        call = MEMFD_CREATE.get(os.uname().machine)
        fd = libc.syscall(call, b"locard", 1) if libc is not None and call else -1
        if fd < 0:
            raise OSError(errno.ENOSYS, "no file in memory can be made here")
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    return fd


def fork(run: Run, argv: "list[str]", source: bytes, libc: "ctypes.CDLL | None") -> None:
    """Start the child: a program of ours in a copy of this process, anything else by exec."""
    out_r, out_w = os.pipe()
    err_r, err_w = os.pipe()
    told_r, told_w = os.pipe()
    parent = os.getpid()
    run.pid = os.fork()
    if run.pid == 0:
        try:
            become_child(parent, run.asked, out_w, err_w, libc)
            if run.asked.get("program") and run.asked.get("sudo"):
                feed(run, source)
            elif run.asked.get("program"):
                close_others(run.parts.values())
                run_program(run, argv, source)
            os.execve(argv[0], argv, environment())
        except OSError as error:
            os.write(told_w, str(error).encode("utf-8", "replace")[:500])
        finally:
            os._exit(127)
    for fd in (out_w, err_w, told_w):
        os.close(fd)
    said = b""
    if not run.asked.get("program") or run.asked.get("sudo"):
        said = os.read(told_r, 512)  # ends when the child has become its program
    os.close(told_r)
    if said:
        os.close(out_r)
        os.close(err_r)
        os.waitpid(run.pid, 0)
        raise OSError(said.decode("utf-8", "replace"))
    run.pipes = {out_r: "stdout", err_r: "stderr"}
    for fd in run.pipes:
        os.set_blocking(fd, False)


def become_child(
    parent: int, asked: "Head", out: int, err: int, libc: "ctypes.CDLL | None"
) -> None:
    """After fork: harmless, and mortal with this process."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (
        signal.SIGHUP,
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGPIPE,
        signal.SIGCHLD,
    ):
        signal.signal(number, signal.SIG_DFL)
    if libc is not None:
        soft = asked.get("ends") == "only interrupted"
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT if soft else signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    lent = asked.get("lend")
    source = int(lent) if lent is not None else os.open(os.devnull, os.O_RDONLY)
    os.dup2(source, 0)
    os.dup2(out, 1)
    os.dup2(out if asked.get("merged") else err, 2)
    if asked.get("idle", True) is None:
        pass  # the target waits for it at each of its stops
    elif not asked.get("idle", True):
        os.nice(10)
    else:
        try:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        except (OSError, AttributeError):
            os.nice(19)
        call = IOPRIO_SET.get(os.uname().machine)
        if libc is not None and call:
            libc.syscall(call, 1, 0, 3 << 13)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # sudo keeps a log of its own, which must not stay empty; clients of engines keep a state.
    if not asked.get("sudo") and not asked.get("state"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    os.chdir("/")


def close_others(kept: "Iterable[int]") -> None:
    """Close all but the standard streams and the parts: its siblings' pipes are none of its business."""
    first = 3
    for fd in sorted(kept):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, max(first, MOST_FDS))


def feed(run: Run, source: bytes) -> None:
    """Give a reader of ours to the python3 that sudo starts: it stands in a pipe as a whole.

    sudo closes what it is not told of, so the parts stand in the text.
    """
    data = str(run.asked.get("before") or "").encode()
    if run.parts:
        data += PARTS_IN_TEXT.encode()
        for name, fd in run.parts.items():
            packed = zlib.compress(os.pread(fd, os.fstat(fd).st_size, 0), 9)
            data += b"PARTS[%r] = unpack(%r)\n" % (name, base64.b85encode(packed).decode())
    data += source
    source_r, source_w = os.pipe()
    fcntl.fcntl(source_w, F_SETPIPE_SZ, max(1 << 16, len(data)))
    os.set_blocking(source_w, False)
    if os.write(source_w, data) != len(data):
        raise OSError(errno.E2BIG, "the reader is too long for a pipe")
    os.close(source_w)
    os.dup2(source_r, 0)


# Before a program that sudo starts: its parts become files in memory there.
PARTS_IN_TEXT = """
import base64, ctypes, os, zlib
PARTS = {}
def unpack(text):
    if hasattr(os, "memfd_create"): fd = os.memfd_create("locard", 1)
    else: fd = ctypes.CDLL(None).syscall({"x86_64": 319, "aarch64": 279}[os.uname().machine], b"locard", 1)
    view = memoryview(zlib.decompress(base64.b85decode(text)))
    while view: view = view[os.write(fd, view):]
    return fd
"""


def run_program(run: Run, argv: "list[str]", source: bytes) -> None:
    """Run a reader of locard's own from memory; its standard streams are the pipes."""
    asked = run.asked
    sys.stdout = io.TextIOWrapper(
        io.open(1, "wb", closefd=False), encoding="utf-8", errors="backslashreplace"
    )
    sys.stderr = io.TextIOWrapper(
        io.open(2, "wb", closefd=False), encoding="utf-8", errors="backslashreplace",
        line_buffering=True,
    )  # fmt: skip
    sys.argv = argv[argv.index("-") :] if "-" in argv else ["-"] + argv[1:]
    code = 0
    names = {"__name__": "__main__", "__builtins__": __builtins__, "PARTS": dict(run.parts)}
    try:
        if asked.get("before"):
            exec(compile(asked["before"], "<before>", "exec"), names)
        exec(compile(source, "<%s>" % asked["program"], "exec"), names)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(end.code + "\n")
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        code = 1
        traceback.print_exc()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        pass
    os._exit(code & 255)


def undo(asked: "Head") -> "list[str]":
    """Remove what a run declared to leave, then look whether it is gone; what is left, in words."""
    left = []
    for item in asked.get("undo") or ():
        problem = ""
        for step in ("undo", "gone"):
            if item.get(step):
                code = wait_for(item[step])
                problem = "" if code == 0 else "%s ended with %s" % (item[step][0], code)
        if problem:
            left.append("%s (%s)" % (item["what"], problem))
    return left


def wait_for(argv: "list[str]") -> "int | None":
    """Run a declared undoing to its end; its exit code, None where it did not end in time."""
    path = find(argv[0])
    if path is None:
        return None
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            null = os.open(os.devnull, os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(null, fd)
            os.execve(path, [str(word) for word in argv], environment())
        finally:
            os._exit(127)
    until = time.monotonic() + UNDO_BOUND_S
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        time.sleep(0.02)
    os.killpg(pid, signal.SIGKILL)
    return None


def ground(tools: "Sequence[str]") -> "Head":
    """Where this runs and as whom, said once."""
    uid = os.geteuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    try:
        with open("/proc/self/status") as file:
            capabilities = file.read().partition("CapEff:")[2].split()[0]
    except (OSError, IndexError):
        capabilities = ""
    own, pid = [], os.getpid()
    while pid > 0 and pid not in own:
        own.append(pid)
        try:
            with open("/proc/%d/stat" % pid, "rb") as file:
                pid = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
    uname = os.uname()
    return {
        "is": "ground", "host": uname.nodename, "user": user, "uid": uid,
        "sudo_user": os.environ.get("SUDO_USER"), "machine": uname.machine,
        "kernel": uname.release, "python": "%d.%d.%d" % sys.version_info[:3],
        "executable": sys.executable or "", "ticks": os.sysconf("SC_CLK_TCK"),
        "capabilities": capabilities, "now": time.time(), "own": own,
        "tools": {name: path for name, path in ((n, find(n)) for n in tools) if path},
    }  # fmt: skip
