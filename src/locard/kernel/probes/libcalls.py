"""Calls of library functions: how many, how long, of what size, by function, thread and file.

Shows: for each function that an expression names (as ltrace -e takes them) its calls, wall time, the
  sizes that were asked for (without those that failed, where returns are seen), bytes moved, failures, frees of NULL; by thread; calls that have not
  returned; which file serves the allocations; with --stacks by whom.
How: an eBPF program at the functions' entries and returns (uprobes), only in the target's processes;
  the files are those that each process has mapped, so containers and static programs are found.
Impact: samples. A call costs 0.6 us (1.1 us with its return) where the kernel emulates the function's first
  instruction, up to 10 us where it steps through it: measured at the place before, taken off the times that
  are shown, and past --max-overhead (here 10 %) it detaches. Other processes pay nothing. No return is attached to where C++ exceptions may pass, in Go, or where
  a function returns twice: that would end the target.
Limits: a page [uprobes] stays in each process until it ends. Functions that were inlined, and names
  that stripped files do not export, cannot be found. A call inside another one is told apart for
  allocations; for others only where the outer one's return is seen.
Source: ltrace(1); Gregg, "BPF Performance Tools", ch. 12; kernel Documentation/trace/uprobetracer.rst.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing, engines
from locard.kernel._observing import Told, latencies, ranked
from locard.kernel.engines import bpftrace, ltrace
from locard.model import params
from locard.model.errors import UsageError
from locard.model.evidence import Output
from locard.model.kernel_facts import Bucket, Histogram, NotObserved, Row, Trace
from locard.model.kernel_words import duration, rate, size
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from locard.model.evidence import Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

DEFAULT = (
    "malloc+calloc+realloc+free+aligned_alloc+posix_memalign+_Znwm+_Znam+_ZdlPv+_ZdlPvm+_ZdaPv"
)
# A probe whose instruction the kernel steps through costs 1 to 10 us: at the 2 % of other programs a service that
# allocates 2,000 times a second could not be counted on a virtual machine. A loop of malloc is left all the same.
MAX_OVERHEAD = 0.10
_ENTRY_NS, _BOTH_NS = 800.0, 1500.0  # of a call, measured: bench/RESULTS.md, kernel
_ALLOCATES = re.compile(
    r"(__libc_)?(malloc|calloc|realloc|valloc|pvalloc|memalign)|aligned_alloc|(__)?posix_memalign|_Zn[aw].*"
)
_FREES = re.compile(r"(__libc_)?c?free|_Zd[al]Pv.*")
_OPERATORS = (
    ("_Znw", "operator new"),
    ("_Zna", "operator new[]"),
    ("_Zdl", "operator delete"),
    ("_Zda", "operator delete[]"),
)
_UNTOLD = 0.25  # of what a probe costs, by which that cost varies
_FULL = (1 << 64) - 1
_EXACT = 24  # so many different sizes are shown as they are
_SHOWN = 4

COMMANDS = (
    _observing.template(
        "libcalls",
        "ltrace -c -f -p {pid}",
        own="far/unwind.py+kernel/_functions_far.py+kernel/_attacher_far.py+kernel/_stacks_far.py+kernel/_libcalls_far.py",
        residue=(_observing.PROBE_PAGE,),
    ),
    engines.LOOK,
    *ltrace.COMMANDS,
    *bpftrace.LIBRARY_CALLS,
)


@dataclass(frozen=True, slots=True)
class Params:
    """Which functions, and what of them."""

    for_s: float = _observing.for_param()
    expression: str = params.text(
        DEFAULT,
        "which functions, as ltrace -e takes them: malloc+free, SSL_*@libssl*, -strlen, @MAIN; or where one begins in a file: 0x1b2f40@libx.so",
        pattern=r"[^\0]*[^\0+@ -][^\0]*",
        flag="-e --expression",
    )
    no_latency: bool = params.switch("leave the returns out: no wall time, half the cost")
    stacks: bool = params.switch("by whose stacks the functions are called")
    max_overhead: float = _observing.overhead_param(MAX_OVERHEAD)
    engine: str = engines.engine_param("bpftrace", "ltrace")


PARAMS = Params
BY_DEFAULT = False  # it leaves a page in the target


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies_to_programs(context)


def scope(context: Context) -> Scope:
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def check(asked: Params) -> None:
    """Raises UsageError where a tool does not know what is asked."""
    _check_expression(asked.expression)
    engines.check(asked, "expression", "no_latency")


def _check_expression(expression: str) -> None:
    """Raises UsageError where a pattern of it is broken: then it would fit nothing, or what nobody meant."""
    for word in re.split(r"[+@]|(?<=.)-", expression.lstrip("-")):
        rest = re.sub(r"\[.[^\]]*\]", "", word)
        if len(word) > 1 and word.startswith("/") and word.endswith("/"):
            try:
                re.compile(word[1:-1])
                continue
            except re.error as error:
                why = f"{word} is no regular expression: {error}"
        elif "[" in rest:
            why = f"{word} has a [ that no ] closes"
        else:
            continue
        raise UsageError(
            f"-e {expression} cannot be",
            why,
            "Write for example -e 'malloc+free', or -e 'SSL_[rw]*'.",
        )


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    if asked.engine != engines.EBPF:
        plan_of = ltrace.plan if asked.engine == ltrace.TOOL else bpftrace.plan_library_calls
        yield from plan_of(asked.for_s, asked.expression, context.target.pids)
        return
    settings = {
        "expression": asked.expression,
        "returns": int(not asked.no_latency),
        "stacks": int(asked.stacks),
        "set": {"with_stacks": int(asked.stacks)},
        "follow": False,
        "rows": {"inside": "inside_row"},
        "share": asked.max_overhead / 100,
        "cost_ns": _ENTRY_NS if asked.no_latency else _BOTH_NS,
    }
    command = _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)
    pids = " ".join(f"-p {p}" for p in context.target.pids)
    yield replace(
        command, by_hand=f"ltrace -c -f -e {shlex.quote(asked.expression)} {pids}".strip()
    )


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace an observation, or why nothing could be attached to."""
    for reader in (ltrace.read, bpftrace.read_library_calls):
        found = reader(outputs)
        if found is not None:
            return (found,)
    facts: list[Fact] = []
    for output in outputs:
        told = _observing.told(output)
        refused = _observing.refusal("libcalls", told)
        if refused is not None:
            facts.append(refused)
        elif told.began:
            facts.append(_fact(told))
    return tuple(facts)


@dataclass(frozen=True, slots=True)
class Function:
    """One function in one file, and what all threads did with it."""

    number: int
    name: str
    file: str
    why: str  # its return is not attached to: why
    returns: bool
    sums: dict[str, int]
    # Times below are not told from the probes' own, which have been taken off.
    finest_ns: float = 0.0

    @property
    def allocates(self) -> bool:
        """Whether it asks for memory."""
        return bool(_ALLOCATES.fullmatch(self.name))

    @property
    def frees(self) -> bool:
        """Whether it gives memory back."""
        return bool(_FREES.fullmatch(self.name))

    @property
    def possible(self) -> int:
        """Its calls that were inside no other counted one and asked for what there can be."""
        return self.outer - self.sums["impossible"]

    @property
    def outer(self) -> int:
        """Its calls that were inside no other counted one."""
        return self.sums["count"] - self.sums["inside"]


_FIELDS = (
    "count",
    "inside",
    "total_ns",
    "max_ns",
    "ended",
    "bytes",
    "inside_bytes",
    "null",
    "failed",
    "impossible",
)


def functions_of(told: Told) -> dict[int, Function]:
    """What was attached to, by number, with what all threads did."""
    found = {}
    how = next((r for r in told.others if "sites" in r), {})
    measured = how.get("shown_ns")
    shown = measured if isinstance(measured, list) else []
    for row in told.others:
        if not isinstance(row.get("function"), int) or "file" not in row:
            continue
        parts = [r for r in told.map("calls") if r["function"] == row["function"]]
        sums = {f: sum(p[f] for p in parts) for f in _FIELDS}
        sums["max_ns"] = max((p["max_ns"] for p in parts), default=0)
        number = row["function"]
        returns, why = bool(row.get("returns")), str(row.get("why", ""))
        site = row.get("site")
        cost = shown[site] if isinstance(site, int) and 0 <= site < len(shown) else 0
        found[number] = Function(
            number, str(row["name"]), str(row["file"]), why, returns, sums, cost * _UNTOLD
        )
    return found


def _fact(told: Told) -> Trace | NotObserved:
    functions = functions_of(told)
    missed = [r for r in told.others if "no_function" in r]
    if not functions:
        words = "; ".join(f"{r['no_function']}: {r.get('why', '')}" for r in missed)
        unlock = "name one that the process has: nm -D FILE, or -e '@MAIN'" if told.end else ""
        return NotObserved("libcalls", words or told.problem or "no function fits", unlock)
    returns = any(f.returns for f in functions.values())
    how = next((r for r in told.others if "sites" in r), {})
    each = next((float(r["each_ns"]) for r in told.others if r.get("each_ns")), 0.0)
    observed = told.observed(
        f"eBPF uprobes ({how.get('engine', '')})",
        each_ns=each or (_BOTH_NS if returns else _ENTRY_NS),
    )
    files = sorted({f.file for f in functions.values()})
    attached = tuple(
        f"{sum(f.file == x for f in functions.values())} functions of {x}" for x in files
    )
    observed = replace(
        observed, attached=attached, blind=(*observed.blind, *unseen(functions, missed))
    )
    return Trace(
        program="libcalls",
        says=_says(functions, observed.seconds),
        observed=observed,
        rows=_rows(told, functions),
        histograms=tuple(histograms_of(told, functions)),
        stacks=tuple(_observing.stacks(told, "calls")),
        threads=threads_of(told, functions),
        blocked=_blocked(told, functions),
    )


def unseen(functions: dict[int, Function], missed: Iterable[dict[str, Any]]) -> list[str]:
    """Whose wall time is not measured, and what was asked for and not found."""
    by_why: dict[str, list[str]] = {}
    for f in functions.values():
        if f.why and f.sums["count"]:
            by_why.setdefault(f.why, []).append(f.name)
    words = [
        f"the wall time of {', '.join(sorted(set(names))[:_SHOWN])}: {why}"
        for why, names in by_why.items()
    ]
    known = DEFAULT.split("+")
    return words + [
        f"{r['no_function']}: {r.get('why', '')}" for r in missed if r["no_function"] not in known
    ]


def serving(functions: Iterable[Function]) -> tuple[str, ...]:
    """The files whose code gave memory: those whose `new` only calls another's malloc are not."""
    every = [f for f in functions if f.allocates and f.sums["count"]]
    inside = sum(f.sums["inside"] for f in every)
    found = []
    for file in sorted({f.file for f in every}):
        here = [f for f in every if f.file == file]
        elsewhere = inside - sum(f.sums["inside"] for f in here)
        only_new = all(f.name.startswith("_Zn") for f in here)
        if not (only_new and elsewhere >= sum(f.sums["count"] for f in here)):
            found.append(file)
    return tuple(found)


def _says(functions: dict[int, Function], seconds: float) -> str:
    every = list(functions.values())
    called = [f for f in every if f.sums["count"]]
    if not called:
        files = ", ".join(sorted({_base(f.file) for f in every}))
        return f"no call of {count(len(every), 'function')} of {files} in {seconds:.1f} s"
    parts = []
    allocations = sum(f.outer for f in every if f.allocates)
    if allocations:
        failed = sum(f.sums["failed"] for f in every if f.allocates)
        top = sorted((f for f in called if f.allocates and f.outer), key=lambda f: -f.outer)
        each = ", ".join(f"{word_of(f.name)} {f.outer:,}" for f in top[:_SHOWN])
        parts.append(
            f"{count(allocations, 'allocation')} in {seconds:.1f} s ({rate(allocations, seconds)}): {each};"
            f" {asked_for([f for f in every if f.allocates])} asked for"
            + (f", without {failed:,} that failed" if failed else "")
        )
        parts.append(impossible(every))
        parts.append(served_by(every))
    freed = [f for f in every if f.frees]
    frees = sum(f.outer for f in freed)
    if frees:
        null = sum(f.sums["null"] for f in freed)
        parts.append(f"{count(frees, 'free')}" + (f", {null:,} of them of NULL" if null else ""))
    others = sorted(
        (f for f in called if not f.allocates and not f.frees), key=lambda f: -f.sums["count"]
    )
    if others:
        total = sum(f.sums["count"] for f in others)
        each = ", ".join(f"{f.name} {f.sums['count']:,}" for f in others[:_SHOWN])
        parts.append(f"{count(total, 'call')} in {seconds:.1f} s: {each}")
        silent = sum(1 for f in every if not f.sums["count"])
        if silent:
            parts.append(f"{count(silent, 'other function')} of the expression not called")
    return "; ".join(p for p in parts if p)


def asked_for(functions: Iterable[Function]) -> str:
    """The bytes that calls inside no other counted one asked for; a sum that is full is a least one."""
    every = list(functions)
    if any(f.sums["bytes"] >= _FULL for f in every):
        return "more than 16 EiB"
    return size(max(0, sum(f.sums["bytes"] - f.sums["inside_bytes"] for f in every)))


def impossible(functions: Iterable[Function]) -> str:
    """How many requests nobody could grant, in words; empty where there were none."""
    number = sum(f.sums["impossible"] for f in functions)
    return f"{count(number, 'impossible request')} (more than 128 TiB), in no sum" if number else ""


def served_by(every: list[Function]) -> str:
    """Which file serves the allocations, and whose malloc got none."""
    files = serving(every)
    words = f"served by {', '.join(files)}"
    silent = sorted(
        {f.file for f in every if f.allocates and f.name == "malloc"}
        - {f.file for f in every if f.allocates and f.sums["count"]}
    )
    if silent:
        words += f"; malloc of {', '.join(_base(s) for s in silent)} got none"
    return words


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def word_of(name: str) -> str:
    """A function as people call it: operator new for _Znwm."""
    return next((w for start, w in _OPERATORS if name.startswith(start)), name)


def _detail(f: Function) -> str:
    word = word_of(f.name)
    words = [f"in {f.file}"] if word == f.name else [word, f"in {f.file}"]
    if not f.sums["count"]:
        words.append("not called")
    if f.sums["inside"]:
        words.append(f"{f.sums['inside']:,} inside another counted call")
    if f.sums["null"]:
        words.append(f"{f.sums['null']:,} of NULL")
    if f.sums["impossible"]:
        words.append(count(f.sums["impossible"], "impossible request"))
    return ", ".join(words)


def _rows(told: Told, functions: dict[int, Function]) -> tuple[Row, ...]:
    took = {r["key"]: r.get("slots", {}) for r in told.map("took")}
    rows, silent = [], []
    for f in functions.values():
        if f.sums["count"]:
            rows.append(_row(f, f.sums, _detail(f), took.get(f.number, {})))
        elif f.allocates or f.frees:
            silent.append(Row(f.name, detail=_detail(f)))
    rows.sort(key=lambda r: (-(r.total_s or 0.0), -r.count, r.what))
    return (*rows, *silent)


def _row(f: Function, sums: dict[str, int], detail: str, slots: dict[str, int], **more: Any) -> Row:
    timed = (
        latencies({"total_ns": sums["total_ns"], "max_ns": sums["max_ns"], "slots": slots})
        if f.returns and sums["ended"]
        else {}
    )
    finest_s = f.finest_ns / 1e9
    if timed.get("p50_s", finest_s) < finest_s:
        detail += f", most of them under {duration(finest_s)}"
    for name in ("p50_s", "p99_s"):
        if timed.get(name, finest_s) < finest_s:
            del timed[name]  # not known so finely
    return Row(
        f.name,
        count=sums["count"],
        errors=sums["failed"] if f.returns else None,
        bytes=sums["bytes"] or None,
        detail=detail,
        **timed,
        **more,
    )


def threads_of(told: Told, functions: dict[int, Function]) -> tuple[Row, ...]:
    """The same by thread."""
    rows = []
    for row in told.map("calls"):
        f = functions.get(row["function"])
        if f is not None:
            known = told.threads.get(row["tid"], {})
            rows.append(
                _row(f, row, f"in {_base(f.file)}", {},
                     thread=told.thread(row["tid"]), pid=known.get("pid"), tid=row["tid"])
            )  # fmt: skip
    return ranked(rows)[:200]


def _blocked(told: Told, functions: dict[int, Function]) -> tuple[Row, ...]:
    end = told.end.get("end")
    rows = []
    for row in told.iterators.get("inside", ()):
        f = functions.get(row["function"])
        if f is None or not isinstance(end, int):
            continue
        rows.append(
            Row(
                f.name,
                thread=told.thread(row["tid"]),
                pid=row["tgid"],
                tid=row["tid"],
                count=1,
                total_s=round(max(0, end - row["began"]) / 1e9, 6),
                detail=f"in {_base(f.file)}, has not returned",
            )
        )
    return ranked(rows)[:200]


def histograms_of(told: Told, functions: dict[int, Function]) -> Iterable[Histogram]:
    """Sizes as they were asked for, or by powers of two where there are many; wall times."""
    sizes: dict[int, list[tuple[int, int]]] = {}
    for row in told.map("sizes"):
        sizes.setdefault(row["function"], []).append((row["bytes"], row["value"]))
    for row in sorted(told.map("asked"), key=lambda r: -sum(r["slots"].values())):
        f = functions.get(row["key"])
        if f is None:
            continue
        exact = sorted(sizes.get(f.number, []))
        name = f"{word_of(f.name)} of {_base(f.file)}, bytes asked for"
        if exact and len(exact) <= _EXACT and sum(n for _, n in exact) == f.possible:
            yield Histogram(name, "bytes", tuple(Bucket(b, b + 1, n) for b, n in exact))
        else:
            yield _observing.histogram(name, row["slots"], "bytes", 1)
    for row in sorted(told.map("took"), key=lambda r: -sum(r["slots"].values()))[:4]:
        f = functions.get(row["key"])
        if f is not None:
            yield _times(f, row["slots"])


def _times(f: Function, slots: dict[str, int]) -> Histogram:
    """Wall times; what is too short to be told from the probe's own time is one bar."""
    whole = _observing.histogram(f"{word_of(f.name)} of {_base(f.file)}, wall time", slots)
    short = [s for s in whole.slots if s.least * 1e9 < f.finest_ns]
    if not short:
        return whole
    bar = Bucket(0.0, short[-1].below, sum(s.count for s in short))
    return replace(whole, slots=(bar, *whole.slots[len(short) :]))


_ROW = (
    "count",
    "inside",
    "total_ns",
    "max_ns",
    "ended",
    "bytes",
    "inside_bytes",
    "null",
    "failed",
    "impossible",
)
_TOLD = (
    {"began": 1000, "attached": [], "missing": {}, "kernel": "6.18", "machine": "x86_64"},
    {"iterator": "inside", "began": 2000, "tid": 7, "tgid": 7, "function": 0, "depth": 0},
    {"map": "calls", "key": ["tid", "function"], "value": list(_ROW), "rows": [
        [7, 0, 300, 200, 90000, 900, 299, 60000, 40000, 0, 0, 0], [7, 1, 200, 0, 0, 0, 0, 40000, 0, 0, 0, 0],
        [7, 2, 90, 0, 45000, 700, 90, 0, 0, 4, 0, 0]]},
    {"map": "took", "key": ["key"], "value": ["slots"], "rows": [[0, {"56": 299}], [2, {"57": 90}]]},
    {"map": "asked", "key": ["key"], "value": ["slots"], "rows": [[0, {"46": 300}], [1, {"46": 200}]]},
    {"map": "sizes", "key": ["bytes", "function", "pad"], "value": ["value"], "rows": [[200, 0, 0, 100], [200, 1, 0, 200]]},
    {"function": 0, "name": "malloc", "file": "/usr/lib/libc.so.6", "returns": True, "why": ""},
    {"function": 1, "name": "_Znwm", "file": "/usr/lib/libstdc++.so.6", "returns": False,
     "why": "C++ exceptions may pass through it"},
    {"function": 2, "name": "free", "file": "/usr/lib/libc.so.6", "returns": True, "why": "", "site": 2},
    {"function": 3, "name": "malloc", "file": "/opt/libjemalloc.so.2", "returns": True, "why": ""},
    {"no_function": "SSL_read@libssl*", "why": "no file of that name is mapped"},
    {"sites": 6, "took_s": 0.01, "shown_ns": [400, 9400, 9400], "engine": "one link for many functions"},
    {"each_ns": 1100.0},
    {"stack": ["main", "malloc"], "value": 100, "of": 0, "pid": 7},
    {"left": 7, "pages": ["[uprobes]"], "before": []},
    {"thread": 7, "pid": 7, "comm": "orders"},
    {"end": 5000001000, "took": 5.0, "why": "", "hits": 590, "cost_s": 0.1, "losses": {}},
)  # fmt: skip
SAMPLES = (
    Sample(
        (Output(("python3",), b"".join(json.dumps(row).encode() + b"\n" for row in _TOLD)),),
        (
            "300 allocations in 5.0 s (60/s): operator new 200, malloc 100; 59 KiB asked for",
            "served by /usr/lib/libc.so.6; malloc of libjemalloc.so.2 got none",
            "90 frees, 4 of them of NULL",
            "200 inside another counted call",
            "Bucket(least=200, below=201, count=100)",
            "a page [uprobes] in process 7 until it ends",
            "SSL_read@libssl*: no file of that name is mapped",
            "has not returned",
            "4 of NULL, most of them under 2.35 us",
            "Bucket(least=0.0, below=1.024e-06, count=90)",
        ),
    ),
    Sample(
        (
            Output(
                ("python3",),
                b'{"refused": "loading the program", "errno": 1, "why": "loading: not permitted"}\n',
            ),
        ),
        ("CAP_BPF",),
    ),
)
