"""Targets as users write them, resolved to processes: pid/ proc/ unit/ host/local.

Reads /proc of this machine and nothing else.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from locard.guard.redact import Redactor
from locard.model.errors import (
    AmbiguousTargetError,
    LocardError,
    NotPermittedError,
    TargetNotFoundError,
    UsageError,
)
from locard.model.target import Process, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_KINDS = "pid/4242, proc/gunicorn, unit/payment.service, host/local"
_LATER = {"container", "pod", "deployment"}
_SHOWN = 8
_LOOKS = 5
_BETWEEN_LOOKS_S = 0.05
_INTERPRETER = re.compile(
    r"(python|pypy|node|nodejs|ruby|perl|php|java|sh|bash|dash|lua|beam|dotnet|uv)[0-9.]*[a-z]?"
)


def resolve(ref: str, proc: Path = Path("/proc")) -> Target:
    """The target; raises UsageError, TargetNotFoundError, AmbiguousTargetError."""
    kind, slash, name = ref.partition("/")
    if not slash or not name:
        kind, name = ("pid", ref) if ref.isascii() and ref.isdigit() else ("proc", ref)
    host = os.uname().nodename
    if kind == "host":
        if name != "local":
            raise TargetNotFoundError(
                f"cannot reach {ref}",
                "this version reads the machine that it runs on",
                "Run locard there, as host/local.",
            )
        return Target(ref, kind, name, host)
    if kind in _LATER:
        raise UsageError(
            f"cannot resolve {ref}",
            f"this version knows {_KINDS}",
            "Find the process on its node (crictl inspect, docker top) and name it as pid/N.",
        )
    finders = {"pid": _by_pid, "proc": _by_command, "unit": _by_unit}
    if kind not in finders:
        raise UsageError(f"{ref!r} is no target", f"a target is written {_KINDS}", "Write it so.")
    for left in range(_LOOKS - 1, -1, -1):
        table = processes(proc)
        try:
            root = finders[kind](name, table, proc)
        except AmbiguousTargetError:
            # A family that forks or ends meanwhile looks like two targets: look again.
            if not left:
                raise
            time.sleep(_BETWEEN_LOOKS_S)
        else:
            break
    return Target(ref, kind, name, host, tree(root, table))


def again(target: Target, proc: Path = Path("/proc")) -> Target:
    """The target as it is now: its root and all descendants.

    If the root has ended, a target that was given by name is looked for again by that name, since a
    supervisor may have started it anew; one that was given by its pid stays what it was.
    """
    if not target.processes:
        return target
    table = processes(proc)
    root = table.get(target.processes[0].pid)
    if root is not None and root.start_ticks == target.processes[0].start_ticks:
        return replace(target, processes=tree(root, table))
    if target.kind == "pid":
        return target
    try:
        return resolve(target.ref, proc)
    except LocardError:
        return target


def processes(proc: Path = Path("/proc")) -> dict[int, Process]:
    """All processes that can be seen, by pid; those that end meanwhile are left out.

    The table is read in pieces. One in which a parent is missing is torn, and read again.
    """
    table: dict[int, Process] = {}
    for _ in range(_LOOKS):
        table = _snapshot(proc)
        if all(p.ppid in table or not p.ppid for p in table.values()):
            break
    return table


def _snapshot(proc: Path) -> dict[int, Process]:
    boot, ticks = _boot_time(proc), os.sysconf("SC_CLK_TCK")
    found = {}
    for entry in proc.iterdir():
        if entry.name.isdigit():
            process = _read(entry, boot, ticks)
            if process is not None:
                found[process.pid] = process
    return found


def tree(root: Process, table: dict[int, Process]) -> tuple[Process, ...]:
    """A process and all its descendants, breadth first, by pid within a generation."""
    children: dict[int, list[Process]] = {}
    for process in table.values():
        children.setdefault(process.ppid, []).append(process)
    out, generation = [], [root]
    while generation:
        out.extend(generation)
        below = [child for parent in generation for child in children.get(parent.pid, ())]
        generation = sorted(below, key=lambda p: p.pid)
    own = _own_line(table)
    return tuple(p for p in out if p.pid not in own or p.pid == root.pid)


def alive(process: Process, proc: Path = Path("/proc")) -> bool:
    """Whether this very process still runs (its pid may have gone to another one)."""
    now = _read(proc / str(process.pid), 0.0, 1)
    return now is not None and now.start_ticks == process.start_ticks


def _read(entry: Path, boot: float, ticks: int) -> Process | None:
    try:
        stat = (entry / "stat").read_bytes()
        cmdline = (entry / "cmdline").read_bytes()
        uid = entry.stat().st_uid
    except OSError:  # it ended, or is hidden from us
        return None
    # The name stands in parentheses and may hold any character, parentheses too.
    comm, _, rest = stat.partition(b"(")[2].rpartition(b")")
    fields = rest.split()
    if not fields or (fields[0] in {b"Z", b"X"} and int(fields[17]) <= 1):
        return None  # a main thread that has ended leaves the others at work
    argv = tuple(a.decode("utf-8", "replace") for a in cmdline.rstrip(b"\0").split(b"\0") if a)
    start = int(fields[19])
    return Process(
        pid=int(entry.name),
        ppid=int(fields[1]),
        start_ticks=start,
        started=boot + start / ticks,
        uid=uid,
        comm=comm.decode("utf-8", "replace"),
        cmdline=argv,
        threads=int(fields[17]),
        state=fields[0].decode("ascii", "replace"),
    )


def _boot_time(proc: Path) -> float:
    try:
        found = re.search(r"^btime ([0-9]+)$", (proc / "stat").read_text(), re.MULTILINE)
    except OSError as error:
        raise NotPermittedError(
            "cannot read /proc", str(error), "Mount procfs, or run where it is visible."
        ) from error
    return float(found[1]) if found else 0.0


def _own_line(table: dict[int, Process]) -> set[int]:
    """This process and its ancestors: the shell that names the target is not the target."""
    own, pid = set(), os.getpid()
    while pid in table and pid not in own:
        own.add(pid)
        pid = table[pid].ppid
    return own


_MOST_DIGITS = 10


def _by_pid(name: str, table: dict[int, Process], proc: Path) -> Process:
    if not (name.isascii() and name.isdigit() and len(name) <= _MOST_DIGITS):
        raise UsageError(f"{name!r} is no pid", "a pid is a number", "Or name it: proc/NAME.")
    process = table.get(int(name))
    if process is None:
        hidden = (proc / name).exists()
        raise TargetNotFoundError(
            f"no process {name}",
            "it has ended (a zombie cannot be read)" if hidden else "no such pid runs here",
            f"Look for it by name: locard investigate proc/NAME (or: pgrep -fa NAME; ps -p {name})",
        )
    return process


def _by_command(name: str, table: dict[int, Process], _: Path) -> Process:
    """The program of that name, else like `pgrep -f` with a plain string; grouped by tree.

    Locard and its ancestors are left out. What runs is asked before what it was given: an editor
    of `gunicorn.conf` is no gunicorn.
    """
    own = _own_line(table)
    others = [p for p in table.values() if p.pid not in own]
    asks: tuple[Callable[[Process], bool], ...] = (
        lambda p: name in programs(p),
        lambda p: any(name in word for word in programs(p)),
        lambda p: name in (" ".join(p.cmdline) or p.comm),
    )
    for fits in asks:
        fitting = {p.pid: p for p in others if fits(p)}
        roots = [p for p in fitting.values() if not _below(p, fitting, table)]
        if len(roots) > 1:
            raise _ambiguous(f"proc/{name}", roots)
        if roots:
            return roots[0]
    raise TargetNotFoundError(
        f"no process fits proc/{name}",
        "no command line that can be seen contains it",
        "Look at what runs: ps -eo pid,args (or name it as pid/N)",
    )


def programs(process: Process) -> frozenset[str]:
    """What a process runs, by name: its program, and the script or module of an interpreter."""
    if not process.cmdline:
        return frozenset({process.comm})
    first = process.cmdline[0].partition(" ")[0].rpartition("/")[2].rstrip(":")
    found = {process.comm, first}
    if _INTERPRETER.fullmatch(first):
        found.update(_scripts(process.cmdline[1:]))
    return frozenset(found)


def _scripts(words: tuple[str, ...]) -> Iterator[str]:
    """The script or module that an interpreter was given, with and without its ending."""
    for at, word in enumerate(words):
        if word in {"-c", "-e"}:
            return
        if word in {"-m", "-jar"} and at + 1 < len(words):
            word = words[at + 1]  # noqa: PLW2901 - the word that counts
        elif word.startswith("-"):
            continue
        name = word.rpartition("/")[2]
        yield name
        yield name.rpartition(".")[0] or name
        return


def _below(process: Process, fitting: dict[int, Process], table: dict[int, Process]) -> bool:
    seen = {process.pid}
    parent = process.ppid
    while parent in table and parent not in seen:
        if parent in fitting:
            return True
        seen.add(parent)
        parent = table[parent].ppid
    return False


def _by_unit(name: str, table: dict[int, Process], proc: Path) -> Process:
    """The processes whose control group is the systemd unit's."""
    unit = name if "." in name else f"{name}.service"
    members = {p.pid: p for p in table.values() if unit in _cgroup_units(proc / str(p.pid))}
    roots = [p for p in members.values() if p.ppid not in members]
    if not roots:
        raise TargetNotFoundError(
            f"no process runs in the unit {unit}",
            "no control group of that name holds a process",
            f"Ask systemd: systemctl status {unit} (or name the process: proc/NAME, pid/N)",
        )
    main = min(roots, key=lambda p: p.start_ticks)
    if any(r.pid != main.pid for r in roots) and len({r.cmdline[:1] for r in roots}) > 1:
        raise _ambiguous(f"unit/{name}", roots)
    return main


def _cgroup_units(entry: Path) -> set[str]:
    try:
        text = (entry / "cgroup").read_text("utf-8", "replace")
    except OSError:
        return set()
    return {part for line in text.splitlines() for part in line.split(":", 2)[-1].split("/")}


def _ambiguous(ref: str, roots: list[Process]) -> AmbiguousTargetError:
    roots = sorted(roots, key=lambda p: p.pid)
    redactor = Redactor.passing()
    words = {
        p.pid: " ".join(redactor.argv(p.cmdline)) or redactor.text(p.comm) for p in roots[:_SHOWN]
    }
    lines = [f"  pid/{pid}  {said[:100]}" for pid, said in words.items()]
    more = f"\n  and {len(roots) - _SHOWN} more" if len(roots) > _SHOWN else ""
    return AmbiguousTargetError(
        f"{ref} fits {len(roots)} unrelated processes",
        "locard does not guess which one is meant:\n" + "\n".join(lines) + more,
        "Name one of them by its pid.",
    )
