"""Memory: what is left, what waits to be written, pressure, swap, and the target's own limit.

Shows: MemAvailable against MemTotal, Dirty and Writeback against the kernel's threshold, memory
  pressure (PSI), swap, and for each memory cgroup of the target (v1 or v2, ancestors included)
  its working set against its limit, and whether memory.high holds it back (v2); what each process of
  the target holds for itself. Without a target, the cgroups of the host that wait for memory.
How: reads /proc/meminfo, /proc/PID/status, /proc/pressure/memory, /proc/sys/vm/dirty_ratio and the cgroups' memory.*
  files, those of a group near its memory.high twice within a second. Of a host under pressure it reads
  memory.pressure of all cgroups.
Impact: reads. Three to five greps over small files.
Limits: one moment. Pressure needs a kernel with PSI (4.20 and later, not disabled); without it the
  reading is unknown. Verdicts: available under 10 % of the total is a warning and under 5 %
  critical, since reclaim then competes with work; a working set (usage without inactive file
  pages, as the kubelet counts it) over 90 % of its limit warns and over 97 % is critical, because
  one allocation from there is an OOM kill; all tasks stalled 5 % of the time warns, 20 % is
  critical, but on a host with 20 % of its memory available they wait at limits of cgroups, which is
  none of the host's; a group at its memory.high whose tasks stall is judged by that stall; written data waiting at 80 % of the dirty threshold warns, since writers block at it.
Source: proc(5); Linux Documentation/accounting/psi.rst, admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from locard.guard.command import Impact, Template, Wait
from locard.host import _files
from locard.host import _memory_high as memory_high
from locard.model import semconv
from locard.model.evidence import Output, Scope
from locard.model.facts import MemoryUse, ProcessMemory, Reading, Readings
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_MEMINFO = "/proc/meminfo"
_PRESSURE = "/proc/pressure/memory"
_DIRTY = "/proc/sys/vm/dirty_ratio"
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")
_V2 = (
    "memory.max",
    "memory.current",
    "memory.pressure",
    "memory.high",
    "memory.events",
    "memory.swap.max",
)
_STAT = "memory.stat"
_EVERY_GROUP = "/sys/fs/cgroup"
_MOST_GROUPS = 4  # of a host's that are looked at
_STALLED = (5.0, 20.0)  # per cent of the last 10 s
_ROOM = 0.2  # of the host's memory: then nobody waits for the host
_NO_LIMIT = 1 << 60  # cgroup v1 says "none" with a number near 2**63

SYSTEM = Template(
    ("grep", "-s", "-H", "", _MEMINFO, _PRESSURE, _DIRTY), Impact.READS, 3.0, output="counters"
)
LIMITS = Template(
    (
        "grep",
        "-s",
        "-H",
        "^[0-9]\\|^max\\|^some\\|^full\\|inactive_file\\|^high \\|^oom_kill ",
        "/dev/null",
        "{file:path*}",
    ),
    Impact.READS,
    3.0,
    output="counters",
)
PRIVATE = Template(
    ("grep", "-s", "-a", "-H", "^RssAnon\\|^VmSwap", "/dev/null", "/proc/{pid:pid*}/status"),
    Impact.READS,
    3.0,
    output="counters",
)
AGAIN = Template(
    ("grep", "-s", "-H", "^high ", "/dev/null", "{file:path*}"),
    Impact.READS,
    3.0,
    output="counters",
)
EVERY = Template(
    ("grep", "-r", "-s", "-H", "--include=memory.pressure", "^full", "{folder:path}"),
    Impact.READS,
    3.0,
    output="counters",
)
COMMANDS = (SYSTEM, LIMITS, PRIVATE, AGAIN, EVERY)


def applies(context: Context) -> Skip | None:  # noqa: ARG001 - every host has memory
    """Always."""
    return None


def scope(context: Context) -> Scope:
    """The host, and the cgroups of the target's processes."""
    return Scope(pids=context.target.pids, note="the whole host and the target's cgroups")


def plan(context: Context) -> Generator[Step, Output, None]:
    """The system's files, then those of the cgroups that the target is in."""
    system = yield SYSTEM.fill()
    if context.target.kind == "host" and _pressed(system):
        worst = _worst((yield EVERY.fill(folder=_EVERY_GROUP)))
        yield from _groups(tuple(worst))
    else:
        yield from _groups(context.memory_cgroups)
    if context.target.pids:
        yield PRIVATE.fill(pid=context.target.pids)


def _groups(directories: tuple[str, ...]) -> Generator[Step, Output, None]:
    """The files of cgroups; how often those at their memory.high were held back is read twice."""
    files = tuple(
        path
        for directory in directories
        for path in _files.of_version(directory, (*_V1, _STAT), (*_V2, _STAT))
    )
    if not files:
        return
    first = _files.by_file([(yield LIMITS.fill(file=files))])
    held = tuple(f"{d}/memory.events" for d in directories if memory_high.is_near(d, first))
    if held:
        yield Wait(memory_high.PAUSE_S)
        yield AGAIN.fill(file=held)


def _pressed(output: Output) -> bool:
    """Whether some of the host waits for memory, so that it is worth looking who."""
    seen = _files.pressure(_files.by_file([output]).get(_PRESSURE, ()))
    return max(seen.values(), default=0.0) >= _STALLED[0]


def _worst(output: Output) -> list[str]:
    """The directories of the cgroups below which no other one waits as long, the worst first."""
    found: dict[str, float] = {}
    for line in output.text.splitlines():
        path, mark, rest = line.partition("/memory.pressure:")
        seen = _files.pressure([rest]) if mark else {}
        if seen.get("full", 0.0) >= _STALLED[0]:
            found[path] = seen["full"]
    inner = {d for d in found if not any(o.startswith(d + "/") for o in found)}
    return sorted(inner, key=lambda d: -found[d])[:_MOST_GROUPS]


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """The readings of the system and of each cgroup that has a limit."""
    if not outputs:
        return ()
    again = {id(o) for o in outputs if "^high " in o.argv}
    files = _files.by_file([o for o in outputs if id(o) not in again])
    later = _files.by_file([o for o in outputs if id(o) in again])
    readings = (*_system(files), *_cgroups(files), *memory_high.readings(files, later))
    facts: tuple[Fact, ...] = (Readings(readings),) if readings else ()
    use = _private(outputs[-1])
    return (*facts, use) if use.processes else facts


def _private(output: Output) -> MemoryUse:
    """What each process of the target holds for itself, at the moment of reading."""
    found = []
    for path, lines in _files.by_file([output]).items():
        pid = path.split("/")[2]
        held = _files.fields(lines)
        if pid.isdigit() and "RssAnon" in held:
            found.append(ProcessMemory(int(pid), 1024 * sum(held.values())))
    return MemoryUse(output.started, tuple(found))


def _system(files: dict[str, list[str]]) -> Iterator[Reading]:
    info = {k: v * 1024 for k, v in _files.fields(files.get(_MEMINFO, ())).items()}
    total, left = info.get("MemTotal"), info.get("MemAvailable")
    if total and left is not None:
        used = 1 - left / total
        yield Reading(
            semconv.SYSTEM_MEMORY_AVAILABLE,
            "system",
            left,
            "By",
            total,
            _files.above(used, 0.90, 0.95),
            f"{left / total:.0%} of {total >> 20} MiB is available",
        )
        yield _dirty(info, left, _files.whole("".join(files.get(_DIRTY, ()))))
    else:
        yield Reading(semconv.SYSTEM_MEMORY_AVAILABLE, "system", 0.0, "By", None, "unknown")
    has_room = bool(total and left is not None and left / total >= _ROOM)
    yield _pressure("system", files.get(_PRESSURE), has_room=has_room)
    swap, free = info.get("SwapTotal"), info.get("SwapFree")
    if swap and free is not None:
        share = 1 - free / swap
        yield Reading(
            semconv.SYSTEM_PAGING_UTILIZATION,
            "system",
            round(share, 4),
            "1",
            1.0,
            "warning" if share >= 0.8 else "ok",  # noqa: PLR2004 - nearly full: OOM comes next
            f"{(swap - free) >> 20} of {swap >> 20} MiB of swap used",
        )


def _dirty(info: dict[str, int], left: int, ratio: int | None) -> Reading:
    waiting = info.get("Dirty", 0) + info.get("Writeback", 0)
    limit = left * ratio / 100 if ratio else None
    verdict: _files.Verdict = "unknown"
    if "Dirty" in info and limit:
        verdict = _files.above(waiting / limit, 0.8, 1.0)
    return Reading(
        semconv.SYSTEM_MEMORY_DIRTY,
        "system",
        waiting,
        "By",
        limit,
        verdict,
        "written data that waits for a disk (Dirty and Writeback)",
    )


def _pressure(
    subject: str,
    lines: list[str] | None,
    of: Literal["host", "target"] = "host",
    *,
    has_room: bool = False,
) -> Reading:
    """`has_room`: the host has memory, so that its tasks can only wait at limits of cgroups."""
    seen = _files.pressure(lines or ())
    if "full" not in seen:
        return Reading(
            semconv.SYSTEM_MEMORY_PRESSURE, subject, 0.0, "%", None, "unknown", "no pressure file"
        )
    verdict = _files.above(seen["full"], *_STALLED)
    detail = f"of the last 10 s all tasks stalled for memory; some did {seen.get('some', 0.0):g} %"
    if has_room and verdict != "ok":
        verdict = "ok"
        detail += "; the host has memory, so they wait at the limit of a cgroup"
    return Reading(
        semconv.SYSTEM_MEMORY_PRESSURE, subject, seen["full"], "%", None, verdict, detail, of
    )


def _cgroups(files: dict[str, list[str]]) -> Iterator[Reading]:
    for path in [p for p in files if p.rpartition("/")[2] in {_V1[0], _V2[0]}]:
        base, _, name = path.rpartition("/")
        limit = _files.whole("".join(files[path]))
        usage = _files.whole(
            "".join(files.get(f"{base}/{(_V1 if name == _V1[0] else _V2)[1]}", ()))
        )
        if limit is None or limit >= _NO_LIMIT or not limit:
            continue
        subject = _files.cgroup_subject(base)
        if usage is None:
            yield Reading(semconv.CONTAINER_WORKING_SET, subject, 0.0, "By", limit, "unknown")
            continue
        stat = _files.fields(files.get(f"{base}/{_STAT}", ()))
        cache = stat.get("total_inactive_file", stat.get("inactive_file", 0))
        working = max(0, usage - cache)
        yield Reading(
            semconv.CONTAINER_WORKING_SET,
            subject,
            working,
            "By",
            limit,
            _files.above(working / limit, 0.90, 0.97),
            f"{working / limit:.0%} of its limit of {limit >> 20} MiB",
            "target",
        )
        if files.get(f"{base}/memory.pressure"):
            yield _pressure(subject, files[f"{base}/memory.pressure"], "target")


_GREP = ("grep", "-s", "-H", "", _MEMINFO, _PRESSURE, _DIRTY)
_POD = "/sys/fs/cgroup/kubepods/pod1"
_SYSTEM_TEXT = """/proc/meminfo:MemTotal:       16384000 kB
/proc/meminfo:MemAvailable:    1000000 kB
/proc/meminfo:Dirty:              1200 kB
/proc/meminfo:Writeback:             0 kB
/proc/meminfo:SwapTotal:       1000000 kB
/proc/meminfo:SwapFree:         100000 kB
/proc/pressure/memory:some avg10=31.00 avg60=2.00 avg300=0.50 total=1
/proc/pressure/memory:full avg10=22.50 avg60=2.00 avg300=0.50 total=1
/proc/sys/vm/dirty_ratio:20
"""
_CGROUP_TEXT = f"""{_POD}/memory.max:104857600
{_POD}/memory.current:104857600
{_POD}/memory.stat:inactive_file 1048576
"""

SAMPLES = (
    Sample(
        (
            Output(_GREP, _SYSTEM_TEXT.encode()),
            Output(
                ("grep", f"{_POD}/memory.max", f"{_POD}/memory.current", f"{_POD}/memory.stat"),
                _CGROUP_TEXT.encode(),
            ),
            Output(
                ("grep", "/proc/7/status"),
                b"/proc/7/status:RssAnon:\t 2048 kB\n/proc/7/status:VmSwap:\t 1024 kB\n",
            ),
        ),
        (
            "value=1024000000, unit='By', limit=16777216000, verdict='warning'",
            "value=22.5, unit='%', limit=None, verdict='critical'",
            "subject='cgroup /kubepods/pod1', value=103809024",
            "99% of its limit of 100 MiB",
            "878 of 976 MiB of swap used",
            "ProcessMemory(pid=7, private=3145728)",
        ),
    ),
    Sample((Output(_GREP, b"", exit_code=2),), ("verdict='unknown'",)),
)
