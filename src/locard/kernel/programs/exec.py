"""Programs that the target and its children start: by path and result, by whom, for how long, at what cost.

Shows: each program with how often it was started, by which program, how long it lived, what CPU time it
  used and how it ended; each start that failed, by errno and path; forks that executed nothing. A name that
  was tried in one folder after another, as PATH is searched, is one row.
How: an eBPF program on the kernel's exec, fork and exit events; each process carries the program that it
  runs, inherited by fork, so that a parent is known when it has gone. Counted in the kernel.
Impact: samples. About 0.2 us for each system call of the target, some us for a start; it detaches by
  itself past --max-overhead. Also known as execsnoop, exitsnoop.
Limits: programs started by processes that are not below the target are not its own. The path is the one
  that was asked for. Failed starts of 32-bit programs are not seen.
Source: execsnoop(8) of bcc, execve(2), sched:sched_process_exec.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing, _traces, engines
from locard.kernel._observing import latencies
from locard.kernel.engines import bcc
from locard.model.kernel_facts import Row, Trace
from locard.model.kernel_words import duration, rate
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from locard.kernel._observing import Told
    from locard.model.evidence import Output, Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_EACH_NS = 170.0  # of a system call
_TARGET = "the target"
_MISSES = (2, 20)  # ENOENT, ENOTDIR: the next folder of PATH is tried
_FOLDERS = 4  # shown of a search

COMMANDS = (
    _observing.template("exec", "strace -f -e trace=execve,fork,clone -p {pid}"),
    *bcc.commands("exec"),
)


@dataclass(frozen=True, slots=True)
class Params:
    """For how long."""

    for_s: float = _observing.for_param()
    max_overhead: float = _observing.overhead_param()
    engine: str = engines.engine_param(bcc.ENGINE)


PARAMS = Params
check = engines.check
BY_DEFAULT = True


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies_to_programs(context)


def scope(context: Context) -> Scope:
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    if asked.engine != engines.EBPF:
        yield from bcc.TOOLS["exec"].plan(context, asked.for_s)
        return
    settings = {
        "attach": ["forked", "begin", "executed", "end", "left"],
        "rings": ["seen"],
        "share": asked.max_overhead / 100,
        "cost_ns": _EACH_NS,
    }
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace, or why the kernel did not take it."""
    return _traces.read("exec", outputs, _trace)


def _trace(told: Told) -> Trace:
    names = {e["program"]: _traces.asked_path(e)[0] for e in told.events.get("seen", ())}
    names[0] = _TARGET
    lives = {(row["program"], row["executed"]): row for row in told.map("lives")}
    started: dict[tuple[int, int], Counter[str]] = {}
    unnamed = 0
    for row in told.map("execs"):
        by = started.setdefault((row["program"], row["error"]), Counter())
        by[names.get(row["by"], "a program whose name was lost")] += row["count"]
        unnamed += row["count"] if row["program"] not in names else 0
    searches = _searches(names, started)
    rows = [
        _row(names, program, error, by, lives.get((program, 1)) if not error else None)
        for (program, error), by in _without(searches, names, started).items()
    ]
    rows = [_found(row, searches) for row in rows]
    rows += [_nowhere(s) for s in searches if not s.found]
    rows += _forks(told, names, lives)
    observed = told.observed(each_ns=_EACH_NS)
    if unnamed:
        observed = _traces.also_lost(observed, f"the names of {unnamed} starts were lost")
    whole: dict[str, int] = {}
    for (_, executed), life in lives.items():
        if executed:
            _observing.add_slots(whole, life["slots"])
    return Trace(
        "exec",
        _says(told, rows, lives, searches),
        observed,
        _traces.by_count(rows),
        (_observing.histogram("lifetime of programs", whole),) if whole else (),
    )


@dataclass(frozen=True, slots=True)
class _Search:
    """Starts of one name that failed in one folder after another, as PATH is searched. `found`: started elsewhere."""

    name: str
    by: str
    misses: Counter[str]  # by folder
    found: int

    @property
    def times(self) -> int:
        """How often it was looked for and not found at all, where it never was."""
        return max(self.misses.values())


def _searches(names: dict[int, str], started: dict[tuple[int, int], Counter[str]]) -> list[_Search]:
    """What was looked for in several folders, by name and by whom."""
    misses: dict[tuple[str, str], Counter[str]] = {}
    found: dict[tuple[str, str], Counter[str]] = {}
    for (program, error), by in started.items():
        folder, _, name = names.get(program, "").rpartition("/")
        for who, number in by.items():
            if name and error == 0:
                found.setdefault((name, who), Counter())[folder or "/"] += number
            elif name and error in _MISSES:
                misses.setdefault((name, who), Counter())[folder or "/"] += number
    searches = []
    for (name, who), folders in misses.items():
        there = found.get((name, who), Counter())
        # Where it was found as well, it was no other folder that had it.
        if not folders.keys() & there.keys() and (there or len(folders) > 1):
            searches.append(_Search(name, who, folders, there.total()))
    return searches


def _without(
    searches: list[_Search],
    names: dict[int, str],
    started: dict[tuple[int, int], Counter[str]],
) -> dict[tuple[int, int], Counter[str]]:
    """The starts without those that are told as a part of a search."""
    told = {(s.name, s.by) for s in searches}
    left = {}
    for (program, error), by in started.items():
        name = names.get(program, "").rpartition("/")[2]
        rest = Counter(
            {w: n for w, n in by.items() if error not in _MISSES or (name, w) not in told}
        )
        if rest:
            left[program, error] = rest
    return left


def _found(row: Row, searches: list[_Search]) -> Row:
    """A program that started, with the folders in which it was looked for in vain."""
    name = row.what.rpartition("/")[2]
    mine = [s for s in searches if s.found and s.name == name] if row.result == "ok" else []
    if not mine:
        return row
    folders, number = {f for s in mine for f in s.misses}, sum(s.misses.total() for s in mine)
    each = {s.misses.total() / s.found for s in mine}
    words = f"after {count(number, 'look-up')} that failed, in {_in_folders(folders)}"
    if len(each) == 1 and (n := next(iter(each))) == len(folders):
        words = f"after {count(int(n), 'look-up')} in PATH each"
    return replace(row, detail=f"{words}; {row.detail}")


def _nowhere(search: _Search) -> Row:
    """A name that no folder has."""
    return Row(
        search.name,
        "ENOENT",
        count=search.times,
        detail=f"not found in PATH: looked for in {_in_folders(search.misses)}; by {search.by} {search.times}",
    )


def _in_folders(folders: Iterable[str]) -> str:
    ordered = sorted(folders)
    more = f" and {len(ordered) - _FOLDERS} more" if len(ordered) > _FOLDERS else ""
    return f"{count(len(ordered), 'folder')}: {', '.join(ordered[:_FOLDERS])}{more}"


def _row(
    names: dict[int, str], program: int, error: int, by: Counter[str], life: dict[str, Any] | None
) -> Row:
    total = by.total()
    words = [f"by {_traces.in_words(by)}"]
    took: dict[str, Any] = {}
    if life is not None:
        took = latencies(life) if life["ended"] or life["replaced"] else {}
        words.append(f"CPU {duration(life['cpu_ns'] / 1e9)}")
        running = total - life["ended"] - life["replaced"]
        for number, what in (
            (life["failed"], "exited with a failure"),
            (life["killed"], "ended by a signal"),
            (life["replaced"], "executed another in its place"),
            (running, "still running"),
        ):
            if number > 0:
                words.append(f"{number} {what}")
    return Row(
        names.get(program, "a program whose name was lost"),
        _traces.result_of(error),
        count=total,
        detail="; ".join(words),
        **took,
    )


def _forks(
    told: Told, names: dict[int, str], lives: dict[tuple[int, int], dict[str, Any]]
) -> list[Row]:
    """Rows of those that forked: how many processes, and what the copies lived that executed nothing."""
    rows = []
    for row in told.map("forks"):
        name = names.get(row["key"], "a program whose name was lost")
        life = lives.get((row["key"], 0))
        words = [f"{row['threads']} threads begun"] if row["threads"] else []
        took: dict[str, Any] = {}
        if life is not None:
            words.append(f"CPU before or without executing {duration(life['cpu_ns'] / 1e9) or '0'}")
            if life["ended"]:
                words.append(f"{life['ended']} ended and had executed nothing")
                took = latencies(life)
        if row["processes"]:
            rows.append(
                Row(name, "forked", count=row["processes"], detail="; ".join(words), **took)
            )
    return rows


def _says(
    told: Told,
    rows: list[Row],
    lives: dict[tuple[int, int], dict[str, Any]],
    searches: list[_Search],
) -> str:
    started = {r.what: r.count for r in rows if r.result == "ok"}
    failed: Counter[str] = Counter()
    for row in rows:
        if row.result not in {"ok", "forked"}:
            failed[row.result] += row.count
    forks = sum(r.count for r in rows if r.result == "forked")
    seconds = f"{told.seconds:.1f} s"
    if not started and not failed and not forks:
        return f"no program was started and nothing forked in {seconds}"
    number = sum(started.values())
    said = f"no program was started in {seconds}"
    if number:
        said = (
            f"{count(number, 'program')} started in {seconds} ({rate(number, told.seconds)}):"
            f" {_traces.in_words(started, 4)}"
        )
    if failed:
        said += f"; {count(failed.total(), 'start')} failed: {_traces.in_words(failed)}"
    nowhere = {s.name: s.times for s in searches if not s.found}
    if nowhere:
        said += f", of which not found in PATH: {_traces.in_words(nowhere)}"
    if before := sum(s.misses.total() for s in searches if s.found):
        said += f"; {count(before, 'look-up')} in PATH before one was found"
    if forks:
        said += f"; {count(forks, 'fork')}"
    cpu = sum(life["cpu_ns"] for life in lives.values()) / 1e9
    if cpu:
        said += f"; they used {duration(cpu)} of CPU"
    return said


_BEGAN = '{"began":1000000000,"attached":["begin"],"machine":"x86_64"}'
_SEEN = (
    '{"program":11,"known":2,"descriptor":-100,"asked":{"size":8,"more":0,"name":"/bin/sh"},"folder":"/","event":"seen"}',
    '{"program":13,"known":1,"descriptor":-100,"asked":{"size":5,"more":0,"name":"tool"},"folder":"/opt","event":"seen"}',
)
_EXECS = (
    '{"map":"execs","key":["by","program","error"],"value":["count","last_ns"],'
    '"rows":[[0,11,0,3,5],[11,13,0,6,5],[11,13,2,4,5]]}'
)
_LIVES = (
    '{"map":"lives","key":["program","executed"],"value":["ended","total_ns","max_ns","cpu_ns",'
    '"failed","killed","replaced","slots"],"rows":[[0,0,0,0,0,1000000,0,0,0,{}],'
    '[11,1,2,6000000,3000000,4000000,0,0,0,{"152":2}],[13,1,6,600000,100000,5000000,1,2,0,{"120":6}]]}'
)
_FORKS = '{"map":"forks","key":["key"],"value":["processes","threads"],"rows":[[0,3,0],[11,6,1]]}'
_SEARCHED = tuple(
    f'{{"program":{k},"known":2,"descriptor":-100,"asked":{{"size":8,"more":0,"name":"{name}"}},"folder":"/","event":"seen"}}'
    for k, name in enumerate(
        ("/a/true", "/b/true", "/usr/bin/true", "/a/nosuch", "/usr/bin/nosuch"), 1
    )
)
_SEARCHES = (
    '{"map":"execs","key":["by","program","error"],"value":["count","last_ns"],'
    '"rows":[[0,1,2,10,5],[0,2,20,10,5],[0,3,0,10,5],[0,4,2,5,5],[0,5,2,5,5]]}'
)
_END = '{"end":6000000000,"took":5.0,"why":"","losses":{},"hits":40}'

SAMPLES = (
    Sample(
        (_traces.recorded(_BEGAN, *_SEEN, _EXECS, _LIVES, _FORKS, _END),),
        (
            (
                "says='9 programs started in 5.0 s (1.8/s): /opt/tool 6, /bin/sh 3; 4 starts failed:"
                " ENOENT 4; 9 forks; they used 10.0 ms of CPU'"
            ),
            "what='/bin/sh', result='ok', thread='', pid=None, tid=None, count=3",
            "by the target 3; CPU 4.00 ms; 1 still running",
            "by /bin/sh 6; CPU 5.00 ms; 1 exited with a failure; 2 ended by a signal",
            "what='/bin/sh', result='forked'",
        ),
    ),
    Sample(
        (_traces.recorded(_BEGAN, _END),),
        ("no program was started and nothing forked in 5.0 s",),
    ),
    Sample((_traces.recorded(_BEGAN, _EXECS, _END),), ("the names of 13 starts were lost",)),
    Sample(
        (_traces.recorded(_BEGAN, *_SEARCHED, _SEARCHES, _END),),
        (
            "what='/usr/bin/true', result='ok', thread='', pid=None, tid=None, count=10",
            "detail='after 2 look-ups in PATH each; by the target 10'",
            "what='nosuch', result='ENOENT', thread='', pid=None, tid=None, count=5",
            "not found in PATH: looked for in 2 folders: /a, /usr/bin; by the target 5",
            (
                "5 starts failed: ENOENT 5, of which not found in PATH: nosuch 5;"
                " 20 look-ups in PATH before one was found"
            ),
        ),
    ),
)
