"""What all eBPF probes share: the template that travels, and the records that come back as plain rows."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from locard.guard import kernel_refusal, needs
from locard.guard.command import Command, Impact, Residue, Template
from locard.model import params
from locard.model.evidence import INTERRUPTED, Scope
from locard.model.foreign_json import parsed
from locard.model.kernel_facts import (
    ENDED_BY_YOU,
    Bucket,
    CountedStack,
    Histogram,
    NotObserved,
    Observed,
    Row,
)
from locard.model.target import Skip
from locard.model.wording import count as counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.model.evidence import Output
    from locard.model.target import Context, Process

MOST_FOR_S = 600.0
_KTHREADD = 2
_SETTLES_S = 15.0  # for loading, and for what is told at the end
_READER = "far/ebpf.py+far/symbols.py+far/processes.py+far/observe.py"
DEFAULT_S = 5.0
# The share of the target's CPU time (or of one core, where it uses less) that events may cost it.
MAX_OVERHEAD = 0.02


def for_param(default: float = DEFAULT_S) -> Any:
    """The parameter `--for`: how long to observe."""
    return params.duration(
        default, "how long to observe, such as 30s", least=0.1, most=MOST_FOR_S, flag="--for"
    )


def overhead_param(share: float = MAX_OVERHEAD) -> Any:
    """The parameter `--max-overhead`: after which it detaches by itself."""
    return params.param(
        share * 100,
        "per cent of the target's CPU time that it may cost; then it detaches",
        least=0.01,
        most=1000.0,
    )


def template(
    program: str,
    by_hand: str,
    own: str = "",
    *,
    residue: tuple[Residue, ...] = (),
    many: bool = True,
) -> Template:
    """The command that observes through the eBPF object `program`; `own`: a part of its own that travels."""
    pids = ("{pid:pid*}",) if many else ()
    return Template(
        argv=("python3", "-I", "-S", "-", "{seconds:number}", "{settings:source}", *pids),
        impact=Impact.SAMPLES,
        bound_s=MOST_FOR_S + _SETTLES_S,
        by_hand=by_hand,
        residue=residue,
        max_bytes=24 << 20,
        program=_READER.replace(
            "far/observe.py", f"{own}+far/observe.py" if own else "far/observe.py"
        ),
        needs=(needs.PYTHON,),
        output="json",
        prompt=True,
        ends="interrupted",
        parts=(
            ("library", "far/libfar.{machine}.so"),
            ("object", f"kernel/programs/objects/{{machine}}/{program}.o"),
        ),
    )


def observe(
    made: Template, seconds: float, settings: dict[str, Any], pids: Sequence[int] = ()
) -> Command:
    """The command for so many seconds; its bound is that and what loading and telling take."""
    values: dict[str, Any] = {
        "seconds": f"{seconds:.3f}",
        "settings": json.dumps(settings, separators=(",", ":")),
    }
    if any("{pid:" in part for part in made.argv):
        values["pid"] = tuple(pids)
    return dataclasses.replace(made.fill(**values), bound_s=seconds + _SETTLES_S)


def applies(context: Context) -> Skip | None:
    """It takes processes, on a machine for which there are objects."""
    if not context.target.pids:
        return Skip("the target has no processes", "name one: pid/PID or proc/NAME")
    return None


def applies_to_programs(context: Context) -> Skip | None:
    """It takes processes that run a program: a kernel thread makes no system calls and maps no library."""
    skip, every = applies(context), context.target.processes
    if skip is not None or not all(map(_is_kernel_thread, every)):
        return skip
    first = every[0]
    several = len(every) > 1
    return Skip(
        f"pid {first.pid} ({first.comm}) is a kernel thread"
        + (f", and so are the {len(every) - 1} below it" if several else "")
        + ": it has no system calls and no libraries",
        f"look at where it waits and on which CPU: locard waits pid/{first.pid},"
        f" locard trace off-cpu pid/{first.pid}, locard trace cpu-profile pid/{first.pid}",
    )


def _is_kernel_thread(process: Process) -> bool:
    """Whether a process is one of the kernel's own: kthreadd, or begun by it."""
    begun = process.ppid == _KTHREADD or (process.pid == _KTHREADD and not process.ppid)
    return begun and not process.cmdline


def scope(context: Context) -> Scope:
    """The processes, and the threads and children that they begin meanwhile."""
    return Scope(pids=context.target.pids, note="with the threads and children that they begin")


@dataclass(slots=True)
class Told:
    """The lines of one observation. Maps are lists of {field: value}, keys and values together."""

    began: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, Any] = field(default_factory=dict)
    maps: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    iterators: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    others: list[dict[str, Any]] = field(default_factory=list)
    threads: dict[int, dict[str, Any]] = field(default_factory=dict)
    cut: list[str] = field(default_factory=list)
    io_uring: list[int] = field(default_factory=list)
    broken: int = 0  # lines and rows that could not be read
    problem: str = ""
    over: float = 0.0

    @property
    def machine(self) -> str:
        """As uname says it."""
        return str(self.began.get("machine", ""))

    @property
    def seconds(self) -> float:
        """How long it was attached; 0 where it was cut off before it said so."""
        return _number(self.end.get("took")) or self.over

    def map(self, name: str) -> list[dict[str, Any]]:
        """The entries of a map."""
        return self.maps.get(name, [])

    def thread(self, tid: Any) -> str:
        """A thread's name, with its number in its own namespace where that is another."""
        known = self.threads.get(tid) if isinstance(tid, int) else None
        if known is None:
            return ""
        inner = known.get("nstid")
        return (
            f"{known.get('comm', '')} (tid {inner} inside)" if inner else str(known.get("comm", ""))
        )

    def observed(self, engine: str = "eBPF", each_ns: float | None = None) -> Observed:
        """How it went."""
        losses = self.end.get("losses")
        losses = losses if isinstance(losses, dict) else {}
        lost = [
            f"{losses[name]} {words}"
            for name, words in (
                ("events", "events were lost: they came faster than they are read"),
                ("entries", "calls were not counted: a table of the kernel was full"),
            )
            if losses.get(name)
        ]
        lost += [
            f"{r['left_out']:,} of {r.get('of', 0):,} functions that fit were not attached to: name fewer, such as"
            " -e 'SSL_*@libssl*' or -e 'malloc+free'"
            for r in self.others
            if isinstance(r.get("left_out"), int) and isinstance(r.get("of"), int)
        ]
        lost += [f"only the first {MOST_SHOWN} rows of {name} were read" for name in self.cut]
        if self.broken and self.end:  # else its last line was cut, which is said
            lost.append(f"{counted(self.broken, 'line')} of what it told could not be read")
        if not self.end and not self.refused:
            lost.append(
                _UNTOLD.get(self.problem) or self.problem or "it was cut off before its end"
            )
        why = str(self.end.get("why") or "")
        early = why.startswith(("overhead", "stopped"))
        ended = self._early(why) if early else why.partition(": ")[2] or why
        hits = self.end.get("hits")
        ended = "; ".join([*self._went_on(), *([ended] if ended else [])])
        if losses.get("calls_32bit"):
            lost.append(f"{losses['calls_32bit']} calls of 32-bit programs were not counted")
        blind = []
        if self.io_uring:
            pids = ", ".join(map(str, self.io_uring))
            blind.append(
                f"process {pids} uses io_uring: what it reads and writes that way is no system call"
            )
        missing = self.began.get("missing")
        if isinstance(missing, dict):
            blind += [f"{name} was not attached: {why}" for name, why in missing.items()]
        blind += [_orphans(r["orphans"], r.get("of")) for r in self.others if "orphans" in r]
        blind += [_traced(r) for r in self.others if "traced" in r]
        blind += [str(row["unseen"]) for row in self.others if "unseen" in row]
        return Observed(
            seconds=round(self.seconds, 3),
            engine=engine,
            attached=tuple(map(str, self.began.get("attached", ()))),
            lost=tuple(lost),
            blind=tuple(blind),
            ended=ended,
            cut=early,
            cost_s=self.end.get("cost_s"),
            overhead_s=round(hits * each_ns / 1e9, 6)
            if isinstance(hits, int) and each_ns
            else None,
            events=hits if isinstance(hits, int) and each_ns else None,
            left=tuple(self._left()),
        )

    def _went_on(self) -> Iterator[str]:
        """That the target ended, and what it had begun was looked at on: a daemon's second fork."""
        for row in self.others:
            heirs, gone = row.get("heirs"), row.get("gone")
            if not isinstance(heirs, list) or not isinstance(gone, list):
                continue
            named = ", ".join(map(str, heirs)) + (", …" if row.get("of") != len(heirs) else "")
            yield (
                f"process {', '.join(map(str, gone))} ended after {_number(row.get('after')):.1f} s; what it had"
                f" begun was looked at on: {counted(int(_number(row.get('of'))), 'process', 'processes')} ({named})"
            )

    def _early(self, why: str) -> str:
        """That it was ended before its time, by whom or what, and after how much of it."""
        if why.startswith("overhead"):
            return f"detached after {self.seconds:.1f} s: {why.partition(': ')[2]}"
        asked = _number(self.end.get("asked"))
        after = f"after {self.seconds:.1f} s" + (f" of {asked:g} s" if asked else "")
        if self.problem == INTERRUPTED:
            return f"{ENDED_BY_YOU} {after}"
        return f"ended {after}: {self.problem or 'the time that it had was over'}"

    def _left(self) -> Iterator[str]:
        """The pages that the kernel keeps in a process where functions were attached to."""
        for row in self.others:
            pages, before = row.get("pages"), row.get("before")
            if "left" not in row or not isinstance(pages, list):
                continue
            for page in sorted(set(map(str, pages))):
                known = isinstance(before, list) and page in before
                yield (
                    f"a page {page} in process {row['left']} until it ends"
                    + (", which was there before" if known else "")
                )  # fmt: skip


def _traced(row: dict[str, Any]) -> str:
    """That another tool stops the process at what it does: the times are those under it."""
    by = f"{row.get('by') or 'a process'} (pid {row.get('tracer')})"
    return (
        f"process {row.get('traced')} is traced by {by}, which may stop it at each call: times and counts are those"
        " under it; a process has one tracer, so strace or ltrace by hand would be refused"
    )


def _orphans(pids: Any, of: Any) -> str:
    """Who may be the target's, begun while it was looked at, and was not."""
    known = [int(p) for p in pids] if isinstance(pids, list) else []
    if not known:
        return ""
    several = len(known) > 1
    return (
        f"{counted(int(_number(of)) or len(known), 'process', 'processes')} that began meanwhile in its control"
        f" group and {'have' if several else 'has'} lost the parent may be of the target and"
        f" {'were' if several else 'was'} not looked at: {', '.join(f'pid/{p}' for p in known)}"
    )


# Where nothing was told after an interrupt: the table is not there.
_UNTOLD = {INTERRUPTED: "interrupted before it told what it had counted"}

# What stays where functions were attached to; the kernel offers no way to take it back.
PROBE_PAGE = Residue(
    "a page [uprobes] of the kernel's own in each process that was attached to, until the process ends"
)

MOST_SHOWN = 20000
_NAMES = 3  # of threads at one stack


def told(output: Output) -> Told:
    """The records of an observation; what is no record is not there."""
    found = Told(problem=output.problem)
    for line in output.text.splitlines():
        try:
            _take(found, parsed(line))
        except (AttributeError, KeyError, TypeError, ValueError):
            found.broken += bool(line.strip())
    return found


_ALONE = {"began", "end", "refused"}  # each comes once


def _take(found: Told, row: dict[str, Any]) -> None:
    if "map" in row and "rows" in row:
        names = [*row["key"], *row["value"]]
        rows = found.maps.setdefault(str(row["map"]), [])
        fit = [r for r in row["rows"] if len(r) == len(names)]
        found.broken += len(row["rows"]) - len(fit)
        rows.extend(dict(zip(names, r, strict=True)) for r in fit)
    elif "event" in row:
        found.events.setdefault(str(row["event"]), []).append(row)
    elif "iterator" in row:
        found.iterators.setdefault(str(row["iterator"]), []).append(row)
    elif "thread" in row:
        found.threads[int(row["thread"])] = row
    elif row.keys() & _ALONE:
        for name in row.keys() & _ALONE:
            setattr(found, name, row)
    elif "over" in row:
        found.over = _number(row["over"])
    elif "cut" in row:
        found.cut.append(str(row["cut"]))
    elif "io_uring" in row:
        found.io_uring.append(int(row["io_uring"]))
    else:
        found.others.append(row)


def refusal(program: str, told: Told) -> NotObserved | None:
    """Why the kernel did not take it, and what would unlock it; None where it did."""
    if not told.refused:
        return None
    why, said = str(told.refused.get("why", "")), str(told.refused.get("said", ""))
    return NotObserved(program, f"{why}: {said}" if said else why, unlock(told.refused))


def unlock(refused: dict[str, Any]) -> str:
    """What would make the kernel take what a record says it refused."""
    facts = refused.get("facts")
    words = f"{refused.get('why') or refused.get('fallback') or ''} {refused.get('said', '')}"
    return kernel_refusal.unlock(
        refused.get("errno"), words, facts if isinstance(facts, dict) else {}
    )


# -- numbers -----------------------------------------------------------------------------------


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def bounds(slot: int) -> tuple[int, int]:
    """From and to (exclusive) of a slot of kernel.h's `slot_of`: eight to a power of two."""
    if slot < 8:  # noqa: PLR2004 - the first are single values
        return slot, slot + 1
    shift, part = (slot - 8) // 8, (slot - 8) % 8
    return (8 + part) << shift, (9 + part) << shift


def percentile(slots: dict[str, int], share: float, most: float | None = None) -> float | None:
    """The value below which a share of the counted ones lies, within 6 %; `most` is the greatest known."""
    ordered = sorted((int(k), v) for k, v in slots.items())
    total = sum(v for _, v in ordered)
    if not total:
        return None
    want, seen = share * total, 0
    for slot, count in ordered:
        if seen + count >= want:
            low, high = bounds(slot)
            value = low + (high - low) * max(0.0, want - seen) / count
            return min(value, most) if most else value
        seen += count
    return None


def latencies(row: dict[str, Any]) -> dict[str, Any]:
    """Fields of a Row from an entry with total_ns, max_ns and slots: seconds."""
    slots = row.get("slots")
    slots = slots if isinstance(slots, dict) else {}
    most = _number(row.get("max_ns"))
    found: dict[str, Any] = {
        "total_s": _number(row.get("total_ns")) / 1e9,
        "max_s": most / 1e9,
    }
    for name, share in (("p50_s", 0.5), ("p99_s", 0.99)):
        value = percentile(slots, share, most)
        if value is not None:
            found[name] = value / 1e9
    return {k: round(v, 9) for k, v in found.items()}


def histogram(name: str, slots: dict[str, int], unit: str = "s", scale: float = 1e-9) -> Histogram:
    """Bars of a power of two each, so that they fit a screen."""
    merged: dict[int, int] = {}
    for key, count in slots.items():
        low, _ = bounds(int(key))
        merged[low.bit_length()] = merged.get(low.bit_length(), 0) + count
    return Histogram(
        name,
        unit,
        tuple(
            Bucket((1 << bits >> 1) * scale, (1 << bits) * scale, merged[bits])
            for bits in sorted(merged)
        ),
    )


def add_slots(into: dict[str, int], more: Any) -> None:
    """Add the counts of one set of slots to another."""
    if isinstance(more, dict):
        for key, count in more.items():
            into[key] = into.get(key, 0) + count


def ranked(rows: list[Row]) -> tuple[Row, ...]:
    """By wall time, then by count."""
    return tuple(sorted(rows, key=lambda r: (-(r.total_s or 0.0), -r.count, r.what)))


def process(comm: Any, pid: Any) -> str:
    """A process by name and number; 0 is none that can be seen from the pid namespace of who observes."""
    return f"{comm} ({pid})" if pid else f"{comm} (of another pid namespace)"


def stacks(told: Told, unit: str, scale: float = 1.0) -> Iterator[CountedStack]:
    """The stacks that the place has symbolised: {"stack": [...], "value", "tid" or "tids", "waker"}.

    Where threads are told, the same frames of threads of one name, but for its number, are one.
    """
    several: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in told.others:
        if not isinstance(row.get("stack"), list):
            continue
        frames, waker = tuple(map(str, row["stack"])), tuple(map(str, row.get("waker") or ()))
        if isinstance(row.get("tids"), list):
            known: dict[str, Any] = told.threads.get(row.get("tid") or 0, {})
            name = str(known.get("comm", "")).rstrip("0123456789")
            several.setdefault((frames, waker, name), []).append(row)
            continue
        name = told.thread(row.get("tid")) or str(row.get("comm", ""))
        yield CountedStack(frames, _number(row.get("value")) * scale, unit, name, waker)
    for (frames, waker, _), rows in several.items():
        tids = dict.fromkeys(tid for row in rows for tid in row["tids"])
        names = list(dict.fromkeys(filter(None, map(told.thread, tids))))
        more = f" and {len(names) - _NAMES} more names" if len(names) > _NAMES else ""
        value = sum(_number(row.get("value")) for row in rows) * scale
        called = f"{', '.join(names[:_NAMES])}{more}"
        yield CountedStack(frames, value, unit, called, waker, len(tids))
