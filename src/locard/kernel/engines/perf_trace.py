"""perf trace -s: calls by thread with count, wall time, shortest, longest, and failures by errno."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.kernel import engines, syscall_table
from locard.kernel._observing import ranked
from locard.model.errors import UsageError
from locard.model.kernel_facts import NotObserved, Row, SystemCalls

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.model.evidence import Output
    from locard.probe import Step

TOOL = "perf"
VERSION = Template(("perf", "--version"), Impact.READS, 5.0, needs=(needs.PERF,))
SUMMARY = Template(
    ("perf", "trace", "-s", "--errno-summary", "-p", "{pids:pids}"),
    Impact.SAMPLES,
    engines.MOST_S,
    needs=(needs.PERF,),
    ends="interrupted",
    merged=True,
    prompt=True,
    max_bytes=16 << 20,
)
SOME = replace(SUMMARY, argv=(*SUMMARY.argv, "-e", "{calls:source}"))
COMMANDS = (VERSION, SUMMARY, SOME)
MOST_CALLS = 64  # by name: the kernel takes no longer filter
_BLIND = (
    "perf trace -s sums by call and thread: not by file, peer or lock; calls that had not ended are not in it",
    "the time has the moment in it that perf took to begin: the rates shown are a little too low",
)
_THREAD = re.compile(r"^ (?P<comm>.*) \((?P<tid>[0-9]+)\), (?P<events>[0-9]+) events")
_CALL = re.compile(
    r"^ +(?P<name>[A-Za-z_][A-Za-z0-9_]*) +(?P<calls>[0-9]+) +(?:(?P<errors>[0-9]+) +)?(?P<total>[0-9]+\.[0-9]+)"
    r" +(?P<min>[0-9]+\.[0-9]+) +(?P<avg>[0-9]+\.[0-9]+) +(?P<max>[0-9]+\.[0-9]+) "
)
_ERRNO = re.compile(r"^\s+(?P<errno>E[A-Z0-9]+|[0-9]+): (?P<count>[0-9]+)\s*$")
_LOST = re.compile(r"LOST ([0-9]+) events")


@dataclass(slots=True)
class _Sum:
    count: int = 0
    errors: int = 0
    total_s: float = 0.0
    min_s: float = float("inf")
    max_s: float = 0.0
    errnos: dict[str, int] = field(default_factory=dict)


def plan(
    seconds: float, calls: Sequence[str], pids: tuple[int, ...]
) -> Generator[Step, Output, None]:
    """`calls`: their names; none: all."""
    if len(calls) > MOST_CALLS:
        raise UsageError(
            f"perf trace is not asked for {len(calls)} system calls by name",
            f"the kernel takes no filter of more than some {MOST_CALLS}",
            "Name fewer in --events, or leave them out: then it counts all.",
        )
    whom = ",".join(map(str, pids))
    command = SOME.fill(calls=",".join(calls), pids=whom) if calls else SUMMARY.fill(pids=whom)
    yield from engines.steps(engines.bounded(command, seconds), VERSION, seconds, pids)


def read(outputs: Sequence[Output]) -> SystemCalls | NotObserved | None:
    """The summary as calls, by thread too; None where perf was not asked."""
    it = engines.ran(outputs, (TOOL,))
    if not isinstance(it, engines.Ran):
        return it
    wrong = it.output.exit_code or it.errors or "rror" in it.text
    if "Summary of events" not in it.text and wrong:
        return engines.failed(it, "syscalls")
    sums: dict[str, _Sum] = {}
    threads = _threads(it, sums)
    lost = sum(int(n) for n in _LOST.findall(it.text))
    rows = [
        Row(
            name,
            count=s.count,
            errors=s.errors,
            total_s=round(s.total_s, 9),
            min_s=s.min_s,
            max_s=s.max_s,
            detail="waits" if name in syscall_table.WAITS else "",
        )
        for name, s in sums.items()
    ]
    return SystemCalls(
        observed=engines.observed(
            it,
            "perf trace",
            lost=[f"{lost:,} events were lost: perf says so"] * bool(lost),
            blind=[*_BLIND, engines.WARNINGS[TOOL]],
        ),
        calls=ranked(rows),
        threads=ranked(threads)[:200],
        errors=tuple(sorted(_errors(sums), key=lambda r: (bool(r.detail), -r.count))),
        files=(), locks=(), blocked=(), slow=(), ready=(),
    )  # fmt: skip


def _threads(it: engines.Ran, sums: dict[str, _Sum]) -> list[Row]:
    """The rows by thread; `sums` takes the same over all threads."""
    rows: list[Row] = []
    comm, tid, name = "", None, ""
    for line in it.text.splitlines():
        if head := _THREAD.match(line):
            comm, tid, name = head["comm"], int(head["tid"]), ""
        elif (found := _CALL.match(line)) and tid is not None:
            name = found["name"]
            least, most = float(found["min"]) / 1e3, float(found["max"]) / 1e3
            total, count, errors = (
                float(found["total"]) / 1e3,
                int(found["calls"]),
                int(found["errors"] or 0),
            )
            into = sums.setdefault(name, _Sum())
            into.count += count
            into.errors += errors
            into.total_s += total
            into.min_s, into.max_s = min(into.min_s, least), max(into.max_s, most)
            rows.append(
                Row(name, thread=comm, pid=it.pid_of(tid), tid=tid, count=count, errors=errors,
                    total_s=total, min_s=least, max_s=most)
            )  # fmt: skip
        elif name and (wrong := _ERRNO.match(line)):
            errnos = sums[name].errnos
            errnos[wrong["errno"]] = errnos.get(wrong["errno"], 0) + int(wrong["count"])
    return rows


def _errors(sums: dict[str, _Sum]) -> list[Row]:
    return [
        Row(name, errno, count=number, detail=syscall_table.no_failure(name, errno))
        for name, s in sums.items()
        for errno, number in s.errnos.items()
    ]
