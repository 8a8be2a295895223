"""A bpftrace one-liner of your own: through the same gate, bounded in time, read into rows and recorded.

Shows: every map that the program keeps, by key: counts, sums, averages, least, greatest, histograms, stacks;
  what it prints.
How: bpftrace -f json with the program and the target's pids as its arguments: $1 is the target, $2 and on are
  its other processes. It is ended after --for. Without a target it is about the whole machine.
Impact: samples. bpftrace compiles with LLVM (1 to 3 s, some 100 MB) and hooks every process of the machine;
  what the program does at each event costs whoever causes it.
Limits: a program that acts is refused: system, signal, override, files, the preprocessor, and probes that can
  harm a target (uretprobe, usdt, inside functions). A map holds 4096 keys. A uprobe takes one target process.
  bpftrace before 0.19 writes args->filename where today's writes args.filename.
Source: bpftrace(8); github.com/bpftrace/bpftrace, docs/language.adoc; output of 0.17 and 0.27.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.guard import bpftrace as rules
from locard.kernel import _observing, engines
from locard.kernel.engines import bpftrace, bpftrace_json
from locard.model import params
from locard.model.errors import UsageError
from locard.model.evidence import Output, Scope
from locard.model.kernel_facts import CountedStack, NotObserved, Row, Trace
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.kernel.engines.bpftrace_json import Said
    from locard.model.facts import Fact
    from locard.model.kernel_facts import Histogram
    from locard.model.target import Context, Skip
    from locard.probe import Step

COMMANDS = (bpftrace.VERSION, bpftrace.SCRIPT, bpftrace.OF_ONE, engines.LOOK)
_EXAMPLE = "tracepoint:syscalls:sys_enter_openat /pid == $1/ { @[comm] = count(); }"
_MOST_ROWS = 500
_MOST_LINES = 200


@dataclass(frozen=True, slots=True)
class Params:
    """Which program, and for how long."""

    for_s: float = _observing.for_param()
    program: str = params.text(
        _EXAMPLE, "a bpftrace program; $1 is the target's pid", flag="-e --program"
    )


PARAMS = Params
BY_DEFAULT = False


def applies(context: Context) -> Skip | None:  # noqa: ARG001 - it takes whatever there is
    """It takes processes, or the whole machine."""
    return None


def scope(context: Context) -> Scope:
    """What the program looks at is its own matter."""
    return Scope(
        pids=context.target.pids, note="whatever the program filters: it hooks the machine"
    )


def check(asked: Params) -> None:
    """Raises UsageError where the program does more than read."""
    if why := rules.problem(asked.program):
        raise UsageError(
            "the program is refused", why, "Nothing was run. Count and print: @[key] = count();"
        )


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """The program, and a clock that ends it."""
    pids = context.target.pids[: bpftrace.MOST_PIDS]
    uprobes = rules.uprobes(asked.program)
    if uprobes and len(pids) != 1:
        raise UsageError(
            "a uprobe takes one target process",
            f"this target has {count(len(pids), 'process', 'processes')}: it would be put into every one of the machine",
            "Name one: locard trace -e '…' pid/4242",
        )
    if not pids and rules.of_target(asked.program):
        raise UsageError(
            "the program asks for $1 and no target was given",
            "$1 is the target's pid",
            "Name one: locard trace -e '…' pid/4242",
        )
    program = f"{asked.program.strip()} interval:ms:{int(asked.for_s * 1000)} {{ exit(); }}"
    command = (
        bpftrace.OF_ONE.fill(one=str(pids[0]), program=program, pid=pids)
        if uprobes
        else bpftrace.SCRIPT.fill(program=program, pid=pids)
    )
    bound_s = asked.for_s + engines.STARTS_S
    command = engines.bounded(command, bound_s)
    yield from engines.steps(command, bpftrace.VERSION, asked.for_s, pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace of what the program kept and printed, or why there is none."""
    it = engines.ran(outputs, (bpftrace.TOOL,))
    if it is None:
        return ()
    if isinstance(it, NotObserved):
        return (it,)
    said = bpftrace_json.said(it.output.text)
    if said.probes is None and not (said.maps or said.stats or said.hists or said.lines):
        fact = engines.failed(it, "bpftrace")
        return (NotObserved(fact.program, fact.why, fact.unlock or _dots(it)),)
    program = _program(it.output)
    rows, bars, stacks = _read_maps(said, _aggregates(program))
    rows += [Row(line.rstrip("\n"), "printed", count=1) for line in said.lines[:_MOST_LINES]]
    lost = said.losses()
    if len(said.lines) > _MOST_LINES:
        lost.append(f"only the first {_MOST_LINES} of {len(said.lines):,} printed lines are shown")
    if len(rows) > _MOST_ROWS:
        lost.append(f"only {_MOST_ROWS} of {len(rows):,} rows are shown")
    blind = [engines.WARNINGS["bpftrace"]]
    if it.pids and not rules.of_target(program) and not rules.uprobes(program):
        blind.insert(0, "the program does not ask for the target by $1: it is about every process")
    # bpftrace takes a moment to begin: the clock of the program began when it was attached.
    seconds = min(it.output.duration_s, it.seconds)
    seen = engines.observed(it, bpftrace.TOOL, seconds=seconds, lost=lost, blind=blind)
    trace = Trace("bpftrace", _says(said, rows, bars, seconds), seen, tuple(rows[:_MOST_ROWS]),
                  tuple(bars), tuple(stacks))  # fmt: skip
    return (trace,)


def _dots(it: engines.Ran) -> str:
    """The one difference between the versions that everybody meets."""
    old = "Can not access field" in it.errors and "args." in _program(it.output)
    return "this bpftrace writes args->name where today's writes args.name" if old else ""


def _program(output: Output) -> str:
    at = output.argv.index("-e") if "-e" in output.argv else len(output.argv)
    return output.argv[at + 1] if at + 1 < len(output.argv) else ""


_ASSIGNED = re.compile(r"(@\w*)\s*(?:\[[^=;{}]*\])?\s*=\s*(\w+)\s*\(")
_COUNTED = re.compile(r"(@\w*)\s*(?:\[[^=;{}]*\])?\s*(?:\+\+)")


def _aggregates(program: str) -> dict[str, str]:
    """By map what is kept in it, as far as the program says: count, sum, min or another."""
    found = dict.fromkeys(_COUNTED.findall(program), "count")
    for name, how in _ASSIGNED.findall(program):
        found[name] = how if found.get(name, how) == how else "several"
    return found


def _read_maps(
    said: Said, how: dict[str, str]
) -> tuple[list[Row], list[Histogram], list[CountedStack]]:
    rows: list[Row] = []
    bars: list[Histogram] = []
    stacks: list[CountedStack] = []
    for name, value in said.maps.items():
        for key, item in bpftrace_json.entries(value):
            if "\n" in key and isinstance(item, int) and how.get(name) == "count":
                framed, rest = bpftrace_json.frames(key)
                stacks.append(CountedStack(framed, float(item), "times", rest))
            else:
                rows.append(_row(name, key, item, how.get(name, "")))
    for name, value in said.stats.items():
        rows += [
            _stats(name, key, item, how.get(name, "")) for key, item in bpftrace_json.entries(value)
        ]
    for name, value in said.hists.items():
        for key, item in bpftrace_json.entries(value):
            found = bpftrace_json.histogram(f"{name}{f'[{key}]' if key else ''}", item, "")
            if found is not None:
                bars.append(found)
    rows.sort(key=lambda r: (-r.count, -(r.value or 0.0), r.what))
    return rows, bars, stacks


def _row(name: str, key: str, item: Any, how: str) -> Row:
    what = key or name
    label = name if key and name != "@" else ""
    if isinstance(item, int | float) and not isinstance(item, bool):
        if how == "count":
            return Row(what, count=int(item), detail=label)
        return Row(what, how, value=float(item), detail=label)
    shown = item if isinstance(item, str) else repr(item)
    return Row(what, how, detail=f"{label} = {' '.join(shown.split())}".strip())


def _stats(name: str, key: str, item: Any, how: str) -> Row:
    label = name if key and name != "@" else ""
    if isinstance(item, dict) and isinstance(item.get("count"), int):
        words = f"average {item.get('average')}, total {item.get('total')}"
        return Row(key or name, how, count=item["count"], detail=f"{label} {words}".strip())
    return _row(name, key, item, how)


def _says(said: Said, rows: list[Row], bars: list[Histogram], seconds: float) -> str:
    probes = f" by {count(said.probes, 'probe')}" if said.probes is not None else ""
    if not rows and not bars:
        return f"the program kept nothing in {seconds:.1f} s{probes}"
    total = sum(r.count for r in rows if r.result != "printed")
    top = next((r for r in rows if r.count and r.result != "printed"), None)
    words = f"{count(len(rows), 'row')} in {seconds:.1f} s{probes}"
    if top is not None:
        words += f"; {total:,} counted, most: {' '.join(top.what.split())} {top.count:,}"
    return words


_JSON = """{"type": "attached_probes", "data": {"probes": 2}}
{"type": "map", "data": {"@": {"/etc/passwd": 7, "/srv/a b": 2}}}
{"type": "map", "data": {"@bytes": {"gunicorn,42": 640}}}
{"type": "printf", "data": "hi 42\\n"}
{"type": "stats", "data": {"@s": {"x": {"count": 3, "average": 2, "total": 6}}}}
{"type": "hist", "data": {"@h": [{"min": 2, "max": 3, "count": 4}]}}
{"type": "map", "data": {"@k": {"\\n    inner+1\\n    outer+2\\n,sh": 5}}}
{"type": "lost_events", "data": {"events": 9}}
"""
_OWN = (
    "tracepoint:a:b /pid == $1/ { @[str(args->f)] = count(); @bytes[comm, pid] = sum(args->n);"
    " @s[1] = stats(2); @k[kstack, comm] = count(); }"
)
_ARGV = ("/usr/bin/bpftrace", "-f", "json", "-e", _OWN, "42")
_LOOK = (
    b'{"process":42,"comm":"gunicorn","state":"S","tracer":0,"by":"","threads":[42],"inner":42}\n'
    b'{"machine":"x86_64","kernel":"6.1","pids":true}\n'
)
_LOOKS = ("python3", "-I", "-S", "-", "5.000", "42")

SAMPLES = (
    Sample(
        (
            Output(("bpftrace", "--version"), b"bpftrace v0.17.0\n"),
            Output(_LOOKS, _LOOK),
            Output(_ARGV, _JSON.encode(), duration_s=6.1),
            Output(_LOOKS, _LOOK),
        ),
        (
            "engine='bpftrace 0.17.0'",
            "what='/etc/passwd', result='', thread='', pid=None, tid=None, count=7",
            "what='gunicorn,42', result='sum'",
            "value=640.0",
            "what='hi 42', result='printed'",
            "average 2, total 6",
            "Bucket(least=2.0, below=4.0, count=4)",
            "frames=('outer+2', 'inner+1'), value=5.0, unit='times', thread='sh'",
            "9 events were lost",
        ),
    ),
    Sample(
        (
            Output(
                ("bpftrace", "--version"), b"", exit_code=None, problem="bpftrace is not installed"
            ),
        ),
        (
            "NotObserved(program='bpftrace', why='bpftrace is not installed'",
            "apt-get install bpftrace",
        ),
    ),
    Sample(
        (
            Output(("bpftrace", "--version"), b"bpftrace v0.17.0\n"),
            Output(_LOOKS, _LOOK),
            Output(
                ("bpftrace", "-f", "json", "-e", "t:a:b { @[args.f] = count(); }"),
                b"",
                b"stdin:1:1-2: ERROR: Can not access field 'f' on type '(ctx)'\n",
                exit_code=1,
            ),
        ),
        ("Can not access field", "args->name"),
    ),
)
