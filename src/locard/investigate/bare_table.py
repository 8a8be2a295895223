"""The process table of a place that has no python3: three plain reads, as far as words can say them. Pure.

`find` lists the pids, `grep` prints their stat, status and command lines. What this cannot have: open files,
sockets, control groups. Processes that end between two reads are left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.guard.command import Command, Impact, Template, Wait
from locard.model import proc_stat
from locard.model.errors import NotPermittedError
from locard.model.process_table import ProcessTable
from locard.model.target import Process

if TYPE_CHECKING:
    from collections.abc import Generator

    from locard.model.evidence import Output
    from locard.model.place import Ground

PIDS = Template(
    ("find", "/proc", "-maxdepth", "1", "-name", "[0-9]*"), Impact.READS, 10.0, output="counters"
)
STATS = Template(
    ("grep", "-s", "-a", "-H", "", "/proc/stat", "{file:path*}"),
    Impact.READS,
    10.0,
    max_bytes=8 << 20,
    output="counters",
)
WORDS = Template(
    ("grep", "-s", "-a", "-H", "", "{file:path*}"), Impact.READS, 10.0, max_bytes=8 << 20
)
_READS = frozenset({("find", "/proc"), ("grep", "-s")})
COMMANDS = (PIDS, STATS, WORDS)
_MOST = 500  # processes
_UID = re.compile(r"^/proc/(\d+)/status:Uid:\s+(\d+)", re.MULTILINE)
_BOOT = re.compile(r"^/proc/stat:btime (\d+)$", re.MULTILINE)
_LINE = re.compile(rb"^/proc/(\d+)/cmdline:(.*)$", re.DOTALL)


def ask(ground: Ground) -> Generator[Command | Wait, Output, ProcessTable]:
    """The table; raises NotPermittedError where nothing of it can be read."""
    listed = yield PIDS.fill()
    pids = [w for line in listed.text.split() if (w := line.removeprefix("/proc/")).isdigit()][
        :_MOST
    ]
    if not pids:
        raise NotPermittedError(
            f"the processes at {ground.host} cannot be read",
            f"there is no python3, and find says: {listed.problem or 'nothing'}",
            "Enter it by an image with python3 (kubectl debug, docker run --pid), or name its host.",
        )
    stats = yield STATS.fill(
        file=tuple(f"/proc/{p}/{name}" for p in pids for name in ("stat", "status"))
    )
    words = yield WORDS.fill(file=tuple(f"/proc/{p}/cmdline" for p in pids))
    return table_of(ground, stats, words, cut=len(pids) == _MOST)


def table_of(ground: Ground, stats: Output, words: Output, *, cut: bool = False) -> ProcessTable:
    """The table in what was printed."""
    found = _BOOT.search(stats.text)
    boot = float(found[1]) if found else 0.0
    uids = {int(p): int(u) for p, u in _UID.findall(stats.text)}
    lines = _command_lines(words.stdout)
    processes = {}
    for pid, comm, fields in proc_stat.stats(stats.text):
        if fields[0] in {"Z", "X"}:
            continue
        start = int(fields[19]) if fields[19].isdigit() else 0
        processes[pid] = Process(
            pid=pid,
            ppid=int(fields[1]) if fields[1].isdigit() else 0,
            start_ticks=start,
            started=boot + start / ground.ticks_per_s,
            uid=uids.get(pid, 0),
            comm=comm,
            cmdline=lines.get(pid, ()),
            threads=int(fields[17]) if fields[17].isdigit() else 1,
            state=fields[0],
        )
    ours = {
        pid
        for pid, process in processes.items()
        if _is_watcher(process) or any(p in ground.own for p in _line_of(processes, pid))
    }
    line = _line_of(processes, ground.own[0]) if ground.own else []
    return ProcessTable(
        node=ground.host,
        processes={pid: process for pid, process in processes.items() if pid not in ours},
        own=frozenset(line),
        boot=boot,
        ticks_per_s=ground.ticks_per_s,
        cut=f"the first {_MOST} processes" if cut else "",
    )


def _is_watcher(process: Process) -> bool:
    """Whether it is the clock of one of our commands: BusyBox's timeout leaves it to init."""
    words = process.cmdline
    read = words[:3] == ("timeout", "-s", "KILL") and words[4:6] in _READS
    return read or words == ("timeout", "5", "true")  # by which the bootstrap tries it


def _line_of(processes: dict[int, Process], pid: int) -> list[int]:
    """A process and its ancestors."""
    line: list[int] = []
    while pid in processes and pid not in line:
        line.append(pid)
        pid = processes[pid].ppid
    return line


def _command_lines(data: bytes) -> dict[int, tuple[str, ...]]:
    """Words by pid: grep prints each line of a file, and a command line may hold line ends."""
    whole: dict[int, bytes] = {}
    for line in data.split(b"\n"):
        match = _LINE.match(line)
        if match:
            pid = int(match[1])
            whole[pid] = whole[pid] + b"\n" + match[2] if pid in whole else match[2]
    return {
        pid: tuple(w.decode("utf-8", "replace") for w in text.rstrip(b"\0").split(b"\0") if w)
        for pid, text in whole.items()
    }
