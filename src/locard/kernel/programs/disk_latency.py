"""Requests to disks by device and process: time in the kernel's queue apart from time in the device.

Shows: for each device, operation and sender the count, bytes and the device's own latencies (handed over
  to answered), and how long requests were queued before; which were for a cgroup; errors; requests that
  are not answered; limits of the target's cgroups on these devices.
How: an eBPF program on block_io_start, block_rq_insert, block_rq_issue and block_rq_complete, for every
  process of the machine, summed in the kernel; the target's own are told apart.
Impact: samples. About 1.5 us for each request; it detaches by itself past --max-overhead. Also known as
  biolatency, biosnoop, biotop, blktrace.
Limits: what is written to the page cache is sent later by kworker threads or by a journal (jbd2, xfsaild):
  those requests are not the target's by name. A limit of a cgroup holds data back before there is a
  request: it is in neither time. What lies behind the device (a file below a loop device, the network of
  a volume) is part of its answer.
Source: biolatency(8), biosnoop(8) of bcc; cgroups v2 io.max; blkio.throttle of v1.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing, _traces, engines
from locard.kernel._observing import latencies, percentile
from locard.kernel.engines import bcc
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

_EACH_NS = 1500.0  # of a request
_OPERATIONS = {0: "read", 1: "write", 2: "flush", 3: "discard", 5: "erase", 9: "write zeroes"}
_STUCK_S = 0.5
_OWN = "of the target"
_MOST_DEVICES = 3
_WORKER = re.compile(r"^(kworker)/.*")
_WRITES_LATER = ("kworker", "jbd2", "xfsaild", "btrfs-", "kswapd", "flush-")

COMMANDS = (
    _observing.template(
        "disk_latency", "biosnoop -Q", own="kernel/_devices_far.py+kernel/_limits_far.py"
    ),
    *bcc.commands("disk-latency"),
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
    return _observing.applies(context)


def scope(context: Context) -> Scope:
    """Every request of the machine."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all devices."""
    if asked.engine != engines.EBPF:
        yield from bcc.TOOLS["disk-latency"].plan(context, asked.for_s)
        return
    settings = {
        "attach": ["inserted", "issued", "completed"],
        "optional": ["accounted"],
        "rings": ["cgroups"],
        "share": asked.max_overhead / 100,
        "cost_ns": _EACH_NS,
    }
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace, or why the kernel did not take it."""
    return _traces.read("disk-latency", outputs, _trace)


@dataclass(slots=True)
class _Sums:
    count: int = 0
    bytes: int = 0
    total_ns: int = 0
    max_ns: int = 0
    max_queued_ns: int = 0
    slots: dict[str, int] = field(default_factory=dict)
    queued: dict[str, int] = field(default_factory=dict)
    cgroups: Counter[str] = field(default_factory=Counter)
    pids: set[int] = field(default_factory=set)

    def add(self, row: dict[str, Any]) -> None:
        self.count += row["count"]
        self.bytes += row["bytes"]
        self.total_ns += row["total_ns"]
        self.max_ns = max(self.max_ns, row["max_ns"])
        self.max_queued_ns = max(self.max_queued_ns, row["max_queued_ns"])
        _observing.add_slots(self.slots, row["slots"])
        _observing.add_slots(self.queued, row["queued"])
        self.pids.add(row["sender"]["tgid"])

    def took(self) -> dict[str, Any]:
        return latencies({"total_ns": self.total_ns, "max_ns": self.max_ns, "slots": self.slots})

    def waited(self) -> str:
        half = percentile(self.queued, 0.5, self.max_queued_ns) or 0.0
        return f"queued before p50 {duration(half / 1e9)}, max {duration(self.max_queued_ns / 1e9)}"


def _trace(told: Told) -> Trace:
    cgroups = {e["id"]: str(e["path"]) for e in told.events.get("cgroups", ())}
    by_sender: dict[tuple[str, str, str, bool, str], _Sums] = {}
    by_device: dict[str, _Sums] = {}
    own: Counter[str] = Counter()
    later: Counter[str] = Counter()
    for row in told.map("requests"):
        device = _traces.device(told, row["device"]) or "a device without a number"
        sender = row["sender"]
        name, ours = _WORKER.sub(r"\1", sender["comm"]), bool(sender["ours"])
        operation = _OPERATIONS.get(row["operation"], f"operation {row['operation']}")
        result = "ok" if not row["error"] else f"block error {row['error']}"
        sums = by_sender.setdefault((device, operation, name, ours, result), _Sums())
        sums.add(row)
        if row["cgroup"]:
            sums.cgroups[cgroups.get(row["cgroup"], "of a name that was lost")] += row["count"]
        by_device.setdefault(device, _Sums()).add(row)
        own[device] += row["count"] if ours else 0
        later[device] += row["count"] if not ours and name.startswith(_WRITES_LATER) else 0
    rows = [
        Row(
            device,
            result,
            thread=name,
            pid=next(iter(sums.pids)) if len(sums.pids) == 1 else None,
            count=sums.count,
            bytes=sums.bytes or None,
            detail="; ".join(_words(operation, ours, sums)),
            **sums.took(),
        )
        for (device, operation, name, ours, result), sums in by_sender.items()
    ]
    rows.sort(key=lambda r: (_OWN not in r.detail, -(r.total_s or 0.0), r.what, r.thread))
    histograms = []
    for device, sums in sorted(by_device.items(), key=lambda item: -item[1].total_ns)[:4]:
        histograms.append(_observing.histogram(f"{device}, the device's own time", sums.slots))
        histograms.append(_observing.histogram(f"{device}, queued before that", sums.queued))
    limits = _limits(told)
    return Trace(
        "disk-latency",
        _says(told, by_device, own, later, limits),
        told.observed(each_ns=_EACH_NS),
        (*rows[:300], *limits),
        tuple(histograms),
    )


def _words(operation: str, ours: bool, sums: _Sums) -> list[str]:
    words = [operation]
    if ours:
        words.append(_OWN)
    words.append(sums.waited())
    if sums.cgroups:
        words.append(f"for cgroup {_traces.in_words(sums.cgroups)}")
    return words


def _limits(told: Told) -> list[Row]:
    names = {row["device"]: row["name"] for row in told.others if "device" in row}
    return [
        Row(
            str(names.get(row["of"], row["of"])),
            "limit",
            detail=f"{row['limit']} {row['value']} for cgroup {row['cgroup']} of the target",
        )
        for row in told.others
        if "limit" in row
    ]


def _says(
    told: Told,
    by_device: dict[str, _Sums],
    own: Counter[str],
    later: Counter[str],
    limits: list[Row],
) -> str:
    seconds = f"{told.seconds:.1f} s"
    parts = []
    ordered = sorted(by_device.items(), key=lambda item: (-own[item[0]], -item[1].total_ns))
    for device, sums in ordered[:_MOST_DEVICES]:
        took = sums.took()
        by = [
            f"{number:,} by {who}"
            for number, who in (
                (own[device], "the target"),
                (later[device], "kworker or a journal"),
                (sums.count - own[device] - later[device], "others"),
            )
            if number
        ]
        parts.append(
            f"{device} answered {count(sums.count, 'request')} ({', '.join(by)}) in p50"
            f" {duration(took.get('p50_s'))}, max {duration(took['max_s'])}"
        )
    said = (
        f"in {seconds} {'; '.join(parts)}" if parts else f"no request reached a disk in {seconds}"
    )
    stuck = _stuck(told)
    if stuck:
        said += f"; {stuck}"
    if limits:
        first = limits[0]
        said += f"; the target's cgroup has a limit on {first.what}: {first.detail.partition(' for ')[0]}"
    return said


def _stuck(told: Told) -> str:
    """Requests that the device has had for long and not answered."""
    ages = [
        (ago, row)
        for row in told.map("outstanding")
        if row["issued_ns"]
        and (ago := _traces.ended_ago(told, row["issued_ns"])) is not None
        and ago > _STUCK_S
    ]
    if not ages:
        return ""
    ago, row = max(ages, key=lambda item: item[0])
    device = _traces.device(told, row["device"])
    return f"{count(len(ages), 'request')} not answered, {device} since {duration(ago)}"


_BEGAN = '{"began":1000000000,"attached":["issued"],"machine":"x86_64"}'
_CGROUP = '{"id":51,"path":"/app/case-18","event":"cgroups"}'
_REQUESTS = (
    '{"map":"requests","key":["cgroup","device","operation","error","sender"],'
    '"value":["count","bytes","total_ns","max_ns","queued_ns","max_queued_ns","slots","queued"],"rows":['
    '[51,7340032,1,0,{"tgid":9,"ours":0,"comm":"kworker/0:1H"},40,163840,12000000,900000,40000,2000,{"132":40},{"70":40}],'
    '[0,7340032,1,0,{"tgid":7,"ours":1,"comm":"wal-writer"},2,8192,600000,400000,2000,1000,{"132":2},{"70":2}],'
    '[0,266338304,0,10,{"tgid":8,"ours":0,"comm":"cc"},1,4096,100000,100000,1000,1000,{"120":1},{"70":1}]]}'
)
_OUTSTANDING = (
    '{"map":"outstanding","key":["key"],"value":["made_ns","issued_ns","cgroup","device","operation","bytes","sender"],'
    '"rows":[[9,1000000000,3000000000,0,7340032,1,4096,{"tgid":9,"ours":0,"comm":"jbd2/loop0-8"}]]}'
)
_DEVICES = ('{"device":"7:0","name":"loop0"}', '{"device":"254:0","name":"vda"}')
_LIMIT = '{"limit":"write_iops","value":15,"of":"7:0","cgroup":"/case"}'
_END = '{"end":6000000000,"took":5.0,"why":"","losses":{},"hits":40}'

SAMPLES = (
    Sample(
        (_traces.recorded(_BEGAN, _CGROUP, _REQUESTS, _OUTSTANDING, *_DEVICES, _LIMIT, _END),),
        (
            "in 5.0 s loop0 answered 42 requests (2 by the target, 40 by kworker or a journal) in p50 ",
            "1 request not answered, loop0 since 3.00 s; the target's cgroup has a limit on loop0: write_iops 15",
            "what='loop0', result='ok', thread='kworker', pid=9, tid=None, count=40",
            "for cgroup /app/case-18 40",
            "what='vda', result='block error 10', thread='cc'",
        ),
    ),
    Sample((_traces.recorded(_BEGAN, _END),), ("no request reached a disk in 5.0 s",)),
)
