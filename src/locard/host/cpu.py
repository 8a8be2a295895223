"""CPU: what was stolen, what waits for disks, how full it is, who waits and who is held back.

Shows: steal, iowait and busy shares of the host between two readings, the run queue and the load
  beside the number of CPUs, CPU pressure (PSI), what each process of the target used, and in how
  many of its periods each cgroup of the target was throttled for its CPU quota, now and ever.
How: reads /proc/stat, /proc/loadavg, /proc/pressure/cpu, /proc/PID/stat and the cgroups' cpu.stat
  and quota (version 1 or 2, ancestors included), waits at most a second, reads again.
Impact: reads. Four greps over small files.
Limits: a second is a sample, not a trend. What keeps its verdicts as steady as those of a longer
  one: from each share one tick for each CPU is taken off before it is judged (1 % over a second;
  the counters' own error), a run queue must be long in both readings, and load and pressure are
  averages of the kernel's own over 60 and 10 s, so that the wait does not matter to them.
  Verdicts: more than 5 % stolen warns (a neighbour takes what this machine thinks it has), more
  than 15 % is critical; busy warns from 85 % (queueing delay grows without bound from there) and is
  critical from 97 %; more runnable threads than three per CPU warn, more than eight are critical;
  some task waiting for a CPU 25 % of the time warns, 60 % is critical; iowait from 25 % warns only,
  since an idle CPU during I/O is no shortage of CPU; a cgroup throttled in 25 % of its periods
  warns, in 75 % is critical, and less than four periods say nothing.
Source: proc(5), proc_stat(5); Linux Documentation/accounting/psi.rst, scheduler/sched-bwc.rst.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from locard.guard.command import Impact, Template, Wait
from locard.host import _files, _throttling
from locard.model import semconv
from locard.model.evidence import Output, Scope
from locard.model.facts import Reading, Readings
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_STAT, _LOAD, _PRESSURE = "/proc/stat", "/proc/loadavg", "/proc/pressure/cpu"
_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_LIMITS = {"steal": (0.05, 0.15), "iowait": (0.25, math.inf), "busy": (0.85, 0.97)}
_MAX_PAUSE_S = 1.0
_RUN_QUEUE = (3.0, 8.0)  # runnable threads for each CPU: warning, critical

TIMES = Template(
    ("grep", "-s", "-a", "-H", "", _STAT, _LOAD, _PRESSURE, "/proc/{pid:pid*}/stat"),
    Impact.READS,
    3.0,
    output="counters",
)
QUOTAS = Template(
    ("grep", "-s", "-H", "^nr_\\|^throttled_\\|^[0-9-]\\|^max", "/dev/null", "{file:path*}"),
    Impact.READS,
    3.0,
    output="counters",
)
COMMANDS = (TIMES, QUOTAS)


def applies(context: Context) -> Skip | None:  # noqa: ARG001 - every host has CPUs
    """Always."""
    return None


def scope(context: Context) -> Scope:
    """The host, what the target's processes used, and the quotas of its cgroups."""
    return Scope(pids=context.target.pids, note="the whole host and the target's cgroups")


def plan(context: Context) -> Generator[Step, Output, None]:
    """Read, wait, read again."""
    files = tuple(path for d in context.cpu_cgroups for path in _throttling.files(d))
    commands = [TIMES.fill(pid=context.target.pids)]
    if files:
        commands.append(QUOTAS.fill(file=files))
    for command in commands:
        yield command
    yield Wait(min(context.pause_s, _MAX_PAUSE_S))
    for command in commands:
        yield command


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """The readings between the first and the last reading."""
    if not outputs:
        return ()
    times = [_files.by_file([o]) for o in outputs if _STAT in o.argv]
    quotas = [_files.by_file([o]) for o in outputs if _STAT not in o.argv]
    first, last = (times[0], times[-1]) if times else ({}, {})
    readings = (
        *_shares(first, last),
        *_queue(first, last),
        *_processes(first, last),
        *_throttling.readings(quotas[0] if len(quotas) > 1 else {}, quotas[-1] if quotas else {}),
    )
    return (Readings(readings),)


def _ticks(files: dict[str, list[str]]) -> tuple[int, ...]:
    for line in files.get(_STAT, ()):
        words = line.split()
        if words[:1] == ["cpu"] and all(w.isdigit() for w in words[1:]):
            # Guest time is in user time already.
            return tuple(map(int, words[1 : len(_MODES) + 1]))
    return ()


def _cpus(files: dict[str, list[str]]) -> int:
    return sum(1 for s in files.get(_STAT, ()) if s.startswith("cpu") and not s.startswith("cpu "))


def _shares(first: dict[str, list[str]], last: dict[str, list[str]]) -> Iterator[Reading]:
    then, now = _ticks(first), _ticks(last)
    spent = [max(0, b - a) for a, b in zip(then, now, strict=False)]
    total = sum(spent)
    if len(spent) < len(_MODES) or not total:
        for mode in _LIMITS:
            yield _share(mode, 0.0, "unknown", "/proc/stat could not be read twice")
        return
    ticks = dict(zip(_MODES, spent, strict=True))
    ticks["busy"] = total - ticks["idle"] - ticks["iowait"] - ticks["steal"]
    seconds = f"over {total / 100 / max(1, _cpus(last)):.1f} s"
    for mode, limits in _LIMITS.items():
        sure = max(0, ticks[mode] - _cpus(last)) / total  # less the error of the counters
        yield _share(mode, ticks[mode] / total, _files.above(sure, *limits), seconds)


def _share(mode: str, value: float, verdict: _files.Verdict, detail: str) -> Reading:
    return Reading(
        semconv.SYSTEM_CPU_UTILIZATION, f"system {mode}", round(value, 4), "1", 1.0, verdict, detail
    )


def _queue(first: dict[str, list[str]], last: dict[str, list[str]]) -> Iterator[Reading]:
    cpus = _cpus(last)
    runnable = [
        _files.fields(files.get(_STAT, ())).get("procs_running", 0) - 1  # without the reader
        for files in (first, last)
    ]
    if min(runnable) < 0 or not cpus:
        yield Reading(semconv.SYSTEM_RUN_QUEUE, "system", 0.0, "{thread}", None, "unknown")
    else:
        detail = f"{runnable[1]} runnable on {cpus} CPUs, {runnable[0]} in the reading before"
        verdict = _files.above(min(runnable) / cpus, *_RUN_QUEUE)
        yield Reading(
            semconv.SYSTEM_RUN_QUEUE, "system", runnable[1], "{thread}", cpus, verdict, detail
        )
    yield from _averages(last, cpus)


def _averages(files: dict[str, list[str]], cpus: int) -> Iterator[Reading]:
    words = " ".join(files.get(_LOAD, ())).split()
    try:
        load = float(words[0])
    except (IndexError, ValueError):
        yield Reading(semconv.SYSTEM_LOAD_1M, "system", 0.0, "{thread}", None, "unknown")
    else:
        each = load / max(1, cpus)
        detail = f"1 min {words[0]}, 5 min {words[1]}" if len(words) > 1 else ""
        verdict = _files.above(each, *_RUN_QUEUE)
        yield Reading(semconv.SYSTEM_LOAD_1M, "system", load, "{thread}", cpus, verdict, detail)
    seen = _files.pressure(files.get(_PRESSURE, ()))
    if "some" in seen:
        verdict = _files.above(seen["some"], 25.0, 60.0)
        detail = "of the last 10 s some task waited for a CPU"
        yield Reading(
            semconv.SYSTEM_CPU_PRESSURE, "system", seen["some"], "%", None, verdict, detail
        )
    else:
        detail = "no pressure file"
        yield Reading(semconv.SYSTEM_CPU_PRESSURE, "system", 0.0, "%", None, "unknown", detail)


def _used(lines: list[str]) -> int | None:
    """User and system ticks of /proc/PID/stat; the name in parentheses may hold anything."""
    words = "".join(lines).rpartition(")")[2].split()
    try:
        return int(words[11]) + int(words[12])
    except (IndexError, ValueError):
        return None


def _processes(first: dict[str, list[str]], last: dict[str, list[str]]) -> Iterator[Reading]:
    cpus = _cpus(last)
    total = sum(_ticks(last)) - sum(_ticks(first))
    for path, lines in last.items():
        pid = path.split("/")[2]
        now, then = _used(lines), _used(first.get(path, []))
        if not pid.isdigit() or now is None or then is None or total <= 0 or not cpus:
            continue
        used = max(0, now - then) / total * cpus
        yield Reading(
            semconv.PROCESS_CPU_UTILIZATION,
            f"pid {pid}",
            round(used, 3),
            "{cpu}",
            cpus,
            "ok",  # a process that computes is no fault by itself
            f"CPUs' worth of time, of {cpus}",
        )


_GREP = ("grep", "-s", "-H", "", _STAT, _LOAD, _PRESSURE, "/proc/7/stat")
_QUOTAS = ("grep", "-s", "-H", "^nr_", "/dev/null", *_throttling.files("/sys/fs/cgroup/cpu/pod1"))
_FIRST = """/proc/stat:cpu  1000 0 100 1000 0 0 0 0 0 0
/proc/stat:cpu0 500 0 50 500 0 0 0 0 0 0
/proc/stat:cpu1 500 0 50 500 0 0 0 0 0 0
/proc/stat:procs_running 18
/proc/loadavg:0.10 0.20 0.30 1/100 4242
/proc/pressure/cpu:some avg10=0.00 avg60=0.00 avg300=0.00 total=0
/proc/7/stat:7 (a b) c) S 1 7 7 0 -1 0 1 0 0 0 100 50 0 0 20 0 1 0 5 1 1
"""
_SECOND = """/proc/stat:cpu  1160 0 120 1000 0 0 0 20 0 0
/proc/stat:cpu0 580 0 60 500 0 0 0 10 0 0
/proc/stat:cpu1 580 0 60 500 0 0 0 10 0 0
/proc/stat:procs_running 20
/proc/loadavg:9.10 2.20 0.30 19/100 4242
/proc/pressure/cpu:some avg10=70.00 avg60=0.00 avg300=0.00 total=0
/proc/7/stat:7 (a b) c) S 1 7 7 0 -1 0 1 0 0 0 200 50 0 0 20 0 1 0 5 1 1
"""

SAMPLES = (
    Sample(
        (
            Output(_GREP, _FIRST.encode()),
            Output(_QUOTAS, _throttling.SAMPLE.encode()),
            Output(_GREP, _SECOND.encode()),
            Output(_QUOTAS, _throttling.SAMPLE_LATER.encode()),
        ),
        (
            "subject='system steal', value=0.1, unit='1', limit=1.0, verdict='warning'",
            "subject='system busy', value=0.9,",
            "unit='{thread}', limit=2, verdict='critical', detail='19 runnable on 2 CPUs, 17 in the",
            "subject='pid 7', value=1.0",
            "value=70.0, unit='%', limit=None, verdict='critical'",
            "subject='cgroup /cpu/pod1', value=0.9, unit='1', limit=1.0, verdict='critical'",
            "9 of 10 periods",
            "a quota of 0.5 CPUs",
        ),
    ),
    Sample((Output(_GREP, b""),), ("verdict='unknown'", "could not be read twice")),
)
