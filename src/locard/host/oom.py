"""OOM kills: who was killed for memory in the last hour, and what the cgroups of the target count.

Shows: kills by the OOM killer in the kernel's log of the last hour, with the process that died and
  whether a cgroup's limit or the host ran out; how many since boot; the target's cgroups' counts.
How: reads /proc/vmstat, /proc/uptime, memory.events or memory.oom_control, and runs dmesg.
Impact: reads.
Limits: dmesg needs CAP_SYSLOG where kernel.dmesg_restrict is set; without it a count since boot
  has no time and the verdict is unknown. Its times drift from the clock over suspends. The ring
  buffer forgets. Whose a kill was is told by the cgroup in the kernel's line (5.0 and later).
  A group that is made anew, as systemd does when it restarts a unit, counts from 0 again: kills of
  an earlier group of its path are told as such. Verdicts: a kill within the hour is critical if it hit
  a cgroup of the target or an earlier one of its path, else a warning that is the host's or
  strangers'; a count of the target's own cgroup above zero warns.
Source: proc(5), dmesg(1); Linux mm/oom_kill.c for the wording, admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.host import _files
from locard.model import semconv
from locard.model.evidence import Output, Scope
from locard.model.facts import Reading, Readings
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_VMSTAT, _UPTIME = "/proc/vmstat", "/proc/uptime"
_HOUR_S = 3600.0
_LONGEST = 64  # characters of a group's name

SYSTEM = Template(
    ("grep", "-s", "-H", "^oom_kill\\|^[0-9]", _VMSTAT, _UPTIME),
    Impact.READS,
    3.0,
    output="counters",
)
KERNEL_LOG = Template(("dmesg",), Impact.READS, 3.0, max_bytes=8 << 20, needs=(needs.DMESG,))
EVENTS = Template(
    ("grep", "-s", "-H", "^oom_kill ", "/dev/null", "{file:path*}"),
    Impact.READS,
    3.0,
    output="counters",
)
COMMANDS = (SYSTEM, KERNEL_LOG, EVENTS)

EARLIER = "the target's cgroups before they were made anew, last hour"
_V1, _V2 = "memory.oom_control", "memory.events"
_ROOTS = (
    "/sys/fs/cgroup",
    "/sys/fs/cgroup/unified",
    "/sys/fs/cgroup/memory",
)  # all the host: no cgroup of the target
_BY_LENGTH = sorted(_ROOTS, key=len)
_VICTIM = re.compile(r"oom-kill:[^\n]*?task_memcg=(?P<group>[^\n]*?),task=[^\n]*?,pid=(?P<pid>\d+)")
_KILLED = re.compile(
    r"^(?:<\d+>)?\[\s*(?P<at>\d+\.\d+)\][^\n]*?"
    r"(?P<memcg>Memory cgroup out of memory|Out of memory|oom-kill)[^\n]*?"
    r"[Kk]illed? process (?P<pid>\d+) \((?P<name>[^)\n]*)\)",
    re.MULTILINE,
)


def applies(context: Context) -> Skip | None:  # noqa: ARG001 - every host can run out of memory
    """Always."""
    return None


def scope(context: Context) -> Scope:
    """The host, and the cgroups of the target's processes."""
    return Scope(pids=context.target.pids, note="the whole host and the target's cgroups")


def plan(context: Context) -> Generator[Step, Output, None]:
    """Counters, the kernel log, and the counters of the cgroups that the target is in."""
    yield SYSTEM.fill()
    yield KERNEL_LOG.fill()
    files = tuple(
        path
        for directory in context.memory_cgroups
        for path in _files.of_version(directory, (_V1,), (_V2,))
    )
    if files:
        yield EVENTS.fill(file=files)


def _own(outputs: Sequence[Output]) -> frozenset[str]:
    """The paths of the target's own cgroups: of those that were asked, those below no other one."""
    asked = {
        a.rpartition("/")[0]
        for o in outputs
        for a in o.argv
        if a.rpartition("/")[2] in {_V1, _V2} and a.rpartition("/")[0] not in _ROOTS
    }
    return frozenset(d for d in asked if not any(o.startswith(d + "/") for o in asked))


def _below_mount(directory: str) -> str:
    """`/pod1` of `/sys/fs/cgroup/memory/pod1`, as the kernel's log writes a cgroup."""
    root = next((r for r in reversed(_BY_LENGTH) if directory.startswith(r + "/")), "")
    return directory.removeprefix(root)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """A reading of the host and one of each cgroup that counts kills."""
    if not outputs:
        return ()
    files = _files.by_file(outputs)
    log = next((o for o in outputs if o.program == "dmesg"), None)
    own = _own(outputs)
    return (Readings((*_host(files, log, own), *_cgroups(files, own))),)


def _host(
    files: dict[str, list[str]], log: Output | None, own: frozenset[str]
) -> Iterator[Reading]:
    name, subject, unit = semconv.SYSTEM_OOM_KILLS, "system, last hour", "{process}"
    since_boot = _files.fields(files.get(_VMSTAT, ())).get("oom_kill")
    uptime = " ".join(files.get(_UPTIME, ())).split()
    if since_boot == 0:
        yield Reading(name, subject, 0, unit, None, "ok", "none since boot")
        return
    readable = log is not None and log.exit_code == 0 and log.stdout
    if log is None or not readable or not uptime:
        count = "an unknown number" if since_boot is None else str(since_boot)
        why = (log and _files.unfinished(log)) or "the kernel log is not readable"
        detail = f"{count} since boot; when is not known, {why}"
        yield Reading(name, subject, since_boot or 0, unit, None, "unknown", detail)
        return
    now = float(uptime[0]) if re.fullmatch(r"\d+(\.\d+)?", uptime[0]) else 0.0
    recent = [k for k in _KILLED.finditer(log.text) if now - float(k["at"]) <= _HOUR_S]
    if not recent:
        detail = f"{'unknown' if since_boot is None else since_boot} since boot"
        yield Reading(name, subject, 0, unit, None, "ok", detail)
        return
    groups = {v["pid"]: v["group"] for v in _VICTIM.finditer(log.text)}
    paths = [_below_mount(d) for d in own]
    mine, host, others = [], [], []
    for kill in recent:
        group = groups.get(kill["pid"], "")
        if any(group == p or group.startswith(p + "/") for p in paths):
            mine.append(kill)
        elif kill["memcg"].startswith("Memory cgroup"):
            others.append(kill)
        else:
            host.append(kill)
    counts = [
        n
        for d in own
        for name_ in (_V1, _V2)
        if (n := _files.fields(files.get(f"{d}/{name_}", ())).get("oom_kill")) is not None
    ]
    # More than the group itself has counted hit an earlier group of the same path.
    older = max(0, len(mine) - sum(counts)) if counts else 0
    earlier, mine = mine[:older], mine[older:]
    for kills, whose, of in (
        (earlier, EARLIER, "target"),
        (mine, "the target's cgroups, last hour", "target"),
        (host, subject, "host"),
        (others, "other cgroups, last hour", "strangers"),
    ):
        if kills:
            verdict: _files.Verdict = "critical" if of == "target" else "warning"
            yield Reading(
                name, whose, len(kills), unit, None, verdict, _words(kills, now, groups),
                of,  # type: ignore[arg-type] # one of the three
            )  # fmt: skip


def _words(kills: list[re.Match[str]], now: float, groups: dict[str, str]) -> str:
    shown = "; ".join(
        f"{k['name']} (pid {k['pid']}) {max(0.0, now - float(k['at'])):.0f} s ago{_in(groups, k)}"
        for k in kills[-3:]
    )
    in_cgroup = kills[-1]["memcg"].startswith("Memory cgroup")
    return shown + (", by a cgroup's limit" if in_cgroup else ", the host ran out")


def _in(groups: dict[str, str], kill: re.Match[str]) -> str:
    """In which control group, by its last name."""
    group = groups.get(kill["pid"], "").rpartition("/")[2]
    return f" in {group[:_LONGEST]}" if group else ""


def _cgroups(files: dict[str, list[str]], own: frozenset[str]) -> Iterator[Reading]:
    for path, lines in files.items():
        base, _, name = path.rpartition("/")
        count = _files.fields(lines).get("oom_kill")
        if name not in {_V1, _V2} or count is None or base in _ROOTS:
            continue
        subject = _files.cgroup_subject(base)
        # What an ancestor counts may have hit any group below it.
        verdict: _files.Verdict = "warning" if count and base in own else "ok"
        detail = "since the cgroup was made"
        yield Reading(
            semconv.CONTAINER_OOM_KILLS, subject, count, "{process}", None, verdict, detail,
            "target" if base in own else "strangers",
        )  # fmt: skip


_SYSTEM_ARGV = ("grep", "-s", "-H", "^oom_kill", _VMSTAT, _UPTIME)
_LOG = b"""[    1.339317] EXT4-fs (vda): mounted filesystem
[ 9000.099000] oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/a,task_memcg=/a,task=gunicorn,pid=4242,uid=0
[ 9000.100000] Memory cgroup out of memory: Killed process 4242 (gunicorn) total-vm:1kB, anon-rss:1kB
"""

SAMPLES = (
    Sample(
        (
            Output(_SYSTEM_ARGV, b"/proc/vmstat:oom_kill 2\n/proc/uptime:9100.00 1.00\n"),
            Output(("dmesg",), _LOG),
            Output(
                ("grep", "/sys/fs/cgroup/memory/a/memory.oom_control"),
                b"/sys/fs/cgroup/memory/a/memory.oom_control:oom_kill 1\n",
            ),
        ),
        (
            'subject="the target\'s cgroups, last hour", value=1',
            "verdict='critical', detail=\"gunicorn (pid 4242) 100 s ago in a, by a cgroup",
            "of='target'",
            "subject='cgroup /memory/a'",
        ),
    ),
    Sample(
        (
            Output(_SYSTEM_ARGV, b"/proc/vmstat:oom_kill 2\n/proc/uptime:9100.00 1.00\n"),
            Output(("dmesg",), b"", b"Operation not permitted", exit_code=1),
        ),
        ("verdict='unknown'", "2 since boot; when is not known"),
    ),
)
