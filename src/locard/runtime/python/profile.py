"""Where the Python processes of the target spend their time: their stacks, sampled many times a second.

Shows: functions by the samples in which they were innermost, and in which they were anywhere; by thread; every
  stack, for flame graphs (--flame FILE); how many looks were late or torn; how often the collector ran.
How: locard's own reader, beside the target, reads the stacks from its memory --hz times a second, without a
  stop; a thread whose two innermost frames did not change is not read anew. --mode cpu counts threads that
  the kernel has on a CPU or waiting for one, wall every thread, gil the one that has the interpreter's lock.
Impact: samples. Nothing runs in the target and nothing stops it; the reading itself takes a few per cent of
  one core on its machine: what it took is said.
  An investigation asks it, for 2 s, of the process that burns CPU, where one does.
Limits: CPython 3.8 to 3.15, not free-threaded. What runs in C is counted for the Python line that called it.
  A thread that came back to the same place by another way between two looks is counted as if it stayed.
  The looks of the largest process of the target only, where it has several: name another with pid/PID.
Source: CPython's `_Py_DebugOffsets` and its headers; process_vm_readv(2); proc(5).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.model import params
from locard.model.evidence import Output, Scope
from locard.model.kernel_facts import CountedStack, NotObserved, Observed, Row, Trace
from locard.model.wording import count
from locard.probe import Sample
from locard.runtime import detect
from locard.runtime.python import _burning, stacks

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_SHOWN = 3
_LATE = 0.01  # of the looks, from which on the result is partial

BY_DEFAULT = True  # an investigation asks it of who burns CPU only: see `plan`
_FEW = 2.0  # seconds of such a look


@dataclass(frozen=True, slots=True)
class Params:
    """How long, how often, and which threads."""

    for_s: float = params.duration(5.0, "how long", least=0.1, most=600.0, flag="--for")
    hz: int = params.param(100, "looks a second", least=1, most=1000)
    mode: str = params.text("cpu", "cpu, wall or gil", pattern="cpu|wall|gil")


PARAMS = Params
PROFILE = Template(
    argv=(
        "python3",
        "-I",
        "-S",
        "-",
        "profile",
        "{seconds:number}",
        "{hz:number}",
        "{mode:word}",
        "{pid:pid}",
    ),
    impact=Impact.SAMPLES,
    bound_s=630.0,
    by_hand="py-spy record --nonblocking -r {hz} -d {seconds} -f raw -o /dev/stdout --pid {pid}",
    max_bytes=64 << 20,
    program=stacks.OWN.program + "+far/python_profile.py" if stacks.OWN.program else None,
    needs=(needs.PYTHON,),
    output="json",
    ends="interrupted",
)
COMMANDS = (detect.MAPPED, stacks.KERNEL, PROFILE)


def applies(context: Context) -> Skip | None:
    """It takes processes; which of them are Python is found by looking."""
    return stacks.applies(context)


def scope(context: Context) -> Scope:
    """Every process of the target."""
    return Scope(pids=context.target.pids)


def plan(context: Context, asked: Params | None = None) -> Generator[Step, Output, None]:
    """Tell the runtimes, then sample the CPython with the most threads.

    `asked`: None in an investigation, which samples the one that burns most CPU, if any does.
    """
    mapped = yield detect.MAPPED.fill(pid=context.target.pids)
    pythons = detect.pythons(mapped)
    chosen = [p for p in context.target.processes if p.pid in pythons] or list(
        context.target.processes
    )
    pid = max(chosen, key=lambda p: p.threads).pid
    if asked is None:
        asked = Params(for_s=_FEW)
        burning = yield from _burning.burning(stacks.KERNEL, [p.pid for p in chosen])
        if not burning:
            return
        pid = burning[0]
    yield PROFILE.fill(seconds=f"{asked.for_s:g}", hz=str(asked.hz), mode=asked.mode, pid=str(pid))


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace of the process that was sampled, or why there is none."""
    facts: list[Fact] = []
    for output in outputs:
        if "profile" not in output.argv:
            continue
        try:
            facts.append(_fact(json.loads(output.text)))
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            said = output.stderr.decode("utf-8", "replace").strip()
            why = said or output.problem or "nothing came back"
            more = "" if why.startswith("not permitted") else "; py-spy record may be able to"
            facts.append(NotObserved("profile", f"{why}{more}", ""))
    return tuple(facts)


def _fact(told: dict[str, Any]) -> Trace:
    every = tuple(
        CountedStack(tuple(map(str, s["frames"])), float(s["count"]), "samples", str(s["thread"]))
        for s in told["stacks"]
        if s["frames"]
    )
    hz = float(told["hz"])
    rows = _functions(every, hz)
    looks, late = int(told["samples"]), int(told["late"])
    lost = []
    if late > _LATE * (looks + late):
        lost.append(
            f"{late:,} of {looks + late:,} looks were not made: {hz:g} a second are too many here"
        )
    if told["torn"]:
        lost.append(f"{count(int(told['torn']), 'stack')} changed while being read: left out")
    seconds = float(told["took"])
    return Trace(
        program="profile",
        says=_says(rows, told, sum(s.value for s in every)),
        observed=Observed(
            seconds=round(seconds, 3),
            engine=f"own reader of CPython {told['version']}",
            lost=tuple(lost),
            ended=str(told["ended"]),
            cost_s=round(float(told["cost_s"]), 3),
        ),
        rows=rows[:200],
        stacks=every,
        threads=_threads(told["stacks"], hz),
    )


def _functions(every: Iterable[CountedStack], hz: float) -> tuple[Row, ...]:
    """Functions by the samples in which they are innermost; `detail`: in how many they are anywhere."""
    own: dict[str, float] = {}
    whole: dict[str, float] = {}
    for stack in every:
        frames = [_function(f) for f in stack.frames]
        own[frames[-1]] = own.get(frames[-1], 0) + stack.value
        for frame in set(frames):
            whole[frame] = whole.get(frame, 0) + stack.value
    rows = [
        Row(
            name,
            count=round(value),
            total_s=round(value / hz, 6),
            detail=f"{whole[name]:,.0f} with what it calls",
        )
        for name, value in own.items()
    ]
    return tuple(sorted(rows, key=lambda r: (-r.count, r.what)))


def _function(frame: str) -> str:
    """A frame without its line: `pay (shop.py)`."""
    head, colon, line = frame.rpartition(":")
    return f"{head})" if colon and line.rstrip(")").isdigit() else frame


def _threads(every: Iterable[dict[str, Any]], hz: float) -> tuple[Row, ...]:
    sums: dict[tuple[Any, str], int] = {}
    for stack in every:
        key = stack["tid"], str(stack["thread"])
        sums[key] = sums.get(key, 0) + int(stack["count"])
    rows = [
        Row("samples", count=number, total_s=round(number / hz, 6), tid=tid, thread=name)
        for (tid, name), number in sums.items()
    ]
    return tuple(sorted(rows, key=lambda r: -r.count)[:200])


def _says(rows: Sequence[Row], told: dict[str, Any], total: float) -> str:
    looks = count(int(told["samples"]), "look")
    what = {
        "cpu": "threads on a CPU or waiting for one",
        "wall": "threads, whatever they do",
        "gil": "the thread that has the GIL",
    }[told["mode"]]
    gc = f"; the collector ran in {count(int(told['gc']), 'look')}" if told["gc"] else ""
    if not total:
        return f"{looks} over {float(told['took']):.1f} s: none of {what}{gc}"
    shares = ", ".join(f"{r.what} {r.count / total:.0%}" for r in rows[:_SHOWN])
    return f"{total:,.0f} samples of {what} in {looks}: {shares}{gc}"


_TOLD = """{"stacks": [{"tid": 9, "thread": "worker", "frames": ["run (a.py:3)", "pay (shop.py:7)"], "count": 90},
{"tid": 9, "thread": "worker", "frames": ["run (a.py:3)", "pay (shop.py:8)"], "count": 10}], "samples": 100,
"late": 0, "torn": 0, "gc": 2, "threads": 3, "took": 1.0, "cost_s": 0.02, "ended": "", "hz": 100.0, "mode": "cpu",
"pid": 7, "version": "3.11"}"""
_ASKED = ("python3", "-I", "-S", "-", "profile", "1", "100", "cpu", "7")

SAMPLES = (
    Sample(
        (Output(argv=_ASKED, stdout=_TOLD.encode()),),
        ("100 samples", "pay (shop.py) 100%", "the collector ran in 2 looks"),
    ),
    Sample(
        (
            Output(
                argv=_ASKED,
                stdout=b"",
                stderr=b"no _PyRuntime in what it has mapped\n",
                exit_code=1,
            ),
        ),
        ("no _PyRuntime",),
    ),
)
