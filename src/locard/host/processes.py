"""The target's processes: which began or ended while locard looked, how old they are, zombies.

Shows: every process of the target with its age beside that of its root; processes that ended or
  began since the target was resolved; children that ended and were not reaped (zombies).
How: reads /proc/PID/stat of the processes at the beginning and of those there are now, and the
  lists of children of each of their threads, /proc/PID/task/TID/children.
Impact: reads. Three greps over small files.
Limits: a process that began and ended between two layers leaves no trace here. Lists of children
  need a kernel with CONFIG_PROC_CHILDREN (most have it); without them zombies are not seen.
Source: proc(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.guard.command import Impact, Template
from locard.model.evidence import Output, Scope
from locard.model.facts import ProcessAge, ProcessChange, ProcessFamily
from locard.model.proc_stat import stats
from locard.model.target import Context, Skip
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from locard.model.facts import Fact
    from locard.probe import Step

_BOOT = "/proc/stat"
_MOST_CHILDREN = 500

FIRST = Template(
    ("grep", "-s", "-a", "-H", "", _BOOT, "/proc/{pid:pid*}/stat"),
    Impact.READS,
    3.0,
    output="counters",
)
NOW = Template(
    ("grep", "-s", "-a", "", "/dev/null", "/proc/{pid:pid*}/stat"),
    Impact.READS,
    3.0,
    output="counters",
)
CHILDREN = Template(
    ("grep", "-s", "-r", "--include=children", "", "/dev/null", "/proc/{pid:pid*}/task"),
    Impact.READS,
    3.0,
    by_hand="ps -o pid,ppid,state,lstart,args --ppid {pid}",
    output="counters",
)
COMMANDS = (FIRST, NOW, CHILDREN)

_TICKS_PER_S = 100  # USER_HZ, in which /proc counts on every architecture of today
_CHILDREN_LINE = re.compile(r"^/proc/\d+/task/\d+/children:(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Stat:
    """One line of /proc/PID/stat."""

    pid: int
    name: str
    state: str
    ppid: int
    start_ticks: int


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    if not context.target.pids:
        return Skip("the target has no processes", "name one: pid/PID or proc/NAME")
    return None


def scope(context: Context) -> Scope:
    """The target's processes, then and now."""
    return Scope(pids=context.target.pids)


def plan(context: Context) -> Generator[Step, Output, None]:
    """Those of the beginning, those of now, and their children."""
    first = (context.first or context.target).pids
    yield FIRST.fill(pid=first)
    yield NOW.fill(pid=context.target.pids)
    listed = yield CHILDREN.fill(pid=context.target.pids)
    more = set(_children(listed.text)) - set(context.target.pids)
    if more:
        yield NOW.fill(pid=tuple(sorted(more)[:_MOST_CHILDREN]))


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One ProcessFamily."""
    if not outputs or not outputs[0].text:
        return ()
    boot = re.search(r"(?:^|:)btime (\d+)$", outputs[0].text, re.MULTILINE)
    booted = float(boot[1]) if boot else None
    known = {s.pid: s for o in outputs for s in _stats(o)}
    first = _asked(outputs[0])
    now = [p for o in outputs[1:2] for p in _asked(o)]
    children = {s.pid for o in outputs[3:] for s in _stats(o) if s.state in {"Z", "X"}}
    # The first of those of now, if the root of the beginning has ended.
    root = next((known[p] for p in (*first[:1], *now) if p in known), None)
    if root is None or booted is None:
        return ()
    zombies = children | {s.pid for s in known.values() if s.state == "Z" and s.pid != root.pid}
    members = [known[p] for p in dict.fromkeys((*now, *sorted(zombies))) if p in known]
    family = tuple(_age(s, root, booted, zombie=s.pid in zombies) for s in members)
    return (ProcessFamily(family, tuple(_changes(first, now, known, booted))),)


def _children(text: str) -> Iterator[int]:
    for found in _CHILDREN_LINE.findall(text):
        yield from (int(word) for word in found.split() if word.isdigit())


def _asked(output: Output) -> list[int]:
    return [int(p) for a in output.argv for p in re.findall(r"^/proc/(\d+)/stat$", a)]


def _stats(output: Output) -> Iterator[_Stat]:
    if output.program != "grep":
        return
    for pid, name, fields in stats(output.text):
        if fields[19].isdigit():
            ppid = int(fields[1]) if fields[1].isdigit() else 0
            yield _Stat(pid, name, fields[0], ppid, int(fields[19]))


def _age(stat: _Stat, root: _Stat, booted: float, *, zombie: bool) -> ProcessAge:
    return ProcessAge(
        pid=stat.pid,
        ppid=stat.ppid,
        name=stat.name,
        started=booted + stat.start_ticks / _TICKS_PER_S,
        after_root_s=(stat.start_ticks - root.start_ticks) / _TICKS_PER_S,
        zombie=zombie,
    )


def _changes(
    first: list[int], now: list[int], known: dict[int, _Stat], booted: float
) -> Iterator[ProcessChange]:
    for pid in first:
        stat = known.get(pid)
        if stat is None or stat.state in {"Z", "X"}:
            yield ProcessChange(
                pid, stat.ppid if stat else None, stat.name if stat else "", "ended", None
            )
    for pid in now:
        stat = known.get(pid)
        if pid not in first and stat is not None:
            at = booted + stat.start_ticks / _TICKS_PER_S
            yield ProcessChange(pid, stat.ppid, stat.name, "began", at)


def _line(pid: int, state: str, ppid: int, start: int, name: str = "gunicorn") -> str:
    middle = " ".join(["0"] * 17)
    return f"/proc/{pid}/stat:{pid} ({name}) {state} {ppid} {middle} {start} 0 0\n"


SAMPLES = (
    Sample(
        (
            Output(
                ("grep", "-s", "-H", "", _BOOT, "/proc/7/stat", "/proc/8/stat", "/proc/9/stat"),
                (
                    "/proc/stat:btime 1700000000\n"
                    + _line(7, "S", 1, 1000)
                    + _line(9, "S", 7, 1100)
                ).encode(),
            ),
            Output(
                ("grep", "/dev/null", "/proc/7/stat", "/proc/9/stat", "/proc/12/stat"),
                (
                    _line(7, "S", 1, 1000) + _line(9, "S", 7, 1100) + _line(12, "R", 7, 9000)
                ).encode(),
            ),
            Output(("grep", "-r", "/proc/7/task"), b"/proc/7/task/7/children:9 12 13 \n"),
            Output(("grep", "/dev/null", "/proc/13/stat"), _line(13, "Z", 7, 1200).encode()),
        ),
        (
            "pid=8, ppid=None, name='', change='ended', at=None",
            "pid=12, ppid=7, name='gunicorn', change='began', at=1700000090.0",
            "pid=13, ppid=7, name='gunicorn', started=1700000012.0, after_root_s=2.0, zombie=True",
        ),
    ),
    Sample((Output(("grep", "-s", "-H", "", _BOOT, "/proc/7/stat"), b""),), ("()",)),
)
