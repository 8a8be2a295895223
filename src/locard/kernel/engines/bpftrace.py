"""bpftrace: system calls and library calls of the target by a program of ours, and one-liners of yours."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.kernel import _observing, engines, syscall_table
from locard.kernel._observing import ranked
from locard.kernel.engines import bpftrace_json, ltrace
from locard.model.errors import UsageError
from locard.model.kernel_facts import Histogram, NotObserved, Row, SystemCalls, Trace

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.kernel.engines.bpftrace_json import Said
    from locard.model.evidence import Output
    from locard.probe import Step

TOOL = "bpftrace"
VERSION = Template(("bpftrace", "--version"), Impact.READS, 10.0, needs=(needs.BPFTRACE,))
# The program begins with no dash, and asks for nothing unsafe: --unsafe is never passed.
SCRIPT = Template(
    ("bpftrace", "-f", "json", "-e", "{program:bpftrace}", "{pid:pid*}"),
    Impact.SAMPLES,
    engines.MOST_S,
    needs=(needs.BPFTRACE,),
    ends="interrupted",
    prompt=True,
    max_bytes=16 << 20,
)
# With -p today's bpftrace puts uprobes into that process only; 0.17 into every one.
OF_ONE = replace(
    SCRIPT,
    argv=("bpftrace", "-f", "json", "-p", "{one:pid}", "-e", "{program:bpftrace}", "{pid:pid*}"),
    residue=(_observing.PROBE_PAGE,),
)
FUNCTIONS = Template(
    ("python3", "-I", "-S", "-", "{expression:source}", "functions", "{pid:pid}"),
    Impact.READS,
    20.0,
    by_hand="nm -D --defined-only $(awk '/ r.xp / {print $6}' /proc/{pid}/maps | sort -u)",
    program="far/symbols.py+far/unwind.py+kernel/_functions_far.py+kernel/_engine_functions_far.py",
    needs=(needs.PYTHON,),
    output="json",
    prompt=True,
)
CALLS = (VERSION, SCRIPT)
LIBRARY_CALLS = (VERSION, FUNCTIONS, OF_ONE)
MOST_PIDS = 32
_MOST_FUNCTIONS = 64
_BEFORE_S = 0.1  # from when all is attached
_BLIND = (
    "what these processes start meanwhile is not followed: bpftrace filters by pid",
    "a call that had not ended is not in it",
)


def _any_of(pids: tuple[int, ...]) -> str:
    return " || ".join(f"pid == ${n}" for n in range(1, len(pids) + 1))


def _script(seconds: float, probes: str, last: str = "") -> str:
    """Counted is from a tick of the clock, when all is attached, to another one, before it is detached."""
    from_ms = int(_BEFORE_S * 1000)
    return (
        f"interval:ms:{from_ms} {{ if (@from == 0) {{ @from = nsecs; @on = 1; }} }} {probes}"
        f" interval:ms:{int(seconds * 1000) + from_ms} {{ @on = 0; @to = nsecs; exit(); }}{last}"
    )


def plan_calls(
    seconds: float, numbers: Sequence[int], pids: tuple[int, ...]
) -> Generator[Step, Output, None]:
    """`numbers`: of the calls; none: all."""
    _check_pids(pids)
    only = " || ".join(f"args->id == {n}" for n in numbers)
    which = f" && ({only})" if only else ""
    probes = (
        f"tracepoint:raw_syscalls:sys_enter /({_any_of(pids)}){which}/ {{ if (@on > 0) {{ @began[tid] = nsecs; }} }}"
        " tracepoint:raw_syscalls:sys_exit /@began[tid]/ { $took = nsecs - @began[tid]; delete(@began[tid]);"
        " @calls[tid, args->id] = stats($took); @took[args->id] = hist($took); @most[args->id] = max($took);"
        " @least[args->id] = min($took);"
        " if (args->ret > -4096 && args->ret < 0) { @errors[args->id, args->ret] = count(); } }"
    )
    command = SCRIPT.fill(program=_script(seconds, probes, " END { clear(@began); }"), pid=pids)
    bound_s = seconds + engines.STARTS_S
    yield from engines.steps(engines.bounded(command, bound_s), VERSION, seconds, pids)


def _check_pids(pids: tuple[int, ...]) -> None:
    if len(pids) > MOST_PIDS:
        raise UsageError(
            f"bpftrace is not asked about {len(pids)} processes",
            f"its filter would cost every process of the machine more with each; {MOST_PIDS} is the most",
            "Name one process, or leave out --engine.",
        )


def _seconds(said: Said, it: engines.Ran) -> float:
    start, end = said.maps.get("@from"), said.maps.get("@to")
    if isinstance(start, int) and isinstance(end, int) and start < end:
        return (end - start) / 1e9
    return it.output.duration_s


def read_calls(outputs: Sequence[Output]) -> SystemCalls | NotObserved | None:
    """The maps as calls; None where bpftrace was not asked."""
    it = engines.ran(outputs, (TOOL,))
    if not isinstance(it, engines.Ran):
        return it
    said = bpftrace_json.said(it.output.text)
    if not isinstance(said.maps.get("@from"), int):
        return engines.failed(it, "syscalls")
    threads, errors = _threads(it, said), []
    for key, number in bpftrace_json.entries(said.maps.get("@errors", {})):
        which = bpftrace_json.numbers(key)
        if which and len(which) == 2 and isinstance(number, int):  # noqa: PLR2004 - call and errno
            name, errno = syscall_table.name(it.machine, which[0]), syscall_table.error(-which[1])
            detail = syscall_table.no_failure(name, errno)
            errors.append(Row(name, errno, count=number, detail=detail))
    return SystemCalls(
        observed=engines.observed(
            it, TOOL, seconds=_seconds(said, it), lost=said.losses(),
            blind=[*_BLIND, engines.WARNINGS[TOOL]],
        ),
        calls=ranked(_calls(it, said, threads, errors)),
        threads=ranked(threads)[:200],
        errors=tuple(sorted(errors, key=lambda r: (bool(r.detail), -r.count))),
        files=(), locks=(), blocked=(), slow=(), ready=(),
        histograms=tuple(_took(it, said))[:12],
    )  # fmt: skip


def _threads(it: engines.Ran, said: Said) -> list[Row]:
    rows = []
    for key, value in bpftrace_json.entries(said.stats.get("@calls", {})):
        which = bpftrace_json.numbers(key)
        if not which or len(which) != 2 or not isinstance(value, dict):  # noqa: PLR2004 - thread and call
            continue
        number, total = value.get("count"), value.get("total")
        if isinstance(number, int) and isinstance(total, int):
            name = syscall_table.name(it.machine, which[1])
            rows.append(
                Row(name, pid=it.pid_of(which[0]), tid=which[0], count=number, total_s=total / 1e9)
            )
    return rows


def _calls(it: engines.Ran, said: Said, threads: list[Row], errors: list[Row]) -> list[Row]:
    names = {syscall_table.name(it.machine, n): n for n in _numbers(said.maps.get("@most", {}))}
    by_call: dict[str, list[Row]] = {}
    for row in threads:
        by_call.setdefault(row.what, []).append(row)
    rows = []
    for name, parts in by_call.items():
        number = str(names.get(name, ""))
        least, most = (_ns(said.maps.get(m, {}), number) for m in ("@least", "@most"))
        rows.append(
            Row(
                name,
                count=sum(p.count for p in parts),
                errors=sum(e.count for e in errors if e.what == name),
                total_s=round(sum(p.total_s or 0.0 for p in parts), 9),
                min_s=least,
                max_s=most,
                detail="waits" if name in syscall_table.WAITS else "",
            )
        )
    return rows


def _numbers(found: Any) -> list[int]:
    keys = found if isinstance(found, dict) else {}
    return [which[0] for k in keys if (which := bpftrace_json.numbers(k))]


def _ns(found: Any, key: str) -> float | None:
    value = found.get(key) if isinstance(found, dict) else None
    return value / 1e9 if isinstance(value, int) else None


def _took(it: engines.Ran, said: Said) -> list[Histogram]:
    found = []
    for key, rows in bpftrace_json.entries(said.hists.get("@took", {})):
        which = bpftrace_json.numbers(key)
        name = syscall_table.name(it.machine, which[0]) if which else key
        bars = bpftrace_json.histogram(name, rows, "s", 1e-9)
        if bars is not None:
            found.append(bars)
    return sorted(found, key=lambda h: -sum(s.count for s in h.slots))


# -- library calls -----------------------------------------------------------------------------

_PATH = re.compile(r"/[^\s:{},*?\"']+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.$@]*")


def plan_library_calls(
    seconds: float, expression: str, pids: tuple[int, ...]
) -> Generator[Step, Output, None]:
    """`expression` as ltrace -e takes it; entries only: a return that is hooked can end the target."""
    if len(pids) != 1:
        raise UsageError(
            f"bpftrace takes one process, not {len(pids)}",
            "its uprobes are put into the process that -p names",
            "Name one: pid/4242, or leave out --engine.",
        )
    version = yield VERSION.fill()
    if version.problem:
        return
    found = yield FUNCTIONS.fill(expression=expression, pid=pids)
    functions = _functions([found])
    if not functions and found.stdout:
        return
    pid = pids[0]
    probes = " ".join(
        f"uprobe:/proc/{pid}/root{path}:{name} /pid == $1/ {{ if (@on > 0) {{ @calls[{n}, tid] = count();"
        f" @asked[{n}] = hist(arg0); }} }}"
        for n, (name, path) in functions.items()
    )
    command = OF_ONE.fill(one=str(pid), program=_script(seconds, probes), pid=pids)
    bound_s = seconds + engines.STARTS_S
    yield from engines.steps(engines.bounded(command, bound_s), None, seconds, pids)


def _functions(outputs: Sequence[Output]) -> dict[int, tuple[str, str]]:
    """What was found, by number, as names and paths that fit into a program."""
    found: dict[int, tuple[str, str]] = {}
    for output in outputs:
        if "functions" not in output.argv:
            continue
        for line in output.text.splitlines():
            try:
                row = json.loads(line)
                name, path = str(row["name"]), str(row["file"])
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
            if _NAME.fullmatch(name) and _PATH.fullmatch(path) and len(found) < _MOST_FUNCTIONS:
                found[len(found)] = (name, path)
    return found


_SIZE_FIRST = re.compile(r"(__libc_)?malloc|_Zn[aw]m.*")


def read_library_calls(outputs: Sequence[Output]) -> Trace | NotObserved | None:
    """The maps as a Trace; None where bpftrace was not asked."""
    it = engines.ran([o for o in outputs if "functions" not in o.argv], (TOOL,))
    functions = _functions(outputs)
    if (
        isinstance(it, NotObserved)
        and any("functions" in o.argv for o in outputs)
        and not functions
    ):
        return NotObserved(
            "libcalls", "no function fits", "name one that the process has: -e '@MAIN'"
        )
    if not isinstance(it, engines.Ran):
        return it
    said = bpftrace_json.said(it.output.text)
    if not isinstance(said.maps.get("@from"), int):
        return engines.failed(it, "libcalls")
    threads = []
    for key, number in bpftrace_json.entries(said.maps.get("@calls", {})):
        which = bpftrace_json.numbers(key)
        known = functions.get(which[0]) if which and len(which) == 2 else None  # noqa: PLR2004
        if known and which and isinstance(number, int):
            threads.append(
                Row(
                    known[0],
                    pid=it.pid_of(which[1]),
                    tid=which[1],
                    count=number,
                    detail=f"in {known[1]}",
                )
            )
    sums: dict[tuple[str, str], int] = {
        (name, f"in {path}"): 0 for name, path in functions.values()
    }
    for row in threads:
        sums[row.what, row.detail] += row.count
    rows = [Row(name, count=n, detail=where) for (name, where), n in sums.items() if n]
    seconds = _seconds(said, it)
    blind = (_BLIND[0], "entries only: no wall time, no failures", engines.WARNINGS[TOOL])
    seen = engines.observed(it, TOOL, seconds=seconds, lost=said.losses(), blind=blind)
    asked = said.hists.get("@asked", {})
    bars = [
        bpftrace_json.histogram(f"{name} of {path.rpartition('/')[2]}, bytes asked for", asked.get(str(n)), "bytes")
        for n, (name, path) in functions.items()
        if isinstance(asked, dict) and _SIZE_FIRST.fullmatch(name)
    ]  # fmt: skip
    words = ltrace.says(rows, seconds, TOOL) if rows else _none(len(functions), seconds)
    return Trace(
        "libcalls", words, seen, tuple(sorted(rows, key=lambda r: -r.count)),
        tuple(b for b in bars if b is not None), threads=tuple(sorted(threads, key=lambda r: -r.count))[:200],
    )  # fmt: skip


def _none(functions: int, seconds: float) -> str:
    return f"no call of {functions} functions in {seconds:.1f} s"
