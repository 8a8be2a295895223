"""What the target's threads run on the CPU: samples of the clock with user and kernel stacks.

Shows: the functions that the CPU was in, by themselves and with what they call; by thread; every stack,
  for flame graphs (--flame FILE).
How: the clock of every CPU interrupts at --hz; where a thread of the target runs, an eBPF program takes
  its kernel stack and a piece of its user stack, which is unwound beside it by the unwind tables of its
  files: no frame pointers and no symbols for debugging are needed.
Impact: samples. Each CPU is interrupted --hz times a second; a sample costs some 10 us.
Limits: what waits is not seen: that is off-cpu. Frames of Python and of other interpreters are named
  only where the run time writes a map (python -X perf, node --perf-basic-prof). Stacks of more than
  16 KiB are cut at their outer end. Unwinding is for x86-64; elsewhere by frame pointers.
Source: Gregg, "BPF Performance Tools", ch. 6 (profile); perf_event_open(2); the DWARF 5 standard, 6.4.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing
from locard.model import params
from locard.model.evidence import Output
from locard.model.kernel_facts import CountedStack, Row, Trace
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.kernel._observing import Told
    from locard.model.evidence import Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_EACH_NS = 10000.0  # of a sample, measured: bench/RESULTS.md, kernel
_SHOWN = 3
_FEW = 50  # samples, of which shares say little

COMMANDS = (
    _observing.template(
        "cpu_profile",
        "perf record -F 99 -g -p {pid}",
        own="far/unwind.py+kernel/_stacks_far.py+kernel/_cpu_profile_far.py",
    ),
)


@dataclass(frozen=True, slots=True)
class Params:
    """How long, and how often."""

    for_s: float = _observing.for_param()
    hz: int = params.param(99, "samples a second of each CPU", least=1, most=999)


PARAMS = Params


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies(context)


def scope(context: Context) -> Scope:
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    settings = {"hz": asked.hz}
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace an observation, or why the kernel did not take it."""
    facts: list[Fact] = []
    for output in outputs:
        told = _observing.told(output)
        refused = _observing.refusal("cpu-profile", told)
        if refused is not None:
            facts.append(refused)
        elif told.began:
            facts.append(_fact(told, _hz(output)))
    return tuple(facts)


def _hz(output: Output) -> int:
    """As it was asked for: it stands among the words of the command."""
    for word in output.argv:
        try:
            value = json.loads(word)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and isinstance(value.get("hz"), int):
            return max(1, int(value["hz"]))
    return 99


def _fact(told: Told, hz: int) -> Trace:
    stacks = tuple(_observing.stacks(told, "samples"))
    rows = by_function(stacks, hz)
    total = round(sum(s.value for s in stacks))
    return Trace(
        program="cpu-profile",
        says=_says(rows, total, told.seconds, hz),
        observed=told.observed(each_ns=_EACH_NS),
        rows=rows[:200],
        stacks=stacks,
        threads=_threads(told, hz),
    )


def by_function(stacks: Sequence[CountedStack], hz: int) -> tuple[Row, ...]:
    """Functions by the samples in themselves; `detail` says how many with what they call."""
    own: dict[str, float] = {}
    whole: dict[str, float] = {}
    for stack in stacks:
        if stack.frames:
            own[stack.frames[-1]] = own.get(stack.frames[-1], 0) + stack.value
        for frame in set(stack.frames):
            whole[frame] = whole.get(frame, 0) + stack.value
    rows = [
        Row(name, count=round(value), total_s=round(value / hz, 6),
            detail=f"{whole[name]:,.0f} with what it calls")
        for name, value in own.items()
    ]  # fmt: skip
    return tuple(sorted(rows, key=lambda r: (-r.count, r.what)))


def _threads(told: Told, hz: int) -> tuple[Row, ...]:
    by_tid: dict[Any, float] = {}
    for row in told.others:
        if isinstance(row.get("stack"), list) and isinstance(row.get("tid"), int):
            by_tid[row["tid"]] = by_tid.get(row["tid"], 0) + float(row.get("value", 0))
    rows = []
    for tid, value in by_tid.items():
        known = told.threads.get(tid, {})
        rows.append(
            Row("on the CPU", thread=told.thread(tid), tid=tid, pid=known.get("pid"), count=round(value),
                total_s=round(value / hz, 6))
        )  # fmt: skip
    return tuple(sorted(rows, key=lambda r: -r.count))[:200]


def _says(rows: tuple[Row, ...], total: int, seconds: float, hz: int) -> str:
    if not total:
        return f"no sample found the target on a CPU in {seconds:.1f} s at {hz} Hz"
    cores = total / hz / seconds if seconds else 0.0
    words = f"{count(total, 'sample')} in {seconds:.1f} s at {hz} Hz: {cores:.2f} cores on average"
    if total < _FEW:
        return f"{words}, too few for shares"
    top = ", ".join(f"{r.what} {r.count / total:.0%}" for r in rows[:_SHOWN])
    return f"{words}; in {top}"


_TOLD = (
    {"began": 1, "attached": ["follow"], "missing": {}, "kernel": "6.18", "machine": "x86_64"},
    {"stack": ["_start", "main", "parse"], "value": 60, "tid": 7, "pid": 7},
    {"stack": ["_start", "main", "read", "vfs_read_[k]"], "value": 40, "tid": 7, "pid": 7},
    {"thread": 7, "pid": 7, "comm": "orders"},
    {"end": 2000000000, "took": 2.0, "why": "", "hits": 100, "cost_s": 0.1, "losses": {}},
)
SAMPLES = (
    Sample(
        (Output(("python3",), b"".join(json.dumps(row).encode() + b"\n" for row in _TOLD)),),
        (
            "100 samples in 2.0 s at 99 Hz: 0.51 cores on average; in parse 60%, vfs_read_[k] 40%",
            "thread='orders'",
            "60 with what it calls",
        ),
    ),
    Sample(
        (
            Output(
                ("python3",),
                b'{"began": 1}\n{"end": 5, "took": 5.0, "why": "", "hits": 0, "losses": {}}\n',
            ),
        ),
        ("no sample found the target on a CPU in 5.0 s",),
    ),
)
