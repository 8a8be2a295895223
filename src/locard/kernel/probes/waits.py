"""Where every thread spends its time: state, system call, peer, file, lock and its holder, by sampling.

Shows: for each thread what it does, as shares of 20 looks a second: runs, waits for a CPU, sleeps, waits
  for a lock, a peer, a client, a file, a page; for how long at most and still; for each lock word the
  waiters, what sort of lock it is, who holds it and what the holder does; a time strip.
How: an eBPF iterator over the threads of each process, 20 times a second; a thread that has not run since
  the last look costs one comparison. Where the kernel does not take it: /proc, as often as it costs 2 % of
  a core. Lock words and mutex owners are read from the target's memory.
Impact: samples. Nothing is hooked, no event costs anything; at most 0.5 % of a core on 1,000 threads.
Limits: what is shorter than 50 ms is seen by chance: shares, not counts. What sort of lock a word belongs to
  is told by the memory around it, as glibc and musl lay it out; a holder is named only where the lock
  records it. The age of a wait is by the scheduler's clock; by /proc it begins with the first look.
Source: Poder, xCapture (0x.tools); Linux, Documentation/bpf/bpf_iterators.rst; glibc, nptl (lock layouts).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing, syscall_table
from locard.model.evidence import Output
from locard.model.facts import ThreadState
from locard.model.kernel_facts import LockWait, ThreadWait, Waits
from locard.model.kernel_words import duration, share_words
from locard.model.waits import of_interpreter
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.kernel._observing import Told
    from locard.model.evidence import Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

EVERY_S = 0.05
COLUMNS = 60
_LEAST_SHARE = 0.05  # of the time, that a thread has to wait for a lock to count as held up
_LONG_S = 1.0  # or one wait of this

COMMANDS = (
    _observing.template(
        "waits",
        "for p in {pid}; do grep -s '' /proc/$p/task/*/{stat,syscall,wchan}; done  # 20 times a second",
        own="kernel/_thread_reader.py+kernel/_locks_far.py+kernel/_throttle_far.py+kernel/_wait_groups_far.py+kernel/_waits_far.py",
    ),
)


@dataclass(frozen=True, slots=True)
class Params:
    """For how long to look."""

    for_s: float = _observing.for_param()


PARAMS = Params


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies(context)


def scope(context: Context) -> Scope:
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    machine = (context.ground.machine if context.ground else "") or "x86_64"
    on = {
        str(k): 1
        for k, v in syscall_table.names(machine).items()
        if v in syscall_table.ON_DESCRIPTOR
    }
    settings = {
        "set": {"takes": on},
        "follow": False, "every_s": EVERY_S, "names": False,
        "attempts": [["look"], ["look_once"]],  # what is quicker first
    }  # fmt: skip
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Waits an observation, or why there is none."""
    facts: list[Fact] = []
    for output in outputs:
        told = _observing.told(output)
        refused = _observing.refusal("waits", told)
        if refused is not None:
            facts.append(refused)
        elif told.began:
            facts.append(_waits(told))
    return tuple(facts)


def _waits(told: Told) -> Waits:
    head: dict[str, Any] = next((r for r in told.others if "hz" in r), {})
    looks = int(head.get("looks") or 0)
    threads = tuple(
        sorted(
            filter(None, (_thread(r, looks) for r in told.others if "wait" in r)),
            key=lambda w: (-w.looks, w.tid, w.what),
        )
    )
    observed = told.observed(str(head.get("engine") or "eBPF iterator"))
    fallback = next((r for r in told.others if "fallback" in r), None)
    if fallback:
        unlock = _observing.unlock(fallback)
        words = (
            f"the kernel's iterator is not to be had ({fallback['fallback']}): looked at /proc instead,"
            f" {head.get('hz') or 0} times a second{f'; {unlock}' if unlock else ''}"
        )
        observed = replace(observed, blind=(*observed.blind, words))
    for row in told.others:
        if "throttled" in row:
            words = (
                f"the CPU limit of cgroup {row.get('cgroup')} stopped it {row['throttled']} times, for"
                f" {duration(float(row.get('seconds') or 0.0))}: that is part of the time in which threads wait for a CPU"
            )
            observed = replace(observed, blind=(*observed.blind, words))
    return Waits(observed, looks, float(head.get("hz") or 0.0), threads, _locks(told, threads))


def _thread(row: dict[str, Any], looks: int) -> ThreadWait | None:
    wait, strip = row["wait"], row.get("strip")
    try:
        state, call, tid = str(wait["state"]), str(wait.get("call") or ""), int(wait["tid"])
        seen, pid = int(row["looks"]), int(wait["pid"])
    except (KeyError, TypeError, ValueError):
        return None
    doing, what = _doing(wait, state, call)
    inner = wait.get("nstid")
    name = f"{wait.get('comm', '')} (tid {inner} inside)" if inner else str(wait.get("comm", ""))
    columns = strip if isinstance(strip, dict) else {}
    still = row.get("still_s")
    return ThreadWait(
        pid=pid,
        tid=tid,
        thread=name,
        state=state,
        call=call,
        doing=doing,
        what=what,
        looks=seen,
        share=round(seen / looks, 4) if looks else 0.0,
        longest_s=round(float(row.get("longest_s") or 0.0), 3),
        still_s=round(float(still), 3) if isinstance(still, int | float) else None,
        address=next(
            (a for a in (wait.get("futex"), wait.get("file_lock")) if isinstance(a, int) and a),
            None,
        ),
        peer=wait.get("peer") if isinstance(wait.get("peer"), str) else None,
        wchan=str(wait.get("wchan") or ""),
        strip=tuple(int(columns.get(str(k), 0)) for k in range(COLUMNS)),
    )


_CHILDREN = frozenset({"wait4", "waitid"})
_SIGNALS = frozenset({"pause", "rt_sigtimedwait", "rt_sigsuspend"})


def _doing(wait: dict[str, Any], state: str, call: str) -> tuple[str, str]:  # noqa: C901, PLR0911 - one return a kind
    """(what a thread does, what it does it to)."""
    on = str(wait.get("waits_for") or "")
    if state == "R":
        return ("waits for", "a CPU") if on == "a CPU" else ("runs", "")
    if state in {"T", "t"}:
        return "is stopped", ""
    if str(wait.get("comm", "")).startswith("iou-"):
        return "is a worker of io_uring", ""
    if state == "D":
        if not call:
            return "waits for a page (page fault)" if _fault(
                wait
            ) else "waits in the kernel", _where(wait)
        return "waits uninterruptibly, on", on or _where(wait)
    if call in {"nanosleep", "clock_nanosleep"}:
        return "sleeps", ""
    if call.startswith("futex"):
        mapped = ThreadState(
            0, 0, 0, "", state, call, None, futex_in=str(wait.get("futex_in") or "")
        )
        address = wait.get("futex")
        word = f"{address:#x}" if isinstance(address, int) else ""
        return ("waits for the GIL", "") if of_interpreter(mapped) else ("waits on a futex", word)
    if call in _CHILDREN:
        return "waits for a child process", ""
    if call in _SIGNALS:
        return "waits for a signal", ""
    if on:
        return "waits for", on
    return (f"waits in {call}", "") if call else ("sleeps in the kernel", _where(wait))


def _fault(wait: dict[str, Any]) -> bool:
    stack = wait.get("stack")
    words = " ".join(map(str, stack)) if isinstance(stack, list) else ""
    return (
        not words or "fault" in words or "filemap" in words or "folio" in words or "swap" in words
    )


def _where(wait: dict[str, Any]) -> str:
    wchan = str(wait.get("wchan") or "")
    return f"at {wchan}" if wchan else ""


def _locks(told: Told, threads: Sequence[ThreadWait]) -> tuple[LockWait, ...]:
    found = []
    for row in told.others:
        if "lock" not in row or not isinstance(row["lock"], int):
            continue
        waits = [w for w in threads if w.address == row["lock"] and w.pid == row.get("pid")]
        if not waits:
            continue
        found.append(_lock(row, waits, threads))
    return tuple(sorted(found, key=lambda k: (not k.contended, -k.share * k.most)))


def _lock(row: dict[str, Any], waits: list[ThreadWait], threads: Sequence[ThreadWait]) -> LockWait:
    by_thread: dict[int, float] = {}
    for wait in waits:
        by_thread[wait.tid] = by_thread.get(wait.tid, 0.0) + wait.share
    share, longest = max(by_thread.values()), max(w.longest_s for w in waits)
    kind, holder_tid = str(row.get("kind") or "unknown"), row.get("holder")
    held, looks = int(row.get("held") or 0), int(row.get("looks") or 0)
    holder = next(
        (w.thread for w in threads if w.tid == holder_tid), str(row.get("holder_name") or "")
    )
    if holder_tid in by_thread and not kind.startswith("join"):
        holder_tid, holder, held = None, "", 0  # who waits for it does not hold it
    doing = row.get("doing")
    words = sorted(doing.items(), key=lambda kv: -kv[1])[:4] if isinstance(doing, dict) else []
    held_up = share >= _LEAST_SHARE or longest >= _LONG_S
    mapped = ThreadState(0, 0, 0, "", "S", "futex", None, futex_in=str(row.get("file") or ""))
    contended = (
        held_up
        and not of_interpreter(mapped)
        and (
            (kind.startswith("mutex") and (bool(holder_tid) or len(by_thread) > 1))
            or kind.startswith(("rwlock", "file lock"))
        )
    )
    lock = LockWait(
        pid=int(row.get("pid") or 0),
        address=int(row["lock"]),
        symbol=_symbol(row) or (waits[0].what.removeprefix("file ") if kind == "file lock" else ""),
        file=str(row.get("file") or ""),
        kind=kind,
        looks=looks,
        most=int(row.get("most") or 0),
        waiters=tuple(dict.fromkeys(w.thread for w in waits)),
        waiter_tids=tuple(by_thread),
        share=round(share, 4),
        longest_s=longest,
        holder=holder,
        holder_tid=holder_tid if isinstance(holder_tid, int) else None,
        held=held,
        doing=tuple((str(k), int(v)) for k, v in words) if held else (),
        contended=contended,
    )
    return _with_words(lock, max((w.still_s or 0.0) for w in waits))


def _symbol(row: dict[str, Any]) -> str:
    offset = row.get("offset")
    name = str(row.get("symbol") or "")
    return f"{name}+{offset}" if name and offset else name


def _with_words(lock: LockWait, still_s: float) -> LockWait:
    name = f"{lock.symbol} ({lock.address:#x})" if lock.symbol else f"{lock.address:#x}"
    name = lock.symbol if lock.kind == "file lock" and lock.symbol else name
    waiters = count(len(lock.waiter_tids), "thread")
    verb = "wait" if len(lock.waiter_tids) > 1 else "waits"
    who = ", ".join(lock.waiters[:6]) + (", …" if len(lock.waiters) > 6 else "")  # noqa: PLR2004 - as many as fit
    says = (
        f"{name}, {lock.kind}: {waiters} {verb} for it ({who}), up to {share_words(lock.share, 1)} of"
        f" the time each, longest at least {duration(lock.longest_s)}"
    )
    if still_s >= _LONG_S:
        says += f", one for {duration(still_s)} by now"
    if lock.kind.startswith("join"):
        says += f"; the thread that is waited for is {lock.holder or 'not named'}"
    elif lock.holder_tid:
        says += f"; held by {lock.holder or 'a thread'} (tid {lock.holder_tid})"
        if lock.doing:
            words, seen = lock.doing[0]
            says += f", which meanwhile {words} ({seen} of {lock.looks} looks)"
    elif lock.kind == "condition variable":
        says += "; a pool without work looks like this, and so does a wait for somebody's answer"
    elif lock.kind == "semaphore":
        says += (
            "; it records no holder, and the kernel knows none: a lock of an interpreter (Python's are"
            " semaphores), or a pool without work. The stacks tell which: locard investigate"
        )
    elif lock.kind != "unknown":
        says += "; no holder is recorded in it"
    else:
        says += "; what sort of lock it is cannot be told: an idle pool, a semaphore or a lock"
    return replace(lock, says=says)


_TEXT = (
    '{"began": 1, "attached": [], "missing": {}, "kernel": "6.18", "machine": "x86_64"}\n'
    '{"looks": 40, "hz": 20.0, "engine": "eBPF iterator"}\n'
    '{"wait": {"pid": 7, "tid": 8, "comm": "req-0", "state": "S", "call": "futex", "futex": 4096},'
    ' "looks": 36, "longest_s": 0.2, "strip": {"0": 3}}\n'
    '{"wait": {"pid": 7, "tid": 9, "comm": "refresher", "state": "S", "call": "clock_nanosleep"},'
    ' "looks": 40, "longest_s": 0.2, "strip": {"0": 3}}\n'
    '{"lock": 4096, "pid": 7, "symbol": "cfg_lock", "offset": 0, "kind": "mutex", "looks": 18,'
    ' "most": 1, "holder": 9, "held": 18, "doing": {"sleeps (clock_nanosleep)": 18}}\n'
    '{"end": 2, "took": 2.0, "why": "", "hits": 0, "cost_s": 0.1, "losses": {}}\n'
)

SAMPLES = (
    Sample(
        (Output(argv=("python3",), stdout=_TEXT.encode()),),
        (
            "share=0.9",
            "contended=True",
            "held by refresher (tid 9), which meanwhile sleeps (clock_nanosleep) (18 of 18 looks)",
        ),
    ),
    Sample((Output(argv=("python3",), stdout=_TEXT[:90].encode()),), ("lost=('it was cut off",)),
)
