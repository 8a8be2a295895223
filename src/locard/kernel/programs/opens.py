"""Files that the target opens or fails to open: absolute path by result, with exact counts.

Shows: each path that was asked for with its result (ok, ENOENT, EACCES, …), how often, and the time that
  it took; names that are looked for in several folders, and when that ended. Paths as the target sees
  them: a relative name stands below the folder of its descriptor, or below the working folder.
How: an eBPF program on sys_enter and sys_exit takes the folder when the call begins and counts in the
  kernel by folder, name and result; names are told once. open, creat, openat, openat2.
Impact: samples. About 0.2 us for each system call of the target, 1.1 us for one that opens; it detaches
  by itself past --max-overhead. Also known as opensnoop.
Limits: the path is the one that was asked for: a symbolic link in it is not resolved. What io_uring
  opens is no system call; 32-bit programs are not counted. Names of more than 511 characters are cut.
Source: opensnoop(8) of bcc, openat(2), openat2(2), path_resolution(7).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locard.kernel import _observing, _traces, engines
from locard.kernel.engines import bcc
from locard.model import params
from locard.model.kernel_facts import Row, Trace
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.kernel._observing import Told
    from locard.model.evidence import Output, Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_EACH_NS = 300.0  # of a system call, opens among them
_NAMELESS = "a name that was not kept"
_STORM = 20  # failures of one name that the headline says
_MANY = 4  # times as often in one folder as under one name: it is the folder
_CEASED = 0.5  # of the observation without a failure: it has ended

COMMANDS = (
    _observing.template("opens", "strace -f -e trace=open,openat,creat -p {pid}"),
    *bcc.commands("opens"),
)


@dataclass(frozen=True, slots=True)
class Params:
    """For how long, and whether only what fails counts."""

    for_s: float = _observing.for_param()
    failed: bool = params.switch("only what cannot be opened")
    max_overhead: float = _observing.overhead_param()
    engine: str = engines.engine_param(bcc.ENGINE)


PARAMS = Params
check = engines.check


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies_to_programs(context)


def scope(context: Context) -> Scope:
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    if asked.engine != engines.EBPF:
        yield from bcc.TOOLS["opens"].plan(context, asked.for_s)
        return
    settings = {
        "set": {"failed_only": int(asked.failed)},
        "attach": ["begin", "end"],
        "rings": ["seen"],
        "share": asked.max_overhead / 100,
        "cost_ns": _EACH_NS,
    }
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace, or why the kernel did not take it."""
    return _traces.read("opens", outputs, _trace)


@dataclass(slots=True)
class _Sums:
    count: int = 0
    total_ns: int = 0
    max_ns: int = 0
    last_ns: int = 0
    asked: set[str] = field(default_factory=set)


def _trace(told: Told) -> Trace:
    names = {
        (e["folder_number"], e["name_number"], e["tgid"]): e for e in told.events.get("seen", ())
    }
    found: dict[tuple[str, str, int], _Sums] = {}
    shorts: dict[str, str] = {}
    unnamed = 0
    for row in told.map("names"):
        event = names.get((row["folder"], row["name"], row["tgid"]))
        path, short = _traces.asked_path(event) if event else (_NAMELESS, "")
        unnamed += row["count"] if event is None else 0
        shorts[path] = short
        sums = found.setdefault((path, _traces.result_of(row["error"]), row["tgid"]), _Sums())
        sums.count += row["count"]
        sums.total_ns += row["total_ns"]
        sums.max_ns = max(sums.max_ns, row["max_ns"])
        sums.last_ns = max(sums.last_ns, row["last_ns"])
        given = event["asked"]["name"] if event else ""
        if given and given != path:
            sums.asked.add(given)
    rows = [
        Row(
            path,
            result,
            pid=pid,
            count=sums.count,
            total_s=round(sums.total_ns / 1e9, 9),
            max_s=round(sums.max_ns / 1e9, 9),
            detail=_detail(told, result, sums),
        )
        for (path, result, pid), sums in found.items()
    ]
    for row in told.map("nameless"):
        unnamed += row["value"]
        rows.append(
            Row(_NAMELESS, _traces.result_of(row["error"]), pid=row["tgid"], count=row["value"])
        )
    observed = told.observed(each_ns=_EACH_NS)
    if unnamed:
        lost = f"{unnamed:,} opens are counted without their names: these came faster than they are kept"
        observed = _traces.also_lost(observed, lost)
    slots = {row["key"]: row["slots"] for row in told.map("histogram")}
    return Trace(
        "opens",
        _says(told, rows, shorts),
        observed,
        _traces.by_count(rows),
        tuple(
            _observing.histogram(name, slots[key])
            for key, name in ((0, "opened"), (1, "failed"))
            if slots.get(key)
        ),
    )


def _detail(told: Told, result: str, sums: _Sums) -> str:
    words = []
    if sums.asked:
        given = sorted(sums.asked)
        words.append(f"asked as {given[0]}" + (", …" if len(given) > 1 else ""))
    ago = _traces.ended_ago(told, sums.last_ns)
    if result != "ok" and ago is not None and ago > _CEASED * told.seconds:
        words.append(f"none in the last {ago:.1f} s")
    return "; ".join(words)


def _says(told: Told, rows: list[Row], shorts: dict[str, str]) -> str:
    seconds = f"{told.seconds:.1f} s"
    total = sum(r.count for r in rows)
    if not total:
        return f"nothing was opened in {seconds}"
    failed: Counter[str] = Counter()
    for row in rows:
        if row.result != "ok":
            failed[row.result] += row.count
    said = f"{count(total, 'open')} in {seconds}"
    if not failed:
        return f"{said}, none failed"
    said += f", {failed.total():,} failed: {_traces.in_words(failed)}"
    lasts = [r["last_ns"] for r in told.map("names") if r["error"]]
    ago = _traces.ended_ago(told, max(lasts, default=None))
    if ago is not None and ago > _CEASED * told.seconds:
        said += f", none in the last {ago:.1f} s"
    storm = _storm(rows, shorts)
    return f"{said}; {storm}" if storm else said


def _storm(rows: list[Row], shorts: dict[str, str]) -> str:
    """The name that is looked for in vain most often, and in how many folders."""
    missing: dict[str, dict[str, int]] = {}
    for row in rows:
        if row.result == "ENOENT" and shorts.get(row.what):
            paths = missing.setdefault(shorts[row.what], {})
            paths[row.what] = paths.get(row.what, 0) + row.count
    if not missing:
        return ""
    name, paths = max(missing.items(), key=lambda item: (sum(item[1].values()), item[0]))
    times = sum(paths.values())
    folders: Counter[str] = Counter()
    names: Counter[str] = Counter()
    for several in missing.values():
        for path, number in several.items():
            folders[path.rpartition("/")[0]] += number
            names[path.rpartition("/")[0]] += 1
    folder, number = folders.most_common(1)[0]
    if number >= _STORM and times < number / _MANY and names[folder] >= _MANY:
        return f"{names[folder]:,} names in {folder or '/'} were not found ({number:,} times)"
    if times < _STORM:
        return ""
    if len(paths) == 1:
        return f"{next(iter(paths))} was not found {times:,} times"
    there = {r.what for r in rows if r.result == "ok" and shorts.get(r.what) == name}
    found = f", found in {len(there)}" if there else ""
    return f"{name} was not found in {count(len(paths), 'folder')} ({times:,} times){found}"


_BEGAN = '{"began":1000000000,"attached":["begin","end"],"machine":"x86_64"}'
_SEEN = (
    '{"folder_number":%d,"name_number":9,"tgid":7,"known":1,"descriptor":-100,"error":2,'
    '"asked":{"size":9,"more":0,"name":"app.conf"},"folder":"/srv/%s","event":"seen"}'
)
_MAP = (
    '{"map":"names","key":["folder","name","error","tgid"],"value":["count","total_ns","max_ns",'
    '"first_ns","last_ns","told","tid"],"rows":[[1,9,0,7,10,1000,300,1,5900000000,1,7],'
    "[3,9,2,7,30,1000,300,1,%d,1,7]]}"
)
_END = '{"end":6000000000,"took":5.0,"why":"","losses":{},"hits":40}'
_NAMES = (_SEEN % (1, "release-1"), _SEEN % (3, "release-2"))

SAMPLES = (
    Sample(
        (_traces.recorded(_BEGAN, *_NAMES, _MAP % 5900000000, _END),),
        (
            "says='40 opens in 5.0 s, 30 failed: ENOENT 30; /srv/release-2/app.conf was not found 30 times'",
            "what='/srv/release-2/app.conf', result='ENOENT'",
            "what='/srv/release-1/app.conf', result='ok'",
        ),
    ),
    Sample(
        (_traces.recorded(_BEGAN, *_NAMES, _MAP % 1500000000, _END),),
        ("30 failed: ENOENT 30, none in the last 4.5 s; ", "lost=()"),
    ),
    Sample(
        (_traces.recorded(_BEGAN, _NAMES[0], _MAP % 5900000000, _END),),
        ("30 opens are counted without their names",),
    ),
    Sample(
        (_traces.recorded('{"refused":"loading the program","errno":1,"why":"not permitted"}'),),
        ("NotObserved(program='opens'", "CAP_BPF"),
    ),
)
