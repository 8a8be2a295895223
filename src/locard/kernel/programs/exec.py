"""Programs that the target and its children start: by path and result, by whom, for how long, at what cost.

Shows: each program with how often it was started, by which program, how long it lived, what CPU time it
  used and how it ended; each start that failed, by errno and path; forks that executed nothing.
How: an eBPF program on the kernel's exec, fork and exit events; each process carries the program that it
  runs, inherited by fork, so that a parent is known when it has gone. Counted in the kernel.
Impact: samples. About 0.2 us for each system call of the target, some us for a start; it detaches by
  itself past --max-overhead. Also known as execsnoop, exitsnoop.
Limits: programs started by processes that are not below the target are not its own. The path is the one
  that was asked for. Failed starts of 32-bit programs are not seen.
Source: execsnoop(8) of bcc, execve(2), sched:sched_process_exec.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing, _traces, engines
from locard.kernel._observing import latencies
from locard.kernel.engines import bcc
from locard.model.kernel_facts import Row, Trace
from locard.model.kernel_words import duration, rate
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.kernel._observing import Told
    from locard.model.evidence import Output, Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_EACH_NS = 170.0  # of a system call
_TARGET = "the target"

COMMANDS = (
    _observing.template("exec", "strace -f -e trace=execve,fork,clone -p {pid}"),
    *bcc.commands("exec"),
)


@dataclass(frozen=True, slots=True)
class Params:
    """For how long."""

    for_s: float = _observing.for_param()
    max_overhead: float = _observing.overhead_param()
    engine: str = engines.engine_param(bcc.ENGINE)


PARAMS = Params
check = engines.check
BY_DEFAULT = True


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies(context)


def scope(context: Context) -> Scope:
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    if asked.engine != engines.EBPF:
        yield from bcc.TOOLS["exec"].plan(context, asked.for_s)
        return
    settings = {
        "attach": ["forked", "begin", "executed", "end", "left"],
        "rings": ["seen"],
        "share": asked.max_overhead / 100,
        "cost_ns": _EACH_NS,
    }
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace, or why the kernel did not take it."""
    return _traces.read("exec", outputs, _trace)


def _trace(told: Told) -> Trace:
    names = {e["program"]: _traces.asked_path(e)[0] for e in told.events.get("seen", ())}
    names[0] = _TARGET
    lives = {(row["program"], row["executed"]): row for row in told.map("lives")}
    started: dict[tuple[int, int], Counter[str]] = {}
    unnamed = 0
    for row in told.map("execs"):
        by = started.setdefault((row["program"], row["error"]), Counter())
        by[names.get(row["by"], "a program whose name was lost")] += row["count"]
        unnamed += row["count"] if row["program"] not in names else 0
    rows = [
        _row(names, program, error, by, lives.get((program, 1)) if not error else None)
        for (program, error), by in started.items()
    ]
    rows += _forks(told, names, lives)
    observed = told.observed(each_ns=_EACH_NS)
    if unnamed:
        observed = _traces.also_lost(observed, f"the names of {unnamed} starts were lost")
    whole: dict[str, int] = {}
    for (_, executed), life in lives.items():
        if executed:
            _observing.add_slots(whole, life["slots"])
    return Trace(
        "exec",
        _says(told, rows, lives),
        observed,
        _traces.by_count(rows),
        (_observing.histogram("lifetime of programs", whole),) if whole else (),
    )


def _row(
    names: dict[int, str], program: int, error: int, by: Counter[str], life: dict[str, Any] | None
) -> Row:
    total = by.total()
    words = [f"by {_traces.in_words(by)}"]
    took: dict[str, Any] = {}
    if life is not None:
        took = latencies(life) if life["ended"] or life["replaced"] else {}
        words.append(f"CPU {duration(life['cpu_ns'] / 1e9)}")
        running = total - life["ended"] - life["replaced"]
        for number, what in (
            (life["failed"], "exited with a failure"),
            (life["killed"], "ended by a signal"),
            (life["replaced"], "executed another in its place"),
            (running, "still running"),
        ):
            if number > 0:
                words.append(f"{number} {what}")
    return Row(
        names.get(program, "a program whose name was lost"),
        _traces.result_of(error),
        count=total,
        detail="; ".join(words),
        **took,
    )


def _forks(
    told: Told, names: dict[int, str], lives: dict[tuple[int, int], dict[str, Any]]
) -> list[Row]:
    """Rows of those that forked: how many processes, and what the copies lived that executed nothing."""
    rows = []
    for row in told.map("forks"):
        name = names.get(row["key"], "a program whose name was lost")
        life = lives.get((row["key"], 0))
        words = [f"{row['threads']} threads begun"] if row["threads"] else []
        took: dict[str, Any] = {}
        if life is not None:
            words.append(f"CPU before or without executing {duration(life['cpu_ns'] / 1e9) or '0'}")
            if life["ended"]:
                words.append(f"{life['ended']} ended and had executed nothing")
                took = latencies(life)
        if row["processes"]:
            rows.append(
                Row(name, "forked", count=row["processes"], detail="; ".join(words), **took)
            )
    return rows


def _says(told: Told, rows: list[Row], lives: dict[tuple[int, int], dict[str, Any]]) -> str:
    started = {r.what: r.count for r in rows if r.result == "ok"}
    failed: Counter[str] = Counter()
    for row in rows:
        if row.result not in {"ok", "forked"}:
            failed[row.result] += row.count
    forks = sum(r.count for r in rows if r.result == "forked")
    seconds = f"{told.seconds:.1f} s"
    if not started and not failed and not forks:
        return f"no program was started and nothing forked in {seconds}"
    number = sum(started.values())
    said = f"no program was started in {seconds}"
    if number:
        said = (
            f"{count(number, 'program')} started in {seconds} ({rate(number, told.seconds)}):"
            f" {_traces.in_words(started, 4)}"
        )
    if failed:
        said += f"; {count(failed.total(), 'start')} failed: {_traces.in_words(failed)}"
    if forks:
        said += f"; {count(forks, 'fork')}"
    cpu = sum(life["cpu_ns"] for life in lives.values()) / 1e9
    if cpu:
        said += f"; they used {duration(cpu)} of CPU"
    return said


_BEGAN = '{"began":1000000000,"attached":["begin"],"machine":"x86_64"}'
_SEEN = (
    '{"program":11,"known":2,"descriptor":-100,"asked":{"size":8,"more":0,"name":"/bin/sh"},"folder":"/","event":"seen"}',
    '{"program":13,"known":1,"descriptor":-100,"asked":{"size":5,"more":0,"name":"tool"},"folder":"/opt","event":"seen"}',
)
_EXECS = (
    '{"map":"execs","key":["by","program","error"],"value":["count","last_ns"],'
    '"rows":[[0,11,0,3,5],[11,13,0,6,5],[11,13,2,4,5]]}'
)
_LIVES = (
    '{"map":"lives","key":["program","executed"],"value":["ended","total_ns","max_ns","cpu_ns",'
    '"failed","killed","replaced","slots"],"rows":[[0,0,0,0,0,1000000,0,0,0,{}],'
    '[11,1,2,6000000,3000000,4000000,0,0,0,{"152":2}],[13,1,6,600000,100000,5000000,1,2,0,{"120":6}]]}'
)
_FORKS = '{"map":"forks","key":["key"],"value":["processes","threads"],"rows":[[0,3,0],[11,6,1]]}'
_END = '{"end":6000000000,"took":5.0,"why":"","losses":{},"hits":40}'

SAMPLES = (
    Sample(
        (_traces.recorded(_BEGAN, *_SEEN, _EXECS, _LIVES, _FORKS, _END),),
        (
            (
                "says='9 programs started in 5.0 s (1.8/s): /opt/tool 6, /bin/sh 3; 4 starts failed:"
                " ENOENT 4; 9 forks; they used 10.0 ms of CPU'"
            ),
            "what='/bin/sh', result='ok', thread='', pid=None, tid=None, count=3",
            "by the target 3; CPU 4.00 ms; 1 still running",
            "by /bin/sh 6; CPU 5.00 ms; 1 exited with a failure; 2 ended by a signal",
            "what='/bin/sh', result='forked'",
        ),
    ),
    Sample(
        (_traces.recorded(_BEGAN, _END),),
        ("no program was started and nothing forked in 5.0 s",),
    ),
    Sample((_traces.recorded(_BEGAN, _EXECS, _END),), ("the names of 13 starts were lost",)),
)
