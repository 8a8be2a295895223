"""Page faults by what is mapped: those that waited for a disk, with their latencies, and those that did not.

Shows: for each mapped file, anonymous memory and stacks how many faults were major (the page had to be
  read) and minor (it was in memory), reads and writes apart, how many of them were copies on write; how
  long the thread was away for major ones; faults where nothing is mapped.
How: an eBPF program on the page fault events of the processor; the mapping is looked up in the kernel. The
  thread's own count of major faults tells which they were, sched_switch how long they took.
Impact: samples. About 0.4 us for each fault in one of the last four mappings, 11 us in another
  (the look-up interrupts), 0.2 us for each call of the target; it detaches by
  itself past --max-overhead. Also known as filefault, ffaults, perf trace -F.
Limits: the events exist on x86-64 and RISC-V, not on arm64. A major fault without a wait (its page came
  meanwhile) counts as major with no time. What read and write bring into memory is no fault.
Source: exceptions:page_fault_user; getrusage(2) on ru_majflt; Gregg, "BPF Performance Tools", ch. 7.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing, _traces
from locard.kernel._observing import latencies, percentile
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

_EACH_NS = 700.0  # of a fault
_KINDS = {
    0: "anonymous memory",
    1: "a file whose name was lost",
    2: "a stack",
    3: "an address that is not mapped",
    4: "a mapping that was being changed",
}

COMMANDS = (
    _observing.template(
        "page_faults", "perf trace -F all --no-syscalls -p {pid}", own="kernel/_devices_far.py"
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
        "attach": ["by_user", "by_kernel", "switches", "calls", "returns"],
        "rings": ["files"],
        "rows": {"unsettled": "unsettled_row"},
        "share": asked.max_overhead / 100,
        "cost_ns": _EACH_NS,
    }
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace, or why the kernel did not take it."""
    return _traces.read("page-faults", outputs, _trace)


def _trace(told: Told) -> Trace:
    names = _traces.file_names(told)
    rows = []
    slots: dict[str, int] = {}
    most_ns = 0
    late = _late(told)
    for row in told.map("faults"):
        event = names.get(_traces.file_of(row["key"])) if row["kind"] == 1 else None
        what = str(event["path"]) if event else _KINDS.get(row["kind"], "other memory")
        how = "write" if row["write"] else "read"
        more = late[_identity(row)]
        major = row["major"] + len(more)
        took = dict(row)
        took["total_ns"] += sum(more)
        took["max_ns"] = max([row["max_ns"], *more])
        _observing.add_slots(slots, row["slots"])
        most_ns = max(most_ns, took["max_ns"])
        on = _traces.device(told, row["key"]["device"]) if event else ""
        if major:
            words = [how, *([f"on {on}"] if on else [])]
            rows.append(
                Row(
                    what,
                    "major",
                    pid=row["tgid"],
                    count=major,
                    detail="; ".join(words),
                    **latencies(took),
                )
            )
        minor = row["count"] - major
        if minor > 0:
            words = [how]
            if row["protection"]:
                words.append(f"{row['protection']:,} of pages that were there: copies on write")
            if row["in_kernel"]:
                words.append(f"{row['in_kernel']:,} in system calls")
            rows.append(Row(what, "minor", pid=row["tgid"], count=minor, detail="; ".join(words)))
    rows.sort(key=lambda r: (r.result, -r.count, r.what))
    return Trace(
        "page-faults",
        _says(told, rows, slots, most_ns),
        told.observed(each_ns=_EACH_NS),
        tuple(rows[:500]),
        (_observing.histogram("major faults", slots),) if slots else (),
    )


def _identity(row: dict[str, Any]) -> tuple[Any, ...]:
    return (*_traces.file_of(row["key"]), row["kind"], row["write"], row["tgid"])


def _late(told: Told) -> dict[tuple[Any, ...], list[int]]:
    """Major faults after which nothing came that would have settled them: how long they took."""
    end = told.end.get("end")
    found: dict[tuple[Any, ...], list[int]] = {_identity(r): [] for r in told.map("faults")}
    for row in told.iterators.get("unsettled", ()):
        # Still away: it waits for its page now.
        waits = row["away_since"] and isinstance(end, int)
        if row["major"] != row["before"] or waits:
            took = row["away_ns"] + (
                end - row["away_since"] if waits and isinstance(end, int) else 0
            )
            found.setdefault(_identity(row["key"]), []).append(took)
    return found


def _says(told: Told, rows: list[Row], slots: dict[str, int], most_ns: int) -> str:
    seconds = f"{told.seconds:.1f} s"
    if not rows:
        return f"no page fault in {seconds}"
    parts = []
    for result, meaning in (("major", " (the page was read)"), ("minor", "")):
        found: Counter[str] = Counter()
        for row in rows:
            if row.result == result:
                found[row.what] += row.count
        if not found:
            parts.append(f"no {result} page fault")
            continue
        words = f"{count(found.total(), f'{result} page fault')}{meaning}"
        if result == "major" and slots:
            half = percentile(slots, 0.5, most_ns) or 0.0
            words += f", p50 {duration(half / 1e9)}, max {duration(most_ns / 1e9)}"
        first, number = found.most_common(1)[0]
        parts.append(f"{words}, {'all' if number == found.total() else f'{number:,}'} of {first}")
    return f"in {seconds} {'; '.join(parts)}"


_BEGAN = '{"began":1000000000,"attached":["by_user"],"machine":"x86_64"}'
_FILE = '{"key":{"file":13,"device":7340032,"generation":5},"mode":33261,"magic":61267,"path":"/data/index","event":"files"}'
_FAULTS = (
    '{"map":"faults","key":["key","kind","write","tgid"],"value":["count","major","total_ns","max_ns",'
    '"in_kernel","protection","slots"],"rows":['
    '[{"file":13,"device":7340032,"generation":5},1,0,7,1024,1020,38252670,289221,0,0,{"105":1020}],'
    '[{"file":0,"device":0,"generation":0},0,1,7,4112,0,0,0,3,12,{}]]}'
)
_LAST = (
    '{"iterator":"unsettled","tid":7,"open":1,"away_ns":50000,"away_since":0,"key":{"key":{"file":13,'
    '"device":7340032,"generation":5},"kind":1,"write":0,"tgid":7},"major":9,"before":8}'
)
_END = '{"end":6000000000,"took":5.0,"why":"","losses":{},"hits":5136}'

SAMPLES = (
    Sample(
        (_traces.recorded(_BEGAN, _FILE, _FAULTS, _LAST, _END),),
        (
            "in 5.0 s 1,021 major page faults (the page was read), p50 ",
            "max 289 us, all of /data/index; 4,115 minor page faults, 4,112 of anonymous memory",
            "what='/data/index', result='major', thread='', pid=7, tid=None, count=1021",
            "write; 12 of pages that were there: copies on write; 3 in system calls",
        ),
    ),
    Sample((_traces.recorded(_BEGAN, _END),), ("no page fault in 5.0 s",)),
)
