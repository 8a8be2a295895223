"""What is asked of a place before any probe: its processes, and what surrounds those of the target.

Two readers of locard's own run beside the target. What they print is untrusted: everything is
checked on its way into the model, and what is not as it should be is left out.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.model.errors import NotPermittedError
from locard.model.process_table import Listening, ProcessTable, Surroundings, WrittenFile
from locard.model.target import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Output

_MOST_NUMBER = 1 << 63
_MOST_WORDS = 4096  # characters of one text, arguments of one command line

PROCESS_TABLE = Template(
    argv=("python3", "-I", "-S", "-", "{root:word*}"),
    impact=Impact.READS,
    bound_s=10.0,
    by_hand="ps -eo pid,ppid,lstart,user,comm,args,nlwp,stat,cgroup",
    max_bytes=16 << 20,
    program="far/process_table.py",
    output="processes",
    needs=(needs.PYTHON,),
    prompt=True,
)
LOOK_AROUND = Template(
    argv=("python3", "-I", "-S", "-", "{pid:pid*}", "{log:path*}"),
    impact=Impact.READS,
    bound_s=10.0,
    by_hand="for p in {pid}; do ls -l /proc/$p/fd; cat /proc/$p/cgroup; done; ss -ltnp",
    max_bytes=4 << 20,
    program="far/look_around.py",
    output="json",
    needs=(needs.PYTHON,),
    prompt=True,
)
# Of a unit in which nothing runs: whether systemd is about to start it again.
UNIT_STATE = Template(
    ("systemctl", "show", "--no-pager", "--property=LoadState,ActiveState,SubState,ControlGroup,Slice",
     "--", "{unit:word}"),
    Impact.READS,
    5.0,
    needs=(needs.SYSTEMCTL,),
    output="counters",
)  # fmt: skip
# What the gate knows them by.
DECLARED = {"process-table": (PROCESS_TABLE,), "look-around": (LOOK_AROUND,)}


def read_process_table(output: Output) -> ProcessTable:
    """The table that was printed; raises NotPermittedError where there is none."""
    found = _document(output, "processes")
    if "error" in found:
        raise NotPermittedError(
            "cannot read /proc",
            _text(found["error"]),
            "Mount procfs, or run where it is visible.",
        )
    boot, ticks = _float(found.get("boot")), _number(found.get("ticks_per_s")) or 100
    groups = [tuple(_text(g, 1 << 16).split("\n")) for g in _list(found.get("cgroups"))]
    processes, cgroups = {}, {}
    spaces: dict[str, dict[int, int]] = {"net": {}, "pid_ns": {}}
    for row in _objects(found.get("processes")):
        process = _process(row, boot, ticks)
        if process is None:
            continue
        processes[process.pid] = process
        place = _number(row.get("cgroup"))
        if place is not None and place < len(groups):
            cgroups[process.pid] = groups[place]
        for name, inodes in spaces.items():
            inode = _number(row.get(name))
            if inode is not None:
                inodes[process.pid] = inode
    return ProcessTable(
        node=_text(found.get("node")),
        processes=processes,
        boot=boot,
        ticks_per_s=ticks,
        at=_float(found.get("time")),
        own=frozenset(_numbers(found.get("own"))),
        ended=frozenset(_numbers(found.get("ended"))),
        cgroups=cgroups,
        net=spaces["net"],
        pid_ns=spaces["pid_ns"],
        whole=found.get("whole") is not False,
        cut=_text(found.get("cut")),
    )


def only(output: Output, pids: frozenset[int]) -> Output:
    """A process table as it is recorded: the rows of these processes, and that others were left out.

    Command lines of strangers are nobody's business, and cleaning thousands of them takes seconds.
    """
    try:
        found = json.loads(output.stdout)
        rows = [r for r in found["processes"] if r.get("pid") in pids]
        used = {r.get("cgroup") for r in rows}
        groups = [g if n in used else "" for n, g in enumerate(found.get("cgroups") or ())]
        left = len(found["processes"]) - len(rows)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return output
    cut = f"{left} other processes are not recorded"
    kept = {**found, "processes": rows, "cgroups": groups, "whole": False, "cut": cut, "ended": []}
    return replace(output, stdout=json.dumps(kept, separators=(",", ":")).encode() + b"\n")


def _process(row: dict[str, Any], boot: float, ticks: int) -> Process | None:
    pid, ppid, start = (_number(row.get(k)) for k in ("pid", "ppid", "start_ticks"))
    if not pid or ppid is None or start is None:
        return None
    words = _list(row.get("cmdline"))[:_MOST_WORDS]
    return Process(
        pid=pid,
        ppid=ppid,
        start_ticks=start,
        started=boot + start / ticks,
        uid=_number(row.get("uid")) or 0,
        comm=_text(row.get("comm")),
        cmdline=tuple(_text(w) for w in words),
        threads=_number(row.get("threads")) or 1,
        state=_text(row.get("state"))[:1],
    )


def read_surroundings(output: Output) -> Surroundings:
    """What was printed; raises NotPermittedError where nothing was."""
    found = _document(output, "surroundings of the target")
    groups = found.get("cgroups")
    return Surroundings(
        files=tuple(_files(found.get("files"))),
        listening=tuple(_listening(found.get("listening"))),
        own_network=found.get("own_network") is True,
        cgroups={
            _text(name): tuple(p for p in map(_text, _list(paths)) if p.startswith("/"))
            for name, paths in (groups.items() if isinstance(groups, dict) else ())
        },
        scripts=frozenset(_numbers(found.get("scripts"))),
        request_logs=frozenset(map(_text, _list(found.get("request_logs")))),
        not_asked=tuple(
            (_text(o.get("path")), _text(o.get("type"))) for o in _objects(found.get("not_asked"))
        ),
        missed=tuple(map(_text, _list(found.get("missed")))),
    )


def _files(found: Any) -> Iterator[WrittenFile]:
    for o in _objects(found):
        pid, fd, size = (_number(o.get(k)) for k in ("pid", "fd", "size"))
        opens_as = _text(o.get("open"))
        if pid and fd is not None and size is not None and opens_as.startswith("/"):
            yield WrittenFile(pid, fd, _text(o.get("path")), opens_as, size)


def _listening(found: Any) -> Iterator[Listening]:
    for o in _objects(found):
        port, address = _number(o.get("port")), o.get("address")
        if port is not None and 0 < port < 1 << 16:
            held = tuple(_numbers(o.get("pids")))
            loopback = "[::1]" if o.get("loopback") == "[::1]" else "127.0.0.1"
            where = _text(address) if isinstance(address, str) else None
            if where is None or not set(where) - _ADDRESS:
                yield Listening(port, where, loopback, held)


_ADDRESS = frozenset("0123456789abcdefABCDEF.:[]")


def _document(output: Output, what: str) -> dict[str, Any]:
    """The JSON object in an output; raises NotPermittedError."""
    why = output.problem
    if not why:
        try:
            found = json.loads(output.stdout)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
        said = " ".join(output.stderr.decode("utf-8", "replace").split())
        why = said[-200:] or "what came is not what its reader prints"
    raise NotPermittedError(
        f"cannot read the {what}",
        why,
        "Look whether python3 works there: python3 -I -S -c 'print(1)'",
    )


def _number(found: Any) -> int | None:
    """A whole number that is not negative, as kernels print them."""
    good = isinstance(found, int) and not isinstance(found, bool) and 0 <= found < _MOST_NUMBER
    return found if good else None


def _float(found: Any) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return 0.0
    try:
        value = float(found)
    except OverflowError:
        return 0.0
    return value if math.isfinite(value) else 0.0


def _text(found: Any, most: int = _MOST_WORDS) -> str:
    """A text that can be written anywhere: half a surrogate pair cannot."""
    if not isinstance(found, str):
        return ""
    return found[:most].encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _objects(found: Any) -> list[dict[str, Any]]:
    return [o for o in _list(found) if isinstance(o, dict)]


def _numbers(found: Any) -> list[int]:
    return [n for o in _list(found) if (n := _number(o)) is not None]
