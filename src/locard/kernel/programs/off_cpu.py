"""Where threads are off their CPU: time blocked by kernel and user stack, by thread, and who woke them.

Shows: for each stack how long threads were away, of waits of at least --min; for each thread all of its
  waits, and how much of them was uninterruptible (D); with --wakers the stack that woke it; threads that
  were away when the look was over. A wait that began before counts from the beginning of the look, without a stack.
How: an eBPF program on sched_switch takes the stack when a thread leaves its CPU and counts when it runs
  again, sched_waking sees who wakes it. Names come from the process's own files, beside the target.
Impact: samples. About 1.8 us for each time that a thread of the target leaves its CPU; it detaches by itself
  past --max-overhead. Also known as offcputime, offwaketime, wakeuptime.
Limits: user stacks follow frame pointers: code without them shows the innermost frames alone. The time
  lasts until the thread runs again, so it holds what it then waits for a CPU (`run-queue`). A thread that
  is put aside while it could run is not off CPU here. A wake-up by an interrupt names only that.
Source: Gregg, "Off-CPU Analysis"; offcputime(8) and offwaketime(8) of bcc.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.kernel import _by_thread, _observing, _traces, engines
from locard.kernel._observing import latencies
from locard.kernel.engines import bcc
from locard.model import params
from locard.model.kernel_facts import CountedStack, Row, Trace
from locard.model.kernel_words import duration
from locard.model.wording import count, verb
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.kernel._observing import Told
    from locard.model.evidence import Output, Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_EACH_NS = 1800.0  # of a switch away and back, with both stacks
_KERNEL = "_[k]"
_OFF = "off CPU"
_FIRM = 1

COMMANDS = (
    _observing.template(
        "off_cpu",
        "offcputime -p {pid}",
        own="kernel/_stacks_far.py+kernel/_off_cpu_far.py",
    ),
    *bcc.commands("off-cpu"),
)


@dataclass(frozen=True, slots=True)
class Params:
    """For how long, which waits, and whether to say who woke."""

    for_s: float = _observing.for_param()
    min: float = params.duration(
        0.001, "waits of at least this by stack, such as 1ms", least=0.0, most=600.0
    )
    wakers: bool = params.switch("the stack of who woke each")
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
        yield from bcc.TOOLS["off-cpu"].plan(context, asked.for_s)
        return
    settings = {
        "set": {"min_ns": int(asked.min * 1e9), "wakers": int(asked.wakers)},
        "attach": ["waking", "switches"],
        "share": asked.max_overhead / 100,
        "cost_ns": _EACH_NS,
    }
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace, or why the kernel did not take it."""
    return _traces.read("off-cpu", outputs, _trace)


def _trace(told: Told) -> Trace:
    slots: dict[str, int] = {}
    rows = []
    for row in told.map("totals"):
        _observing.add_slots(slots, row["slots"])
        words = [f"uninterruptible {duration(row['firm_ns'] / 1e9)}"] if row["firm_ns"] else []
        if row["before_ns"]:
            words.append(f"{duration(row['before_ns'] / 1e9)} in a wait since before")
        rows.append(
            Row(
                _OFF,
                thread=told.thread(row["key"]),
                pid=row["tgid"],
                tid=row["key"],
                count=row["count"],
                detail=", ".join(words),
                **latencies(row),
            )
        )
    rows += [_still(told, row) for row in told.others if row.get("still")]
    rows += [
        Row(
            _OFF,
            "the whole time",
            thread=told.thread(row["away_since_before"]),
            pid=row["pid"],
            tid=row["away_since_before"],
            count=1,
            total_s=round(told.seconds, 6),
            detail=f"state {row['state']}, and since before",
        )
        for row in told.others
        if "away_since_before" in row
    ]
    rows.sort(key=lambda r: (-(r.total_s or 0.0), r.tid or 0))
    stacks = sorted(_observing.stacks(told, "s", 1e-9), key=lambda s: -s.value)
    observed = told.observed(each_ns=_EACH_NS)
    collided = sum(r["count"] for r in told.map("off_cpu") if r["user"] < 0 and r["kernel"] < 0)
    if collided:
        observed = _traces.also_lost(observed, f"the stacks of {collided} waits were lost")
    return Trace(
        "off-cpu",
        _says(told, rows, stacks),
        observed,
        _by_thread.listed(rows, 500),
        (_observing.histogram(_OFF, slots),) if slots else (),
        tuple(stacks),
    )


def _still(told: Told, row: dict[str, Any]) -> Row:
    firm = "uninterruptible, " if row.get("state") == _FIRM else ""
    return Row(
        _OFF,
        "not ended",
        thread=told.thread(row["tid"]),
        pid=row["pid"],
        tid=row["tid"],
        count=1,
        total_s=round(row["value"] / 1e9, 6),
        detail=f"{firm}in {_where(tuple(map(str, row['stack'])))}",
    )


def _where(frames: tuple[str, ...]) -> str:
    """The innermost frame of the process, and that of the kernel where it waits."""
    own = next((f for f in reversed(frames) if not f.endswith(_KERNEL)), "")
    last = frames[-1] if frames else ""
    if last == own or not last:
        return own or "a stack that could not be taken"
    return f"{own}, {last.removesuffix(_KERNEL)}" if own else last.removesuffix(_KERNEL)


def _says(told: Told, rows: list[Row], stacks: list[CountedStack]) -> str:
    seconds = f"{told.seconds:.1f} s"
    if not rows:
        return f"no thread left its CPU in {seconds}"
    whole = sum(r.result == "the whole time" for r in rows)
    waits = [r for r in rows if r.result != "the whole time"]
    parts = []
    if waits:
        threads = len({r.tid for r in waits})
        said = (
            f"{count(threads, 'thread')} {verb(threads, 'was', 'were')} off CPU"
            f" {duration(sum(r.total_s or 0.0 for r in waits))}"
            f" in {count(sum(r.count for r in waits), 'wait')}"
        )
        said += _most(told, stacks)
        parts.append(said)
    if whole:
        more = " more" if waits else ""
        parts.append(f"{whole:,}{more} thread{'s' * (whole > 1)} slept the whole time")
    return f"in {seconds} " + "; ".join(parts)


def _most(told: Told, stacks: list[CountedStack]) -> str:
    """Where most time went: at one stack, or in a wait that began before and has none."""
    older = max(told.map("totals"), key=lambda r: r["before_ns"], default=None)
    older_s = older["before_ns"] / 1e9 if older else 0.0
    if older and older_s > (stacks[0].value if stacks else 0.0):
        thread = told.thread(older["key"])
        return f", most: {thread} {duration(older_s)} in a wait since before"
    if not stacks:
        return ""
    top = stacks[0]
    several = f" ({top.threads:,} threads)" if (top.threads or 0) > 1 else ""
    named = f"{top.thread}{several} " if top.thread else ""
    return f", most: {named}{duration(top.value)} in {_where(top.frames)}"


_BEGAN = '{"began":1000000000,"attached":["switches"],"machine":"x86_64"}'
_TOTALS = (
    '{"map":"totals","key":["key"],"value":["count","total_ns","max_ns","firm_ns","before_ns",'
    '"tgid","slots"],"rows":[[8,30,3000000000,190000000,2900000000,90000000,7,{"203":20,"60":10}]]}'
)
_STACK = (
    '{"value":2900000000,"count":20,"max_ns":190000000,"ready_ns":1000,"stack":["main","pwrite64",'
    '"vfs_write_[k]","io_schedule_[k]"],"tid":8,"tids":[8],"pid":7,"state":1,"waker":["[interrupt]","complete_[k]"]}'
)
_STILL = '{"value":2000000000,"count":1,"still":true,"stack":["read","pipe_read_[k]"],"tid":9,"pid":7,"state":0}'
_OLDER = '{"away_since_before":10,"pid":7,"state":"S"}'
_POOL = '{"value":3000000000,"stack":["main","take","futex_wait_[k]"],"tid":20,"tids":[20,21,22],"pid":7}'
_POOL_TOO = (
    '{"value":2000000000,"stack":["main","take","futex_wait_[k]"],"tid":23,"tids":[23,24],"pid":7}'
)
_POOL_NAMES = "\n".join(f'{{"thread":{19 + k},"pid":7,"comm":"pool-{k}"}}' for k in range(1, 5))
_NAMES = '{"thread":8,"pid":7,"comm":"wal-writer"}\n{"thread":9,"pid":7,"comm":"input"}'
_END = '{"end":6000000000,"took":5.0,"why":"","losses":{},"hits":30}'

SAMPLES = (
    Sample(
        (_traces.recorded(_BEGAN, _TOTALS, _STACK, _STILL, _OLDER, _NAMES, _END),),
        (
            (
                "in 5.0 s 2 threads were off CPU 5.00 s in 31 waits, most: wal-writer 2.90 s in"
                " pwrite64, io_schedule; 1 more thread slept the whole time"
            ),
            "detail='uninterruptible 2.90 s, 90.0 ms in a wait since before'",
            "result='not ended', thread='input', pid=7, tid=9",
            "detail='in read, pipe_read'",
            "waker=('[interrupt]', 'complete_[k]')",
        ),
    ),
    Sample((_traces.recorded(_BEGAN, _END),), ("no thread left its CPU in 5.0 s",)),
    Sample(
        (_traces.recorded(_BEGAN, _TOTALS, _POOL, _POOL_TOO, _POOL_NAMES, _END),),
        (
            "most: pool-1, pool-2, pool-3 and 1 more names (5 threads) 5.00 s in take, futex_wait",
            "frames=('main', 'take', 'futex_wait_[k]'), value=5.0, unit='s'",
            "waker=(), threads=5",
        ),
    ),
)
