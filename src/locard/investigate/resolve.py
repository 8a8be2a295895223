"""Targets as users write them, resolved to processes of a table: pid/ proc/ unit/ host/."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from locard.guard.redact import Redactor
from locard.model.errors import (
    AmbiguousTargetError,
    LocardError,
    TargetNotFoundError,
    UsageError,
)
from locard.model.target import Process, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from locard.model.process_table import ProcessTable

_KINDS = "pid/4242, proc/gunicorn, unit/payment.service, host/NAME, container/ID, pod/NAME, deployment/NAME"
_SHOWN = 8
_INTERPRETER = re.compile(
    r"(python|pypy|node|nodejs|ruby|perl|php|java|sh|bash|dash|lua|beam|dotnet|uv)[0-9.]*[a-z]?"
)


def resolve(ref: str, table: ProcessTable) -> Target:
    """The target; raises UsageError, TargetNotFoundError, AmbiguousTargetError.

    A family that forks or ends while the table is read looks like two targets: who can have another
    table looks again before he believes that a name is ambiguous.
    """
    kind, name = split(ref)
    if kind == "host":
        return Target(ref, kind, name, table.node)
    finders = {"pid": _by_pid, "proc": _by_command, "unit": _by_unit}
    return Target(ref, kind, name, table.node, tree(finders[kind](name, table), table))


def split(ref: str) -> tuple[str, str]:
    """The kind and the name in a reference, a bare number being a pid; raises UsageError."""
    kind, slash, name = ref.partition("/")
    if slash and not name and kind in {"pid", "proc", "unit", "host"}:
        why = "nothing stands behind the slash: a variable that is empty?"
        raise UsageError(f"{ref!r} is no target", why, f"Write what it is: {kind}/NAME.")
    if not slash or not name:
        kind, name = ("pid", ref) if ref.isascii() and ref.isdigit() else ("proc", ref)
    if kind not in {"pid", "proc", "unit", "host"}:
        raise UsageError(f"{ref!r} is no target", f"a target is written {_KINDS}", "Write it so.")
    return kind, name


def again(target: Target, table: ProcessTable) -> Target:
    """The target as it is now: its root and all descendants.

    If the root has ended, a target that was given by name is looked for again by that name, since a
    supervisor may have started it anew; one that was given by its pid stays what it was.
    """
    if not target.processes:
        return target
    root = table.processes.get(target.processes[0].pid)
    if root is not None and root.start_ticks == target.processes[0].start_ticks:
        return replace(target, processes=tree(root, table))
    if target.kind == "pid" or not table.whole:
        return target
    try:
        return resolve(target.ref, table)
    except LocardError:
        return target


def tree(root: Process, table: ProcessTable) -> tuple[Process, ...]:
    """A process and all its descendants, breadth first, by pid within a generation.

    The reader itself is left out, and so is everything that it runs under.
    """
    children: dict[int, list[Process]] = {}
    for process in table.processes.values():
        children.setdefault(process.ppid, []).append(process)
    out, seen, generation = [], {root.pid}, [root]
    while generation:
        out.extend(generation)
        below = [c for parent in generation for c in children.get(parent.pid, ())]
        generation = sorted((c for c in below if c.pid not in seen), key=lambda p: p.pid)
        seen.update(c.pid for c in generation)
    return tuple(p for p in out if p.pid not in table.own or p.pid == root.pid)


def alive(process: Process, table: ProcessTable) -> bool:
    """Whether this very process still runs (its pid may have gone to another one)."""
    now = table.processes.get(process.pid)
    return now is not None and now.start_ticks == process.start_ticks


_MOST_DIGITS = 10


def _by_pid(name: str, table: ProcessTable) -> Process:
    if not (name.isascii() and name.isdigit() and len(name) <= _MOST_DIGITS):
        raise UsageError(f"{name!r} is no pid", "a pid is a number", "Or name it: proc/NAME.")
    process = table.processes.get(int(name))
    if process is None:
        hidden = int(name) in table.ended
        raise TargetNotFoundError(
            f"no process {name}",
            "it has ended (a zombie cannot be read)" if hidden else "no such pid runs here",
            f"Look for it by name: locard investigate proc/NAME (or: pgrep -fa NAME; ps -p {name})",
        )
    return process


def _by_command(name: str, table: ProcessTable) -> Process:
    """The program of that name, else like `pgrep -f` with a plain string; grouped by tree.

    Locard and its ancestors are left out. What runs is asked before what it was given: an editor
    of `gunicorn.conf` is no gunicorn.
    """
    others = [p for p in table.processes.values() if p.pid not in table.own]
    asks: tuple[Callable[[Process], bool], ...] = (
        lambda p: name in programs(p),
        lambda p: any(name in word for word in programs(p)),
        lambda p: name in (" ".join(p.cmdline) or p.comm),
    )
    for fits in asks:
        fitting = {p.pid: p for p in others if fits(p)}
        roots = [p for p in fitting.values() if not _below(p, fitting, table.processes)]
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


def _below(process: Process, fitting: dict[int, Process], table: Mapping[int, Process]) -> bool:
    seen = {process.pid}
    parent = process.ppid
    while parent in table and parent not in seen:
        if parent in fitting:
            return True
        seen.add(parent)
        parent = table[parent].ppid
    return False


def _by_unit(name: str, table: ProcessTable) -> Process:
    """The processes whose control group is the systemd unit's."""
    unit = name if "." in name else f"{name}.service"
    members = {
        p.pid: p
        for p in table.processes.values()
        if any(unit in line.split(":", 2)[-1].split("/") for line in table.cgroups.get(p.pid, ()))
    }
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
