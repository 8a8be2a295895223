"""What the Python processes of the target do right now, every few seconds: functions, threads, GIL, collector, idle.

Shows: for each interval functions by the samples in which they were innermost and in which they were anywhere;
  threads by the CPU time that the kernel counted for them, with the share of the looks in which each had the GIL;
  each process with the share of looks in which its GIL was held, its collector ran, none of its threads ran.
How: as profile: locard's own reader takes the stacks of all its processes --hz times a second, and those that begin
  meanwhile, and sums up every --every seconds, beside the target. Names are read anew each interval.
Impact: samples. Nothing runs in the target and nothing stops it; the reading takes a few per cent of one core.
Limits: as profile: CPython 3.8 to 3.15, at most 64 processes. It ends after an hour by itself. The CPU time of a
  thread that began within the interval counts from when it was first seen; the kernel counts in ticks (10 ms).
Source: CPython's `_Py_DebugOffsets` and its headers; process_vm_readv(2); proc(5). Also known as py-spy top.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.model import params
from locard.model.evidence import Output, Scope
from locard.model.kernel_facts import NotObserved, Row, Trace
from locard.model.stacks import short_path
from locard.model.wording import count
from locard.probe import Sample
from locard.runtime import detect
from locard.runtime.python import profile, stacks

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

LONGEST_S = 3600.0
_SHOWN = 3
_APART = 0.02  # of a core: what clock ticks of 10 ms leave open

BY_DEFAULT = False
BY_LINE = True  # of its output: an interval each


@dataclass(frozen=True, slots=True)
class Params:
    """How long the intervals are, and how many."""

    every_s: float = params.duration(2.0, "of one interval", least=0.2, most=60.0, flag="--every")
    intervals: int = params.param(0, "intervals, 0 for as long as --for", least=0, most=18000)
    for_s: float = params.duration(LONGEST_S, "how long", least=0.2, most=LONGEST_S, flag="--for")
    hz: int = params.param(100, "looks a second", least=1, most=1000)
    mode: str = params.text("cpu", "cpu, wall or gil", pattern="cpu|wall|gil")

    @property
    def number(self) -> int:
        """How many intervals at most."""
        fit = max(1, math.ceil(self.for_s / self.every_s - 1e-9))
        return min(self.intervals, fit) if self.intervals else fit


PARAMS = Params
TOP = Template(
    argv=(
        "python3", "-I", "-S", "-", "top", "{every:number}", "{intervals:int}", "{hz:number}", "{mode:word}",
        "{pid:pid*}",
    ),
    impact=Impact.SAMPLES,
    bound_s=LONGEST_S + 60.0,
    by_hand="for p in {pid}; do py-spy top --nonblocking -r {hz} --pid $p & done",
    max_bytes=64 << 20,
    program=f"{profile.READER}+far/python_profile.py+far/python_top.py",
    needs=(needs.PYTHON,),
    output="json",
    streams=True,
    ends="interrupted",
    prompt=True,
)  # fmt: skip
COMMANDS = (detect.MAPPED, TOP)


def applies(context: Context) -> Skip | None:
    """It takes processes; which of them are Python is found by looking."""
    return stacks.applies(context)


def scope(context: Context) -> Scope:
    """Every process of the target."""
    return Scope(pids=context.target.pids)


def plan(context: Context, asked: Params = Params(intervals=1)) -> Generator[Step, Output, None]:
    """Tell the runtimes, then sample every CPython."""
    pids = yield from profile.chosen(context)
    yield TOP.fill(
        every=f"{asked.every_s:g}",
        intervals=str(asked.number),
        hz=str(asked.hz),
        mode=asked.mode,
        pid=pids,
    )


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace an interval, or why there is none."""
    facts: list[Fact] = []
    mapped = next((o for o in outputs if detect.is_mapped(o)), None)
    runtimes = detect.runtimes(mapped, ())
    for output in outputs:
        if "top" not in output.argv:
            continue
        left = profile.left_out(output.argv, runtimes)
        found = [f for line in output.text.splitlines() if (f := _fact(line, left)) is not None]
        facts += found
        if not found and output.exit_code is not None:
            said = output.stderr.decode("utf-8", "replace").strip()
            why = said or output.problem or "nothing came back"
            more = "" if "not permitted" in why else "; py-spy top may be able to"
            facts.append(NotObserved("top", why + more, ""))
    return tuple(facts)


def _fact(line: str, left: tuple[list[str], list[str]]) -> Trace | None:
    try:
        told = json.loads(line)
        seconds, hz = float(told["seconds"]), float(told["hz"])
        rows = tuple(_functions(told, hz))
        lost, less = profile.missed(told, int(told["looks"]), float(told["samples"]))
        return Trace(
            program="top",
            says=_says(rows, told, seconds),
            observed=dataclasses.replace(
                profile.observed(told, seconds, (*lost, *left[0]), (*less, *left[1])),
                began=float(told["at"]) - seconds,
            ),
            rows=rows,
            threads=tuple(_threads(told)),
            processes=tuple(_processes(told)),
        )
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError, ZeroDivisionError):
        return None


def _functions(told: dict[str, Any], hz: float) -> Iterator[Row]:
    """`count`: samples in which it was innermost; `value`: in which it was anywhere."""
    for item in told["functions"]:
        yield Row(
            f"{item['name']} ({short_path(str(item['filename']))})",
            count=int(item["own"]),
            total_s=round(int(item["own"]) / hz, 6),
            value=float(item["all"]),
        )


def _threads(told: dict[str, Any]) -> Iterator[Row]:
    looks = max(1, int(told["looks"]))
    for item in told["threads"]:
        cpu, gil = item["cpu_s"], int(item["gil"])
        yield Row(
            "CPU",
            thread=str(item["thread"]),
            pid=int(item["pid"]),
            tid=None if item["tid"] is None else int(item["tid"]),
            count=int(item["samples"]),
            total_s=None if cpu is None else round(float(cpu), 3),
            detail=f"had the GIL in {gil / looks:.0%}" if gil else "",
            value=round(gil / looks, 4),
        )


def _processes(told: dict[str, Any]) -> Iterator[Row]:
    for item in told["processes"]:
        pid, looks = int(item["pid"]), max(1, int(item["looks"]))
        yield Row(
            f"pid {pid}",
            pid=pid,
            count=looks,
            total_s=None if item["cpu_s"] is None else round(float(item["cpu_s"]), 3),
            threads=int(item["threads"]),
            detail=", ".join(profile.shares(item, str(told["mode"]))),
        )


def _says(rows: Sequence[Row], told: dict[str, Any], seconds: float) -> str:
    """`1.02 cores, GIL held in 98%, nobody ran in 2%: pay (app/shop.py) 61%, …`."""
    every = told["processes"]
    cores = sum(p["cpu_s"] or 0.0 for p in every) / seconds
    told_s = sum(t["cpu_s"] or 0.0 for t in told["threads"])
    words = [f"{cores:.2f} cores"]
    if cores - told_s / seconds > max(_APART, 0.2 * cores):
        words[0] += (
            f" ({cores - told_s / seconds:.2f} in threads that came and went, or are not Python's)"
        )
    if len(every) == 1:
        words += profile.shares(every[0], str(told["mode"]))
    else:
        words.append(count(len(every), "process"))
    total = int(told["samples"])
    top = ", ".join(f"{r.what} {r.count / total:.0%}" for r in rows[:_SHOWN] if r.count and total)
    return f"{', '.join(words)}: {top}" if top else ", ".join(words)


_TOLD = """{"interval": 1, "at": 1790000000.0, "seconds": 2.0, "looks": 200, "late": 0, "hz": 100.0, "mode": "cpu",
"samples": 200, "cost_s": 0.05, "functions": [{"name": "pay", "filename": "/srv/app/shop.py", "own": 180, "all": 200}],
"threads": [{"pid": 7, "tid": 9, "thread": "worker", "cpu_s": 1.96, "samples": 200, "gil": 196}], "processes": [{"pid": 7,
"version": "3.12", "threads": 4, "looks": 200, "torn": 0, "gc": 10, "gil": 196, "idle": 2, "left": 0, "unseen": 0, "ended": false, "cpu_s": 1.96}],
"unread": [], "ended": ""}""".replace("\n", " ")
_ASKED = ("python3", "-I", "-S", "-", "top", "2", "1", "100", "cpu", "7")

SAMPLES = (
    Sample(
        (Output(argv=_ASKED, stdout=f"{_TOLD}\n{_TOLD}\n".encode()),),
        (
            "0.98 cores, GIL held in 98% of 200 looks, collector ran in 5%",
            "no thread on a CPU in 1%: pay (app/shop.py) 90%",
            "had the GIL in 98%",
        ),
    ),
    Sample(
        (Output(argv=_ASKED, stdout=b"", stderr=b"no _PyRuntime in what it has mapped\n", exit_code=1),),
        ("no _PyRuntime",),
    ),
    Sample((Output(argv=_ASKED, stdout=b'{"interval": 1}\n[]\n'),), ("nothing came back",)),
)  # fmt: skip
