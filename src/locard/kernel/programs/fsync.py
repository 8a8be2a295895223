"""What waits until data is on the disk: fsync and its relatives, and writes that wait by themselves.

Shows: for each file and call the count, latencies and errors: fsync, fdatasync, sync_file_range, syncfs,
  sync, msync; and writes to files opened with O_SYNC or O_DSYNC, on mounts with `sync`, or by pwritev2
  with RWF_SYNC or RWF_DSYNC. What has not ended when the look is over.
How: an eBPF program on sys_enter and sys_exit; the file is taken when the call begins, its name told once.
Impact: samples. About 0.2 us for each system call of the target; it detaches by itself past
  --max-overhead. Also known as fsyncsnoop, filesync.
Limits: the time is that of the call: a limit of the cgroup or a journal counts as much as the device;
  `disk-latency` tells them apart. A call that began before locard attached is not seen. Not io_uring.
Source: fsync(2), open(2) on O_DSYNC, sync_file_range(2); etcd-io/etcd#17615.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing, _traces, syscall_table
from locard.kernel._observing import latencies, ranked
from locard.model.kernel_facts import Row, Trace
from locard.model.kernel_words import duration
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.kernel._observing import Told
    from locard.model.evidence import Output, Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_EACH_NS = 190.0  # of a system call
_HOW = ("", "O_DSYNC", "O_SYNC", "mounted sync")
_NO_FILE = {"sync": "every file system", "msync": "memory without a file"}
_MOST_GROUPS = 3

COMMANDS = (
    _observing.template(
        "fsync",
        "strace -f -T -y -e trace=fsync,fdatasync,msync,write,pwrite64 -p {pid}",
        own="kernel/_devices_far.py",
    ),
)


@dataclass(frozen=True, slots=True)
class Params:
    """For how long."""

    for_s: float = _observing.for_param()
    max_overhead: float = _observing.overhead_param()


PARAMS = Params


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies(context)


def scope(context: Context) -> Scope:
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    settings = {
        "attach": ["begin", "end"],
        "rings": ["files"],
        "rows": {"blocked": "blocked_row"},
        "share": asked.max_overhead / 100,
        "cost_ns": _EACH_NS,
    }
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace, or why the kernel did not take it."""
    return _traces.read("fsync", outputs, _trace)


@dataclass(slots=True)
class _Sums:
    count: int = 0
    total_ns: int = 0
    max_ns: int = 0
    bytes: int = 0
    slots: dict[str, int] = field(default_factory=dict)
    tids: set[int] = field(default_factory=set)

    def add(self, row: dict[str, Any]) -> None:
        self.count += row["count"]
        self.total_ns += row["total_ns"]
        self.max_ns = max(self.max_ns, row["max_ns"])
        self.bytes += row["bytes"]
        self.tids.add(row["tid"])
        _observing.add_slots(self.slots, row["slots"])

    def latencies(self) -> dict[str, Any]:
        return latencies({"total_ns": self.total_ns, "max_ns": self.max_ns, "slots": self.slots})


def _trace(told: Told) -> Trace:
    names = _traces.file_names(told)
    by_file: dict[tuple[str, str, str, int], _Sums] = {}
    by_call: dict[str, _Sums] = {}
    for row in told.map("syncs"):
        call = _call(told, row)
        path = _path(names, row["key"], call)
        result = _traces.result_of(row["error"])
        by_file.setdefault((path, call, result, row["key"]["device"]), _Sums()).add(row)
        by_call.setdefault(call, _Sums()).add(row)
    rows = [
        Row(
            path,
            result,
            count=sums.count,
            bytes=sums.bytes or None,
            detail=_on(call, _traces.device(told, device)),
            **_traces.thread_of(told, sums.tids),
            **sums.latencies(),
        )
        for (path, call, result, device), sums in by_file.items()
    ]
    waiting = _waiting(told, names)
    return Trace(
        "fsync",
        _says(told, rows, by_call, waiting),
        told.observed(each_ns=_EACH_NS),
        ranked(rows + waiting),
        tuple(
            _observing.histogram(call, sums.slots)
            for call, sums in sorted(by_call.items(), key=lambda item: -item[1].total_ns)
        )[:6],
    )


def _call(told: Told, row: dict[str, Any]) -> str:
    name = syscall_table.name(told.machine, row["number"])
    return f"{name}, {_HOW[row['how']]}" if row["how"] else name


def _path(names: dict[tuple[int, int, int], dict[str, Any]], key: dict[str, int], call: str) -> str:
    event = names.get(_traces.file_of(key))
    if event is not None:
        return str(event["path"])
    return f"inode {key['file']}" if key["file"] else _NO_FILE.get(call, "a descriptor not open")


def _on(call: str, device: str) -> str:
    return f"{call}; on {device}" if device else call


def _waiting(told: Told, names: dict[tuple[int, int, int], dict[str, Any]]) -> list[Row]:
    end = told.end.get("end")
    return [
        Row(
            _path(names, row["key"], _call(told, row)),
            "not ended",
            thread=told.thread(row["tid"]),
            tid=row["tid"],
            count=1,
            total_s=round(max(0, end - row["began"]) / 1e9, 6),
            detail=_on(_call(told, row), _traces.device(told, row["key"]["device"])),
        )
        for row in told.iterators.get("blocked", ())
        if isinstance(end, int)
    ]


def _says(told: Told, rows: list[Row], by_call: dict[str, _Sums], waiting: list[Row]) -> str:
    parts = []
    ordered = sorted(by_call.items(), key=lambda item: -item[1].total_ns)
    for call, sums in ordered[:_MOST_GROUPS]:
        known = sums.latencies()
        parts.append(
            f"{call} {sums.count:,} times, p50 {duration(known.get('p50_s'))},"
            f" max {duration(known['max_s'])}"
        )
    failed = sum(r.count for r in rows if r.result not in {"ok", "interrupted"})
    if failed:
        parts.append(f"{failed:,} of them failed")
    longest = max(waiting, key=lambda r: r.total_s or 0.0, default=None)
    if longest is not None:
        parts.append(
            f"{len(waiting)} not ended, {longest.what} for {duration(longest.total_s)} so far"
        )
    if not parts:
        return f"no fsync and no synchronous write in {told.seconds:.1f} s"
    top = max(rows, key=lambda r: r.total_s or 0.0, default=None)
    if top is not None:
        parts.append(f"most of it on {top.what}")
    return f"in {told.seconds:.1f} s: {'; '.join(parts)}"


_BEGAN = '{"began":1000000000,"attached":["begin","end"],"machine":"x86_64"}'
_FILE = (
    '{"key":{"file":13,"device":7340032,"generation":5},"mode":33261,"magic":61267,'
    '"path":"/data/wal","event":"files"}'
)
_SYNCS = (
    '{"map":"syncs","key":["key","number","how","tid","error"],'
    '"value":["count","total_ns","max_ns","bytes","slots"],"rows":['
    '[{"file":13,"device":7340032,"generation":5},74,0,8,0,21,8521061,526234,0,{"132":20,"136":1}],'
    '[{"file":13,"device":7340032,"generation":5},18,1,8,0,21,3790709886,189671105,86016,{"203":21}]]}'
)
_WAITING = (
    '{"iterator":"blocked","began":4000000000,"key":{"file":13,"device":7340032,"generation":5},'
    '"number":74,"how":0,"tid":8}'
)
_NAME = '{"thread":8,"pid":7,"comm":"wal-writer"}'
_DEVICE = '{"device":"7:0","name":"loop0"}'
_END = '{"end":6000000000,"took":5.0,"why":"","losses":{},"hits":40}'

SAMPLES = (
    Sample(
        (_traces.recorded(_BEGAN, _FILE, _SYNCS, _WAITING, _NAME, _DEVICE, _END),),
        (
            "says='in 5.0 s: pwrite64, O_DSYNC 21 times, p50 ",
            "; fsync 21 times, p50 ",
            "1 not ended, /data/wal for 2.00 s so far; most of it on /data/wal'",
            "what='/data/wal', result='ok', thread='wal-writer', pid=None, tid=8, count=21",
            "detail='pwrite64, O_DSYNC; on loop0'",
        ),
    ),
    Sample((_traces.recorded(_BEGAN, _END),), ("no fsync and no synchronous write in 5.0 s",)),
)
