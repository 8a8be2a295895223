"""Processes and threads against their limits: cgroup, user and host.

Shows: how many tasks the target's pids cgroups hold against pids.max (ancestors included), how many
  threads the users of its processes have against RLIMIT_NPROC, and the host against threads-max
  and pid_max.
How: reads pids.current and pids.max, /proc/loadavg and /proc/sys/kernel/{threads-max,pid_max}; a
  reader of locard's own counts threads by user from /proc/*/status.
Impact: reads. One small read for each process of the host.
Limits: RLIMIT_NPROC does not bind root and is per user namespace since 5.14: in a container other
  containers' processes of the same number may be counted. Verdicts: 80 % warns and 95 % is critical,
  since a pool that grows by a burst then fails with EAGAIN ("can't start new thread").
Source: getrlimit(2), proc(5); Linux Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/pids.rst.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locard.guard.command import Impact, Template
from locard.host import _files
from locard.model import semconv, thread_records
from locard.model.evidence import Output, Scope
from locard.model.facts import Reading, Readings
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_LOAD = "/proc/loadavg"
_THREADS_MAX, _PID_MAX = "/proc/sys/kernel/threads-max", "/proc/sys/kernel/pid_max"
_CURRENT, _MAX = "pids.current", "pids.max"
_FULL = (0.80, 0.95)

SYSTEM = Template(
    ("grep", "-s", "-H", "", _LOAD, _THREADS_MAX, _PID_MAX), Impact.READS, 3.0, output="counters"
)
GROUPS = Template(
    ("grep", "-s", "-H", "", "/dev/null", "{file:path*}"), Impact.READS, 3.0, output="counters"
)
USERS = Template(
    ("python3", "-I", "-S", "-", "{pid:pid*}"),
    Impact.READS,
    3.0,
    by_hand="for p in {pid}; do grep processes /proc/$p/limits; done; ps -eLo user= | sort | uniq -c",
    program="host/_tasks.py",
    output="json",
)
COMMANDS = (SYSTEM, GROUPS, USERS)


def applies(context: Context) -> Skip | None:  # noqa: ARG001 - every host has a limit
    """Always."""
    return None


def scope(context: Context) -> Scope:
    """The host, the target's cgroups and the users that it runs as."""
    return Scope(pids=context.target.pids, note="the host, the target's cgroups and its users")


def plan(context: Context) -> Generator[Step, Output, None]:
    """The host; then the target's cgroups and users."""
    yield SYSTEM.fill()
    files = tuple(f"{d}/{name}" for d in context.pids_cgroups for name in (_CURRENT, _MAX))
    if files:
        yield GROUPS.fill(file=files)
    if context.target.pids:
        yield USERS.fill(pid=context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One reading of the host, one for each cgroup with a limit and each user with one."""
    if not outputs:
        return ()
    files = _files.by_file(outputs)
    records = [r for o in outputs if _LOAD not in o.argv for r in thread_records.records(o.text)]
    readings = (*_host(files), *_groups(files), *_users(records))
    return (Readings(readings),) if readings else ()


def _host(files: dict[str, list[str]]) -> Iterator[Reading]:
    words = " ".join(files.get(_LOAD, ())).split()
    tasks = _files.whole(words[3].partition("/")[2]) if len(words) > 3 else None  # noqa: PLR2004 - running/all
    limits = [_files.whole("".join(files.get(p, ()))) for p in (_THREADS_MAX, _PID_MAX)]
    known = [n for n in limits if n]
    if tasks is None or not known:
        yield Reading(semconv.SYSTEM_THREADS, "system", 0.0, "{thread}", None, "unknown")
        return
    limit = min(known)
    name = "threads-max" if limit == limits[0] else "pid_max"
    verdict = _files.above(tasks / limit, *_FULL)
    detail = f"of kernel.{name}"
    yield Reading(semconv.SYSTEM_THREADS, "system", tasks, "{thread}", limit, verdict, detail)


def _groups(files: dict[str, list[str]]) -> Iterator[Reading]:
    for path, lines in files.items():
        base, _, name = path.rpartition("/")
        limit = _files.whole("".join(lines)) if name == _MAX else None  # "max" where there is none
        now = _files.whole("".join(files.get(f"{base}/{_CURRENT}", ())))
        if limit and now is not None:
            verdict = _files.above(now / limit, *_FULL)
            yield Reading(
                semconv.CONTAINER_TASKS,
                _files.cgroup_subject(base),
                now,
                "{thread}",
                limit,
                verdict,
                "processes and threads against pids.max",
                "target",
            )


def _users(records: list[dict[str, Any]]) -> Iterator[Reading]:
    tasks = {r.get("uid"): r["tasks"] for r in records if isinstance(r.get("tasks"), int)}
    lowest: dict[object, dict[str, Any]] = {}
    for record in records:
        uid, limit = record.get("uid"), record.get("limit")
        if isinstance(limit, int) and limit > 0 and uid in tasks and uid != 0:
            before = lowest.get(uid)
            lowest[uid] = record if before is None or limit < before["limit"] else before
    for uid, record in lowest.items():
        count, limit = tasks[uid], record["limit"]
        verdict = _files.above(count / limit, *_FULL)
        detail = f"of RLIMIT_NPROC of pid {record.get('pid')}; every thread of that user counts"
        yield Reading(
            semconv.PROCESS_USER_TASKS, f"uid {uid}", count, "{thread}", limit, verdict, detail,
            "target",
        )  # fmt: skip


_POD = "/sys/fs/cgroup/pids/pod1"
SAMPLES = (
    Sample(
        (
            Output(
                ("grep", _LOAD, _THREADS_MAX, _PID_MAX),
                f"{_LOAD}:0.1 0.2 0.3 2/310 99\n{_THREADS_MAX}:30000\n{_PID_MAX}:32768\n".encode(),
            ),
            Output(
                ("grep", f"{_POD}/{_CURRENT}", f"{_POD}/{_MAX}"),
                f"{_POD}/{_CURRENT}:97\n{_POD}/{_MAX}:100\n".encode(),
            ),
            Output(
                ("python3", "-", "7"),
                b'{"pid": 7, "uid": 33, "threads": 9, "limit": 100}\n{"uid": 33, "tasks": 85}\n',
            ),
        ),
        (
            "subject='system', value=310, unit='{thread}', limit=30000, verdict='ok'",
            "subject='cgroup /pids/pod1', value=97, unit='{thread}', limit=100, verdict='critical'",
            "subject='uid 33', value=85, unit='{thread}', limit=100, verdict='warning'",
        ),
    ),
    Sample((Output(("grep", _LOAD), b""),), ("verdict='unknown'",)),
)
