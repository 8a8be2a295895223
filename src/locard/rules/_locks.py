"""Which threads wait for a lock, where, and what speaks for it in the kernel.

Stacks and kernel states are read moments apart and the threads of a pool change places meanwhile.
So nothing here joins one thread at one moment: it counts over rounds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from locard.model.stacks import bare_name, is_busy, is_file, is_idle
from locard.model.waits import kernel_work, of_interpreter
from locard.rules import _facts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locard.model.facts import Frame, StackSamples, ThreadStack, ThreadState

TOGETHER = 2  # threads that wait at one line of one process at one moment: this is a queue
MOMENTS = 2  # moments (process and round) at which threads wait there, one of them in a queue
LEAST_ALONE = 8  # such observations where neither a holder nor a joined wait was seen
LEAST = 4  # observations of waiting threads in all

# A thread that sits here waits for something else than a lock that another thread holds.
_OTHER_WAITS = (
    "queue.py", "selectors.py", "socket.py", "ssl.py", "subprocess.py", "socketserver.py",
    "asyncio/", "concurrent/futures/", "multiprocessing/", "gunicorn/", "http/client.py",
)  # fmt: skip
_ENTERS = frozenset({"acquire", "__enter__"})  # threading's own way into a lock
_IDLE_ON_FUTEX = (
    "threading.py",
    "queue.py",
    "concurrent/futures/thread.py",
    "multiprocessing/pool.py",
    "billiard/pool.py",
)
_RESTING = (
    "futex epoll_wait epoll_pwait epoll_pwait2 accept accept4 nanosleep clock_nanosleep "
    "select pselect6 wait4 waitid pause rt_sigtimedwait rt_sigsuspend"
)
_RESTS = frozenset(_RESTING.split())  # calls of a thread that waits for nothing in particular


@dataclass(frozen=True, slots=True)
class Site:
    """One line of code that threads wait at, with the moments at which several did."""

    file: str
    function: str
    line: int
    moments: tuple[tuple[int, int, int], ...]  # (pid, round, threads that wait)
    tids: frozenset[tuple[int, int]]  # (pid, tid) of every thread seen there
    joined: int  # of the waits, those that the kernel saw in a futex at that very moment
    holders: tuple[
        ThreadStack, ...
    ]  # who has it: as the lock records, else in the same function past the line
    recorded: bool = False  # the lock says who has it

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes in which threads queue here."""
        return tuple(dict.fromkeys(pid for pid, _, _ in self.moments))

    @property
    def most(self) -> int:
        """The most threads seen waiting together."""
        return max(n for _, _, n in self.moments)

    @property
    def place(self) -> str:
        """`reserve (idempotency.py:24)`."""
        return f"{self.function} ({_facts.short(self.file)}:{self.line})"


@dataclass(frozen=True, slots=True)
class Waits:
    """What the kernel says of the threads of the processes of a site."""

    observed: int  # observations of the threads that were seen at the site
    on_futex: int  # of these, in a futex of the program's own memory
    on_interpreter: int  # of these, in a futex of the interpreter: its GIL
    surplus: float  # threads in futex waits, per round, beyond those that are idle
    shared: str  # one address with several of the site's threads, in words; or ""
    holder_waits: str  # what a thread that is neither idle nor at a futex waits for; or ""


def waiting_line(stack: ThreadStack) -> Frame | None:
    """The line at which a thread may wait for a lock; None if it does something else."""
    if stack.active or not stack.frames or is_idle(stack):
        return None
    if stack.kernel is not None and not (stack.kernel.syscall or "").startswith("futex"):
        return None  # at that very moment it slept, or waited for something else
    frames = _frames(stack)
    at = 0
    while at < len(frames) and is_file(frames[at].file, "threading.py"):
        if frames[at].function not in _ENTERS:  # wait, join: for an event, not for a lock
            return None
        at += 1
    if at == len(frames) or any(mark in frames[at].file for mark in _OTHER_WAITS):
        return None
    return frames[at]


def _frames(stack: ThreadStack) -> tuple[Frame, ...]:
    """The frames by their bare names, without those of the import machinery.

    A thread that waits for a module's lock waits at the line that imports it.
    """
    return tuple(
        replace(f, function=bare_name(f.function))
        for f in stack.frames
        if not f.file.startswith("<frozen ")
    )


def sites(samples: StackSamples) -> list[Site]:
    """The lines at which threads of a process queued, seen at several moments; worst first."""
    waiting: dict[Frame, dict[tuple[int, int], list[ThreadStack]]] = {}
    for stack in samples.stacks:
        line = waiting_line(stack)
        if line is not None:
            moments = waiting.setdefault(line, defaultdict(list))
            moments[stack.pid, stack.round].append(stack)
    found = []
    for line, by_moment in waiting.items():
        owners = _owners(by_moment, samples)
        holders = owners or [s for s in samples.stacks if _past(s, line)]
        held = {(s.pid, s.round) for s in holders}
        # One thread that waits while another is past the line counts as well, if there is a
        # queue at another moment: queues come and go.
        moments = {k: v for k, v in by_moment.items() if len(v) >= TOGETHER or k in held}
        most = max((len(v) for v in moments.values()), default=0)
        total = sum(map(len, moments.values()))
        if most >= TOGETHER and len(moments) >= MOMENTS and total >= LEAST:
            found.append(replace(_site(line, moments, holders), recorded=bool(owners)))
    return sorted(found, key=lambda s: -sum(n for _, _, n in s.moments))


def _owners(
    by_moment: dict[tuple[int, int], list[ThreadStack]], samples: StackSamples
) -> list[ThreadStack]:
    """The threads that have the locks which these wait for, where the locks say so."""
    owners = {
        (s.pid, s.round, s.lock.owner)
        for stacks in by_moment.values()
        for s in stacks
        if s.lock is not None and s.lock.owner is not None
    }
    return [s for s in samples.stacks if (s.pid, s.round, s.tid) in owners]


def _site(
    line: Frame, moments: dict[tuple[int, int], list[ThreadStack]], holders: list[ThreadStack]
) -> Site:
    every = [s for stacks in moments.values() for s in stacks]
    return Site(
        file=line.file,
        function=line.function,
        line=line.line,
        moments=tuple((pid, at, len(stacks)) for (pid, at), stacks in sorted(moments.items())),
        tids=frozenset((s.pid, s.tid) for s in every if s.tid is not None),
        joined=sum(s.kernel is not None for s in every),
        holders=tuple(s for s in holders if (s.pid, s.round) in moments),
    )


def _past(stack: ThreadStack, line: Frame) -> bool:
    """Whether the thread is in the same function, beyond the line: inside what the lock guards."""
    for frame in _frames(stack):
        if (frame.file, frame.function) == (line.file, line.function):
            return frame.line > line.line
    return False


def kernel(site: Site, states: Iterable[ThreadState], samples: StackSamples) -> Waits | None:
    """What the kernel says of the site's processes; None if it says nothing of them."""
    seen = [s for s in states if s.pid in site.pids]
    if not seen:
        return None
    mine = [s for s in seen if (s.pid, s.tid) in site.tids]
    rounds = len({s.round for s in seen})
    parked = [s for s in seen if _on_futex(s) and not of_interpreter(s)]
    return Waits(
        observed=len(mine),
        on_futex=sum(_on_futex(s) and not of_interpreter(s) for s in mine),
        on_interpreter=sum(_on_futex(s) and of_interpreter(s) for s in mine),
        surplus=len(parked) / rounds - _idle_on_futex(site, samples),
        shared=_shared(site, parked, samples),
        holder_waits=_holder_waits(site, seen),
    )


def _on_futex(state: ThreadState) -> bool:
    return state.state != "R" and (state.syscall or "").startswith("futex")


def _idle_on_futex(site: Site, samples: StackSamples) -> float:
    """How many threads of the site's processes are parked in a futex for want of work."""
    mine = [s for s in samples.stacks if s.pid in site.pids and s.frames]
    idle = [
        s
        for s in mine
        if not is_busy(s) and any(is_file(s.frames[0].file, end) for end in _IDLE_ON_FUTEX)
    ]
    return len(idle) / max(1, len({s.round for s in mine}))


def _shared(site: Site, parked: list[ThreadState], samples: StackSamples) -> str:
    """The address at which most of the site's threads waited together, unless idle ones do."""
    idle = Counter((s.pid, s.tid) for s in samples.stacks if not is_busy(s))
    lined = Counter(
        (s.pid, s.tid) for s in samples.stacks if (line := waiting_line(s)) is not None
        and (line.file, line.line) == (site.file, site.line)
    )  # fmt: skip
    groups: dict[tuple[int, int], list[ThreadState]] = defaultdict(list)
    for state in parked:
        if state.futex is not None:
            groups[state.pid, state.futex].append(state)
    best, words = 0, ""
    for (pid, address), members in groups.items():
        together = max(Counter(s.round for s in members).values())
        keys = [(s.pid, s.tid) for s in members]
        if together < TOGETHER or sum(lined[k] for k in keys) <= sum(idle[k] for k in keys):
            continue
        if len(members) > best:
            best = len(members)
            where = members[0].futex_in or "unknown memory"
            words = (
                f"up to {together} threads of pid {pid} wait at one futex, {address:#x} ({where})"
            )
    return words


def _holder_waits(site: Site, seen: list[ThreadState]) -> str:
    waits = Counter(
        f"{s.waits_for or 'the kernel'} ({s.syscall})"
        for s in seen
        if s.pid in site.pids
        and s.state != "R"
        and s.syscall
        and s.syscall not in _RESTS
        and kernel_work(s) != "idle"
    )
    return waits.most_common(1)[0][0] if waits else ""
