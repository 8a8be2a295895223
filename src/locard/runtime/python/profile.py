"""Where the Python processes of the target spend their time: their stacks, sampled many times a second.

Shows: functions by the samples in which they were innermost, and in which they were anywhere, of all processes
  together; by process (each worker and child) with the share of the looks in which its GIL was held, its
  collector ran, none of its threads ran; by thread; every stack, for flame graphs; looks that were late or torn.
How: locard's own reader, beside the target, reads the stacks of all its processes from their memory --hz times a
  second, without a stop, and of those that they begin meanwhile; what did not change is not read anew. --mode
  cpu counts threads that the kernel has on a CPU or waiting for one, wall every thread, gil who has the GIL.
Impact: samples. Nothing runs in the target and nothing stops it; the reading itself takes a few per cent of
  one core on its machine: what it took is said.
  An investigation asks it, for 2 s, of the process that burns CPU, where one does.
Limits: CPython 3.8 to 3.15, not free-threaded; at most 64 processes, those with the most threads: the others are
  named. What runs in C is counted for the Python line that called it. A thread that came back to the same two
  innermost frames by another way between two looks is counted as if it stayed.
Source: CPython's `_Py_DebugOffsets` and its headers; process_vm_readv(2); proc(5).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.model import params
from locard.model.evidence import Output, Scope
from locard.model.kernel_facts import CountedStack, NotObserved, Observed, Row, Trace
from locard.model.stacks import short_path
from locard.model.wording import count
from locard.probe import Sample
from locard.runtime import detect
from locard.runtime.python import _burning, stacks

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

MOST_PROCESSES = 64
_MOST_ROWS = 200
_PIDS = 10  # that are listed
_SHOWN = 3
_MISSED = 0.01  # of the looks or stacks, from which on the result is partial

BY_DEFAULT = True  # an investigation asks it of who burns CPU only: see `plan`
_FEW = 2.0  # seconds of such a look


@dataclass(frozen=True, slots=True)
class Params:
    """How long, how often, and which threads."""

    for_s: float = params.duration(5.0, "how long", least=0.1, most=600.0, flag="--for")
    hz: int = params.param(100, "looks a second", least=1, most=1000)
    mode: str = params.text("cpu", "cpu, wall or gil", pattern="cpu|wall|gil")


PARAMS = Params
READER = f"{stacks.OWN.program}+far/processes.py+far/python_looks.py"
PROFILE = Template(
    argv=(
        "python3",
        "-I",
        "-S",
        "-",
        "profile",
        "{seconds:number}",
        "{hz:number}",
        "{mode:word}",
        "{pid:pid*}",
    ),
    impact=Impact.SAMPLES,
    bound_s=630.0,
    by_hand="for p in {pid}; do py-spy record --nonblocking -r {hz} -d {seconds} -f raw -o /dev/stdout --pid $p & done",
    max_bytes=64 << 20,
    program=READER + "+far/python_profile.py",
    needs=(needs.PYTHON,),
    output="json",
    ends="interrupted",
    prompt=True,
)
COMMANDS = (detect.MAPPED, stacks.KERNEL, PROFILE)


def applies(context: Context) -> Skip | None:
    """It takes processes; which of them are Python is found by looking."""
    return stacks.applies(context)


def scope(context: Context) -> Scope:
    """Every process of the target."""
    return Scope(pids=context.target.pids)


def plan(context: Context, asked: Params | None = None) -> Generator[Step, Output, None]:
    """Tell the runtimes, then sample every CPython, those with the most threads where they are too many.

    `asked`: None in an investigation, which samples the one that burns most CPU, if any does.
    """
    pids = yield from chosen(context)
    if asked is None:
        asked = Params(for_s=_FEW)
        burning = yield from _burning.burning(stacks.KERNEL, list(pids))
        if not burning:
            return
        pids = (burning[0],)
    yield PROFILE.fill(seconds=f"{asked.for_s:g}", hz=str(asked.hz), mode=asked.mode, pid=pids)


def chosen(context: Context) -> Generator[Step, Output, tuple[int, ...]]:
    """The processes to sample: all where nothing tells which are Python."""
    mapped = yield detect.MAPPED.fill(pid=context.target.pids)
    pythons = detect.pythons(mapped)
    every = [p for p in context.target.processes if p.pid in pythons] or list(
        context.target.processes
    )
    most = {p.pid for p in sorted(every, key=lambda p: -p.threads)[:MOST_PROCESSES]}
    return tuple(p.pid for p in every if p.pid in most)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace of the processes that were sampled, or why there is none."""
    facts: list[Fact] = []
    mapped = next((o for o in outputs if detect.is_mapped(o)), None)
    runtimes = detect.runtimes(mapped, ())
    for output in outputs:
        if "profile" not in output.argv:
            continue
        try:
            facts.append(_fact(json.loads(output.text), left_out(output.argv, runtimes)))
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError, IndexError):
            said = output.stderr.decode("utf-8", "replace").strip()
            why = said or output.problem or "nothing came back"
            more = "" if why.startswith("not permitted") else "; py-spy record may be able to"
            facts.append(NotObserved("profile", f"{why}{more}", ""))
    return tuple(facts)


def left_out(argv: Sequence[str], runtimes: dict[int, str]) -> tuple[list[str], list[str]]:
    """In words: CPython processes that were not asked for, and processes that are no CPython."""
    asked = {int(word) for word in argv if word.isdigit()}
    lost = [p for p, name in runtimes.items() if name.startswith("CPython") and p not in asked]
    words = []
    if lost:
        shown = ", ".join(map(str, lost[:_PIDS])) + ("…" if len(lost) > _PIDS else "")
        words = [f"{count(len(lost), 'process', 'processes')} more than were sampled: {shown}"]
    others: dict[str, list[int]] = {}
    for pid, name in runtimes.items():
        if pid not in asked and not name.startswith("CPython"):
            others.setdefault(name, []).append(pid)
    blind = [
        f"pid {', '.join(map(str, pids[:_PIDS]))}: {name}, not sampled"
        for name, pids in others.items()
    ]
    return words, blind


def observed(
    told: dict[str, Any], seconds: float, lost: tuple[str, ...], blind: tuple[str, ...]
) -> Observed:
    """How it was sampled: which reader, how often, what it cost."""
    versions = ", ".join(sorted({str(p["version"]) for p in told["processes"]}))
    return Observed(
        seconds=round(seconds, 3),
        engine=f"own reader of CPython {versions}, {float(told['hz']):g} looks a second, --mode {told['mode']}",
        lost=lost,
        blind=blind,
        ended=str(told["ended"]),
        cost_s=round(float(told["cost_s"]), 3),
    )


def _fact(told: dict[str, Any], left: tuple[list[str], list[str]]) -> Trace:
    every = tuple(stacks_of(told))
    hz = float(told["hz"])
    rows = functions(every, hz)
    seconds = float(told["took"])
    total = sum(s.value for s in every)
    lost, less = missed(told, int(told["samples"]), total)
    return Trace(
        program="profile",
        says=_says(rows, told, total),
        observed=observed(told, seconds, (*lost, *left[0]), (*less, *left[1])),
        rows=rows[:_MOST_ROWS],
        stacks=every,
        threads=_threads(told["stacks"], hz),
        processes=tuple(_process(p, told["stacks"], hz, told["mode"]) for p in told["processes"]),
        mode=str(told["mode"]),
    )


def stacks_of(told: dict[str, Any]) -> Iterator[CountedStack]:
    """The stacks of an answer, their frames in words; those without a Python frame are left out."""
    table = [frame_words(f) for f in told["table"]]
    for stack in told["stacks"]:
        frames = tuple(table[n] for n in stack["frames"])
        if frames:
            value, pid = float(stack["count"]), int(stack["pid"])
            yield CountedStack(frames, value, "samples", str(stack["thread"]), pid=pid)


def frame_words(frame: dict[str, Any]) -> str:
    """`pay (app/shop.py:7)`: as much of the path as tells files of one name apart."""
    return f"{frame['name']} ({short_path(str(frame['filename']))}:{frame['line']})"


def missed(told: dict[str, Any], looks: int, samples: float) -> tuple[list[str], list[str]]:
    """What was not made, or left out, in words: as much as makes the answer partial, and less than that."""
    late, hz = int(told["late"]), float(told["hz"])
    torn = sum(int(p["torn"]) for p in told["processes"])
    left = sum(int(p["left"]) for p in told["processes"])
    lost: list[str] = []
    less: list[str] = []
    if late:
        much = late > _MISSED * (looks + late)
        words = f"{late:,} of {looks + late:,} looks were not made"
        (lost if much else less).append(
            f"{words}: {hz:g} a second are too many here" if much else f"{words}: it came too late"
        )
    if torn:
        words = f"{count(torn, 'stack')} changed while being read: left out"
        (lost if torn > _MISSED * (samples + torn) else less).append(words)
    if left:
        lost.append(
            f"{count(left, 'sample')} of stacks beyond the first 50,000 different ones: left out"
        )
    lost += [
        f"pid {p['pid']}: whether {count(int(p['unseen']), 'thread')} ran the kernel did not say: not counted"
        for p in told["processes"]
        if p["unseen"]
    ]
    lost += [f"pid {unread['pid']}: not sampled: {unread['why']}" for unread in told["unread"]]
    return lost, less


def functions(every: Iterable[CountedStack], hz: float) -> tuple[Row, ...]:
    """Functions by the samples in which they are innermost; `detail`: in how many they are anywhere."""
    own: dict[str, float] = {}
    whole: dict[str, float] = {}
    for stack in every:
        frames = [function(f) for f in stack.frames]
        own[frames[-1]] = own.get(frames[-1], 0) + stack.value
        for frame in set(frames):
            whole[frame] = whole.get(frame, 0) + stack.value
    rows = [
        Row(
            name,
            count=round(value),
            total_s=round(value / hz, 6),
            detail=f"{whole[name]:,.0f} with what it calls",
        )
        for name, value in own.items()
    ]
    return tuple(sorted(rows, key=lambda r: (-r.count, r.what)))


def function(frame: str) -> str:
    """A frame without its line: `pay (shop.py)`."""
    head, colon, line = frame.rpartition(":")
    return f"{head})" if colon and line.rstrip(")").isdigit() else frame


def _threads(every: Iterable[dict[str, Any]], hz: float) -> tuple[Row, ...]:
    sums: dict[tuple[Any, ...], int] = {}
    for stack in every:
        key = stack["tid"], str(stack["thread"]), int(stack["pid"])
        sums[key] = sums.get(key, 0) + int(stack["count"])
    rows = [
        Row("samples", count=number, total_s=round(number / hz, 6), tid=tid, thread=name, pid=pid)
        for (tid, name, pid), number in sums.items()
    ]
    return tuple(sorted(rows, key=lambda r: -r.count)[:_MOST_ROWS])


def _process(item: dict[str, Any], every: Iterable[dict[str, Any]], hz: float, mode: str) -> Row:
    """One process: its samples, and in which share of the looks it had what."""
    pid = int(item["pid"])
    mine = sum(int(s["count"]) for s in every if s["pid"] == pid)
    words = shares(item, mode)
    return Row(
        f"pid {pid}",
        count=mine,
        total_s=round(mine / hz, 6),
        pid=pid,
        threads=int(item["threads"]),
        detail=", ".join(words),
    )


def shares(item: dict[str, Any], mode: str) -> list[str]:
    """In which share of the looks at a process its GIL was held, its collector ran, nobody counted."""
    looks = max(1, int(item["looks"]))
    words = [f"GIL held in {item['gil'] / looks:.0%} of {looks:,} looks"]
    words += [f"collector ran in {item['gc'] / looks:.0%}"] if item["gc"] else []
    nobody = {"cpu": "no thread on a CPU", "gil": "nobody had it"}.get(mode, "no thread")
    words += [f"{nobody} in {item['idle'] / looks:.0%}"] if item["idle"] else []
    return [*words, "it ended"] if item["ended"] else words


def _says(rows: Sequence[Row], told: dict[str, Any], total: float) -> str:
    looks = count(int(told["samples"]), "look")
    processes = len(told["processes"])
    looks += f" at {processes:,} processes" if processes > 1 else ""
    what = {
        "cpu": "threads on a CPU or waiting for one",
        "wall": "threads, whatever they do",
        "gil": "the thread that has the GIL",
    }[told["mode"]]
    collected, all_looks = (sum(int(p[k]) for p in told["processes"]) for k in ("gc", "looks"))
    gc = f"; the collector ran in {collected / max(1, all_looks):.0%} of them" if collected else ""
    if not total:
        return f"{looks} over {float(told['took']):.1f} s: no sample of {what}{gc}"
    shares = ", ".join(f"{r.what} {r.count / total:.0%}" for r in rows[:_SHOWN])
    return f"{total:,.0f} samples of {what} in {looks}: {shares}{gc}"


_TOLD = """{"table": [{"name": "run", "filename": "/srv/app/a.py", "line": 3}, {"name": "pay", "filename":
"/srv/app/shop.py", "line": 7}, {"name": "pay", "filename": "/srv/app/shop.py", "line": 8}], "stacks": [{"pid": 7, "tid": 9,
"thread": "worker", "frames": [0, 1], "count": 90}, {"pid": 8, "tid": 10, "thread": "worker", "frames": [0, 2], "count": 10}],
"processes": [{"pid": 7, "version": "3.11", "threads": 3, "looks": 100, "torn": 0, "gc": 4, "gil": 95, "idle": 0, "left": 0, "unseen": 0,
"ended": false}, {"pid": 8, "version": "3.11", "threads": 1, "looks": 100, "torn": 0, "gc": 0, "gil": 10, "idle": 90, "left": 0, "unseen": 0,
"ended": false}], "unread": [{"pid": 9, "why": "free-threaded"}], "samples": 100, "late": 0, "took": 1.0, "cost_s": 0.02,
"ended": "", "hz": 100.0, "mode": "cpu"}"""
_ASKED = ("python3", "-I", "-S", "-", "profile", "1", "100", "cpu", "7", "8")

SAMPLES = (
    Sample(
        (Output(argv=_ASKED, stdout=_TOLD.encode()),),
        (
            "100 samples of threads on a CPU or waiting for one in 100 looks at 2 processes",
            "pay (app/shop.py) 100%; the collector ran in 2% of them",
            "GIL held in 10% of 100 looks, no thread on a CPU in 90%",
            "pid 9: not sampled: free-threaded",
        ),
    ),
    Sample(
        (
            Output(
                argv=_ASKED,
                stdout=b"",
                stderr=b"no _PyRuntime in what it has mapped\n",
                exit_code=1,
            ),
        ),
        ("no _PyRuntime",),
    ),
)
