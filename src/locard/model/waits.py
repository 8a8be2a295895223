"""Whether a thread is at work, waits for work, or cannot be told, by what the kernel says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from locard.model.facts import ThreadState

Work = Literal["busy", "idle", "unknown"]

_POLLS = frozenset(
    {"epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6"}
)
_ACCEPTS = frozenset({"accept", "accept4"})
# Waiting for children or for signals is what a supervisor does.
_SUPERVISES = frozenset({"wait4", "waitid", "pause", "rt_sigtimedwait", "rt_sigsuspend"})
_RECEIVES = frozenset({"read", "readv", "recvfrom", "recvmsg", "recvmmsg"})
# Waits that a pool's worker and a thread in trouble share: the call alone does not tell.
_OPEN = frozenset({"nanosleep", "clock_nanosleep", "sched_yield", "io_getevents", "io_uring_enter",
                   "restart_syscall", "msgrcv", "semop", "semtimedop"})  # fmt: skip
_SELECTS = frozenset({"select", "pselect6", "poll", "ppoll"})
_SLEEPS = frozenset({"nanosleep", "clock_nanosleep"})
_FOR_WORK = frozenset({"listening", "incoming", "pipe", "event", "unix"})


def kernel_work(state: ThreadState) -> Work:
    """What the kernel's word alone allows to say of a thread.

    Idle only where the wait is known to be for work: for a connection, for a client's next bytes,
    for children or signals. A lock (futex) and a sleep cannot be told.
    """
    call = state.syscall or ""
    kinds = {kind for kind, _ in state.fds}
    if state.state in {"R", "D"}:
        return "busy"
    if state.state not in {"S", "I"} or not call:
        return "unknown"
    return _of_a_call(call, kinds)


def _of_a_call(call: str, kinds: set[str]) -> Work:
    if call in _ACCEPTS or call in _SUPERVISES:
        return "idle"
    if call in _POLLS:
        return _of_a_poll(kinds)
    if call in _OPEN or call.startswith(("futex", "syscall ")):
        return "unknown"
    if call in _RECEIVES:
        return _of_a_read(kinds)
    return "busy"


def _of_a_read(kinds: set[str]) -> Work:
    if kinds == {"incoming"}:
        return "idle"
    return "busy" if kinds & {"outgoing", "udp", "file"} else "unknown"


def _of_a_poll(kinds: set[str]) -> Work:
    """A wait for any of several descriptors: for work, if none of them is a peer's."""
    if kinds & {"outgoing", "udp"}:
        # An event loop keeps idle connections to peers among the others; one alone is a wait.
        return "unknown" if kinds & {"listening", "incoming", "event"} else "busy"
    if kinds & {"listening", "incoming"} and kinds <= _FOR_WORK:
        return "idle"
    return "unknown"


def kernel_words(state: ThreadState) -> str:  # noqa: PLR0911 - one return a kind of wait
    """What the thread does, in words, as far as the kernel says."""
    call = state.syscall or "the kernel"
    if state.state == "R":
        return "runs"
    if state.state in {"T", "t"}:
        return "is stopped" if state.state == "T" else "is stopped by a tracer"
    if state.peer and is_connecting(state):
        return f"waits for the connection to {state.peer}"
    if state.peer:
        return f"waits for the answer of {state.peer}"
    if state.client:
        return "waits for its client to send"
    if call in _SLEEPS or (call in _SELECTS and state.waits_for == "no descriptor"):
        return "sleeps"  # as time.sleep() does up to 3.10
    if call.startswith("futex"):
        return "waits for the GIL" if of_interpreter(state) else "waits for a lock"
    if state.state == "D":
        for_what = f" ({state.waits_for})" if state.waits_for else ""
        return f"waits for the disk in {call}{for_what}"
    if state.waits_for:
        return f"waits for {state.waits_for} in {call}"
    return f"waits in {call}"


def is_connecting(state: ThreadState) -> bool:
    """Whether what a thread waits for is the connection itself: inside connect, or beside it."""
    return state.syscall == "connect" or (state.waits_for or "").endswith("(connecting)")


def of_interpreter(state: ThreadState) -> bool:
    """Whether a futex lies in the interpreter's own data: its GIL or another of its locks."""
    name = (state.futex_in or "").removesuffix(" (zeroed data)").rpartition("/")[2]
    return name.startswith(("python", "libpython"))
