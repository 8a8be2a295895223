"""How long threads that could run wait for a CPU: by thread, and who ran instead.

Shows: for each thread how often and how long it waited, after being woken and after being put aside while
  running; who had the CPU meanwhile; whether a CPU limit of the cgroup stopped it (cpu.stat); threads
  that still wait when the look is over.
How: an eBPF program on sched_wakeup, sched_wakeup_new and sched_switch.
Impact: samples. About 0.1 us for each switch of the machine, 0.5 us for each of the target; it detaches by
  itself past --max-overhead. Also known as runqlat, runqslower, perf sched latency.
Limits: throttled time is added up over the CPUs of the cgroup; of a cgroup that others share it is not told
  how much was the target's. Who ran before on the same CPU is named as who ran instead, whatever ran before that. Waits that
  began before locard attached are not counted. Time in which a CPU limit stopped the thread is a part of
  what it waited, and of what stands behind others. The time that a hypervisor takes (steal) is not in it.
Source: runqlat(8) of bcc; Gregg, "BPF Performance Tools", ch. 6; cgroups cpu.stat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.kernel import _by_thread, _observing, _traces, engines
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

_EACH_NS = 500.0  # of a switch to a thread of the target, with what its wake-up cost
_WAITED = "waited for a CPU"
_IDLE = "nobody: the CPU was idle"
_MOST_OTHERS = 40
_OURS, _LIMITED = "of the target itself", "throttling included"

COMMANDS = (
    _observing.template("run_queue", "runqlat -p {pid}", own="kernel/_throttle_far.py"),
    *bcc.commands("run-queue"),
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
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    if asked.engine != engines.EBPF:
        yield from bcc.TOOLS["run-queue"].plan(context, asked.for_s)
        return
    settings = {
        "attach": ["wakes", "wakes_new", "switches"],
        "rows": {"blocked": "blocked_row"},
        "share": asked.max_overhead / 100,
        "cost_ns": _EACH_NS,
    }
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace, or why the kernel did not take it."""
    return _traces.read("run-queue", outputs, _trace)


def _trace(told: Told) -> Trace:
    slots: dict[str, int] = {}
    rows = []
    limited = any("throttled" in row for row in told.others)
    for row in told.map("waits"):
        _observing.add_slots(slots, row["slots"])
        aside = (
            f"put aside while running {row['aside']:,} times, {duration(row['aside_ns'] / 1e9)}"
            if row["aside"]
            else ""
        )
        rows.append(
            Row(
                _WAITED,
                thread=told.thread(row["key"]),
                pid=row["tgid"],
                tid=row["key"],
                count=row["count"],
                detail=", ".join(filter(None, (aside, _LIMITED if limited else ""))),
                **latencies(row),
            )
        )
    others = _others(told, limited)
    waiting = _waiting(told)
    throttled = [
        Row(
            f"CPU limit of cgroup {row['cgroup']}",
            "throttled",
            count=row["throttled"],
            total_s=round(row["seconds"], 6),
            detail=_share(told, row),
        )
        for row in told.others
        if "throttled" in row
    ]
    return Trace(
        "run-queue",
        _says(told, slots, others, waiting, throttled),
        told.observed(each_ns=_EACH_NS),
        (*throttled, *waiting, *_by_thread.listed(rows), *others[:_MOST_OTHERS]),
        (_observing.histogram(_WAITED, slots),) if slots else (),
    )


def _share(told: Told, row: dict[str, Any]) -> str:
    """How often of the periods, and how that compares with what the threads waited.

    A CPU's queue is throttled only with at least one thread in it: in a cgroup of the target's own its threads
    waited at least so long.
    """
    waited = sum(r["total_ns"] for r in told.map("waits")) / 1e9
    words = [f"in {row['throttled']} of {row['periods']} periods"] if row.get("periods") else []
    if not row.get("own"):
        words.append("other processes are in it: how much of that was the target's is not told")
    elif waited:
        share = 100 * min(1.0, row["seconds"] / waited)
        words.append(f"at least {share:.0f} % of what its threads waited for a CPU")
    return ", ".join(words)


def _others(told: Told, limited: bool) -> list[Row]:
    """Who ran instead; where a limit stopped the target as well, nobody knows which of it was the limit's."""
    found: dict[tuple[str, bool], list[dict[str, Any]]] = {}
    for row in told.map("others"):
        name = row["comm"].partition("/")[0] if row["comm"].startswith("kworker/") else row["comm"]
        found.setdefault((name if row["tgid"] or name else _IDLE, bool(row["ours"])), []).append(
            row
        )
    rows = [
        Row(
            name,
            "ran instead",
            pid=parts[0]["tgid"] if len(parts) == 1 and parts[0]["tgid"] else None,
            count=sum(p["count"] for p in parts),
            total_s=round(sum(p["total_ns"] for p in parts) / 1e9, 9),
            max_s=round(max(p["max_ns"] for p in parts) / 1e9, 9),
            detail=", ".join(w for w in (_OURS if ours else "", _LIMITED if limited else "") if w),
        )
        for (name, ours), parts in found.items()
    ]
    return sorted(rows, key=lambda r: (-(r.total_s or 0.0), r.what))


def _waiting(told: Told) -> list[Row]:
    end = told.end.get("end")
    return [
        Row(
            _WAITED,
            "still waits",
            thread=told.thread(row["tid"]),
            pid=row["tgid"],
            tid=row["tid"],
            count=1,
            total_s=round((end - row["since"]) / 1e9, 9),
        )
        for row in told.iterators.get("blocked", ())
        if isinstance(end, int) and end > row["since"]
    ]


def _says(
    told: Told,
    slots: dict[str, int],
    others: list[Row],
    waiting: list[Row],
    throttled: list[Row],
) -> str:
    waits = told.map("waits")
    number = sum(r["count"] for r in waits)
    seconds = f"{told.seconds:.1f} s"
    if not number:
        said = f"no thread was put on a CPU in {seconds}"
    else:
        most = max(r["max_ns"] for r in waits)
        half, nearly = (percentile(slots, share, most) or 0.0 for share in (0.5, 0.99))
        total = sum(r["total_ns"] for r in waits) / 1e9
        said = (
            f"{count(len(waits), 'thread')} waited for a CPU {count(number, 'time')} in {seconds}:"
            f" p50 {duration(half / 1e9)}, p99 {duration(nearly / 1e9)}, max"
            f" {duration(most / 1e9)}, {duration(total)} in all"
        )
        first = next((r for r in others if r.what != _IDLE), None)
        if first is not None:
            own = f" ({first.detail})" if first.detail else ""
            behind = min(first.total_s or 0.0, total)
            said += f"; longest behind {first.what}{own}: {duration(behind)}"
    longest = max((r.total_s or 0.0 for r in waiting), default=0.0)
    if longest > told.seconds / 10:
        said += f"; {count(len(waiting), 'thread')} still waiting, for {duration(longest)} so far"
    if throttled:
        first = max(throttled, key=lambda r: r.total_s or 0.0)
        said += (
            f"; the {first.what} stopped it {count(first.count, 'time')}, {duration(first.total_s)}"
        )
        if first.detail:
            said += f" ({first.detail})"
    return said


_BEGAN = '{"began":1000000000,"attached":["switches"],"machine":"x86_64"}'
_WAITS = (
    '{"map":"waits","key":["key"],"value":["count","total_ns","max_ns","aside","aside_ns","tgid","slots"],'
    '"rows":[[8,100,500000000,40000000,90,490000000,7,{"170":90,"60":10}]]}'
)
_OTHERS = (
    '{"map":"others","key":["tgid","ours","comm"],"value":["count","total_ns","max_ns"],'
    '"rows":[[9,0,"stress",90,490000000,40000000],[0,0,"",10,10000000,50000],'
    '[33,0,"kworker/0:1",1,100,100],[34,0,"kworker/1:1",1,100,100]]}'
)
_WAITING = '{"iterator":"blocked","since":3000000000,"tid":9,"tgid":7}'
_THROTTLED = '{"throttled":12,"seconds":0.3,"periods":50,"cgroup":"/case","own":true}'
_NAME = '{"thread":8,"pid":7,"comm":"worker"}'
_END = '{"end":6000000000,"took":5.0,"why":"","losses":{},"hits":100}'

SAMPLES = (
    Sample(
        (_traces.recorded(_BEGAN, _WAITS, _OTHERS, _WAITING, _THROTTLED, _NAME, _END),),
        (
            "1 thread waited for a CPU 100 times in 5.0 s: p50 ",
            (
                "500 ms in all; longest behind stress (throttling included): 490 ms; 1 thread still waiting, for 3.00 s so far;"
                " the CPU limit of cgroup /case stopped it 12 times, 300 ms (in 12 of 50 periods, at least 60 % of what its threads waited for a CPU)"
            ),
            "what='waited for a CPU', result='', thread='worker', pid=7, tid=8, count=100",
            "detail='in 12 of 50 periods, at least 60 % of what its threads waited for a CPU'",
            "what='kworker', result='ran instead', thread='', pid=None, tid=None, count=2",
        ),
    ),
    Sample(
        (_traces.recorded(_BEGAN, _WAITS, _OTHERS, _NAME, _END),),
        ("500 ms in all; longest behind stress: 490 ms", "count=90, errors=None"),
    ),
    Sample((_traces.recorded(_BEGAN, _END),), ("no thread was put on a CPU in 5.0 s",)),
)
