"""Sizes of what the target allocates: which sizes, how often, by which function of which file, by whom.

Shows: the sizes that malloc, calloc, realloc, aligned_alloc, posix_memalign and C++ new were asked for, each
  allocation once; by thread; which file serves; with --stacks who asks.
How: as libcalls, at the functions' entries only (uprobes), in the files that each process has mapped.
Impact: samples. About 0.6 us an allocation where the kernel emulates the first instruction, up to 10 us
  where it steps through it; it is measured, and past --max-overhead it detaches.
Limits: what is asked for, not what is kept: a leak is not told from a cache (locard heap). Memory by
  mmap and by allocators of a language's own (Go, Java, most of Python's small objects) is not here. A page
  [uprobes] stays in each process until it ends.
Source: malloc(3); Gregg, "BPF Performance Tools", ch. 7.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from locard.kernel import _observing
from locard.kernel.probes import libcalls
from locard.model import params
from locard.model.evidence import Output
from locard.model.kernel_facts import NotObserved, Row, Trace
from locard.model.kernel_words import rate
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.kernel._observing import Told
    from locard.model.evidence import Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_ALLOCATE = (
    "malloc+calloc+realloc+aligned_alloc+posix_memalign+memalign+valloc+pvalloc"
    "+_Znwm+_Znam+_ZnwmSt11align_val_t+_ZnamSt11align_val_t+_ZnwmRKSt9nothrow_t+_ZnamRKSt9nothrow_t"
)
_ENTRY_NS = 800.0  # of a call, until it has been measured
_SHOWN = 3

COMMANDS = libcalls.COMMANDS[:1]


@dataclass(frozen=True, slots=True)
class Params:
    """How long, and whether to tell by whom."""

    for_s: float = _observing.for_param()
    stacks: bool = params.switch("by whose stacks it is allocated")
    max_overhead: float = _observing.overhead_param(libcalls.MAX_OVERHEAD)


PARAMS = Params


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies_to_programs(context)


def scope(context: Context) -> Scope:
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    settings = {
        "expression": _ALLOCATE,
        "returns": 0,
        "stacks": int(asked.stacks),
        "set": {"with_stacks": int(asked.stacks)},
        "follow": False,
        "share": asked.max_overhead / 100,
        "cost_ns": _ENTRY_NS,
    }
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace an observation, or why there was nothing to attach to."""
    facts: list[Fact] = []
    for output in outputs:
        told = _observing.told(output)
        refused = _observing.refusal("malloc-sizes", told)
        if refused is not None:
            facts.append(refused)
        elif told.began:
            facts.append(_fact(told))
    return tuple(facts)


def _fact(told: Told) -> Trace | NotObserved:
    functions = {n: f for n, f in libcalls.functions_of(told).items() if f.allocates}
    if not functions:
        return NotObserved(
            "malloc-sizes",
            told.problem or "no file that the target has mapped exports malloc or operator new",
            "a static or stripped program hides them; a language with an allocator of its own has none",
        )
    each = next((float(r["each_ns"]) for r in told.others if r.get("each_ns")), _ENTRY_NS)
    observed = told.observed("eBPF uprobes", each_ns=each)
    files = sorted({f.file for f in functions.values()})
    observed = replace(
        observed,
        attached=tuple(
            f"{sum(f.file == x for f in functions.values())} functions of {x}" for x in files
        ),
    )
    rows = _rows(told, functions)
    return Trace(
        program="malloc-sizes",
        says=_says(rows, functions, observed.seconds),
        observed=observed,
        rows=rows[:100],
        histograms=tuple(libcalls.histograms_of(told, functions)),
        stacks=tuple(_observing.stacks(told, "calls")),
        threads=libcalls.threads_of(told, functions),
    )


def _rows(told: Told, functions: dict[int, libcalls.Function]) -> tuple[Row, ...]:
    """By size and function, the most bytes first; what found no room in the table of sizes as one row."""
    rows, seen = [], dict.fromkeys(functions, 0)
    for row in told.map("sizes"):
        f = functions.get(row["function"])
        if f is None:
            continue
        seen[f.number] += row["value"]
        rows.append(
            Row(f"{row['bytes']} bytes", count=row["value"], bytes=row["bytes"] * row["value"],
                detail=f"{libcalls.word_of(f.name)} in {f.file}")
        )  # fmt: skip
    rows.sort(key=lambda r: (-(r.bytes or 0), -r.count, r.what))
    for f in functions.values():
        if f.sums["impossible"]:
            rows.append(
                Row("impossible", count=f.sums["impossible"],
                    detail=f"more than 128 TiB: {libcalls.word_of(f.name)} in {f.file}")
            )  # fmt: skip
        rest = f.possible - seen[f.number]
        if rest > 0:
            rows.append(
                Row("other sizes", count=rest, detail=f"{libcalls.word_of(f.name)} in {f.file}")
            )
    return tuple(rows)


def _says(rows: tuple[Row, ...], functions: dict[int, libcalls.Function], seconds: float) -> str:
    every = list(functions.values())
    total, refused = sum(f.possible for f in every), libcalls.impossible(every)
    if not total:
        files = ", ".join(sorted({f.file for f in every}))
        nothing = (
            f"no allocation in {seconds:.1f} s by the {count(len(every), 'function')} of {files}"
        )
        return f"{nothing}, but {refused}" if refused else nothing
    often = sorted((r for r in rows if r.bytes is not None), key=lambda r: -r.count)[:_SHOWN]
    most = ", ".join(f"{r.what} {r.count / total:.0%}" for r in often)
    return (
        f"{count(total, 'allocation')} asked for {libcalls.asked_for(every)} in {seconds:.1f} s ({rate(total, seconds)}); most often"
        f" {most}; {refused + '; ' if refused else ''}{libcalls.served_by(every)}"
    )


SAMPLES = (
    Sample(
        libcalls.SAMPLES[0].outputs,
        (
            "300 allocations asked for 59 KiB in 5.0 s",
            "200 bytes 67%, 200 bytes 33%",
            "what='200 bytes'",
        ),
    ),
    Sample(
        (
            Output(
                ("python3",), b'{"began": 1}\n{"end": 5, "took": 5.0, "why": "", "losses": {}}\n'
            ),
        ),
        ("no file that the target has mapped exports malloc",),
    ),
)
