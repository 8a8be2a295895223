"""A flight recorder: the last system calls of each thread before the process ended, or before now.

Shows: for each thread its last calls (--keep, 200 by default) with their arguments, results and times, the
  path or peer of the descriptor, the newest first; calls that had not ended; how the process ended: its exit
  status or the signal.
How: an eBPF program on sys_enter and sys_exit writes into a ring of each thread's own, in the kernel: a
  process that is killed takes nothing of it along. It is read when the target ends or the time is over.
Impact: samples. About 0.3 us for each system call of the target; at most 32 MiB of kernel memory; it
  detaches by itself past --max-overhead, and shows what it has until then.
Limits: names of 95 characters; what was read or written is not kept. Up to 512 threads, less with a large
  --keep; the rings of threads that ended are used again. 32-bit programs are not recorded, nor io_uring.
Source: strace(1) with its end alone; the idea of a flight recorder as in JFR and perf record --overwrite.
"""

from __future__ import annotations

import signal as signals
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing, _traces, syscall_table
from locard.model import params
from locard.model.kernel_facts import Row, Trace
from locard.model.kernel_words import duration
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.kernel._observing import Told
    from locard.model.evidence import Output, Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_EACH_NS = 250.0  # of a system call
_KIND_MASK, _SOCKET, _PIPE = 0o170000, 0o140000, 0o010000
_DESCRIPTOR, _PATH, _FOLDER_AND_PATH, _ADDRESS = 1, 2, 3, 4
_AT_FDCWD = -100
_SMALL = 1 << 16  # numbers below are written as numbers, others as addresses
_MOST_ERRNO = 4096
# How many arguments a call has; of one that is not here none is shown.
_COUNTS = (
    (0, "getpid gettid getppid getuid geteuid getgid getegid sched_yield pause sync rt_sigreturn fork vfork munlockall"),
    (1, "close brk dup exit exit_group unlink rmdir chdir fsync fdatasync syncfs fchdir umask epoll_create1 pipe alarm chroot getpgid times uname set_tid_address"),
    (2, "stat fstat lstat access munmap dup2 rename link symlink mkdir creat chmod fchmod truncate ftruncate listen shutdown kill nanosleep gettimeofday clock_gettime eventfd2 pipe2 flock getcwd statfs fstatfs getrlimit setrlimit sigaltstack mlock munlock clone3 set_robust_list memfd_create getrusage timerfd_create tkill"),
    (3, "read write open poll lseek readv writev ioctl connect accept bind socket sendmsg recvmsg getdents getdents64 mprotect madvise msync fcntl execve tgkill readlink getsockname getpeername unlinkat mkdirat sched_setaffinity sched_getaffinity getrandom dup3 chown faccessat rt_sigsuspend pidfd_open close_range mincore"),
    (4, "openat openat2 pread64 pwrite64 epoll_wait epoll_ctl socketpair rt_sigaction rt_sigprocmask wait4 accept4 sendfile newfstatat readlinkat fadvise64 fallocate clock_nanosleep renameat sync_file_range preadv pwritev prlimit64 timerfd_settime rt_sigtimedwait recvmmsg sendmmsg fchmodat utimensat"),
    (5, "select setsockopt getsockopt ppoll waitid statx mremap prctl clone renameat2 linkat faccessat2 execveat rseq"),
    (6, "mmap sendto recvfrom futex epoll_pwait pselect6 splice copy_file_range preadv2 pwritev2 io_uring_enter epoll_pwait2"),
)  # fmt: skip
_ARGUMENTS = {name: number for number, names in _COUNTS for name in names.split()}
_PATHS = frozenset(
    [
        "open",
        "stat",
        "lstat",
        "access",
        "execve",
        "unlink",
        "rmdir",
        "chdir",
        "rename",
        "link",
        "symlink",
        "mkdir",
        "creat",
        "chmod",
        "truncate",
        "chown",
        "readlink",
        "statfs",
        "chroot",
        "lchown",
        "mknod",
        "umount2",
        "swapon",
    ]
)
_FOLDERS = frozenset(
    [
        "openat",
        "openat2",
        "newfstatat",
        "statx",
        "faccessat",
        "faccessat2",
        "readlinkat",
        "unlinkat",
        "mkdirat",
        "renameat",
        "renameat2",
        "linkat",
        "fchmodat",
        "fchownat",
        "utimensat",
        "execveat",
        "mknodat",
    ]
)
_ADDRESSES = frozenset(("connect", "bind"))
_DESCRIPTORS = syscall_table.ON_DESCRIPTOR | frozenset(
    [
        "close",
        "dup",
        "dup2",
        "dup3",
        "fstat",
        "fchmod",
        "fchown",
        "fchdir",
        "epoll_wait",
        "epoll_pwait",
        "epoll_pwait2",
        "epoll_ctl",
        "fstatfs",
        "timerfd_settime",
        "readv",
        "writev",
    ]
)

COMMANDS = (
    _observing.template("last_calls", "strace -f -p {pid}", own="kernel/_last_calls_far.py"),
)


@dataclass(frozen=True, slots=True)
class Params:
    """For how long, and how many calls of each thread."""

    for_s: float = _observing.for_param(30.0)
    keep: int = params.param(200, "calls of each thread that are kept", least=1, most=10000)
    max_overhead: float = _observing.overhead_param()


PARAMS = Params


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies_to_programs(context)


def scope(context: Context) -> Scope:
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    machine = (context.ground.machine if context.ground else "") or "x86_64"
    kinds = {number: _kind(name) for number, name in syscall_table.names(machine).items()}
    takes = {str(number): kind for number, kind in kinds.items() if kind}
    settings = {
        "set": {"takes": takes},
        "keep": asked.keep,
        "attach": ["begin", "end", "leaves"],
        "rings": ["files", "ends"],
        "share": asked.max_overhead / 100,
        "cost_ns": _EACH_NS,
    }
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def _kind(name: str) -> int:
    if name in _ADDRESSES:
        return _ADDRESS
    if name in _FOLDERS:
        return _FOLDER_AND_PATH
    if name in _PATHS:
        return _PATH
    return _DESCRIPTOR if name in _DESCRIPTORS else 0


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace, or why the kernel did not take it."""
    return _traces.read("last-calls", outputs, _trace)


@dataclass(frozen=True, slots=True)
class _Call:
    tid: int
    tgid: int
    began_ns: int
    took_ns: int
    name: str
    arguments: tuple[int, ...]
    result: int
    file: tuple[int, int, int]
    text: str
    address: str


def _trace(told: Told) -> Trace:
    names = _traces.file_names(told)
    calls = []
    for row in told.others:
        last = row.get("last")
        if isinstance(last, list):
            tid, tgid, began, took, number, arguments, result, key, text, address = last
            name = syscall_table.name(told.machine, number)
            calls.append(
                _Call(
                    tid,
                    tgid,
                    began,
                    took,
                    name,
                    tuple(arguments),
                    result,
                    tuple(key),
                    text,
                    address,
                )
            )
    newest: dict[int, int] = {}
    for call in calls:
        newest[call.tid] = max(newest.get(call.tid, 0), call.began_ns)
    calls.sort(key=lambda c: (-newest[c.tid], c.tid, -c.began_ns))
    ends = {e["tgid"]: e for e in told.events.get("ends", ())}
    rows = [_row(told, names, call, ends.get(call.tgid)) for call in calls]
    return Trace(
        "last-calls",
        _says(told, names, calls, ends),
        told.observed(each_ns=_EACH_NS),
        tuple(rows),
    )


def _row(
    told: Told,
    names: dict[tuple[int, int, int], dict[str, Any]],
    call: _Call,
    end: dict[str, Any] | None,
) -> Row:
    until = end["at_ns"] if end else told.end.get("end")
    words = [_arguments(names, call)]
    if isinstance(until, int):
        words.append(f"{duration(max(0, until - call.began_ns) / 1e9) or '0'} before the end")
    thread = told.thread(call.tid) or (str(end["comm"]) if end and end["tid"] == call.tid else "")
    return Row(
        call.name,
        _result(call),
        thread=thread,
        pid=call.tgid,
        tid=call.tid,
        count=1,
        total_s=round(call.took_ns / 1e9, 9) if call.took_ns else None,
        detail="; ".join(w for w in words if w),
    )


def _result(call: _Call) -> str:
    if not call.took_ns:
        return "not ended"
    if -_MOST_ERRNO < call.result < 0:
        return _traces.result_of(-call.result)
    return str(call.result) if call.result < 1 << 31 else hex(call.result)


def _arguments(names: dict[tuple[int, int, int], dict[str, Any]], call: _Call) -> str:
    """As they would be written in a program, with the name of a descriptor."""
    number = _ARGUMENTS.get(call.name)
    if number is None:
        return ""
    kind = _kind(call.name)
    words = [_number(value) for value in call.arguments[:number]]
    if kind in {_DESCRIPTOR, _ADDRESS, _FOLDER_AND_PATH} and words:
        descriptor = _signed(call.arguments[0])
        name = _file(names.get(call.file))
        words[0] = "AT_FDCWD" if descriptor == _AT_FDCWD else f"{descriptor}{f' = {name}' if name else ''}"  # fmt: skip
    at = {_PATH: 0, _FOLDER_AND_PATH: 1, _ADDRESS: 1}.get(kind)
    if at is not None and at < len(words) and (call.text or call.address):
        words[at] = call.address or f'"{call.text}"'
    return ", ".join(words)


def _signed(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _number(value: int) -> str:
    if value < _SMALL:
        return str(value)
    return str(value - (1 << 64)) if value >> 63 and value > (1 << 64) - _SMALL else hex(value)


def _file(event: dict[str, Any] | None) -> str:
    if event is None:
        return ""
    kind = event["mode"] & _KIND_MASK
    if kind == _PIPE:
        return f"pipe {event['key']['file']}"
    if kind != _SOCKET:
        return str(event["path"])
    ends = event.get("ends") or {}
    far = str(ends.get("far") or "")
    if far and not far.endswith(":0"):
        return f"{ends.get('local')} -> {far}"
    return f"socket {ends['local']}" if ends.get("local") else "unix socket"


def _ended(end: dict[str, Any]) -> str:
    """How a process ended, from its exit code."""
    code = end["code"]
    number = code & 0x7F
    if not number:
        return f"exited with status {code >> 8 & 0xFF}"
    try:
        name = signals.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return f"was ended by {name}"


def _says(
    told: Told,
    names: dict[tuple[int, int, int], dict[str, Any]],
    calls: list[_Call],
    ends: dict[int, dict[str, Any]],
) -> str:
    if not calls:
        return f"no system call began in {told.seconds:.1f} s"
    threads = len({c.tid for c in calls})
    said = f"the last {count(len(calls), 'call')} of {count(threads, 'thread')}"
    # The process that ended last is the target's: children end before it.
    end = max(ends.values(), key=lambda e: e["at_ns"], default=None)
    if end is not None:
        said += f"; process {end['tgid']} ({end['comm']}) {_ended(end)}"
        if len(ends) > 1:
            ways = Counter(_ended(e) for e in ends.values())
            said += f", {count(len(ends) - 1, 'other')} ended ({_traces.in_words(ways)})"
    own = [c for c in calls if end is None or c.tgid == end["tgid"]] or calls
    last = max(own, key=lambda c: c.began_ns)
    result = "not ended" if not last.took_ns else f"= {_result(last)}"
    return f"{said}; its last call: {last.name}({_arguments(names, last)}) {result}"


_BEGAN = '{"began":1000000000,"attached":["begin","end"],"machine":"x86_64"}'
_FILE = '{"key":{"file":13,"device":7340032,"generation":5},"mode":33261,"magic":61267,"path":"/data/wal","event":"files"}'
_PEER = (
    '{"key":{"file":99,"device":8,"generation":7},"mode":49663,"magic":1,"path":"/",'
    '"ends":{"family":2,"protocol":6,"local":"10.0.0.1:40000","far":"10.0.0.2:5432"},"event":"files"}'
)
_CALLS = (
    '{"last":[8,7,5000000000,1000,257,[4294967196,140000000000,0,0,0,0],-2,[0,0,0],"/etc/x",""]}',
    '{"last":[8,7,5100000000,2000,1,[5,140000000000,4096,0,0,0],4096,[13,7340032,5],"",""]}',
    '{"last":[8,7,5200000000,0,0,[6,140000000000,512,0,0,0],0,[99,8,7],"",""]}',
    '{"last":[9,7,5050000000,9000,42,[4,140000000000,16,0,0,0],-111,[0,0,0],"","10.0.0.3:80"]}',
)
_ENDED = '{"at_ns":5900000000,"tid":7,"tgid":7,"code":%d,"comm":"server","event":"ends"}'
_NAME = '{"thread":8,"pid":7,"comm":"worker"}'
_END = '{"end":6000000000,"took":5.0,"why":"ended: the target ended","losses":{},"hits":40}'

SAMPLES = (
    Sample(
        (_traces.recorded(_BEGAN, _FILE, _PEER, *_CALLS, _ENDED % 9, _NAME, _END),),
        (
            (
                "the last 4 calls of 2 threads; process 7 (server) was ended by SIGKILL;"
                " its last call: read(6 = 10.0.0.1:40000 -> 10.0.0.2:5432, 0x2098a67800, 512) not ended"
            ),
            "what='openat', result='ENOENT', thread='worker', pid=7, tid=8",
            'AT_FDCWD, "/etc/x", 0, 0; 900 ms before the end',
            "5 = /data/wal, 0x2098a67800, 4096; 800 ms before the end",
            "what='connect', result='ECONNREFUSED'",
            "4, 10.0.0.3:80, 16; ",
        ),
    ),
    Sample(
        (_traces.recorded(_BEGAN, *_CALLS, _ENDED % 768, _END),),
        ("process 7 (server) exited with status 3",),
    ),
    Sample((_traces.recorded(_BEGAN, _END),), ("no system call began in 5.0 s",)),
)
