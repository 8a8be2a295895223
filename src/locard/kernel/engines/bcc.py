"""The tools of bcc and of libbpf-tools that have a program of locard's own beside them, line by line.

Each prints text for people. Where a target has one process it is asked for by -p; else the tool tells of the
whole machine and what belongs to the target is picked out here.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.kernel import engines, syscall_table
from locard.kernel._observing import ranked
from locard.model.kernel_facts import Bucket, CountedStack, Histogram, NotObserved, Row, Trace
from locard.model.kernel_words import duration
from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from locard.kernel.engines import Ran
    from locard.model.evidence import Output
    from locard.model.facts import Fact
    from locard.model.target import Context
    from locard.probe import Step

ENGINE = "bcc"
_DAMAGED = (KeyError, ValueError, IndexError, ArithmeticError)


@dataclass(slots=True)
class Found:
    """What a tool's text holds: `words` is the headline without the time."""

    words: str
    rows: tuple[Row, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    stacks: tuple[CountedStack, ...] = ()
    blind: tuple[str, ...] = ()
    machine: bool = False  # it is about every process: no rule takes it for the target's


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: its name, its arguments, how its output is read."""

    program: str  # locard's own
    name: str
    argv: tuple[str, ...]
    read: Callable[[Ran], Found]

    @property
    def commands(self) -> tuple[Template, ...]:
        """The tool under each of its names."""
        return tuple(
            Template(
                (need.program, *self.argv),
                Impact.SAMPLES,
                engines.MOST_S,
                needs=(need,),
                ends="interrupted",
                prompt=True,
                max_bytes=16 << 20,
            )
            for need in needs.bcc(self.name)
        )

    @property
    def names(self) -> tuple[str, ...]:
        """As distributions call it."""
        return tuple(need.program for need in needs.bcc(self.name))

    def plan(self, context: Context, seconds: float) -> Generator[Step, Output, None]:
        """Ask the one that is installed; the first name where none is."""
        pids = context.target.pids
        ground = context.ground
        have = [t for t in self.commands if ground is not None and ground.tool(t.argv[0])]
        one = pids if len(pids) == 1 else ()
        values = {"pid": one} if any("{pid" in a for a in self.argv) else {}
        command = (have or self.commands)[0].fill(**values)
        whole_s = seconds + _STARTS_S[command.argv[0].endswith("-libbpf")]
        yield from engines.steps(engines.bounded(command, whole_s), None, whole_s, pids)

    def facts(self, outputs: Sequence[Output]) -> tuple[Fact, ...] | None:
        """One Trace, or why there is none; None where the tool was not asked."""
        it = engines.ran(outputs, self.names)
        if not isinstance(it, engines.Ran):
            return None if it is None else (replace(it, program=self.program),)
        silent = not it.output.text.strip()
        if "Traceback" in it.errors or (silent and (it.errors.strip() or it.output.exit_code)):
            return (engines.failed(it, self.program),)
        try:
            found = self.read(it)
        except _DAMAGED:
            return (NotObserved(self.program, f"what {it.tool} printed cannot be read", ""),)
        blind = [*found.blind, engines.WARNINGS[ENGINE], _STARTING]
        seen = engines.observed(it, it.tool, blind=blind)
        words = f"{found.words} in {seen.seconds:.1f} s, by {it.tool}"
        program = f"{self.program} of the machine" if found.machine else self.program
        return (Trace(program, words, seen, found.rows, found.histograms, found.stacks),)


_STARTS_S = (3.0, 0.5)  # with a compiler, without
_STARTING = "the time has the moment in it that the tool took to begin: the rates shown are a little too low"


def _lines(it: Ran, form: re.Pattern[str]) -> Iterator[re.Match[str]]:
    for line in it.output.text.splitlines():
        if found := form.match(line):
            yield found


def _mine(it: Ran, pid: int) -> bool:
    return not it.pids or pid in it.pids


_Event = tuple[str, str, int, float | None]  # what, result, pid, seconds


def _sums(events: list[_Event]) -> tuple[Row, ...]:
    """Rows of events, by count or, where there are times, by time."""
    by: dict[tuple[str, str, int], list[float | None]] = {}
    for what, result, pid, took in events:
        by.setdefault((what, result, pid), []).append(took)
    rows = []
    for (what, result, pid), every in by.items():
        timed = sorted(t for t in every if t is not None)
        more: dict[str, Any] = {}
        if timed:
            more = {"total_s": round(sum(timed), 9), "min_s": timed[0], "max_s": timed[-1],
                    "p50_s": timed[len(timed) // 2]}  # fmt: skip
        rows.append(Row(what, result, pid=pid or None, count=len(every), **more))
    return ranked(rows)


# -- opens, exec ---------------------------------------------------------------------------------

_OPEN = re.compile(r"(?P<pid>\d+) {1,6}(?P<comm>.{16}) +(?P<fd>-?\d+) +(?P<error>\d+) (?P<path>.*)")


def _opens(it: Ran) -> Found:
    events: list[_Event] = [
        (
            f["path"],
            syscall_table.error(int(f["error"])) if int(f["error"]) else "ok",
            int(f["pid"]),
            None,
        )
        for f in _lines(it, _OPEN)
        if _mine(it, int(f["pid"]))
    ]
    failed = Counter(result for _, result, _, _ in events if result != "ok")
    words = count(len(events), "open")
    if failed:
        each = ", ".join(f"{name} {n:,}" for name, n in failed.most_common(3))
        words += f", {failed.total():,} failed ({each}),"
    return Found(words, _sums(events), blind=("relative paths stand as they were asked for",))


_EXEC = re.compile(r"(?P<comm>.{16}) +(?P<pid>\d+) +(?P<ppid>\d+) +(?P<result>-?\d+) ?(?P<argv>.*)")


def _execs(it: Ran) -> Found:
    ours = set(it.pids)
    events: list[_Event] = []
    for f in _lines(it, _EXEC):
        pid, ppid, number = int(f["pid"]), int(f["ppid"]), int(f["result"])
        if ours and ppid not in ours and pid not in ours:
            continue
        ours |= {pid} if ours else set()
        program = f["argv"].split(" ")[0].strip('"') or f["comm"].strip()
        events.append((program, syscall_table.error(-number) if number < 0 else "ok", 0, None))
    blind = (
        "what a process starts through a child that runs no program of its own is not picked out",
    )
    return Found(count(len(events), "program start"), _sums(events), blind=blind)


# -- tcp -----------------------------------------------------------------------------------------

_CONNECT = re.compile(
    r"(?P<pid>\d+) +(?P<comm>.{1,16}?) +(?P<ip>[46]) +(?P<local>\S+) +(?P<far>\S+) +(?P<port>\d+)"
    r"(?: +(?P<ms>\d+\.\d+))?\s*$"
)


def _peer(address: str, port: str) -> str:
    host = ipaddress.ip_address(address)
    return f"[{host}]:{port}" if host.version == 6 else f"{host}:{port}"  # noqa: PLR2004 - IPv6


def _connects(it: Ran) -> Found:
    events: list[_Event] = [
        (_peer(f["far"], f["port"]), "", int(f["pid"]), float(f["ms"]) / 1e3 if f["ms"] else None)
        for f in _lines(it, _CONNECT)
        if _mine(it, int(f["pid"]))
    ]
    blind = ("what came of a connect is not told: answered and refused look alike",)
    return Found(count(len(events), "TCP connect"), _sums(events), blind=blind)


_AGAIN = re.compile(
    r"\d\d:\d\d:\d\d +(?P<pid>-?\d+) +(?P<ip>[46]) +(?P<local>\S+):(?P<at>\d+) +(?P<kind>[A-Z])>"
    r" +(?P<far>\S+):(?P<port>\d+) +(?P<state>\S+)"
)


def _retransmits(it: Ran) -> Found:
    events: list[_Event] = [
        (_peer(f["far"], f["port"]), "probe" if f["kind"] == "L" else "sent again", 0, None)
        for f in _lines(it, _AGAIN)
    ]
    again = sum(result == "sent again" for _, result, _, _ in events)
    blind = (
        "of the whole machine: whose socket it was is not told (the pid is that of a bystander)",
    )
    words = count(again, "TCP segment") + " sent again"
    return Found(words, _sums(events), blind=blind, machine=True)


# -- histograms, stacks --------------------------------------------------------------------------

_WHOLE = (("of the whole machine: a target of several processes is not picked out",), ())
_UNIT = re.compile(r" +(?P<unit>nsecs|usecs|msecs) +: count")
_BAR = re.compile(r" *(?P<least>\d+) -> (?P<most>\d+) +: (?P<count>\d+)")
_HEAD = re.compile(r"(?P<what>disk|pid|tid|flags) = (?:b?')?(?P<name>.*?)'?\s*$")
_SCALE = {"nsecs": 1e-9, "usecs": 1e-6, "msecs": 1e-3}


def _histograms(it: Ran, name: str) -> tuple[Histogram, ...]:
    found: dict[str, list[Bucket]] = {}
    scale = 1e-6
    for line in it.output.text.splitlines():
        if head := _HEAD.match(line):
            name = head["name"].strip() or "a device without a name"
        elif unit := _UNIT.match(line):
            scale = _SCALE[unit["unit"]]
        elif (bar := _BAR.match(line)) and int(bar["count"]):
            least, most = int(bar["least"]), int(bar["most"]) + 1
            found.setdefault(name, []).append(
                Bucket(least * scale, most * scale, int(bar["count"]))
            )
    return tuple(Histogram(k, "s", tuple(v)) for k, v in found.items())


def _worst(histograms: tuple[Histogram, ...]) -> str:
    slots = [s for h in histograms for s in h.slots]
    return f", the longest below {duration(max(s.below for s in slots))}," if slots else ""


def _disks(it: Ran) -> Found:
    found = _histograms(it, "all disks")
    rows = ranked([Row(h.name, "", count=sum(s.count for s in h.slots)) for h in found])
    words = count(sum(r.count for r in rows), "disk request") + _worst(found)
    blind = ("of the whole machine: by whom a request was sent is not told",)
    return Found(words, rows, found, blind=blind, machine=True)


def _queue(it: Ran) -> Found:
    found = _histograms(it, "waited for a CPU")
    waits = sum(s.count for h in found for s in h.slots)
    rows = (Row("waited for a CPU", count=waits),) if waits else ()
    words = count(waits, "wait") + " for a CPU" + _worst(found)
    return Found(words, rows, found, blind=_WHOLE[len(it.pids) == 1], machine=len(it.pids) != 1)


_FOLDED = re.compile(r"(?P<frames>[^ ].*;.*) (?P<us>\d+)$")
_WHO = re.compile(r"    -  +(?P<comm>.*?)(?: \((?P<tid>\d+)\))?$")


def _off_cpu(it: Ran) -> Found:
    """Stacks as bcc prints them folded, and as libbpf-tools prints them: a frame a line."""
    stacks: list[CountedStack] = []
    frames: list[str] = []
    who = ""
    for line in it.output.text.splitlines():
        if folded := _FOLDED.match(line):
            first, *rest = folded["frames"].split(";")
            stacks.append(CountedStack(tuple(rest), int(folded["us"]) / 1e6, "s", first))
        elif head := _WHO.match(line):
            who = head["comm"]
        elif re.fullmatch(r"        \d+", line) and who:
            stacks.append(CountedStack(tuple(reversed(frames)), int(line) / 1e6, "s", who))
            frames, who = [], ""
        elif line.startswith("    ") and not who:
            frames.append(line.strip())
        elif not line.strip():
            frames, who = [], ""
    total = sum(s.value for s in stacks)
    words = f"{duration(total) or '0 s'} off CPU in {count(len(stacks), 'stack')}"
    shown = tuple(sorted(stacks, key=lambda s: -s.value)[:200])
    return Found(words, stacks=shown, blind=_WHOLE[len(it.pids) == 1], machine=len(it.pids) != 1)


_SLOW = re.compile(
    r"(?P<at>\d+\.\d+|\d\d:\d\d:\d\d) +(?P<comm>.{1,16}?) +(?P<tid>\d+) +(?P<kind>[RWOSF]) +(?P<bytes>\d+)"
    r"(?: +(?P<offset>-?\d+))? +(?P<ms>\d+\.\d+) (?P<file>.*)"
)
_KINDS = {"R": "read", "W": "write", "O": "open", "S": "fsync", "F": "fsync"}


def _slow_files(it: Ran) -> Found:
    events: list[_Event] = [
        (f["file"].strip(), _KINDS[f["kind"]], 0, float(f["ms"]) / 1e3) for f in _lines(it, _SLOW)
    ]
    blind = ("the names of files have no folder", "what is faster than 1 ms is not told")
    return Found(count(len(events), "slow access", "slow accesses"), _sums(events), blind=blind)


_ONE = ("-p{pid:pid*}",)
TOOLS = {
    t.program: t
    for t in (
        Tool("opens", "opensnoop", _ONE, _opens),
        Tool("exec", "execsnoop", (), _execs),
        Tool("tcp-connect", "tcpconnect", _ONE, _connects),
        Tool("tcp-connect-latency", "tcpconnlat", _ONE, _connects),
        Tool("tcp-retransmits", "tcpretrans", (), _retransmits),
        Tool("disk-latency", "biolatency", ("-D",), _disks),
        Tool("run-queue", "runqlat", _ONE, _queue),
        Tool("off-cpu", "offcputime", _ONE, _off_cpu),
        Tool("file-latency", "fileslower", (*_ONE, "1"), _slow_files),
    )
}


def commands(program: str) -> tuple[Template, ...]:
    """What a program declares beside its own command."""
    return (engines.LOOK, *TOOLS[program].commands)


def facts(program: str, outputs: Sequence[Output]) -> tuple[Fact, ...] | None:
    """What the tool beside a program told; None where it was not asked, or there is none."""
    tool = TOOLS.get(program)
    return None if tool is None else tool.facts(outputs)
