"""What the kernel says each thread of the target is doing right now.

Shows: for each thread over six rounds in about 1.5 seconds: its state, the system call it waits in,
  what the descriptor of that call is (socket with its far end, pipe, file), the address of the
  futex it waits on and the mapping that holds it; and how each process reads and writes.
How: a small reader of locard's own goes to python3 on standard input and reads
  /proc/PID/task/TID/{stat,syscall,wchan,stack}, /proc/PID/{io,maps,fdinfo,net} and, for poll and
  select, the list of descriptors in the memory of the process.
Impact: samples, since it reads memory of the target; no thread is stopped. A few hundred reads of
  /proc per round for a process of 50 threads; at most 2,000 threads are read per round.
Limits: moments, not durations: what lasts microseconds is seen rarely. Other users' processes need
  CAP_SYS_PTRACE. Socket tables are read up to 8 MiB. Numbers of system calls are named on x86_64
  and aarch64. An io_uring hides what it waits for.
Source: proc(5), syscall(2), futex(2) in the Linux man-pages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.model import semconv, thread_records
from locard.model.evidence import Output, Scope
from locard.model.facts import (
    MemoryUse,
    ProcessConditions,
    ProcessMemory,
    Reading,
    Readings,
    ThreadStates,
)
from locard.model.params import param
from locard.model.target import Context, Skip
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from locard.model.facts import Fact
    from locard.probe import Step


@dataclass(frozen=True, slots=True)
class Params:
    """How often each thread is looked at."""

    rounds: int = param(6, "looks at every thread", least=1, most=200)
    pause_s: float = param(0.25, "seconds between two looks", least=0.02, most=0.8)


PARAMS = Params
DEFAULTS = Params()

_SLACK_S = 8.5  # beyond the pauses, for many threads
# Many tiny calls are a pattern of their own (chatty or unbuffered I/O): a process that makes
# this many a second and moves less than this with each spends its time in the kernel's entry.
TINY_BYTES = 128
MANY_CALLS_PER_S = 2000

COMMANDS = (
    Template(
        argv=("python3", "-I", "-S", "-", "{rounds:int}", "{pause:number}", "{pid:pid*}"),
        impact=Impact.SAMPLES,
        bound_s=180.0,
        by_hand="for p in {pid}; do grep -s '' /proc/$p/task/*/{stat,syscall,wchan} /proc/$p/io; done",
        max_bytes=16 << 20,
        program="kernel/_thread_reader.py+kernel/_threads.py",
        output="json",
        needs=(needs.PYTHON,),
    ),
)


def applies(context: Context) -> Skip | None:
    """It takes processes to look at."""
    if not context.target.pids:
        return Skip("the target has no processes", "name one: pid/PID or proc/NAME")
    return None


def scope(context: Context) -> Scope:
    """Every thread of every process of the target."""
    return Scope(pids=context.target.pids)


def plan(context: Context, params: Params = DEFAULTS) -> Generator[Step, Output, None]:
    """One run of the reader for all processes."""
    rounds, pause = str(params.rounds), f"{params.pause_s:g}"
    command = COMMANDS[0].fill(rounds=rounds, pause=pause, pid=context.target.pids)
    yield replace(command, bound_s=min(command.bound_s, _SLACK_S + params.rounds * params.pause_s))


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """ThreadStates, and Readings of the calls each process makes for its I/O."""
    facts: list[Fact] = []
    for output in outputs:
        records = list(thread_records.records(output.text))
        states = tuple(s for r in records if "tid" in r and (s := thread_records.state(r)))
        missed = [str(r["missed"]) for r in records if "missed" in r]
        if output.problem:
            missed.append(output.problem)
        if states or missed:
            rounds = len({s.round for s in states})
            facts.append(ThreadStates(rounds=rounds, states=states, missed=tuple(missed)))
        conditions = tuple(c for r in records if (c := thread_records.condition(r)))
        if conditions:
            facts.append(ProcessConditions(conditions))
        use = _memory([r for r in records if "io" in r])
        if use is not None:
            facts.append(use)
        readings = tuple(_io_readings([r for r in records if "io" in r]))
        if readings:
            facts.append(Readings(readings))
    return tuple(facts)


def _memory(records: list[dict[str, Any]]) -> MemoryUse | None:
    """What each process held in the first round."""
    first: dict[int, int] = {}
    at: float | None = None
    for record in records:
        pid, private, when = record.get("io"), record.get("private"), record.get("at")
        if isinstance(pid, int) and isinstance(private, int) and isinstance(when, float):
            first.setdefault(pid, private)
            at = when if at is None else at
    if at is None:
        return None
    return MemoryUse(at, tuple(ProcessMemory(p, n) for p, n in first.items()))


def _io_readings(records: list[dict[str, Any]]) -> Iterator[Reading]:
    for pid in dict.fromkeys(r["io"] for r in records):
        seen = [r for r in records if r["io"] == pid]
        for way, calls, size in (("read", "syscr", "rchar"), ("write", "syscw", "wchar")):
            try:
                seconds = seen[-1]["at"] - seen[0]["at"]
                count = sum(max(0, b[calls] - a[calls]) for a, b in pairwise(seen))
                moved = sum(max(0, b[size] - a[size]) for a, b in pairwise(seen))
            except (KeyError, TypeError):
                continue
            if not isinstance(seconds, float) or seconds <= 0 or not isinstance(pid, int):
                continue
            rate, mean = count / seconds, moved / count if count else 0.0
            tiny = rate > MANY_CALLS_PER_S and mean < TINY_BYTES
            yield Reading(
                name=semconv.PROCESS_IO_CALLS,
                subject=f"pid {pid} {way}",
                value=round(rate, 1),
                unit="{call}/s",
                limit=None,
                verdict="warning" if tiny else "ok",
                detail=f"{mean:.0f} bytes a call on average, {seconds:.1f} s observed",
                of="target",
            )


_THREAD = (
    '{"round": 0, "pid": 7, "tid": 9, "comm": "python3", "state": "S", "wchan": "futex_do_wait",'
    ' "syscall": "futex", "futex": 94159344984000, "futex_in": "[heap]"}\n'
    '{"round": 0, "pid": 7, "tid": 8, "comm": "python3", "state": "S", "wchan": "wait_woken",'
    ' "syscall": "recvfrom", "waits_for": "tcp 127.0.0.1:59592 -> 127.0.0.1:9102",'
    ' "peer": "127.0.0.1:9102"}\n'
    '{"io": 7, "round": 0, "at": 100.0, "rchar": 0, "syscr": 0, "wchar": 0, "syscw": 0}\n'
    '{"io": 7, "round": 1, "at": 101.0, "rchar": 30000, "syscr": 9000, "wchar": 0, "syscw": 0}\n'
)

SAMPLES = (
    Sample(
        (Output(argv=("python3",), stdout=(_THREAD + '{"end": 1}\n').encode()),),
        ("rounds=1", "peer='127.0.0.1:9102'", "futex=94159344984000", "verdict='warning'"),
    ),
    Sample((Output(argv=("python3",), stdout=(_THREAD[:140] + "\n").encode()),), ("()",)),
    Sample(
        (Output(argv=("python3",), stdout=b'{"missed": "pid 9: it has ended"}\n{"end": 4}\n'),),
        ("pid 9: it has ended", "rounds=0"),
    ),
)
