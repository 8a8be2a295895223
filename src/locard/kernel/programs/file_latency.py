"""Reads and writes of files by path, and which of them took longer than a threshold.

Shows: for each file and direction the count, bytes and latencies, how many took at least --slow and whose
  they were; directory listings. sendfile, copy_file_range and splice are a read of
  the one file and a write of the other. A file whose name was gone is marked (deleted). What has not ended when the look is over.
How: an eBPF program on sys_enter and sys_exit; only what lies on a file system counts as a file. Pipes,
  sockets, terminals and event descriptors wait for somebody else: they stand apart and are never slow.
Impact: samples. About 0.7 us for each read and write of the target, 0.2 us for other calls; it detaches
  by itself past --max-overhead. Also known as fileslower, ext4slower, xfsslower, nfsslower.
Limits: a write that only fills the page cache is fast, whatever the disk does; what pages of mapped files
  cost is in `page-faults`. Reads and writes through io_uring are not seen.
Source: fileslower(8) and ext4slower(8) of bcc; read(2), write(2).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing, _traces, engines, syscall_table
from locard.kernel._observing import latencies
from locard.kernel.engines import bcc
from locard.model import params
from locard.model.kernel_facts import Row, Trace
from locard.model.kernel_words import duration
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.kernel._observing import Told
    from locard.model.evidence import Output, Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_EACH_NS = 400.0  # of a system call
_DIRECTIONS = ("read", "write", "list")
_KINDS = {0o010000: "pipes", 0o140000: "sockets", 0o020000: "terminals and other character devices"}

COMMANDS = (
    _observing.template(
        "file_latency",
        "strace -f -T -y -e trace=read,write,pread64,pwrite64 -p {pid}",
        own="kernel/_devices_far.py",
    ),
    *bcc.commands("file-latency"),
)


@dataclass(frozen=True, slots=True)
class Params:
    """For how long, and what is slow."""

    for_s: float = _observing.for_param()
    slow: float = params.duration(0.01, "what is slow, such as 10ms", least=1e-6, most=600.0)
    max_overhead: float = _observing.overhead_param()
    engine: str = engines.engine_param(bcc.ENGINE)


PARAMS = Params
check = engines.check


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies(context)


def scope(context: Context) -> Scope:
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    if asked.engine != engines.EBPF:
        yield from bcc.TOOLS["file-latency"].plan(context, asked.for_s)
        return
    settings = {
        "set": {"slow_ns": int(asked.slow * 1e9)},
        "attach": ["begin", "end"],
        "rings": ["files", "slow_ones"],
        "rows": {"blocked": "blocked_row"},
        "share": asked.max_overhead / 100,
        "cost_ns": _EACH_NS,
    }
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace, or why the kernel did not take it."""
    return _traces.read("file-latency", outputs, _trace)


def _trace(told: Told) -> Trace:
    names = _names(told)
    whose: dict[tuple[Any, ...], Counter[str]] = {}
    for event in told.events.get("slow_ones", ()):
        key = (*_traces.file_of(event["key"]), event["direction"])
        whose.setdefault(key, Counter())[told.thread(event["tid"]) or str(event["tid"])] += 1
    ranks: list[tuple[tuple[float, float], Row]] = []
    slots: dict[int, dict[str, int]] = {}
    for row in told.map("transfers"):
        _observing.add_slots(slots.setdefault(row["direction"], {}), row["slots"])
        key = (*_traces.file_of(row["key"]), row["direction"])
        words = [_direction(row)]
        if row["slow"]:
            by = f", by {_traces.in_words(whose[key])}" if key in whose else ""
            words.append(f"{row['slow']:,} slow{by}")
        on = _traces.device(told, row["key"]["device"])
        words += [f"on {on}"] if on else []
        made = Row(
            _path(names, row["key"]),
            "ok",
            pid=row["tgid"],
            count=row["count"],
            errors=row["errors"],
            bytes=row["bytes"] or None,
            detail="; ".join(words),
            **latencies(row),
        )
        ranks.append(((-row["slow_ns"], -row["total_ns"]), made))
    rows = [row for _, row in sorted(ranks, key=lambda item: item[0])][:500]
    waiting = _waiting(told, names)
    return Trace(
        "file-latency",
        _says(told, names, waiting),
        told.observed(each_ns=_EACH_NS),
        (*waiting, *rows, *_others(told)),
        tuple(
            _observing.histogram(f"{_DIRECTIONS[d]} of files", slots[d])
            for d in sorted(slots)
            if 0 <= d < len(_DIRECTIONS)
        ),
    )


def _names(told: Told) -> dict[tuple[int, int, int], dict[str, Any]]:
    """The files' names, marked where they were gone when the file was used."""
    names = _traces.file_names(told)
    used = [(r["key"], r["max_deleted"]) for r in told.map("transfers")]
    used += [(r["key"], r["deleted"]) for r in told.iterators.get("blocked", ())]
    for file in {_traces.file_of(key) for key, deleted in used if deleted} & names.keys():
        names[file] = {**names[file], "path": f"{names[file]['path']} (deleted)"}
    return names


def _direction(row: dict[str, Any]) -> str:
    return _DIRECTIONS[row["direction"]]


def _path(names: dict[tuple[int, int, int], dict[str, Any]], key: dict[str, int]) -> str:
    event = names.get(_traces.file_of(key))
    return str(event["path"]) if event is not None else f"inode {key['file']}"


def _waiting(told: Told, names: dict[tuple[int, int, int], dict[str, Any]]) -> list[Row]:
    end = told.end.get("end")
    return [
        Row(
            _path(names, row["key"]),
            "not ended",
            thread=told.thread(row["tid"]),
            tid=row["tid"],
            count=1,
            total_s=round(max(0, end - row["began"]) / 1e9, 6),
            detail=syscall_table.name(told.machine, row["number"]),
        )
        for row in told.iterators.get("blocked", ())
        if isinstance(end, int)
    ]


def _others(told: Told) -> list[Row]:
    """What waits for somebody else and not for a disk."""
    rows = []
    for row in told.map("others"):
        name = _KINDS.get(row["kind"], "event descriptors")
        rows.append(
            Row(
                name,
                "no file",
                count=row["count"],
                total_s=round(row["total_ns"] / 1e9, 9),
                max_s=round(row["max_ns"] / 1e9, 9),
                detail=f"{_direction(row)}: waits for who is at the other end",
            )
        )
    return sorted(rows, key=lambda r: -(r.total_s or 0.0))


def _says(told: Told, names: dict[tuple[int, int, int], dict[str, Any]], waiting: list[Row]) -> str:
    rows = told.map("transfers")
    total = sum(r["count"] for r in rows)
    seconds = f"{told.seconds:.1f} s"
    stuck = ""
    if waiting:
        longest = max(waiting, key=lambda r: r.total_s or 0.0)
        stuck = f"{longest.detail} of {longest.what} has not ended for {duration(longest.total_s)}"
    if not total:
        return stuck or f"no file was read or written in {seconds}"
    slow = sum(r["slow"] for r in rows)
    said = f"{count(total, 'read or write', 'reads and writes')} of files in {seconds}"
    said += f", {slow:,} slow" if slow else ", none slow"
    if slow:
        top = max(rows, key=lambda r: r["slow_ns"])
        said += (
            f", most: {_direction(top)} of {_path(names, top['key'])} ({top['slow']:,},"
            f" max {duration(top['max_ns'] / 1e9)})"
        )
    else:
        said += f", the slowest {duration(max(r['max_ns'] for r in rows) / 1e9)}"
    return f"{said}; {stuck}" if stuck else said


_BEGAN = '{"began":1000000000,"attached":["begin","end"],"machine":"x86_64"}'
_FILE = (
    '{"key":{"file":13,"device":7340032,"generation":5},"mode":33261,"magic":61267,'
    '"path":"/data/wal","event":"files"}'
)
_SLOW = (
    '{"at_ns":5000000000,"took_ns":189000000,"asked":4096,"result":4096,"at":0,'
    '"key":{"file":13,"device":7340032,"generation":5},"direction":1,"tid":8,"number":18,"event":"slow_ones"}'
)
_MAP = (
    '{"map":"transfers","key":["key","direction","tgid"],"value":["count","total_ns","max_ns","bytes",'
    '"errors","slow","slow_ns","max_deleted","slots"],"rows":['
    '[{"file":13,"device":7340032,"generation":5},0,7,90,90000,2000,900,0,0,0,0,{"80":90}],'
    '[{"file":13,"device":7340032,"generation":5},1,7,3,190000000,189000000,12288,0,%d,%d,0,{"80":2,"203":1}]]}'
)
_OTHERS = (
    '{"map":"others","key":["kind","direction"],"value":["count","total_ns","max_ns","slow"],'
    '"rows":[[4096,0,7,3501314596,500249600,7]]}'
)
_NAME = '{"thread":8,"pid":7,"comm":"wal-writer"}'
_END = '{"end":6000000000,"took":5.0,"why":"","losses":{},"hits":40}'

SAMPLES = (
    Sample(
        (_traces.recorded(_BEGAN, _FILE, _SLOW, _MAP % (1, 189000000), _OTHERS, _NAME, _END),),
        (
            "says='93 reads and writes of files in 5.0 s, 1 slow, most: write of /data/wal (1, max 189 ms)'",
            "detail='write; 1 slow, by wal-writer 1; on device 7:0'",
            "what='pipes', result='no file'",
        ),
    ),
    Sample(
        (_traces.recorded(_BEGAN, _FILE, _MAP % (0, 0), _END),),
        ("93 reads and writes of files in 5.0 s, none slow, the slowest 189 ms",),
    ),
    Sample((_traces.recorded(_BEGAN, _OTHERS, _END),), ("no file was read or written in 5.0 s",)),
)
